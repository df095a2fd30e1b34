"""How loops over pixels are compiled: once per machine, for one signature, without the interpreter lock."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numba as nb


def compiled(signature: Any, fastmath: bool | set[str] = True) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """Decorator: compiles for ``signature`` on import, or loads what an earlier import left in numba's cache.

    Where neither the package's folder nor the user's cache can be written, it compiles anew at every start.
    """

    def compile_it(function: Callable[..., Any]) -> Callable[..., Any]:
        options: dict[str, Any] = {"nogil": True, "fastmath": fastmath, "error_model": "numpy"}
        try:
            kernel: Callable[..., Any] = nb.njit(signature, cache=True, **options)(function)
        except RuntimeError as error:
            if "cannot cache" not in str(error):
                raise
            kernel = nb.njit(signature, **options)(function)
        return kernel

    return compile_it
