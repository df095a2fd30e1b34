"""Pictures in folders: which files are pictures, how they are read, and what is said when one is not as expected."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image, UnidentifiedImageError

SUFFIXES = (".jpg", ".jpeg", ".png", ".bmp", ".webp", ".tif", ".tiff")


class LayoutError(ValueError):
    """The data folder is not laid out as expected; the message names the file and shows the expected ``tree``."""

    def __init__(self, problem: str, tree: str = "") -> None:
        super().__init__(f"{problem}\n{tree}" if tree else problem)


def is_picture(path: Path) -> bool:
    """Whether the name is one of a picture, in any spelling of the suffix; hidden files are none."""
    return path.suffix.lower() in SUFFIXES and not path.name.startswith(".")


def pictures_in(folder: Path) -> list[Path]:
    """The pictures directly in ``folder``, sorted by name; other files are passed over."""
    return sorted(path for path in folder.iterdir() if is_picture(path) and path.is_file())


def read_picture(path: Path, tree: str = "", longest: int | None = None) -> NDArray[np.uint8]:
    """[h, w, 3] RGB, reduced where a side is longer than ``longest``. Raises ``LayoutError`` naming a file that is
    missing, not a picture, or of more than 8 bits a sample in one channel, which would be cut off at 255.
    """
    try:
        with Image.open(path) as picture:
            if picture.mode[0] in "IF":
                raise LayoutError(f"{path} has more than 8 bits a sample: convert it to 8 bits", tree)
            if longest is None or max(picture.size) <= longest:
                return np.asarray(picture.convert("RGB"))
            share = longest / max(picture.size)
            # From the size in the file: partners of one size keep one size, however each is stored.
            width, height = (max(1, round(share * side)) for side in picture.size)
            picture.draft("RGB", (2 * width, 2 * height))  # a large JPEG need not be decoded in full
            return np.asarray(picture.convert("RGB").resize((width, height), Image.Resampling.LANCZOS))
    except (OSError, UnidentifiedImageError) as error:
        raise _unreadable(path, error, tree) from error


def _unreadable(path: Path, error: Exception, tree: str) -> LayoutError:
    if isinstance(error, UnidentifiedImageError):
        return LayoutError(f"{path} cannot be read as a picture (of no kind that is known)", tree)
    reason = (error.strerror if isinstance(error, OSError) else None) or str(error)
    return LayoutError(f"{path} cannot be read as a picture ({reason})", tree)


def size_of(path: Path, tree: str = "") -> tuple[int, int]:
    """Width and height from the head of the file, in the order in which people say them."""
    try:
        with Image.open(path) as picture:
            return picture.size
    except (OSError, UnidentifiedImageError) as error:
        raise _unreadable(path, error, tree) from error


def need_same_size(one: Path, other: Path, tree: str = "") -> None:
    """Raises ``LayoutError`` naming both files where their sizes differ."""
    left, right = size_of(one, tree), size_of(other, tree)
    if left != right:
        raise LayoutError(f"{one} is {left[0]}x{left[1]}, but {other} is {right[0]}x{right[1]}", tree)
