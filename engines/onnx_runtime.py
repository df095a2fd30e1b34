"""Runs a bundle's model with ONNX Runtime, set up to take little CPU time beside a decoder and an encoder."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import onnxruntime as ort
from numpy.typing import NDArray

from engines.bundle import Bundle
from engines.errors import DeviceError, ModelError

_PROVIDERS = {
    "cpu": "CPUExecutionProvider",
    "cuda": "CUDAExecutionProvider",
    "ort-tensorrt": "TensorrtExecutionProvider",
    "ort-tensorrt-rtx": "NvTensorRTRTXExecutionProvider",
    "ort-openvino": "OpenVINOExecutionProvider",
}
_BUILDS = {
    "cuda": "onnxruntime-gpu in place of onnxruntime (with a CUDA driver)",
    "ort-tensorrt": "onnxruntime-gpu in place of onnxruntime (with a CUDA driver and TensorRT)",
    "ort-tensorrt-rtx": "a build of ONNX Runtime with TensorRT-RTX",
    "ort-openvino": "onnxruntime-openvino in place of onnxruntime",
}
DEVICES = tuple(_PROVIDERS)
"""Where ONNX Runtime can run a model, given the build of it that has the provider."""


@dataclass(frozen=True, slots=True)
class Tensor:
    """A declared input or output: its name, its shape (a name stands for a free dimension) and its type."""

    name: str
    shape: tuple[int | str | None, ...]
    dtype: str


class Engine:
    """An opened model. ``infer`` may be called from one thread at a time."""

    def __init__(self, session: ort.InferenceSession, device: str) -> None:
        self._session = session
        self.device = device
        self.inputs = tuple(Tensor(t.name, tuple(t.shape), t.type) for t in session.get_inputs())
        self.outputs = tuple(Tensor(t.name, tuple(t.shape), t.type) for t in session.get_outputs())

    def infer(self, arrays: Mapping[str, NDArray[Any]]) -> dict[str, NDArray[Any]]:
        """All outputs by name. Raises ``ModelError`` if names, shapes or types do not fit the model."""
        names = [tensor.name for tensor in self.outputs]
        try:
            results = self._session.run(names, dict(arrays))
        except Exception as error:
            wanted = ", ".join(f"{t.name} {list(t.shape)} {t.dtype}" for t in self.inputs)
            given = ", ".join(f"{name} {list(np.shape(array))}" for name, array in arrays.items())
            raise ModelError(f"the model takes {wanted} and failed on {given}: {error}") from error
        return dict(zip(names, results, strict=True))


def session_options(threads: int) -> ort.SessionOptions:
    """The settings that all models run with here: one operator at a time, threads that sleep when idle, no chatter."""
    options = ort.SessionOptions()
    options.intra_op_num_threads = threads
    options.inter_op_num_threads = 1
    options.execution_mode = ort.ExecutionMode.ORT_SEQUENTIAL
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    options.log_severity_level = 3
    return options


def available() -> Sequence[str]:
    """The providers that this build of ONNX Runtime has."""
    return list(ort.get_available_providers())


def require(device: str, available: Sequence[str]) -> str:
    """The provider of a device. Raises ``DeviceError`` for an unknown one, and for one that ``available`` lacks."""
    provider = _PROVIDERS.get(device)
    if provider is None:
        raise DeviceError(f"unknown device '{device}'; known are {', '.join(_PROVIDERS)}")
    if provider not in available:
        raise DeviceError(
            f"device '{device}' asked for, but this ONNX Runtime has only {', '.join(available)}. "
            f"Install {_BUILDS[device]}, or use device 'cpu'"
        )
    return provider


def open_engine(bundle: Bundle, device: str = "cpu", threads: int = 1, as_stated: bool = False) -> Engine:
    """Opens a bundle on one of ``DEVICES``; ``threads`` work inside one operator and sleep when idle.

    ``as_stated``: operators are neither fused nor left out, so that every change of type in the file takes place.

    Raises ``DeviceError`` if the device cannot be used here and ``ModelError`` if the file is no model.
    """
    provider = require(device, available())
    try:
        options = session_options(threads)
        if as_stated:
            options.graph_optimization_level = ort.GraphOptimizationLevel.ORT_DISABLE_ALL
        session = ort.InferenceSession(bundle.model, options, providers=[provider])
    except Exception as error:
        raise ModelError(f"bundle {bundle.folder} holds no model that can run on {device}: {error}") from error
    if provider not in session.get_providers():
        raise DeviceError(f"device '{device}' could not be started here (driver or memory); use device 'cpu'")
    return Engine(session, device)
