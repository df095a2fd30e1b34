"""Kernels that TensorRT-RTX compiles on the GPU when it meets a shape: kept beside the engine, so that it does so once.

A file of another GPU, driver or version is refused by TensorRT itself and written anew. Losing it costs time only, so
nothing here raises. Full TensorRT has all its kernels in the engine and needs none of this.
"""

from __future__ import annotations

import contextlib
import os
from pathlib import Path
from typing import Any

from engines.tensorrt.flavour import Flavour


class Kernels:
    """How contexts of one engine are made, with what was compiled before; ``path`` None keeps nothing."""

    def __init__(self, flavour: Flavour, engine: Any, path: Path | None) -> None:
        self._engine = engine
        self._path = path
        self._config: Any = None
        self._cache: Any = None
        self._size = 0
        if flavour.name != "tensorrt-rtx" or not hasattr(engine, "create_runtime_config"):
            return
        self._config = engine.create_runtime_config()
        # Before the first run of a shape and not beside it: a graph cannot be recorded while kernels change.
        eager = flavour.module.DynamicShapesKernelSpecializationStrategy.EAGER
        self._config.dynamic_shapes_kernel_specialization_strategy = eager
        if path is None:
            return
        self._cache = self._config.create_runtime_cache()
        with contextlib.suppress(OSError):
            before = path.read_bytes()
            if self._cache.deserialize(before):
                self._size = len(before)
        self._config.set_runtime_cache(self._cache)

    def new_context(self) -> Any:
        """An execution context, or None where memory is full."""
        if self._config is None:
            return self._engine.create_execution_context()
        return self._engine.create_execution_context(self._config)

    def keep(self) -> None:
        """Writes down what was compiled since, whole or not at all."""
        if self._cache is None or self._path is None:
            return
        serialised = self._cache.serialize()
        content = b"" if serialised is None else bytes(memoryview(serialised))
        if len(content) == self._size:
            return
        part = self._path.with_name(f"{self._path.name}.{os.getpid()}.new")
        with contextlib.suppress(OSError):
            try:
                part.write_bytes(content)
                part.replace(self._path)
                self._size = len(content)
            finally:
                part.unlink(missing_ok=True)
