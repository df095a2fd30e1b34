"""Runs a serialised engine: on arrays like every other engine, or on a given CUDA stream with memory of the device.

One engine is deserialised once. Every stream of video gets a ``Lane`` of its own, which holds a context, buffers and a
CUDA graph for each shape that it met, so that a steady state allocates nothing and launches one graph for each run.
Lanes may run at the same time, each on its stream.

Written against TensorRT's documented interface and tested against a stand-in; it has not run on a GPU yet.
"""

from __future__ import annotations

import ctypes
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from engines.errors import DeviceError, ModelError
from engines.onnx_runtime import Tensor
from engines.precision.census import Census
from engines.tensorrt.cuda import Cuda
from engines.tensorrt.flavour import Flavour
from engines.tensorrt.kernels import Kernels
from engines.tensorrt.layers import inspected_census
from engines.tensorrt.messages import Log
from engines.tensorrt.shapes import Profile, Shape, profile_for

_TYPES = ("float32", "float16", "int32", "int64", "int8", "uint8", "bool")
_MOST_SHAPES = 8
"""Shapes for which a lane keeps buffers and a graph; the one unused for longest goes first."""

Addresses = Mapping[str, int]


class LoadError(DeviceError):
    """A serialised engine cannot be loaded here: it is for another GPU, version or driver. Delete it and build anew."""


class Prepared:
    """What a lane has for one set of shapes: the context, ``addresses`` of inputs and outputs, and a graph.

    ``shapes`` of inputs and outputs by name; ``device`` and ``host`` are the buffers that were made for it.
    """

    def __init__(self, context: Any, shapes: dict[str, Shape], addresses: dict[str, int]) -> None:
        self.context = context
        self.shapes = shapes
        self.addresses = addresses
        self.device: dict[str, int] = {}
        self.host: dict[str, int] = {}
        self.graph: int | None = None
        self.tried = False


class TensorRTEngine:
    """An opened engine with the interface of all engines; ``infer`` may be called from one thread at a time."""

    def __init__(
        self, plan: bytes, flavour: Flavour, cuda: Cuda, profiles: tuple[Profile, ...], kernels: Path | None = None
    ) -> None:
        """``profiles`` as it was built with, in that order; ``kernels``: where TensorRT-RTX keeps what it compiles.

        Raises ``LoadError``.
        """
        self.device: str = flavour.name
        self.flavour = flavour
        self.cuda = cuda
        self._log = Log(flavour)
        cuda.use()
        self._runtime: Any = flavour.module.Runtime(self._log.logger)
        self._engine: Any = self._runtime.deserialize_cuda_engine(plan)
        if self._engine is None:
            raise LoadError(f"{flavour} cannot load the engine on {cuda.gpu}: {self._log.last() or 'no reason given'}")
        self.profiles = profiles
        self.kernels = Kernels(flavour, self._engine, kernels)
        mode = flavour.module.TensorIOMode
        names = [self._engine.get_tensor_name(index) for index in range(self._engine.num_io_tensors)]
        self.inputs = tuple(self._tensor(n) for n in names if self._engine.get_tensor_mode(n) == mode.INPUT)
        self.outputs = tuple(self._tensor(n) for n in names if self._engine.get_tensor_mode(n) == mode.OUTPUT)
        self._lane: Lane | None = None

    def _tensor(self, name: str) -> Tensor:
        shape = tuple(None if side < 0 else side for side in self._engine.get_tensor_shape(name))
        kind = self.dtype(name).name
        return Tensor(name, shape, f"tensor({'float' if kind == 'float32' else kind})")

    def dtype(self, name: str) -> np.dtype[Any]:
        """NumPy type of an input or output."""
        named: str = np.dtype(self.flavour.module.nptype(self._engine.get_tensor_dtype(name))).name
        if named not in _TYPES:
            raise ModelError(f"the engine's '{name}' is {named}, which NumPy does not have")
        kind: np.dtype[Any] = np.dtype(named)
        return kind

    def inspect(self) -> Census:
        """Precision of the layers as built. Raises ``ModelError`` where the inspector says nothing useful."""
        return inspected_census(self.flavour, self._engine)

    def new_lane(self, stream: int | None = None) -> Lane:
        """A lane of its own, on a given stream or on a new one."""
        return Lane(self, stream)

    def new_context(self) -> Any:
        """An execution context. Raises ``DeviceError`` where memory is full."""
        context = self.kernels.new_context()
        if context is None:
            raise DeviceError("no execution context: the GPU's memory is full; run fewer streams")
        return context

    def infer(self, arrays: Mapping[str, NDArray[Any]]) -> dict[str, NDArray[Any]]:
        """All outputs by name. Raises ``ModelError`` if names, shapes or types do not fit the model."""
        if self._lane is None:
            self._lane = self.new_lane()
        return self._lane.infer(arrays)

    def close(self) -> None:
        """Gives back what the engine's own lane holds."""
        if self._lane is not None:
            self._lane.close()
            self._lane = None


