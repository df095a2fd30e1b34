"""The folder layouts that data sets are published in: how each is recognised, and the tree it has.

Sources: LOL is RetinexNet's (BMVC 2018), LOL-v2 DRBN's (CVPR 2020, real and synthetic part); the brackets are laid out
by this project from multi-exposure sets. ``lol-480`` is LOL as Enlighten Anything's released training splits it, five
pairs held out of the training part. MEF, LIME, NPE and DICM have no targets: see ``unpaired``.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from training.data.brackets import is_bracket
from training.data.files import BRIGHT_NAMES, DARK_NAMES, folder_called
from training.data.pictures import LayoutError

Split = Literal["train", "val", "test"]


@dataclass(frozen=True, slots=True)
class Layout:
    """One layout. ``splits`` names the folder of each part, with "/" between levels; empty: there are no parts.

    ``reported`` are pairs that others found to show different scenes or to be shifted, by name.
    """

    name: str
    tree: str
    recognises: Callable[[Path], bool]
    splits: dict[Split, str]
    reported: tuple[str, ...] = ()

    def split_of(self, folder: Path) -> Split | None:
        """The one split that ``folder`` itself is, if it is the folder of one, such as ``our485``."""
        return next((split for split, place in self.splits.items() if place.lower() == folder.name.lower()), None)

    def part(self, folder: Path, split: Split) -> Path:
        """The folder of a split, levels matched in any case. Raises ``LayoutError`` where it is missing."""
        here = folder
        for level in self.splits[split].split("/"):
            if folder.name.lower() == level.lower() and here == folder:
                continue
            below = folder_called(here, (level,))
            if below is None:
                raise LayoutError(f"{here / level} is missing", self.tree)
            here = below
        return here


def _has(*names: str) -> Callable[[Path], bool]:
    return lambda folder: any(folder.name.lower() == n.lower() or folder_called(folder, (n,)) for n in names)


def _looks_like_pairs(folder: Path) -> bool:
    return folder_called(folder, (*DARK_NAMES, *BRIGHT_NAMES)) is not None


def _has_brackets(folder: Path) -> bool:
    return any(is_bracket(scene) for scene in folder.iterdir())


_PAIRS = """  FOLDER/low/NAME.png           a dark picture
  FOLDER/high/NAME.png          the same scene bright, same name, same size"""
_BRACKETS = """  FOLDER/SCENE/exposure_0.jpg   the darkest exposure of the scene
  FOLDER/SCENE/exposure_1.jpg   ... and so on, brighter and brighter
  FOLDER/SCENE/reference.jpg    what it should look like
  FOLDER/index.json             optional: {"SCENE": {"mean": [mean of exposure_0 in 0..1, ...]}}"""
_LOL = """  FOLDER/our485/{low,high}/NAME.png    split train
  FOLDER/eval15/{low,high}/NAME.png    split test"""
_LOL_480 = """  FOLDER/train480/{low,high}/NAME.png    split train
  FOLDER/val5/{low,high}/NAME.png        split val
  FOLDER/test15/{low,high}/NAME.png      split test"""
_REAL = """  FOLDER/Real_captured/Train/Low/low00001.png, .../Normal/normal00001.png    split train
  FOLDER/Real_captured/Test/Low/low00690.png, .../Normal/normal00690.png     split test"""
_SYNTHETIC = """  FOLDER/Synthetic/Train/{Low,Normal}/NAME.png    split train
  FOLDER/Synthetic/Test/{Low,Normal}/NAME.png     split test"""


def _tree(name: str, tree: str) -> str:
    return f"layout {name}:\n{tree}"


# In the order in which they are looked for: the first that recognises a folder has it.
LAYOUTS: dict[str, Layout] = {
    layout.name: layout
    for layout in (
        Layout(
            "lol",
            _tree("lol", _LOL),
            _has("our485", "eval15"),
            {"train": "our485", "test": "eval15"},
            # A user's report to the authors of RetinexNet; the authors' own list is not known.
            ("79", "111", "735"),
        ),
        Layout(
            "lol-480",
            _tree("lol-480", _LOL_480),
            _has("train480", "val5", "test15"),
            {"train": "train480", "val": "val5", "test": "test15"},
            ("79", "111", "735"),
        ),
        Layout(
            "lol-v2-real",
            _tree("lol-v2-real", _REAL),
            _has("Real_captured"),
            {"train": "Real_captured/Train", "test": "Real_captured/Test"},
        ),
        Layout(
            "lol-v2-synthetic",
            _tree("lol-v2-synthetic", _SYNTHETIC),
            _has("Synthetic"),
            {"train": "Synthetic/Train", "test": "Synthetic/Test"},
        ),
        Layout("pairs", _tree("pairs", _PAIRS), _looks_like_pairs, {}),
        Layout("brackets", _tree("brackets", _BRACKETS), _has_brackets, {}),
    )
}
TREES = "expected one of\n" + "\n".join(layout.tree for layout in LAYOUTS.values())


def find_layout(folder: Path, name: str | None = None) -> Layout:
    """The layout called ``name``, else the one that ``folder`` has.

    Raises ``LayoutError`` for an unknown name, a folder that has none of them, and one that holds two data sets.
    """
    if not folder.is_dir():
        raise LayoutError(f"{folder} is not a folder", TREES)
    if name is not None:
        if name not in LAYOUTS:
            raise LayoutError(f"no layout is called {name}; known are {', '.join(LAYOUTS)}")
        return LAYOUTS[name]
    found = [layout for layout in LAYOUTS.values() if layout.recognises(folder)]
    if not found:
        raise LayoutError(f"{folder} holds no pairs", TREES)
    if len([layout for layout in found if layout.splits]) > 1:
        names = ", ".join(layout.name for layout in found)
        raise LayoutError(f"{folder} holds several data sets, name the layout of one: {names}")
    return found[0]


def need_split(layout: Layout, folder: Path, split: Split | None) -> Split:
    """The split that is asked for, else the one that ``folder`` itself is. Raises ``LayoutError`` where neither is."""
    *first, last = layout.splits
    known = f"{', '.join(first)} and {last}"
    found = split or layout.split_of(folder)
    if found is None:
        raise LayoutError(f"{folder} has the splits {known}: say which", layout.tree)
    if found not in layout.splits:
        raise LayoutError(f"{folder} has no split {found}; layout {layout.name} has {known}", layout.tree)
    return found
