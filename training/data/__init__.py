"""Pictures on disk: published data sets and folders of one's own, found, paired and read."""

from training.data.labelled import Labelled, find_labelled, read_labels
from training.data.layouts import LAYOUTS, Layout, Split, find_layout
from training.data.overlap import OverlapError, refuse_overlap
from training.data.pair import Pair
from training.data.pairs import find_pairs
from training.data.pictures import LayoutError, read_picture
from training.data.subjects import LAYOUT_NAMES, Subject, find_subjects
from training.data.unpaired import APART_TREE, TARGETLESS, UNPAIRED, find_apart, find_dark, find_pictures, is_apart

__all__ = [
    "APART_TREE",
    "LAYOUTS",
    "LAYOUT_NAMES",
    "TARGETLESS",
    "UNPAIRED",
    "Labelled",
    "Layout",
    "LayoutError",
    "OverlapError",
    "Pair",
    "Split",
    "Subject",
    "find_apart",
    "find_dark",
    "find_labelled",
    "find_layout",
    "find_pairs",
    "find_pictures",
    "find_subjects",
    "is_apart",
    "read_labels",
    "read_picture",
    "refuse_overlap",
]
