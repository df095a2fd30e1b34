"""Opens a bundle with the engine of a name; ``auto`` is the fastest on this machine, see ``fastest``.

All engines have one interface, so whoever opens one here need not know which it is. They are loaded when asked for.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Protocol

from numpy.typing import NDArray

from engines import onnx_runtime
from engines.bundle import Bundle
from engines.errors import DeviceError
from engines.onnx_runtime import Tensor

if TYPE_CHECKING:
    from engines.precision.census import Precision

AUTO = "auto"
TENSORRT = ("tensorrt", "tensorrt-rtx")
ENGINES = ("onnxruntime", "openvino", *onnx_runtime.DEVICES[1:], *TENSORRT)
"""All that can be named beside ``auto``; ``onnxruntime`` is its CPU provider, also called ``cpu``."""


class Engine(Protocol):
    """An opened model. ``infer`` may be called from one thread at a time."""

    device: str
    inputs: tuple[Tensor, ...]
    outputs: tuple[Tensor, ...]

    def infer(self, arrays: Mapping[str, NDArray[Any]]) -> dict[str, NDArray[Any]]:
        """All outputs by name. Raises ``ModelError`` if names, shapes or types do not fit the model."""


def check_engine(bundle: Bundle, engine: str) -> None:
    """Raises ``DeviceError`` where an engine cannot be used on this machine, as far as a second tells."""
    if engine == "cuda":
        onnx_runtime.open_engine(bundle, engine)  # a driver that is missing shows only then
    elif engine in onnx_runtime.DEVICES:
        onnx_runtime.require(engine, onnx_runtime.available())
    elif engine == "openvino":
        from engines.openvino_runtime import require

        require()
    elif engine in TENSORRT:
        from engines.tensorrt.flavour import NAMES, find

        find(next(name for name in NAMES if name == engine))


def open_engine(
    bundle: Bundle, engine: str = "onnxruntime", threads: int = 1, precision: Precision = "fp16", gpu: int = 0
) -> Engine:
    """Opens a bundle with the engine of that name, ``auto`` or one of ``ENGINES``; ``cpu`` is ``onnxruntime``.

    ``precision`` and ``gpu`` are for TensorRT, which may build first, for minutes. Raises ``DeviceError`` with the
    reason where it cannot be used, ``ModelError`` where it does not take the model.
    """
    if engine == AUTO:
        from engines.fastest import choose

        engine = choose(bundle, threads, precision, gpu).engine
    if engine in ("onnxruntime", "cpu"):
        return onnx_runtime.open_engine(bundle, "cpu", threads)
    if engine in onnx_runtime.DEVICES:
        return onnx_runtime.open_engine(bundle, engine, threads)
    if engine == "openvino":
        from engines.openvino_runtime import OpenVINOEngine

        return OpenVINOEngine(bundle, threads)
    if engine in TENSORRT:
        from engines.tensorrt.flavour import NAMES, find
        from engines.tensorrt.prepare import Wish, open_tensorrt

        flavour = find(next(name for name in NAMES if name == engine))
        return open_tensorrt(Wish(bundle, flavour, precision, gpu))
    raise DeviceError(f"unknown engine '{engine}'; known are {AUTO}, {', '.join(ENGINES)}")
