"""Measures models on held-out pictures the way they ship; writes tables and a sheet of pictures."""

from training.evaluate.measure import Measures, measure
from training.evaluate.models import Model, open_method
from training.evaluate.planes import to_planes, to_rgb
from training.evaluate.table import evaluate

__all__ = ["Measures", "Model", "evaluate", "measure", "open_method", "to_planes", "to_rgb"]
