"""``docs/live-benchmarks.md``: the figures of the live benchmark, and of soak and fuzz where they are there."""

from __future__ import annotations

import json
import textwrap
from pathlib import Path
from typing import Any

from benchmarks import machine, report

PAGE = report.RESULTS.parent.parent / "docs" / "live-benchmarks.md"
_STAGES = {
    "receive": "receive: decode",
    "enhance": "enhance, all of it",
    "thumbnail": "- thumbnail",
    "scene": "- scene and cuts",
    "network": "- network (not every frame)",
    "smooth": "- smoothing in time",
    "motion": "- motion",
    "apply": "- the fused pass",
    "encode": "encode and hand over",
    "total": "from capture to written, waiting included",
}


def latency_table(found: dict[str, Any]) -> str:
    """Camera to viewer, relay and enhanced."""
    columns = ("camera to viewer", "p50 ms", "p95 ms", "p99 ms", "most ms", "pictures", "missing", "CPU cores")
    rows = []
    for name, row in found["one"].items():
        delays = row["delays_ms"]
        shares = (delays.get(share) for share in ("p50", "p95", "p99", "most"))
        rows.append((name, *shares, row["pictures"], row["missing"], row["cpu_cores"]))
    rows.append(("added", *added(found).values(), None, None, None, None))
    return report.table(columns, rows)


def added(found: dict[str, Any]) -> dict[str, float]:
    """What the enhancement adds in ms: quantiles of the enhanced stream above the median of the relay.

    This and nothing else is called added, wherever it is told.
    """
    relay, enhanced = (found["one"][name]["delays_ms"] for name in ("relay", "enhanced"))
    return {share: enhanced[share] - relay["p50"] for share in ("p50", "p95", "p99")}


def verdict(found: dict[str, Any]) -> str:
    """Whether the goal was met."""
    goal = found["added"]
    return "met" if added(found)["p95"] <= goal["goal_ms"] and not goal["missing"] else "missed"


def readme_sentence(found: dict[str, Any]) -> str:
    """What the README tells of it."""
    height, goal = found["size"].split("x")[1], found["added"]
    return (
        f"{height}p at {found['fps']} frames a second added {added(found)['p95']:.0f} ms at p95 to the median of a"
        f" plain relay (goal {goal['goal_ms']:.0f} ms: {verdict(found)}), {goal['missing'] or 'no'} picture missing."
    )


def stage_table(found: dict[str, Any]) -> str:
    """Where the time goes inside the command."""
    columns = ("stage", "relay p50 ms", "relay p95 ms", "enhanced p50 ms", "enhanced p95 ms", "enhanced p99 ms")
    relay, enhanced = (found["one"][name]["stages"] for name in ("relay", "enhanced"))
    rows = []
    for stage, words in _STAGES.items():
        ours, plain = enhanced.get(stage), relay.get(stage, {})
        if ours:
            figures = (ours["p50_ms"], ours["p95_ms"], ours["p99_ms"])
            rows.append((words, plain.get("p50_ms"), plain.get("p95_ms"), *figures))
    return report.table(columns, rows)


def streams_table(found: dict[str, Any]) -> str:
    """1 to K streams in one process."""
    columns = ("streams", "p50 ms", "p95 ms", "p99 ms", "pictures", "missing", "CPU cores", "MB", "threads")
    rows = []
    for row in found["many"]:
        shares = (row["delays_ms"].get(share) for share in ("p50", "p95", "p99"))
        counts = (row["pictures"], row["missing"])
        rows.append((row["streams"], *shares, *counts, row["cpu_cores"], row["rss_mb"], row["threads"]))
    return report.table(columns, rows)


def write(found: dict[str, Any], page: Path, results: Path) -> None:
    """The page, from these figures and from ``soak.json`` and ``fuzz.json`` beside them."""
    parts = [_live(found)]
    if "end" in found:
        parts.append(_end(found["end"]))
    for name, section in (("soak", _soak), ("fuzz", _fuzz)):
        file = results / f"{name}.json"
        if file.exists():
            parts.append(section(json.loads(file.read_text())))
    page.write_text("\n\n".join(parts) + "\n", encoding="utf-8")
    print(page)


def rewrite(results: Path) -> None:
    """The page again, after ``soak.json`` or ``fuzz.json`` has changed; nothing without ``live.json``."""
    file = results / "live.json"
    if file.exists() and results == report.RESULTS:
        write(json.loads(file.read_text()), PAGE, results)


