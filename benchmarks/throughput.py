"""What enhancing costs beside decoding and encoding, at 1080p against peers and from 480p to 4K.

The figure to read is CPU time: codec-only / enhanced, both through the product's threads. It comes in two forms, and
both are printed. ``dark`` compares with encoding the dark frames as they are, which is what turning enhancement on
costs in all. But brightened noise is dearer to encode than dark noise whoever brightens it, so ``same pictures``
compares with a run whose encoder gets the enhanced pictures out of memory: that is the cost of the enhancement itself.
"""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

from benchmarks import machine, passes, report
from benchmarks.clips import SIZES, TINY, ClipSpec, clip, scratch
from benchmarks.peers import ENCODER_OPTIONS
from benchmarks.plots import plot_rows, plot_sizes
from benchmarks.runs import Measured, Row, ffmpeg_row, interleaved

GOAL = 0.82
_STAGES = ("decode", "enhance", "encode", "thumbnail", "scene", "network", "smooth", "apply", "total")


def add_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--rounds", type=int, default=5, help="how often the main rows run (default 5)")
    parser.add_argument("--bundle", default="curve", help="bundle of the enhanced rows")
    parser.add_argument("--sci", default="sci", help="bundle that runs at full size as a peer, and through the bridge")


def run(given: argparse.Namespace) -> dict[str, Any]:
    """All measurements of this benchmark; the table is printed as it stands at the end."""
    started = machine.header()
    main = TINY if given.quick else SIZES["1080p"]
    rounds = 1 if given.quick else given.rounds
    rows = interleaved(_rows(main, clip(main), given), rounds, main.name)
    by_name = {measured.row.name: measured for measured in rows}
    ratios = _ratios(by_name["codec only"], by_name["codec only, same pictures"], by_name["enhanced"])
    sizes = [_size(spec, given) for spec in ([TINY] if given.quick else SIZES.values()) if spec is not main]
    if not given.quick:
        sizes.append({"spec": main.name, "pixels": main.width * main.height, **ratios})
        sizes.sort(key=lambda size: size["pixels"])
    alone = passes.measure([TINY] if given.quick else list(SIZES.values()), given.bundle, given.sci, given.quick)
    found = {
        **started,
        "clip": {"width": main.width, "height": main.height, "frames": main.frames, "mbit_per_s": main.mbit_per_s},
        "encoder": "libx264 " + " ".join(f"{key} {value}" for key, value in ENCODER_OPTIONS.items()),
        "rounds": rounds,
        "goal": GOAL,
        "ratio": ratios,
        "rows": [measured.summary() for measured in rows],
        "sizes": sizes,
        "passes": alone,
    }
    show(found)
    plot_rows(found, given.results)
    plot_sizes(found, given.results)
    return found


def _rows(spec: ClipSpec, path: Path, given: argparse.Namespace) -> list[Row]:
    out = str(scratch() / "out.mp4")
    few = str(4 if given.quick else 24)

    def ours(name: str, mode: str, *options: str, rounds: int | None = None) -> Row:
        return Row(name, (mode, str(path), out, *options), rounds)

    rows = [
        ours("codec only", "codec"),
        ours("codec only, same pictures", "matched", "--bundle", given.bundle),
        ours("enhanced", "enhanced", "--bundle", given.bundle),
        ours(
            "enhanced, network on every frame", "enhanced", "--bundle", given.bundle, "--network-every", "1", rounds=3
        ),
        ours("enhanced, SCI through the bridge", "enhanced", "--bundle", given.sci, rounds=3),
        ours("OpenCV CLAHE on the luma plane", "clahe", rounds=3),
        ours("OpenCV CLAHE by way of Lab", "clahe-rgb", rounds=2),
        ours("SCI at full size, ONNX Runtime", "network-full-size", "--bundle", given.sci, "--frames", few, rounds=2),
    ]
    if machine.ffmpeg_binary():
        rows += [
            ffmpeg_row("ffmpeg, no filter", path, spec.frames, None, rounds=3),
            ffmpeg_row("ffmpeg eq=gamma=2.2", path, spec.frames, "eq=gamma=2.2", rounds=3),
            ffmpeg_row("ffmpeg hqdn3d,eq=gamma=2.2", path, spec.frames, "hqdn3d,eq=gamma=2.2", rounds=3),
        ]
    else:
        print("no ffmpeg binary on this machine: its rows are left out")
    return rows


