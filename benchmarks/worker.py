"""One measured run in a process of its own: ``python -m benchmarks.worker MODE CLIP OUT`` prints a JSON line.

The modes that go through the product differ in one thing only, what stands in the place of the enhancement:

    codec      nothing: frames are decoded and encoded as they are
    matched    nothing either, but the encoder gets pictures that were enhanced beforehand and wait in memory, so that
               it works as hard as in an enhanced run: bright noise costs it more than dark noise
    enhanced   the enhancement with a bundle

CPU time and wall time are those of the run, from opening the input to the finished file; interpreter, imports,
compiled kernels and the model are loaded before (``benchmarks startup`` measures those).
"""

from __future__ import annotations

import argparse
import json
import resource
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import Any

from benchmarks.peers import ENCODER_OPTIONS, PEERS
from engines.bundle import load_bundle
from engines.curve.cpu import warm
from engines.tone_model import ToneModel
from stream.media import EncoderSettings, Frame, open_sink, open_source
from stream.settings import Settings
from stream.stages import Stages
from stream.telemetry import Telemetry, peak_rss_mb
from stream.vision.enhancer import Enhancer

ENCODER = EncoderSettings(codec="libx264", options=ENCODER_OPTIONS)


class Clock:
    """CPU seconds of this process, all its threads included, and wall seconds."""

    def __init__(self) -> None:
        self.cpu_s = self.wall_s = 0.0

    @contextmanager
    def running(self) -> Iterator[None]:
        """Measures the block."""
        start, before = time.perf_counter(), _cpu_seconds()
        yield
        self.cpu_s, self.wall_s = _cpu_seconds() - before, time.perf_counter() - start


def _cpu_seconds() -> float:
    usage = resource.getrusage(resource.RUSAGE_SELF)
    return usage.ru_utime + usage.ru_stime


def through_stages(clip: Path, out: Path, clock: Clock, make: Callable[[Telemetry], Callable[[Frame], Frame]]) -> Any:
    """Runs the product's threads from file to file with ``make(telemetry)`` in the place of the enhancement."""
    telemetry = Telemetry()
    enhance = make(telemetry)
    with clock.running():
        source = open_source(clip)
        stages = Stages(source, enhance, open_sink(out, source, ENCODER, overwrite=True), telemetry)
        stages.start()
        stages.wait()
    if stages.error is not None:
        raise stages.error
    return telemetry.snapshot()


def passed_through(clip: Path, out: Path, clock: Clock, arguments: argparse.Namespace) -> Any:
    """Decode and encode alone."""
    return through_stages(clip, out, clock, lambda telemetry: lambda frame: frame)


def enhanced(clip: Path, out: Path, clock: Clock, arguments: argparse.Namespace) -> Any:
    """The product."""
    return through_stages(clip, out, clock, lambda telemetry: _enhancer(arguments, telemetry))


def matched(clip: Path, out: Path, clock: Clock, arguments: argparse.Namespace) -> Any:
    """Decode and encode, with the encoder fed from memory."""
    source = open_source(clip)
    stages = Stages(source, _enhancer(arguments, Telemetry()), None, Telemetry())
    stages.start()
    prepared = iter(list(stages.frames()))
    return through_stages(clip, out, clock, lambda telemetry: lambda frame: next(prepared))


def _enhancer(arguments: argparse.Namespace, telemetry: Telemetry) -> Enhancer:
    warm()
    model = ToneModel(load_bundle(arguments.bundle))
    return Enhancer(model, network_every=arguments.network_every, telemetry=telemetry)


MODES = {"codec": passed_through, "matched": matched, "enhanced": enhanced}


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.split("\n", 1)[0])
    parser.add_argument("mode", choices=[*MODES, *PEERS])
    parser.add_argument("clip", type=Path)
    parser.add_argument("out", type=Path)
    parser.add_argument("--bundle", default="curve")
    parser.add_argument("--network-every", type=int, default=Settings.model_fields["network_every"].default)
    parser.add_argument("--frames", type=int, default=None, help="peers: stop after so many frames")
    given = parser.parse_args()
    clock = Clock()
    found: dict[str, Any] = {"mode": given.mode}
    if given.mode in MODES:
        stats = MODES[given.mode](given.clip, given.out, clock, given)
        found |= {"frames": stats.frames_out, "stages": {name: asdict(stage) for name, stage in stats.stages.items()}}
    else:
        peer = PEERS[given.mode](given.bundle)
        with clock.running():
            found["frames"] = peer(given.clip, given.out, given.frames)
    found |= {"cpu_s": clock.cpu_s, "wall_s": clock.wall_s, "process_cpu_s": _cpu_seconds()}
    found |= {"peak_rss_mb": peak_rss_mb(), "bytes_out": given.out.stat().st_size}
    print(json.dumps(found))
    return 0


if __name__ == "__main__":
    sys.exit(main())
