"""The live run of the soak: the product's own, with short pauses between attempts. Figures on demand.

``python -m benchmarks.soak_worker SOURCE OUTPUT...``. A line on standard input is answered by a line of JSON with the
figures of the moment; the end of the input ends the run, and the last line is its summary. ``--keep SIZE`` before them
says how much of the recordings stays.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Callable
from dataclasses import asdict
from typing import Any

from engines.bundle import load_bundle
from stream.live.configuration import StreamConfig
from stream.live.opening import open_live_sink
from stream.live.run import LiveRun
from stream.live.source import LiveSource, SourcePolicy
from stream.live.state import SourceEvent
from stream.live.summary import plain
from stream.media.sources.connection import SourceOptions
from stream.settings import Settings
from stream.vision.modes import open_mode

POLICY = SourcePolicy(first_backoff_s=0.1, longest_backoff_s=0.5, stall_s=0.5)
"""As the product's, in a fifth of the time and less; all else is as shipped."""
_OPTIONS = SourceOptions(open_timeout_s=3, read_timeout_s=0.5)
_END_S = 30.0


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--keep", default="20MB")
    parser.add_argument("source")
    parser.add_argument("outputs", nargs="+")
    given = parser.parse_args()
    settings = Settings.model_validate({"segment": "10s", "keep": given.keep})
    config = StreamConfig("soak", given.source, tuple(given.outputs), settings)
    pauses = [0.0]

    def open_source(config: StreamConfig, events: Callable[[SourceEvent], None]) -> LiveSource:
        def told(event: SourceEvent) -> None:
            pauses.append(event.retry_in_s or 0.0)
            events(event)

        return LiveSource(config.source, _OPTIONS, POLICY, events=told)

    run = LiveRun(
        config,
        open_mode(load_bundle(settings.model), settings),
        open_source=open_source,
        open_sink=open_live_sink,
    )
    run.start()
    for _ in sys.stdin:
        stats = run.stats()
        figures: dict[str, Any] = {
            "frames_in": stats.frames_in,
            "frames_out": stats.frames_out,
            "in_flight": stats.in_flight,
        }
        figures |= {"state": stats.source.state, "generation": stats.source.generation, "dropped": stats.dropped}
        _tell(figures | {"written": [output.written for output in stats.outputs], "ended": run.join(0)})
    run.stop()
    run.join(_END_S)
    _tell({**plain(asdict(run.summary())), "longest_pause_s": max(pauses)})


def _tell(record: dict[str, Any]) -> None:
    print(json.dumps(record, default=str), flush=True)


if __name__ == "__main__":
    main()
