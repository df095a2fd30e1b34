"""What SAM sees in the training pictures, computed once and kept: embeddings, regions and a bank fitted on them."""

from training.semantics.bank import fit_bank, load_bank
from training.semantics.cache import Semantics
from training.semantics.crops import crop_embedding, crop_regions
from training.semantics.precompute import ensure_bank, fill_cache

__all__ = ["Semantics", "crop_embedding", "crop_regions", "ensure_bank", "fill_cache", "fit_bank", "load_bank"]
