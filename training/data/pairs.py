"""Finds low-light pairs on disk, in any of the published layouts, and says what is wrong when it finds none."""

from __future__ import annotations

from collections.abc import Collection
from pathlib import Path

from training.data.brackets import pair_brackets
from training.data.files import pair_files
from training.data.layouts import Split, find_layout, need_split
from training.data.pair import Pair
from training.data.pictures import LayoutError


def find_pairs(
    folder: Path,
    darkest: float = 0.02,
    brightest: float = 0.25,
    *,
    layout: str | None = None,
    split: Split | None = None,
    exclude: Collection[str | int] = (),
) -> list[Pair]:
    """All pairs of one split under ``folder``, sorted by name. In brackets, means in ``darkest``..``brightest`` count.

    ``layout`` is a name of ``LAYOUTS``; None: found from the tree. A layout without splits gives all of its pairs
    whatever ``split`` says; one with splits must be told which. ``exclude`` leaves pairs out by name, or, where it is
    ``reported`` alone, those that were reported as bad for this layout. Raises ``LayoutError`` naming the file that is
    wrong, with the expected tree.
    """
    known = find_layout(folder, layout)
    tree = known.tree
    if known.splits:
        pairs = pair_files(known.part(folder, need_split(known, folder, split)), tree)
    elif known.name == "pairs":
        pairs = pair_files(folder, tree)
    else:
        pairs = pair_brackets(folder, tree, darkest, brightest)
    pairs = without(pairs, exclude, folder, known.reported)
    if not pairs:
        raise LayoutError(f"{folder} holds no pairs", tree)
    return pairs


def without(
    pairs: list[Pair], exclude: Collection[str | int], folder: Path, reported: Collection[str] = ()
) -> list[Pair]:
    """The pairs that ``exclude`` does not name; of ``reported`` where it says just that.

    A name that no pair has is refused, but not a reported one, which may be of another split.
    """
    unwanted = {str(name) for name in exclude}
    if unwanted == {"reported"}:
        unwanted = set(reported)
    elif unknown := unwanted - {pair.name for pair in pairs}:
        raise LayoutError(f"{folder} has no pair {', '.join(sorted(unknown))} to exclude")
    return [pair for pair in pairs if pair.name not in unwanted]
