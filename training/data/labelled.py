"""Pictures with a class for every pixel, for the segmentation half of SLLEN's alternating training.

SLLEN's own segmentation set is not known; any set in this layout will do.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image, UnidentifiedImageError

from training.data.files import folder_called
from training.data.pictures import LayoutError, need_same_size, pictures_in

IGNORED = 255
TREE = """expected
  FOLDER/images/NAME.jpg        a picture
  FOLDER/labels/NAME.png        its classes: one channel of ids 0, 1, ..., same size; 255 where it is not known"""


@dataclass(frozen=True, slots=True)
class Labelled:
    """A picture and the file of its classes."""

    name: str
    picture: Path
    labels: Path


def find_labelled(folder: Path) -> list[Labelled]:
    """All labelled pictures under ``folder``, sorted by name.

    Raises ``LayoutError`` naming a picture without labels, labels without a picture, and sizes that differ.
    """
    images, labels = (folder_called(folder, (name,)) for name in ("images", "labels"))
    if images is None or labels is None:
        raise LayoutError(f"{folder / ('images' if images is None else 'labels')} is missing", TREE)
    found = []
    for picture in pictures_in(images):
        partner = labels / f"{picture.stem}.png"
        if not partner.is_file():
            raise LayoutError(f"{picture} has no labels {partner}", TREE)
        need_same_size(picture, partner, TREE)
        found.append(Labelled(picture.stem, picture, partner))
    names = {one.name for one in found}
    for partner in sorted(labels.glob("*.png")):
        if partner.stem not in names:
            raise LayoutError(f"{partner} has no picture in {images}", TREE)
    if not found:
        raise LayoutError(f"{folder} holds no labelled pictures", TREE)
    return found


def read_labels(path: Path, classes: int) -> NDArray[np.int64]:
    """[h, w] class ids below ``classes``, or ``IGNORED``. Raises ``LayoutError`` naming a file that holds others."""
    try:
        with Image.open(path) as picture:
            ids = np.asarray(picture, np.int64)
    except (OSError, UnidentifiedImageError) as error:
        raise LayoutError(f"{path} cannot be read as a picture ({error})", TREE) from error
    if ids.ndim != 2:
        raise LayoutError(f"{path} has {ids.shape[2]} channels; labels are one channel of class ids", TREE)
    wrong = ids[(ids >= classes) & (ids != IGNORED)]
    if wrong.size:
        raise LayoutError(f"{path} holds the class {int(wrong.max())}, but there are only {classes} classes", TREE)
    return ids