def _ratios(codec: Measured, matched: Measured, enhanced: Measured) -> dict[str, float]:
    """CPU time of codec-only over enhanced, both forms; and what they were computed from."""
    dark, same, whole = codec.per_frame_ms(), matched.per_frame_ms(), enhanced.per_frame_ms()
    return {
        "dark": dark / whole,
        "same_pictures": same / whole,
        "codec_cpu_ms": dark,
        "matched_cpu_ms": same,
        "enhanced_cpu_ms": whole,
        "enhancement_cpu_ms": whole - same,
        "enhanced_fps": enhanced.fps,
        "codec_fps": codec.fps,
    }


def _size(spec: ClipSpec, given: argparse.Namespace) -> dict[str, Any]:
    path, out = clip(spec), str(scratch() / "out.mp4")
    rows = [
        Row("codec only", ("codec", str(path), out)),
        Row("codec only, same pictures", ("matched", str(path), out, "--bundle", given.bundle)),
        Row("enhanced", ("enhanced", str(path), out, "--bundle", given.bundle)),
    ]
    measured = interleaved(rows, 1 if given.quick else 3, spec.name)
    return {"spec": spec.name, "pixels": spec.width * spec.height, **_ratios(*measured)}


def show(found: dict[str, Any]) -> None:
    """Prints the tables."""
    rows, ratio = {row["name"]: row for row in found["rows"]}, found["ratio"]
    ours = rows["enhanced"]["wall_ms_per_frame"]
    print(f"\n{machine.sentence(found)}; {found['clip']['width']}x{found['clip']['height']} H.264, {found['encoder']}")
    print(f"medians of up to {found['rounds']} interleaved runs\n")
    columns = ["", "CPU ms/frame", "spread", "fps", "slower than ours", "MB written/100 frames"]
    lines = [
        (
            name,
            row["cpu_ms_per_frame"],
            f"{100 * row['spread']:.0f} %",
            row["fps"],
            f"{row['wall_ms_per_frame'] / ours:.2f}x",
            100e-6 * row["runs"][0]["bytes_out"] / row["frames"],
        )
        for name, row in rows.items()
    ]
    print(report.table(columns, lines))
    print(f"\nCPU time, codec only / enhanced: {ratio['dark']:.3f} against the dark frames as they are,")
    print(f"{ratio['same_pictures']:.3f} with the same pictures to encode (goal {found['goal']}).")
    print(f"The enhancement itself: {ratio['enhancement_cpu_ms']:.2f} ms CPU a frame.\n")
    stages = rows["enhanced"]["stages"]
    columns = ["stage", "p50 ms", "p95 ms", "p99 ms", "mean ms", "CPU ms/frame of its own thread"]
    print(
        report.table(
            columns,
            [
                (
                    name,
                    stages[name]["p50_ms"],
                    stages[name]["p95_ms"],
                    stages[name]["p99_ms"],
                    stages[name]["mean_ms"],
                    1e3 * stages[name]["cpu_s"] / stages[name]["count"] if stages[name]["cpu_s"] else None,
                )
                for name in _STAGES
                if name in stages
            ],
        )
    )
    print()
    columns = ["size", "codec only", "same pictures", "enhanced", "enhancement itself", "dark", "same", "fps"]
    keys = ("codec_cpu_ms", "matched_cpu_ms", "enhanced_cpu_ms", "enhancement_cpu_ms", "dark", "same_pictures")
    print("CPU ms a frame by size, and the two ratios\n")
    print(report.table(columns, [(s["spec"], *(s[k] for k in keys), s["enhanced_fps"]) for s in found["sizes"]]))
    passes.show(found["passes"])
