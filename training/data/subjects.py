"""What models are measured on and what a segmenter looks at: pairs, or dark pictures where nobody has targets."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from pathlib import Path

from training.data.layouts import LAYOUTS, Split, find_layout
from training.data.pair import Pair
from training.data.pairs import find_pairs
from training.data.pictures import LayoutError
from training.data.unpaired import TARGETLESS, UNPAIRED, find_dark, find_pictures

Subject = Pair | Path
"""What is enhanced: a pair, or a dark picture without target."""

LAYOUT_NAMES = (*LAYOUTS, *TARGETLESS)


def find_subjects(
    folder: Path,
    layout: str | None = None,
    split: Split | None = None,
    exclude: Collection[str] = (),
    brightest: float = 0.25,
) -> tuple[str, Sequence[Subject]]:
    """The name of the layout, and the pairs, or the pictures where a folder holds no pairs but pictures.

    ``layout``: one of ``LAYOUT_NAMES``; None: found from the tree. ``exclude``: names, or ``reported`` alone. Raises
    ``LayoutError`` as `find_pairs` and `find_pictures` do.
    """
    if layout not in TARGETLESS:
        try:
            known = find_layout(folder, layout)
        except LayoutError:
            if layout is not None or not _is_flat(folder):
                raise
        else:
            return known.name, find_pairs(folder, brightest=brightest, layout=layout, split=split, exclude=exclude)
    layout = layout or UNPAIRED
    return layout, [pair.low for pair in find_dark(folder, layout, exclude)]


def _is_flat(folder: Path) -> bool:
    try:
        return bool(find_pictures(folder))
    except LayoutError:
        return False
