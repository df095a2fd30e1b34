"""``python -m benchmarks throughput | stages | startup | memory | quality | temporal | live | soak | fuzz | engines |
models | sheet | readme``."""

from __future__ import annotations

import argparse
import importlib
import sys
from pathlib import Path

from benchmarks import report
from benchmarks.clips import scratch

MEASUREMENTS = {
    "throughput": "CPU time and frames a second against codec-only and against peers, 480p to 4K",
    "stages": "milliseconds a frame of what works in time: smoothing, flow, regions, the pass with the denoiser",
    "startup": "seconds from the command to the first enhanced frame, cold and warm",
    "memory": "peak memory for a 1080p file, and whether it stays flat over a long one",
    "quality": "PSNR and SSIM on exposure brackets through the run-time path, against baselines",
    "temporal": "stability in time and PSNR on synthetic night clips, against baselines; writes docs/temporal.md",
    "live": "live streams: latency from glass to glass, how many hold, how fast they end; docs/live-benchmarks.md",
    "soak": "live streams through hundreds of kills and freezes of a server: frames back, accounts, memory",
    "fuzz": "broken streams through the decode path: no hang, no crash, no leak",
    "engines": "every network through parse and build of TensorRT; writes the table of docs/tensorrt.md",
    "models": "every system of the papers: size, computing, export, milliseconds; writes docs/models.md",
}
DRAWINGS = {
    "sheet": "draw the before/after pictures of the documentation",
    "readme": "write the figures of benchmarks/results into README.md",
}


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    commands = parser.add_subparsers(dest="name", required=True)
    for name, what in {**MEASUREMENTS, **DRAWINGS}.items():
        command = commands.add_parser(name, help=what, description=what)
        importlib.import_module(f"benchmarks.{name}").add_options(command)
        if name in MEASUREMENTS:
            command.add_argument("--quick", action="store_true", help="tiny clips, one round: shows that it runs")
            command.add_argument("--results", type=Path, help="folder for JSON and plots (default benchmarks/results)")
    given = parser.parse_args(arguments)
    module = importlib.import_module(f"benchmarks.{given.name}")
    if given.name in DRAWINGS:
        module.run(given)
        return 0
    if given.results is None:
        given.results = scratch() / "quick" if given.quick else report.RESULTS
    report.save(given.results, given.name, module.run(given))
    return 0


if __name__ == "__main__":
    sys.exit(main())
