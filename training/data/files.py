"""Pairs of files in two folders, as most data sets are published; the two names are equal, or differ by a prefix."""

from __future__ import annotations

from pathlib import Path

from training.data.pair import Pair
from training.data.pictures import LayoutError, need_same_size, pictures_in

DARK_NAMES, BRIGHT_NAMES = ("low",), ("high", "normal")


def folder_called(parent: Path, names: tuple[str, ...]) -> Path | None:
    """The folder in ``parent`` that has one of ``names`` in any case; copies of data sets differ in that."""
    if not parent.is_dir():
        return None
    found = {path.name.lower(): path for path in sorted(parent.iterdir()) if path.is_dir()}
    return next((found[name.lower()] for name in names if name.lower() in found), None)


def partner_names(name: str, folder: str) -> tuple[str, ...]:
    """How the bright partner of a dark picture may be called, likeliest first: ``normal7.png`` of ``low7.png``."""
    if not name.lower().startswith("low"):
        return (name,)
    rest = name[len("low") :]
    capital = str.capitalize if name[0].isupper() else str
    likeliest = sorted(BRIGHT_NAMES, key=lambda prefix: prefix != folder.lower())
    prefixed = tuple(capital(prefix) + rest for prefix in likeliest)
    return (*prefixed, name) if folder.lower() == "normal" else (name, *prefixed)


def pair_files(parent: Path, tree: str) -> list[Pair]:
    """The pairs of ``parent/low`` with ``parent/high`` or ``parent/normal``, sorted by the dark picture's name.

    Raises ``LayoutError`` naming a folder that is missing, a picture on either side that has no partner, and two
    partners of different size.
    """
    dark, bright = folder_called(parent, DARK_NAMES), folder_called(parent, BRIGHT_NAMES)
    if dark is None or bright is None:
        missing = "low" if dark is None else "high"
        raise LayoutError(f"{parent} has no folder {missing}", tree)
    targets = {path.name: path for path in pictures_in(bright)}
    taken, pairs = set[str](), []
    for low in pictures_in(dark):
        names = partner_names(low.name, bright.name)
        name = next((name for name in names if name in targets), None)
        if name is None:
            raise LayoutError(f"{low} has no partner {bright / names[0]}", tree)
        taken.add(name)
        need_same_size(low, targets[name], tree)
        pairs.append(Pair(low.stem, low, targets[name]))
    for name, path in targets.items():
        if name not in taken:
            raise LayoutError(f"{path} has no dark partner in {dark}", tree)
    return pairs