def _live(found: dict[str, Any]) -> str:
    memory = found["one"]["enhanced"]["course"].get("rss_mb", {})
    setting = _paragraph(f"""A camera publishes {found["size"]} H.264 at {found["fps"]} pictures a second to
        an RTSP server, the command reads it there and publishes it back, a viewer decodes it and reads the number
        that is drawn into each picture. Everything runs on this machine, over loopback, cameras, server and viewer
        included. The relay is the same command with strength 0: decoded and encoded alike, not enhanced. Both took
        turns, {found["rounds"]} times {found["seconds"]:g} s each; the first seconds do not count. The camera's
        pictures are encoded beforehand, and a picture counts as seen once the viewer has decoded it.""")
    goal = _paragraph(f"""Added is what lies above the median of the relay. The goal is at most
        {found["added"]["goal_ms"]:.0f} ms, two times between frames, at p95, and no picture missing:
        **{verdict(found)}**, with {added(found)["p95"]:.1f} ms.""")
    inside = _paragraph(f"""Inside the command, in the last round. Memory of the enhanced run was
        {memory.get("first", 0):.0f} MB at first and {memory.get("last", 0):.0f} MB at the end.""")
    many = _paragraph(f"""Streams in one process (`stream-enhance run`), more and more until the first
        picture is dropped. Each has a camera and a viewer, which share the {found["machine"]["cores"]} cores too.
        **{found["streams_without_a_drop"]}** without a drop.""")
    return f"""# Live streams, measured

{machine.sentence(found)}. `python -m benchmarks live` makes this page; `soak` and `fuzz` add theirs.

## Latency from glass to glass

{setting}

{latency_table(found)}

{goal}

![Latency](../benchmarks/results/live-latency.png)

{inside}

{stage_table(found)}

![Memory and threads](../benchmarks/results/live-course.png)

## How many streams hold

{many}

{streams_table(found)}

![Streams](../benchmarks/results/live-streams.png)"""


def end_sentence(end: dict[str, Any]) -> str:
    """What was measured of the end of the process."""
    verdict = "met" if end["met"] else "missed"
    return (
        f"From SIGTERM to the end of the process: median {end['median_s']:.2f} s, worst {end['worst_s']:.2f} s of "
        f"{end['runs']} runs; goal {end['goal_s']:g} s: {verdict}."
    )


def _end(end: dict[str, Any]) -> str:
    text = _paragraph(f"""{machine.sentence(end)}. The same command, with a second output, an MP4 file, is ended by
        SIGTERM after some seconds, each time at another moment between two key frames. The clock stops when the process
        is gone; the file has to play to its last picture. **{end_sentence(end)}**""")
    rows = [("from SIGTERM to the end, s", end["median_s"], end["worst_s"], end["runs"])]
    return f"""## How long it takes to end

{text}

{report.table(("", "median", "worst", "runs"), rows)}"""


def _soak(found: dict[str, Any]) -> str:
    back, figures = found["back_s"], found["figures"]
    text = _paragraph(f"""{machine.sentence(found)}. `python -m benchmarks soak`: short pauses between
        attempts, a small fast stream, and a server that was killed {found["kills"]} times, frozen
        {found["freezes"]} times, and changed the size of its pictures {found["resizes"]} times, in
        {found["seconds"] / 60:.0f} minutes. {figures["frames_in"]} frames came in, {figures["frames_out"]} went
        out, {sum(figures["dropped"].values())} were dropped for a cause, {found["unaccounted"]} are unaccounted
        for. Frames were back {back["p50"]:.2f} s (p95 {back["p95"]:.2f}, most {back["most"]:.2f}) after the server
        was; the pause between two attempts was {found["longest_backoff_s"]:g} s at most.""")
    rows = [
        (name, course["first"], course["last"], course["most"], course["slope_per_hour"])
        for name, course in found["course"].items()
    ]
    return f"""## Soak, compressed in time

{text}

{report.table(("of the process", "first", "last", "most", "growth an hour"), rows)}

![Soak](../benchmarks/results/soak.png)"""


def _fuzz(found: dict[str, Any]) -> str:
    memory = found["rss_mb"]
    lowest = ", ".join(f"{value:.0f}" for value in memory["lowest_of_each_quarter"])
    text = _paragraph(f"""`python -m benchmarks fuzz`: {found["streams"]} streams with flipped bits, lost,
        reordered and repeated packets, missing beginnings and ends, each read from a socket and as a file.
        Hung: {len(found["hung"])}. Crashed: {len(found["crashed"])}. Untyped errors: {len(found["faults"])}.
        Memory rises for single streams to {memory["most"]:.0f} MB and comes back: the lowest of each quarter of
        the run was {lowest} MB.""")
    columns = ("stream", "streams", "refused from a socket", "pictures", "refused as a file", "pictures")
    rows = [
        (name, of["streams"], of["network_refused"], of["network_frames"], of["file_refused"], of["file_frames"])
        for name, of in found["kinds"].items()
    ]
    return f"""## Broken streams

{text}

{report.table(columns, rows)}"""


def _paragraph(text: str) -> str:
    """Wrapped anew, as the figures have made its lines."""
    return textwrap.fill(" ".join(text.split()), 120, break_long_words=False, break_on_hyphens=False)
