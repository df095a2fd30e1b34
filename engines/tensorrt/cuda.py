"""The few calls of CUDA's driver that engines need: memory, streams, copies, graphs; straight from ``libcuda``.

The driver's library is wherever a GPU works, on servers and on Jetsons alike, so nothing is installed for it. Streams
and memory are those of the device's primary context: PyTorch, CuPy and PyAV on the same device share them, and their
addresses and streams can be given as plain integers.
"""

from __future__ import annotations

import ctypes
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from engines.errors import DeviceError

_MAJOR, _MINOR = 75, 76
_RELAXED = 2
_NOT_BLOCKING = 1
_LIBRARIES = ("libcuda.so.1", "libcuda.so") if sys.platform != "win32" else ("nvcuda.dll",)
_OUT_OF_MEMORY = 2
_LOST = {700, 702, 710, 714, 715, 716, 717, 718, 719}


class OutOfMemoryError(DeviceError):
    """The GPU has no memory left for this."""


class DeviceLostError(DeviceError):
    """The GPU's state is unusable in this process: only a new process can go on with it."""


@dataclass(frozen=True, slots=True)
class Gpu:
    """One GPU: ``capability`` such as ``8.9``, ``driver`` the CUDA version that its driver serves, such as ``13.0``."""

    number: int
    name: str
    capability: str
    driver: str

    def __str__(self) -> str:
        return f"{self.name}, compute capability {self.capability}, driver for CUDA {self.driver}"


