"""A stand-in for TensorRT's run time and for a GPU: computes 2x + 1 in host memory, counts what is asked of it.

It shows what the engine asks for and in which order. It is no proof that a real GPU does it.
"""

from __future__ import annotations

import ctypes
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from types import SimpleNamespace
from typing import Any

import numpy as np

from engines.errors import DeviceError
from engines.tensorrt.cuda import Gpu


class StandInCuda:
    """Memory of the host as memory of the device; a stream runs at once, unless something is being recorded."""

    def __init__(self, room: int = 1 << 30) -> None:
        self.gpu = Gpu(0, "stand-in", "8.9", "13.0")
        self.counts: Counter[str] = Counter()
        self.room = room
        self.memory: dict[int, Any] = {}
        self.recording: list[Any] | None = None
        self.graphs: dict[int, list[Any]] = {}
        self.capturable = True

    def use(self) -> None:
        self.counts["use"] += 1

    def _allocate(self, size: int) -> int:
        if size > self.room:
            raise DeviceError("memory is full")
        buffer = ctypes.create_string_buffer(size)
        address = ctypes.addressof(buffer)
        self.memory[address] = buffer
        return address

    def allocate(self, size: int) -> int:
        self.counts["allocate"] += 1
        return self._allocate(size)

    def allocate_host(self, size: int) -> int:
        self.counts["allocate_host"] += 1
        return self._allocate(size)

    def free(self, address: int) -> None:
        del self.memory[address]

    free_host = free

    def upload(self, device: int, host: int, size: int, stream: int) -> None:
        ctypes.memmove(device, host, size)

    def download(self, host: int, device: int, size: int, stream: int) -> None:
        ctypes.memmove(host, device, size)

    def new_stream(self) -> int:
        self.counts["stream"] += 1
        return 100 + self.counts["stream"]

    def close_stream(self, stream: int) -> None:
        self.counts["closed stream"] += 1

    def wait(self, stream: int) -> None:
        assert self.recording is None, "nothing may be waited for while a graph is recorded"

    @contextmanager
    def capture(self, stream: int) -> Iterator[list[int]]:
        if not self.capturable:
            raise DeviceError("cannot be recorded")
        made: list[int] = []
        self.recording = []
        try:
            yield made
            self.counts["graph"] += 1
            self.graphs[self.counts["graph"]] = self.recording
            made.append(self.counts["graph"])
        finally:
            self.recording = None

    def launch(self, graph: int, stream: int) -> None:
        self.counts["launch"] += 1
        for work in self.graphs[graph]:
            work()

    def close_graph(self, graph: int) -> None:
        del self.graphs[graph]


class Context:
    def __init__(self, cuda: StandInCuda) -> None:
        self.cuda = cuda
        self.shape: tuple[int, ...] = ()
        self.addresses: dict[str, int] = {}
        self.profile = 0

    def set_optimization_profile_async(self, number: int, stream: int) -> bool:
        self.profile = number
        return True

    def set_input_shape(self, name: str, shape: tuple[int, ...]) -> bool:
        self.shape = shape
        return True

    def get_tensor_shape(self, name: str) -> tuple[int, ...]:
        return self.shape

    def set_tensor_address(self, name: str, address: int) -> bool:
        self.addresses[name] = address
        return True

    def execute_async_v3(self, stream: int) -> bool:
        self.cuda.counts["execute"] += 1
        count = int(np.prod(self.shape))
        one, two = (ctypes.cast(self.addresses[n], ctypes.POINTER(ctypes.c_float)) for n in ("image", "enhanced"))

        def work() -> None:
            np.ctypeslib.as_array(two, (count,))[:] = np.ctypeslib.as_array(one, (count,)) * 2 + 1

        if self.cuda.recording is not None:
            self.cuda.recording.append(work)
        else:
            work()
        return True


class DeserialisedEngine:
    num_io_tensors = 2

    def __init__(self, cuda: StandInCuda) -> None:
        self.cuda = cuda
        self.contexts: list[Context] = []

    def get_tensor_name(self, index: int) -> str:
        return ("image", "enhanced")[index]

    def get_tensor_mode(self, name: str) -> str:
        return "in" if name == "image" else "out"

    def get_tensor_shape(self, name: str) -> tuple[int, ...]:
        return (-1, 3, -1, -1)

    def get_tensor_dtype(self, name: str) -> str:
        return "float"

    def create_execution_context(self) -> Context:
        self.contexts.append(Context(self.cuda))
        return self.contexts[-1]


def stand_in(cuda: StandInCuda) -> SimpleNamespace:
    """A module as ``tensorrt`` has it, as far as engines run with it; refuses the plan ``foreign``."""

    class Logger:
        Severity = SimpleNamespace(INTERNAL_ERROR=0, ERROR=1, WARNING=2, INFO=3)

    class Runtime:
        def __init__(self, logger: Any) -> None:
            self.logger = logger

        def deserialize_cuda_engine(self, plan: bytes) -> DeserialisedEngine | None:
            if plan == b"foreign":
                self.logger.log(1, "Serialization assertion plan->header.magicTag failed")
                return None
            return DeserialisedEngine(cuda)

    return SimpleNamespace(
        ILogger=Logger,
        Runtime=Runtime,
        TensorIOMode=SimpleNamespace(INPUT="in", OUTPUT="out"),
        nptype=lambda kind: {"float": np.float32}[kind],
    )
