"""Which TensorRT is here: the full one (10 on JetPack and servers, 11) or TensorRT-RTX; and why one is not.

Their Python modules have the same classes, so everything else takes the module from here as a parameter. Networks are
always strongly typed: 11 and RTX know nothing else, 10 takes it alike, hence one ONNX file serves all three.
"""

from __future__ import annotations

import importlib
from dataclasses import dataclass, field
from functools import cache
from typing import Any, Literal, get_args

from engines.errors import DeviceError

Name = Literal["tensorrt", "tensorrt-rtx"]
NAMES: tuple[Name, ...] = get_args(Name)
OLDEST = 10
"""First major version of full TensorRT that has strongly typed networks without known gaps in their operators."""

_MODULES: dict[str, str] = {"tensorrt": "tensorrt", "tensorrt-rtx": "tensorrt_rtx"}
_HOW = {
    "tensorrt": (
        "pip install tensorrt-cu12 or tensorrt-cu13 fetches it from NVIDIA's own package index, which must be at hand; "
        "on a Jetson it comes with JetPack (apt), for the system's Python; NVIDIA's containers have it too"
    ),
    "tensorrt-rtx": "pip install 'stream-enhance[tensorrt-rtx]' (or: pip install tensorrt-rtx-cu13)",
}


@dataclass(frozen=True, slots=True)
class Flavour:
    """One usable TensorRT; ``module`` is what Python imported."""

    name: Name
    version: str
    module: Any = field(repr=False, compare=False)

    @property
    def major(self) -> int:
        return int(self.version.split(".")[0])

    @property
    def builds_without_gpu(self) -> bool:
        """RTX builds for named or for all GPUs anywhere; the others measure kernels on the GPU at hand."""
        return self.name == "tensorrt-rtx"

    @property
    def network_flags(self) -> int:
        """Flags of a new network: strongly typed, where it is not the only way there is."""
        flag = getattr(self.module.NetworkDefinitionCreationFlag, "STRONGLY_TYPED", None)
        return 0 if flag is None else 1 << int(flag)

    def __str__(self) -> str:
        return f"{self.name} {self.version}"


@cache
def _found(name: Name) -> Flavour | str:
    module_name = _MODULES[name]
    try:
        module = importlib.import_module(module_name)
    except ImportError as error:
        if getattr(error, "name", None) == module_name:
            return f"{name} is not installed: {_HOW[name]}"
        return f"{name} is installed in part only ({error}): {_HOW[name]}"
    except Exception as error:  # a library that does not fit the system ends in whatever its binding raises
        return f"{name} cannot be loaded ({error}): {_HOW[name]}"
    try:
        flavour = Flavour(name, str(module.__version__), module)
        module.OnnxParser, module.Builder, module.NetworkDefinitionCreationFlag, flavour.major  # noqa: B018
    except (AttributeError, ValueError) as error:
        return f"{name} is installed in part only ({error}): {_HOW[name]}"
    if name == "tensorrt" and flavour.major < OLDEST:
        return f"{flavour} is too old, {OLDEST} is the first that is used here: {_HOW[name]}"
    return flavour


def find(name: Name) -> Flavour:
    """Raises ``DeviceError`` with the reason and the way to get it."""
    found = _found(name)
    if isinstance(found, str):
        raise DeviceError(found)
    return found


def survey() -> dict[Name, Flavour | str]:
    """Every flavour by name: itself, or the reason why it cannot be used."""
    return {name: _found(name) for name in NAMES}


def best(builds_here: bool) -> Flavour:
    """Full TensorRT where it is and a GPU can be used, else RTX. Raises ``DeviceError`` with all reasons.

    ``builds_here``: a GPU is at hand to build and run on.
    """
    found = survey()
    usable = [flavour for flavour in found.values() if not isinstance(flavour, str)]
    for flavour in usable:
        if builds_here or flavour.builds_without_gpu:
            return flavour
    reasons = [why for why in found.values() if isinstance(why, str)]
    if usable:
        reasons.append(f"{usable[0]} builds only where an NVIDIA GPU is at hand")
    raise DeviceError("no TensorRT can be used: " + "; ".join(reasons))