class Cuda:
    """The driver, with one device chosen. Made by ``open_cuda``; usable from any thread after ``use``."""

    def __init__(self, library: Any, number: int = 0) -> None:
        self._library = library
        self._check(library.cuInit(0), "CUDA cannot start")
        count = ctypes.c_int()
        self._check(library.cuDeviceGetCount(ctypes.byref(count)), "no GPU can be listed")
        if not 0 <= number < count.value:
            raise DeviceError(f"GPU {number} asked for, but {count.value or 'none'} can be used here")
        device, name, version = ctypes.c_int(), ctypes.create_string_buffer(256), ctypes.c_int()
        self._check(library.cuDeviceGet(ctypes.byref(device), number), "the GPU cannot be opened")
        self._check(library.cuDeviceGetName(name, 256, device), "the GPU has no name")
        self._check(library.cuDriverGetVersion(ctypes.byref(version)), "the driver has no version")
        major, minor = (self._attribute(which, device) for which in (_MAJOR, _MINOR))
        driver = f"{version.value // 1000}.{version.value % 1000 // 10}"
        self.gpu = Gpu(number, name.value.decode(errors="replace"), f"{major}.{minor}", driver)
        self._context = ctypes.c_void_p()
        self._check(library.cuDevicePrimaryCtxRetain(ctypes.byref(self._context), device), "the GPU gave no context")
        self.use()

    def _attribute(self, which: int, device: ctypes.c_int) -> int:
        value = ctypes.c_int()
        self._check(self._library.cuDeviceGetAttribute(ctypes.byref(value), which, device), "the GPU is not described")
        return value.value

    def use(self) -> None:
        """Makes the device current in the calling thread."""
        self._check(self._library.cuCtxSetCurrent(self._context), "the GPU cannot be used in this thread")

    def allocate(self, size: int) -> int:
        """Address of ``size`` bytes on the device."""
        address = ctypes.c_uint64()
        self._check(self._library.cuMemAlloc_v2(ctypes.byref(address), ctypes.c_size_t(size)), f"{size} bytes refused")
        return address.value

    def free(self, address: int) -> None:
        self._check(self._library.cuMemFree_v2(ctypes.c_uint64(address)), "memory was not given back")

    def allocate_host(self, size: int) -> int:
        """Address of ``size`` bytes of page-locked memory, which copies need to run beside other work."""
        address = ctypes.c_void_p()
        code = self._library.cuMemAllocHost_v2(ctypes.byref(address), ctypes.c_size_t(size))
        self._check(code, f"{size} bytes of page-locked memory refused")
        return int(address.value or 0)

    def free_host(self, address: int) -> None:
        self._check(self._library.cuMemFreeHost(ctypes.c_void_p(address)), "page-locked memory was not given back")

    def upload(self, device: int, host: int, size: int, stream: int) -> None:
        """Copies to the device, in the order of the stream."""
        code = self._library.cuMemcpyHtoDAsync_v2(
            ctypes.c_uint64(device), ctypes.c_void_p(host), ctypes.c_size_t(size), ctypes.c_void_p(stream)
        )
        self._check(code, "a copy to the GPU failed")

    def download(self, host: int, device: int, size: int, stream: int) -> None:
        """Copies from the device, in the order of the stream."""
        code = self._library.cuMemcpyDtoHAsync_v2(
            ctypes.c_void_p(host), ctypes.c_uint64(device), ctypes.c_size_t(size), ctypes.c_void_p(stream)
        )
        self._check(code, "a copy from the GPU failed")

    def new_stream(self) -> int:
        """A stream that does not wait for the default one."""
        stream = ctypes.c_void_p()
        self._check(self._library.cuStreamCreate(ctypes.byref(stream), _NOT_BLOCKING), "no stream to be had")
        return int(stream.value or 0)

    def close_stream(self, stream: int) -> None:
        self._check(self._library.cuStreamDestroy_v2(ctypes.c_void_p(stream)), "a stream was not closed")

    def wait(self, stream: int) -> None:
        """Until all that was put into the stream is done."""
        self._check(self._library.cuStreamSynchronize(ctypes.c_void_p(stream)), "the GPU's work failed")

    @contextmanager
    def capture(self, stream: int) -> Iterator[list[int]]:
        """What is put into the stream inside the block is recorded and not run; the list then holds the graph."""
        code = self._library.cuStreamBeginCapture_v2(ctypes.c_void_p(stream), _RELAXED)
        self._check(code, "recording cannot begin")
        made: list[int] = []
        graph = ctypes.c_void_p()
        try:
            yield made
        except BaseException:
            self._library.cuStreamEndCapture(ctypes.c_void_p(stream), ctypes.byref(graph))
            raise
        self._check(self._library.cuStreamEndCapture(ctypes.c_void_p(stream), ctypes.byref(graph)), "recording failed")
        runnable = ctypes.c_void_p()
        try:
            code = self._library.cuGraphInstantiateWithFlags(ctypes.byref(runnable), graph, ctypes.c_uint64(0))
            self._check(code, "what was recorded cannot be run")
        finally:
            self._library.cuGraphDestroy(graph)
        made.append(int(runnable.value or 0))

    def launch(self, graph: int, stream: int) -> None:
        """Runs what was recorded, in the order of the stream."""
        code = self._library.cuGraphLaunch(ctypes.c_void_p(graph), ctypes.c_void_p(stream))
        self._check(code, "a recorded run could not start")

    def close_graph(self, graph: int) -> None:
        self._check(self._library.cuGraphExecDestroy(ctypes.c_void_p(graph)), "a recorded run was not given back")

    def _check(self, code: int, what: str) -> None:
        if code == 0:
            return
        text = ctypes.c_char_p()
        known = self._library.cuGetErrorString(code, ctypes.byref(text)) == 0 and text.value
        reason = text.value.decode(errors="replace") if known and text.value else f"CUDA error {code}"
        if code == _OUT_OF_MEMORY:
            raise OutOfMemoryError(f"{what}: the GPU's memory is full; close other programs or run fewer streams")
        if code in _LOST:
            raise DeviceLostError(f"{what}: {reason}; the GPU can be used again by a new process")
        raise DeviceError(f"{what}: {reason}")


@lru_cache(maxsize=8)
def open_cuda(number: int = 0) -> Cuda:
    """The driver with one GPU. Raises ``DeviceError`` that says whether driver or GPU is missing."""
    for name in _LIBRARIES:
        try:
            library: Any = ctypes.CDLL(name)
        except OSError:
            continue
        return Cuda(library, number)
    raise DeviceError(f"no NVIDIA driver here: {_LIBRARIES[0]} is not found. Install the driver, or use a CPU engine")


def find_gpu(number: int = 0) -> Gpu | str:
    """The GPU, or the reason why there is none."""
    try:
        return open_cuda(number).gpu
    except DeviceError as error:
        return str(error)
