"""The room table of docs/architecture.md: who may import whom, lazily or not; and that nothing live loads torch."""

from __future__ import annotations

import ast
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
ROOMS = ("networks", "training", "export", "engines", "stream", "benchmarks")

NEVER = {
    "networks": {"training", "export", "engines", "stream", "benchmarks"},
    "training": {"stream", "benchmarks"},
    "export": {"stream", "benchmarks"},
    "engines": {"networks", "training", "export", "stream", "benchmarks", "torch"},
    "stream": {"networks", "training", "export", "benchmarks", "torch"},
    "benchmarks": set(),
}


def imported(path: Path) -> Iterator[tuple[int, str]]:
    """Line and top-level package of every import in a file, inside functions too, and of ``import_module("...")``."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            for alias in node.names:
                yield node.lineno, alias.name.split(".")[0]
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}:{node.lineno}: imports are absolute here"
            yield node.lineno, str(node.module).split(".")[0]
        elif isinstance(node, ast.Call) and node.args and isinstance(node.args[0], ast.Constant):
            name = node.func.attr if isinstance(node.func, ast.Attribute) else getattr(node.func, "id", "")
            if name in ("import_module", "__import__"):
                yield node.lineno, str(node.args[0].value).split(".")[0]


@pytest.mark.parametrize("room", ROOMS)
def test_rooms_import_only_what_the_table_allows(room: str) -> None:
    files = sorted((ROOT / room).rglob("*.py"))
    assert files
    wrong = [
        f"{path.relative_to(ROOT)}:{line} imports {package}"
        for path in files
        for line, package in imported(path)
        if package in NEVER[room]
    ]
    assert not wrong


def test_networks_know_torch_only() -> None:
    allowed = {"torch", "networks", *sys.stdlib_module_names}
    wrong = [
        f"{path.relative_to(ROOT)}:{line} imports {package}"
        for path in sorted((ROOT / "networks").rglob("*.py"))
        for line, package in imported(path)
        if package not in allowed
    ]
    assert not wrong


def test_the_document_and_this_test_say_the_same() -> None:
    table = (ROOT / "docs" / "architecture.md").read_text(encoding="utf-8")
    for room in ("training", "export", "engines", "stream"):
        cells = re.search(rf"^\| `{room}/` \|[^|]*\|([^|]*)\|$", table, re.MULTILINE)
        assert cells, f"docs/architecture.md has no row for {room}/"
        assert {word.strip() for word in cells[1].split(",")} <= NEVER[room]


def test_the_document_names_every_file_of_the_run_time_half() -> None:
    text = (ROOT / "docs" / "architecture.md").read_text(encoding="utf-8")
    named = set(re.findall(r"\w+", text))
    missing = [
        str(path.relative_to(ROOT))
        for room in ("engines", "stream")
        for path in sorted((ROOT / room).rglob("*.py"))
        if not path.stem.startswith("__") and path.stem not in named
    ]
    assert not missing


def test_run_time_half_loads_no_torch() -> None:
    """In a process of its own: every module of the two rooms but those that need an optional extra."""
    modules = [
        ".".join(path.relative_to(ROOT).with_suffix("").parts)
        for room in ("engines", "stream")
        for path in sorted((ROOT / room).rglob("*.py"))
        if path.stem not in ("__init__", "__main__")
    ]
    code = (
        f"import sys, importlib\nimport engines, stream\n"
        f"[importlib.import_module(m) for m in {modules!r}]\n"
        "assert 'torch' not in sys.modules, 'torch was loaded'\n"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


def test_importing_engines_costs_nothing() -> None:
    code = "import sys, engines; assert not {'numba', 'onnxruntime', 'av'} & set(sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
