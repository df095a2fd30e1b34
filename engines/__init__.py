"""Runs trained bundles and the tone-curve grid; knows a bundle on disk and a device, nothing of media or torch.

The names below are loaded when first used, so that importing the package costs nothing.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from engines.bundle import load_bundle
    from engines.curve.grid import CurveGrid
    from engines.onnx_runtime import open_engine
    from engines.picture import enhance_picture

_HOMES = {
    "CurveGrid": "engines.curve.grid",
    "enhance_picture": "engines.picture",
    "load_bundle": "engines.bundle",
    "open_engine": "engines.onnx_runtime",
}

__all__ = ["CurveGrid", "enhance_picture", "load_bundle", "open_engine", "warm"]


def warm() -> None:
    """Compiles (the first time on a machine) or loads what every frame needs, so that the first frame does not wait.

    Call it where a program is installed, and early in a thread of its own where a program starts.
    """
    for module in ("thumbnail", "curve.spread", "curve.moments", "curve.cpu", "rgb_planes", "noise", "curve.temporal"):
        import_module(f"engines.{module}").warm()


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module 'engines' has no attribute '{name}'")
    return getattr(import_module(_HOMES[name]), name)
