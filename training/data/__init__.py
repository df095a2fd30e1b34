"""Pictures on disk: published data sets and folders of one's own, found, paired and read."""

from training.data.pairs import LayoutError, Pair, find_pairs, read_picture

__all__ = ["LayoutError", "Pair", "find_pairs", "read_picture"]
