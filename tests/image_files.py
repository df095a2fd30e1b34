"""The files of the images, read as their builder would."""

from __future__ import annotations

import re
import sys
from pathlib import Path

ROOT = Path(__file__).parent.parent
IMAGES = ("Dockerfile", "docker/cpu.Dockerfile", "docker/jetson.Dockerfile")
WITH_TENSORRT = ("Dockerfile", "docker/jetson.Dockerfile")
PREFIX = "/opt/stream-enhance/"


def instructions(image: str) -> list[tuple[str, str]]:
    """(instruction, arguments) in order, continued lines joined, comments left out."""
    lines = [line for line in (ROOT / image).read_text().splitlines() if not line.lstrip().startswith("#")]
    joined = re.sub(r"\\\n\s*", "", "\n".join(lines))
    return [(word, rest.strip()) for word, _, rest in (line.partition(" ") for line in joined.splitlines() if line)]


def arguments(image: str, name: str) -> list[str]:
    return [rest for word, rest in instructions(image) if word == name]


def copied(image: str) -> list[str]:
    """What is copied out of the checkout."""
    words = [rest.split() for rest in arguments(image, "COPY") if not rest.startswith("--from=")]
    return [name for line in words for name in line[:-1]]


def let_in() -> set[str]:
    return {line[1:] for line in (ROOT / ".dockerignore").read_text().splitlines() if line.startswith("!")}


def in_image(path: str) -> str:
    """Where a path of the image lies here."""
    return sys.executable if path == f"{PREFIX}bin/python" else str(ROOT / path.removeprefix(PREFIX))
