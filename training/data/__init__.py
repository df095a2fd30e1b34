"""Pictures on disk: published data sets and folders of one's own, found, paired and read."""

from training.data.labelled import Labelled, find_labelled, read_labels
from training.data.layouts import LAYOUTS, Layout, Split, find_layout
from training.data.overlap import OverlapError, refuse_overlap
from training.data.pair import Pair
from training.data.pairs import find_pairs
from training.data.pictures import LayoutError, read_picture
from training.data.unpaired import find_pictures

__all__ = [
    "LAYOUTS",
    "Labelled",
    "Layout",
    "LayoutError",
    "OverlapError",
    "Pair",
    "Split",
    "find_labelled",
    "find_layout",
    "find_pairs",
    "find_pictures",
    "read_labels",
    "read_picture",
    "refuse_overlap",
]
