"""Something that loads beside everything else, as a future."""

from __future__ import annotations

import threading
from collections.abc import Callable
from concurrent.futures import Future
from typing import TypeVar

T = TypeVar("T")


def in_background(load: Callable[[], T]) -> Future[T]:
    """Start ``load`` in a thread. The interpreter waits for it at exit: libraries that are half loaded would crash."""
    future: Future[T] = Future()

    def body() -> None:
        try:
            future.set_result(load())
        except BaseException as error:
            future.set_exception(error)

    threading.Thread(target=body, name="load", daemon=False).start()  # who calls may be a daemon
    return future