class Lane:
    """A stream of runs: a context with buffers and a graph for each set of shapes. Not for several threads at once.

    A context of its own for each set, because what a graph has recorded must not change its shapes afterwards.
    """

    def __init__(self, owner: TensorRTEngine, stream: int | None) -> None:
        self._owner, self._cuda = owner, owner.cuda
        self._cuda.use()
        self._own_stream = stream is None
        self.stream = self._cuda.new_stream() if stream is None else stream
        self._prepared: dict[tuple[object, ...], Prepared] = {}

    def infer(self, arrays: Mapping[str, NDArray[Any]]) -> dict[str, NDArray[Any]]:
        """From arrays to arrays, through page-locked memory; waits for the result."""
        self._refuse(arrays)
        ready = self.prepare({name: tuple(array.shape) for name, array in arrays.items()})
        for name, array in arrays.items():
            given = np.ascontiguousarray(array)
            ctypes.memmove(ready.host[name], given.ctypes.data, given.nbytes)
            self._cuda.upload(ready.addresses[name], ready.host[name], given.nbytes, self.stream)
        self.launch(ready)
        results = {}
        for tensor in self._owner.outputs:
            result = np.empty(ready.shapes[tensor.name], self._owner.dtype(tensor.name))
            self._cuda.download(ready.host[tensor.name], ready.addresses[tensor.name], result.nbytes, self.stream)
            results[tensor.name] = result
        self._cuda.wait(self.stream)
        for name, result in results.items():
            ctypes.memmove(result.ctypes.data, ready.host[name], result.nbytes)
        return results

    def prepare(self, shapes: Mapping[str, Shape], addresses: Addresses | None = None) -> Prepared:
        """What a run with these input shapes needs, made when first met and kept for later runs.

        ``addresses``: memory of the caller's for every input and output, in place of buffers that are made here. Raises
        ``ModelError`` for shapes that the engine was not built for, ``DeviceError`` where memory is full.
        """
        self._cuda.use()  # other libraries of this thread may have made another context current
        key = (*sorted((name, tuple(shape)) for name, shape in shapes.items()), *sorted((addresses or {}).items()))
        known = self._prepared.pop(key, None)
        if known is None:
            while len(self._prepared) >= _MOST_SHAPES:
                self._release(self._prepared.pop(next(iter(self._prepared))))
            known = self._made(shapes, addresses)
        self._prepared[key] = known
        return known

    def launch(self, ready: Prepared, record: bool = True) -> None:
        """Puts a run into the stream and does not wait; inputs must be in place by then, in the order of the stream.

        The first run of a shape is a plain one, in which TensorRT loads what it needs; then it is recorded, and later
        runs are one launch of the graph. Without ``record`` it is plain, for callers who record a larger part.
        """
        self._cuda.use()  # other libraries of this thread may have made another context current
        if ready.graph is not None and record:
            self._cuda.launch(ready.graph, self.stream)
            return
        self._execute(ready)
        if not record or ready.tried:
            return
        ready.tried = True
        self._cuda.wait(self.stream)
        self._owner.kernels.keep()
        capturable = getattr(ready.context, "is_stream_capturable", None)  # TensorRT-RTX has kernels that are not
        if capturable is not None and not capturable(self.stream):
            return
        try:
            with self._cuda.capture(self.stream) as graph:
                self._execute(ready)
            ready.graph = graph[0]
        except DeviceError:
            ready.graph = None  # an engine that cannot be recorded runs plainly

    def close(self) -> None:
        """Gives buffers, graphs and its own stream back."""
        self._cuda.use()  # other libraries of this thread may have made another context current
        self._cuda.wait(self.stream)
        while self._prepared:
            self._release(self._prepared.popitem()[1])
        if self._own_stream:
            self._cuda.close_stream(self.stream)

    def _refuse(self, arrays: Mapping[str, NDArray[Any]]) -> None:
        wanted = {tensor.name: self._owner.dtype(tensor.name) for tensor in self._owner.inputs}
        if set(arrays) != set(wanted) or any(arrays[name].dtype != kind for name, kind in wanted.items()):
            given = ", ".join(f"{name} {array.dtype} {list(array.shape)}" for name, array in arrays.items())
            names = ", ".join(f"{name} {kind}" for name, kind in wanted.items())
            raise ModelError(f"the model takes {names} and failed on {given}")

    def _made(self, shapes: Mapping[str, Shape], addresses: Addresses | None) -> Prepared:
        context = self._owner.new_context()
        if self._owner.profiles:
            number = profile_for(self._owner.profiles, shapes)
            if number and not context.set_optimization_profile_async(number, self.stream):
                raise DeviceError("the engine's profile could not be chosen")
            self._cuda.wait(self.stream)
        for name, shape in shapes.items():
            if not context.set_input_shape(name, tuple(shape)):
                raise ModelError(f"the engine does not take {name} {list(shape)}")
        every: dict[str, Shape] = {name: tuple(shape) for name, shape in shapes.items()}
        for tensor in self._owner.outputs:
            every[tensor.name] = tuple(context.get_tensor_shape(tensor.name))
        ready = Prepared(context, every, dict(addresses or {}))
        try:
            for name, shape in every.items() if addresses is None else ():
                size = max(1, int(np.prod(shape)) * self._owner.dtype(name).itemsize)
                ready.addresses[name] = ready.device[name] = self._cuda.allocate(size)
                ready.host[name] = self._cuda.allocate_host(size)
        except DeviceError:
            self._release(ready)
            raise
        for name in every:
            context.set_tensor_address(name, ready.addresses[name])
        return ready

    def _execute(self, ready: Prepared) -> None:
        if not ready.context.execute_async_v3(self.stream):
            raise DeviceError("the engine's run failed; the log of TensorRT says more (--debug)")

    def _release(self, ready: Prepared) -> None:
        if ready.graph is not None:
            self._cuda.close_graph(ready.graph)
        for address in ready.device.values():
            self._cuda.free(address)
        for address in ready.host.values():
            self._cuda.free_host(address)
