"""Under which conditions a table was made: device, versions, commit, time."""

from __future__ import annotations

import platform
import subprocess
from datetime import datetime, timezone
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

import torch

_PACKAGES = ("stream-enhance", "numpy", "torch", "onnxruntime", "pillow")


def conditions(device: str) -> dict[str, object]:
    """For the JSON table; the commit is left out where the code is no checkout."""
    found: dict[str, object] = {
        "device": torch.cuda.get_device_name() if device == "cuda" else f"cpu ({platform.machine()})",
        "date": datetime.now(timezone.utc).strftime("%Y-%m-%d %H:%M UTC"),
        "versions": {"python": platform.python_version()} | {name: v for name in _PACKAGES if (v := _version(name))},
    }
    commit = _commit()
    return found | ({"commit": commit} if commit else {})


def _version(package: str) -> str:
    try:
        return version(package)
    except PackageNotFoundError:
        return ""


def _commit() -> str:
    command = ("git", "describe", "--always", "--dirty", "--abbrev=10")
    try:
        run = subprocess.run(command, capture_output=True, text=True, timeout=20, cwd=Path(__file__).parent)
    except (OSError, subprocess.TimeoutExpired):
        return ""
    return run.stdout.strip() if run.returncode == 0 else ""
