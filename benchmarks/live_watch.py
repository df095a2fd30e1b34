"""Memory, threads and file descriptors of a running process over time, and whether they grow."""

from __future__ import annotations

import threading
import time

import numpy as np

FIGURES = ("rss_mb", "threads", "fds")


class Watch:
    """Samples a process and all its descendants in a thread of its own, until ``end``."""

    def __init__(self, pid: int, every_s: float = 0.5) -> None:
        import psutil

        self.samples: list[dict[str, float]] = []
        self._gone = (psutil.NoSuchProcess, psutil.AccessDenied)
        self._process = psutil.Process(pid)
        self._every_s = every_s
        self._began = time.monotonic()
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._sample, name="watch", daemon=True)
        self._thread.start()

    def end(self) -> list[dict[str, float]]:
        """All samples: seconds, MB (10^6 bytes), threads, file descriptors and CPU seconds so far."""
        self._ended.set()
        self._thread.join()
        return self.samples

    def _sample(self) -> None:
        while not self._ended.wait(self._every_s):
            try:
                family = [self._process, *self._process.children(recursive=True)]
            except self._gone:
                return
            sample = dict.fromkeys((*FIGURES, "cpu_s"), 0.0)
            for one in family:
                try:
                    times = one.cpu_times()
                    sample["rss_mb"] += one.memory_info().rss / 1e6
                    sample["threads"] += one.num_threads()
                    sample["fds"] += one.num_fds()
                    sample["cpu_s"] += times.user + times.system
                except self._gone:
                    continue
            self.samples.append({"s": round(time.monotonic() - self._began, 2), **sample})


def slopes(samples: list[dict[str, float]], settled: float = 0.3) -> dict[str, dict[str, float]]:
    """Of each figure: first and last level, growth an hour (least squares), without the first ``settled`` share."""
    kept = samples[int(settled * len(samples)) :]
    found: dict[str, dict[str, float]] = {}
    for name in FIGURES:
        values = [sample[name] for sample in kept]
        if len(values) < 4:
            continue
        quarter = max(1, len(values) // 4)
        an_hour = 3600 * float(np.polyfit([sample["s"] for sample in kept], values, 1)[0])
        found[name] = {
            "first": float(np.median(values[:quarter])),
            "last": float(np.median(values[-quarter:])),
            "most": max(values),
            "slope_per_hour": an_hour,
        }
    return found
