"""What the card of an exported bundle says. Weights carry their training data's licence."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from engines.bundle import Card, PaperCard, TensorCard, TrainingCard
from export.onnx_model import IR_VERSION, OPSET
from export.parity import Parity

_PLANES = "y in 0..1, u and v in about -0.5..0.5, of the picture's own matrix and range; h, w multiples of 8"
_RGB = "R'G'B' in 0..1"
_COEFFICIENTS = (
    "a, s, b, c_u, d_u, e_u, c_v, d_v, e_v per node; y' = a*y + s*sqrt(y) + b, u' = c_u*u + d_u*y + e_u, v' alike"
)

_TENSORS = {
    "curve": (TensorCard("thumbnail", "1,3,h,w", _PLANES), TensorCard("grid", "1,h/8,w/8,9", _COEFFICIENTS)),
    "sci": (TensorCard("image", "1,3,h,w", _RGB), TensorCard("enhanced", "1,3,h,w", _RGB)),
}
_PAPERS = {
    "sci": PaperCard(
        "Toward Fast, Flexible, and Robust Low-Light Image Enhancement (SCI)", "CVPR 2022, arXiv 2204.10137"
    )
}
_NOTES = {
    "curve": "Predicts the tone-curve grid from the thumbnail, correcting SCI's illumination; every curve is monotone.",
    "sci": "Inference half of SCI: the illumination network, 258 parameters, batch normalisation folded.",
}


def make_card(
    name: str, system: str, parameters: int, training: TrainingCard, parity: Parity, metrics: Mapping[str, float]
) -> Card:
    """The card of a bundle of ``system``, with the figures of the parity check among its metrics."""
    given, result = _TENSORS[system]
    measured = {"parity_p99_codes": round(parity.p99, 4), "parity_max_codes": round(parity.worst, 4)}
    return Card(
        name=name,
        system=system,
        kind="grid" if system == "curve" else "picture",
        inputs=(given,),
        outputs=(result,),
        parameters=parameters,
        training=training,
        licence=_licence(training.data_licence),
        paper=_PAPERS.get(system),
        metrics=dict(metrics) | measured,
        notes=f"{_NOTES[system]} ONNX opset {OPSET}, IR {IR_VERSION}.",
    )


def training_card(recipe: Mapping[str, Any], step: int) -> TrainingCard:
    """What a checkpoint of ``training fit`` knows about its own making."""
    return TrainingCard(
        data=recipe["data"]["name"],
        data_licence=recipe["data"]["licence"],
        recipe=recipe["name"],
        steps=step,
        seed=recipe["seed"],
    )


def _licence(data_licence: str) -> str:
    return f"{data_licence} (the weights follow their training data; the code is Apache-2.0)"
