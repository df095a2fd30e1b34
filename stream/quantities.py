"""Amounts as people write them: ``10m`` and ``7d`` of time, ``4M`` bits a second, ``50GB`` on a disk."""

from __future__ import annotations

import re
from dataclasses import dataclass

_NUMBER = re.compile(r"^\s*(\d+(?:\.\d+)?|\.\d+)\s*([a-z]*)\s*$", re.IGNORECASE | re.ASCII)
_SECONDS = {"": 1.0, "s": 1.0, "m": 60.0, "min": 60.0, "h": 3600.0, "d": 86400.0, "w": 604800.0}
_BYTES = {"kb": 10**3, "mb": 10**6, "gb": 10**9, "tb": 10**12, "kib": 2**10, "mib": 2**20, "gib": 2**30, "tib": 2**40}
_BITS = {"": 1, "k": 10**3, "m": 10**6, "g": 10**9}


def seconds(text: object) -> float:
    """``90``, ``90s``, ``10m``, ``2h``, ``7d`` or ``1w`` in seconds. Raises ValueError."""
    return _amount(text, _SECONDS, "a time like 90s, 10m, 2h or 7d")


def bits_per_second(text: object) -> int:
    """``800k``, ``4M`` or ``4000000``. Raises ValueError."""
    return round(_amount(text, _BITS, "a bit rate like 800k or 4M"))


@dataclass(frozen=True, slots=True)
class Keep:
    """How much of a recording stays: nothing older than ``seconds``, or no more than ``bytes`` in all. One is None."""

    seconds: float | None = None
    bytes: int | None = None

    def __str__(self) -> str:
        return f"{self.seconds:g}s" if self.seconds is not None else f"{self.bytes / 1e6:g}MB" if self.bytes else ""


def keep(text: object) -> Keep:
    """``7d`` keeps by age, ``50GB`` by size. Raises ValueError."""
    wanted = "an age like 12h or 7d, or a size like 500MB or 50GB"
    match = _NUMBER.match(str(text))
    unit = match[2].lower() if match else ""
    if unit in _BYTES:
        return Keep(bytes=round(_amount(text, _BYTES, wanted)))
    if not unit:
        raise ValueError(f"{text} is not {wanted}")
    return Keep(seconds=_amount(text, _SECONDS, wanted))


def _amount(text: object, units: dict[str, float] | dict[str, int], wanted: str) -> float:
    match = _NUMBER.match(str(text))
    if match is None or match[2].lower() not in units or float(match[1]) <= 0:
        raise ValueError(f"{text} is not {wanted}")
    return float(match[1]) * units[match[2].lower()]
