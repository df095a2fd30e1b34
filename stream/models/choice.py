"""Which segmenter a run uses, and what to say where it uses none."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from stream.models.catalogue import USUAL
from stream.models.store import InstalledModel, names, open_model


@dataclass(frozen=True, slots=True)
class Choice:
    """``model`` to verify and use, or None; ``note`` is for the user, to be said once, and empty where all is well."""

    model: InstalledModel | None
    note: str = ""


def choose_sam(wanted: str = "auto", folder: Path | None = None) -> Choice:
    """``off``: none. ``auto``: the only one there is. Otherwise the one of that name.

    Reads cards only. Raises ``ModelNotFound`` or ``ModelDamaged`` for a name that is given and cannot be used; under
    ``auto`` nothing is raised, as enhancement goes without.
    """
    if wanted == "off":
        return Choice(None)
    if wanted != "auto":
        return Choice(open_model(wanted, folder))
    there = names(folder)
    if not there:
        return Choice(None, f"no segmenter is installed: every region is treated alike; {_enable()}")
    if len(there) > 1:
        return Choice(None, f"several segmenters are installed, so none is used: choose one of {', '.join(there)}")
    try:
        return Choice(open_model(there[0], folder))
    except Exception as error:
        return Choice(None, f"every region is treated alike: {error}")


def _enable() -> str:
    return f"to change that: stream-enhance models pull {USUAL}"
