"""Pictures without targets of their own: flat folders, the exposures of SICE, dark and bright pictures of other scenes.

MEF, LIME, NPE, DICM and VV are passed around as one flat folder each. SICE (TIP 2018) has a folder of exposures for
each scene. EnlightenGAN (TIP 2021) trains on dark pictures and on bright ones of other places.
"""

from __future__ import annotations

from collections.abc import Callable, Collection
from pathlib import Path

from training.data.files import folder_called
from training.data.pair import Pair
from training.data.pairs import without
from training.data.pictures import LayoutError, pictures_in, size_of

UNPAIRED = "unpaired"
TREE = """expected pictures without targets, of any name
  FOLDER/NAME.bmp               or .jpg, .png, .tif, .webp, in any spelling: MEF, LIME, NPE, DICM and the like"""
SICE_TREE = """layout sice:
  FOLDER/1/1.JPG, FOLDER/1/2.JPG, ...    the exposures of a scene
  FOLDER/Label/1.JPG                     its target, which is passed over"""
APART_TREE = """dark pictures and bright ones of other scenes:
  FOLDER/trainA/NAME.png        a dark picture, of any name
  FOLDER/trainB/NAME.png        a bright one; split test: testA, testB"""


def find_pictures(folder: Path) -> list[Path]:
    """All pictures directly in ``folder``, sorted by name.

    Raises ``LayoutError`` naming a file that cannot be read, or a folder without pictures and what lies below it.
    """
    if not folder.is_dir():
        raise LayoutError(f"{folder} is not a folder", TREE)
    found = pictures_in(folder)
    if not found:
        below = ", ".join(sorted(path.name for path in folder.iterdir() if path.is_dir() and pictures_in(path)))
        raise LayoutError(f"{folder} holds no pictures{f'; its folders {below} do' if below else ''}", TREE)
    for path in found:
        size_of(path, TREE)
    return found


def find_exposures(folder: Path) -> list[Path]:
    """Every exposure of SICE, dark and bright, sorted by scene and name. Raises ``LayoutError`` as above."""
    if not folder.is_dir():
        raise LayoutError(f"{folder} is not a folder", SICE_TREE)
    scenes = sorted(path for path in folder.iterdir() if path.is_dir() and path.name.lower() != "label")
    found = [path for scene in scenes for path in pictures_in(scene)]
    if not found:
        raise LayoutError(f"{folder} holds no folders of exposures", SICE_TREE)
    for path in found:
        size_of(path, SICE_TREE)
    return found


TARGETLESS: dict[str, Callable[[Path], list[Path]]] = {UNPAIRED: find_pictures, "sice": find_exposures}
"""Layouts that have no target for any picture, by name."""


def find_dark(folder: Path, layout: str = UNPAIRED, exclude: Collection[str | int] = ()) -> list[Pair]:
    """The pictures of a layout of ``TARGETLESS``, each as a pair of itself, named by its path in ``folder``."""
    found = [_alone(path, folder) for path in TARGETLESS[layout](folder)]
    return without(found, exclude, folder)


def is_apart(folder: Path) -> bool:
    """Whether dark and bright pictures lie apart, as EnlightenGAN's do."""
    return folder_called(folder, ("trainA", "trainB", "testA", "testB")) is not None


def find_apart(folder: Path, split: str = "train", exclude: Collection[str] = ()) -> tuple[list[Pair], list[Path]]:
    """Dark pictures, each as a pair of itself, and bright pictures of other scenes, from ``trainA`` and ``trainB``.

    Raises ``LayoutError`` naming a folder that is missing or empty, or a file that cannot be read.
    """
    sides = []
    for side in ("A", "B"):
        place = folder_called(folder, (f"{split}{side}",))
        if place is None:
            raise LayoutError(f"{folder / f'{split}{side}'} is missing", APART_TREE)
        if not pictures_in(place):
            raise LayoutError(f"{place} holds no pictures", APART_TREE)
        sides.append(pictures_in(place))
        for path in sides[-1]:
            size_of(path, APART_TREE)
    return without([_alone(path, path.parent) for path in sides[0]], exclude, folder), sides[1]


def _alone(path: Path, folder: Path) -> Pair:
    return Pair(path.relative_to(folder).with_suffix("").as_posix(), path, path)
