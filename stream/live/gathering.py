"""A function of many threads whose calls are gathered: those that come at the same time are worked off in one run.

A call joins others in two ways. While a run goes on, calls wait, and the next run takes all that are of one kind. And
before a run the oldest call waits for threads that have called lately, but never with one thread alone, never longer
than ``WINDOW_S``, and never longer than runs of several have been seen to save. One of the callers does the work: there
is no thread here that could die.
"""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Callable, Hashable, Sequence
from dataclasses import dataclass
from typing import Generic, TypeVar

WINDOW_S = 0.002
_ABOUT_S = 1.0
"""A thread that called within this time is expected to call again."""
_FORGET = 1.02
_TRY_EVERY = 64

Item = TypeVar("Item")
Result = TypeVar("Result")


@dataclass(slots=True)
class _Call(Generic[Item, Result]):
    item: Item
    kind: Hashable
    done: bool = False
    result: Result | None = None
    error: BaseException | None = None


class Gatherer(Generic[Item, Result]):
    """A function for many threads whose calls are gathered and run together by one of the callers."""

    def __init__(
        self,
        run: Callable[[Sequence[Item]], Sequence[Result | Exception]],
        kind: Callable[[Item], Hashable],
        *,
        most: int,
        window_s: float = WINDOW_S,
    ) -> None:
        """``run`` takes up to ``most`` items of one ``kind`` and gives a result or an error for each."""
        self._run, self._kind, self._most, self._window_s = run, kind, most, window_s
        self._condition = threading.Condition()
        self._waiting: deque[_Call[Item, Result]] = deque()
        self._busy = False
        self._callers: dict[int, float] = {}
        self._cost_s: dict[int, float] = {}
        self._saved_s: float | None = None
        self.runs = 0
        self.items = 0

    def __call__(self, item: Item) -> Result:
        """The result for ``item``. Raises what went wrong with it; that others failed is none of its business."""
        call: _Call[Item, Result] = _Call(item, self._kind(item))
        with self._condition:
            self._callers[threading.get_ident()] = time.monotonic()
            self._waiting.append(call)
            self._condition.notify_all()
            while self._busy and not call.done:
                self._condition.wait()
            leads = not call.done
            self._busy = self._busy or leads
        if leads:
            try:
                while not call.done:
                    self._work(self._gathered())
            finally:
                with self._condition:
                    self._busy = False
                    self._condition.notify_all()
        if call.error is not None:
            raise call.error
        return call.result  # type: ignore[return-value]

    def _gathered(self) -> list[_Call[Item, Result]]:
        """The oldest call and others of its kind, after waiting for those that may come."""
        with self._condition:
            until = time.monotonic() + self._patience()
            while len(self._waiting) < min(self._about(), self._most) and (left := until - time.monotonic()) > 0:
                self._condition.wait(left)
            kind = self._waiting[0].kind
            calls = [call for call in self._waiting if call.kind == kind][: self._most]
            for call in calls:
                self._waiting.remove(call)
        return calls

    def _patience(self) -> float:
        """Seconds that waiting for others is worth; what it saves is learned by trying, at first and now and then."""
        if self._most == 1:
            return 0.0
        if self._saved_s is None or self.runs % _TRY_EVERY == 0:
            return self._window_s
        return max(0.0, min(self._window_s, self._saved_s))

    def _about(self) -> int:
        """Threads that have called lately; ends of threads are forgotten."""
        late = time.monotonic() - _ABOUT_S
        self._callers = {thread: last for thread, last in self._callers.items() if last >= late}
        return len(self._callers)

    def _work(self, calls: list[_Call[Item, Result]]) -> None:
        start = time.perf_counter()
        try:
            results = self._run([call.item for call in calls])
        except Exception as error:
            results = [error] if len(calls) == 1 else self._each(calls)
        except BaseException as error:
            self._finish(calls, [error] * len(calls))
            raise
        self._learn(len(calls), time.perf_counter() - start)
        self._finish(calls, results)

    def _each(self, calls: list[_Call[Item, Result]]) -> list[Result | Exception]:
        """Together they failed: one by one, so that it is known whose fault it is."""
        results: list[Result | Exception] = []
        for call in calls:
            try:
                results += self._run([call.item])
            except Exception as error:
                results.append(error)
        return results

    def _finish(self, calls: list[_Call[Item, Result]], results: Sequence[Result | BaseException]) -> None:
        with self._condition:
            for call, result in zip(calls, results, strict=True):
                if isinstance(result, BaseException):
                    call.error = result
                else:
                    call.result = result
                call.done = True
            self._condition.notify_all()

    def _learn(self, count: int, seconds: float) -> None:
        """The cost of runs of each size is the least seen lately: what else the machine did only adds to it."""
        self.runs += 1
        self.items += count
        self._cost_s[count] = min(seconds, self._cost_s.get(count, seconds) * _FORGET)
        if count > 1 and 1 in self._cost_s:
            self._saved_s = count * self._cost_s[1] - self._cost_s[count]
