"""What a figure was measured on: processor, memory, versions, load, date."""

from __future__ import annotations

import os
import platform
import shutil
import subprocess
from datetime import datetime, timezone
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

_PACKAGES = ("stream-enhance", "numpy", "numba", "av", "onnxruntime", "opencv-python-headless", "torch")
_VECTOR_UNITS = ("sse4_2", "avx2", "avx512f", "avx512_vbmi", "amx_tile", "asimd", "sve")


def processor() -> dict[str, Any]:
    """Model name, cores this process may use, vector units, memory in GB."""
    name, flags = platform.processor() or platform.machine(), set[str]()
    table = Path("/proc/cpuinfo")
    if table.exists():
        entries = {
            key.strip(): value.strip() for key, _, value in (ln.partition(":") for ln in table.read_text().splitlines())
        }
        name = entries.get("model name", name)
        flags = set(entries.get("flags", entries.get("Features", "")).split())
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 1e9
    return {
        "cpu": name,
        "cores": usable_cores(),
        "vector_units": [unit for unit in _VECTOR_UNITS if unit in flags],
        "memory_gb": round(memory, 1),
    }


def usable_cores() -> int:
    """Cores that the scheduler lets this process use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def versions() -> dict[str, str]:
    """Python, the packages that matter, FFmpeg inside PyAV and beside it, and the commit of the checkout."""
    found = {"python": platform.python_version(), "system": platform.platform()}
    for package in _PACKAGES:
        try:
            found[package] = version(package)
        except PackageNotFoundError:
            continue
    ffmpeg = ffmpeg_binary()
    if ffmpeg:
        found["ffmpeg binary"] = _first_line(ffmpeg, "-version").split(" Copyright")[0].removeprefix("ffmpeg version ")
    commit = _first_line("git", "describe", "--always", "--dirty", "--abbrev=10")
    return {**found, **({"commit": commit} if commit else {})}


def ffmpeg_binary() -> str | None:
    """Path of an ``ffmpeg`` on this machine; the peers that need one are left out without."""
    return shutil.which("ffmpeg")


def _first_line(*command: str) -> str:
    try:
        run = subprocess.run(command, capture_output=True, text=True, timeout=20, cwd=Path(__file__).parent)
    except (OSError, subprocess.TimeoutExpired):
        return ""
    return run.stdout.splitlines()[0].strip() if run.returncode == 0 and run.stdout else ""


def conditions() -> dict[str, Any]:
    """When, and how busy the machine was: a load average near 0 means that nothing else ran."""
    return {
        "date": datetime.now(timezone.utc).strftime("%Y-%m-%d %H:%M UTC"),
        "load_average_1_5_15": [round(value, 2) for value in os.getloadavg()],
    }


def header() -> dict[str, Any]:
    """The first part of every result file."""
    return {"machine": processor(), "versions": versions(), "conditions": conditions()}


def sentence(found: dict[str, Any]) -> str:
    """The machine of a result file in words."""
    machine, when = found["machine"], found["conditions"]
    return (
        f"{machine['cpu']}, {machine['cores']} cores, {machine['memory_gb']:.0f} GB, "
        f"Python {found['versions']['python']}, {when['date']}"
    )
