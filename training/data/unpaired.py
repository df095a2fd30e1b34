"""Dark pictures without targets, in one flat folder each, as MEF, LIME, NPE, DICM and VV are passed around."""

from __future__ import annotations

from pathlib import Path

from training.data.pictures import LayoutError, pictures_in, size_of

TREE = """expected pictures without targets, of any name
  FOLDER/NAME.bmp               or .jpg, .png, .tif, .webp, in any spelling: MEF, LIME, NPE, DICM and the like"""


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
