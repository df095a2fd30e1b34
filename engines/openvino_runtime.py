"""Runs a bundle's model with OpenVINO, on Intel and other x86 CPUs; the same interface as every engine.

f32 throughout: OpenVINO would take bf16 by itself where the CPU has it, which is faster and differs by some codes.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from engines.bundle import Bundle
from engines.errors import DeviceError, ModelError
from engines.onnx_runtime import Tensor


def require() -> Any:
    """The module. Raises ``DeviceError`` where it is absent."""
    try:
        import openvino
    except ImportError as error:
        raise DeviceError(
            f"OpenVINO is not installed ({error}): pip install 'stream-enhance[openvino]', or --engine onnxruntime"
        ) from error
    return openvino


class OpenVINOEngine:
    """An opened model. ``infer`` may be called from one thread at a time."""

    device = "openvino"

    def __init__(self, bundle: Bundle, threads: int = 1) -> None:
        """Raises ``DeviceError`` where OpenVINO is absent and ``ModelError`` if the file is no model that it takes."""
        openvino = require()
        settings = {"INFERENCE_NUM_THREADS": threads, "INFERENCE_PRECISION_HINT": "f32", "PERFORMANCE_HINT": "LATENCY"}
        try:
            core = openvino.Core()
            compiled = core.compile_model(core.read_model(bundle.model), "CPU", settings)
            self._request: Any = compiled.create_infer_request()
        except Exception as error:
            raise ModelError(f"bundle {bundle.folder} holds no model that OpenVINO can run: {error}") from error
        self.inputs = tuple(_tensor(port) for port in compiled.inputs)
        self.outputs = tuple(_tensor(port) for port in compiled.outputs)

    def infer(self, arrays: Mapping[str, NDArray[Any]]) -> dict[str, NDArray[Any]]:
        """All outputs by name. Raises ``ModelError`` if names, shapes or types do not fit the model."""
        try:
            if set(arrays) != {tensor.name for tensor in self.inputs}:
                raise ValueError("other names")
            for tensor in self.inputs:  # OpenVINO computes something from wrong shapes too
                if not _fits(tensor, arrays[tensor.name]):
                    raise ValueError(f"{tensor.name} has another shape or type")
            results = self._request.infer({name: np.ascontiguousarray(a) for name, a in arrays.items()})
        except Exception as error:
            wanted = ", ".join(f"{t.name} {list(t.shape)} {t.dtype}" for t in self.inputs)
            given = ", ".join(f"{name} {list(np.shape(array))}" for name, array in arrays.items())
            raise ModelError(f"the model takes {wanted} and failed on {given}: {error}") from error
        return {tensor.name: results[index].copy() for index, tensor in enumerate(self.outputs)}


def _fits(tensor: Tensor, array: NDArray[Any]) -> bool:
    sides = zip(tensor.shape, array.shape, strict=False)
    right = len(tensor.shape) == array.ndim and all(not isinstance(one, int) or one == two for one, two in sides)
    return right and tensor.dtype == _type(array.dtype)


def _type(kind: np.dtype[Any]) -> str:
    return f"tensor({'float' if kind.name == 'float32' else kind.name})"


def _tensor(port: Any) -> Tensor:
    shape = tuple(None if side.is_dynamic else side.get_length() for side in port.get_partial_shape())
    return Tensor(port.get_any_name(), shape, _type(np.dtype(port.get_element_type().to_dtype())))
