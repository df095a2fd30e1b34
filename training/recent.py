"""What was read stays in memory while there is room for it; then what was not asked for the longest time goes."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Hashable
from typing import Generic, Protocol, TypeVar

LIMIT = 4_000_000_000
"""Bytes: about 5500 pictures of 600x400, or 55 of 24 megapixels."""


class HasBytes(Protocol):
    """An array or a tensor."""

    @property
    def nbytes(self) -> int: ...


Value = TypeVar("Value", bound=HasBytes)


class Recent(Generic[Value]):
    """Values by key, ``limit`` bytes of them at most; one that is larger is kept alone. For a single thread."""

    def __init__(self, limit: int = LIMIT) -> None:
        self.limit = limit
        self.bytes = 0
        self._values: OrderedDict[Hashable, Value] = OrderedDict()

    def get(self, key: Hashable, read: Callable[[], Value]) -> Value:
        """The value of a key, read where it is not there (any more)."""
        if key in self._values:
            self._values.move_to_end(key)
            return self._values[key]
        value = self._values[key] = read()
        self.bytes += value.nbytes
        while self.bytes > self.limit and len(self._values) > 1:
            self.bytes -= self._values.popitem(last=False)[1].nbytes
        return value
