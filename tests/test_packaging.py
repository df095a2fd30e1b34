"""What a user installs: locks without traces of a machine, commands that exist, one version, Python 3.10."""

from __future__ import annotations

import ast
import re
import subprocess
from importlib.metadata import requires, version
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
LOCKS = ("requirements.lock", "requirements-dev.lock")
PACKAGES = ("engines", "stream", "networks", "training", "export", "benchmarks", "demo")
_TOO_NEW = {"tomllib", "wsgiref.types"}
_TOO_NEW_NAMES = {
    ("typing", "Self"),
    ("typing", "assert_never"),
    ("typing", "override"),
    ("enum", "StrEnum"),
    ("datetime", "UTC"),
    ("itertools", "batched"),
    ("contextlib", "chdir"),
    ("asyncio", "TaskGroup"),
    ("asyncio", "timeout"),
}


def pinned(lock: str) -> dict[str, set[str]]:
    """Name -> pinned versions; there are several where Python versions need different ones."""
    found: dict[str, set[str]] = {}
    for name, pin in re.findall(r"^([a-z0-9][a-z0-9._-]*)==(\S+)", (ROOT / lock).read_text(), re.MULTILINE):
        found.setdefault(name, set()).add(pin)
    return found


def required(extra: str | None) -> set[str]:
    """Names that pyproject.toml asks for, without an extra or under one."""
    names = set()
    for line in requires("stream-enhance") or []:
        under = re.search(r"extra == ['\"]([^'\"]+)['\"]", line)
        if (under.group(1) if under else None) == extra:
            names.add(re.split(r"[^A-Za-z0-9._-]", line, maxsplit=1)[0].lower().replace("_", "-"))
    return names


@pytest.mark.parametrize("lock", LOCKS)
def test_a_lock_has_hashes_and_neither_urls_nor_paths(lock: str) -> None:
    text = (ROOT / lock).read_text()
    assert "://" not in text
    assert not re.search(r"(?<![\w.-])/(home|root|work|opt|tmp|usr)/", text)
    entries = re.split(r"^(?=[a-z0-9])", text, flags=re.MULTILINE)[1:]
    assert entries
    assert all("--hash=sha256:" in entry for entry in entries)


def test_the_locks_cover_what_pyproject_asks_for_but_torch() -> None:
    runtime, development = pinned(LOCKS[0]), pinned(LOCKS[1])
    assert required(None) <= set(runtime)
    everything = set().union(*(required(extra) for extra in (None, "train", "export", "bench", "dev")))
    assert everything - {"torch"} <= set(development)
    assert "torch" not in {*runtime, *development}
    assert not [name for name in development if name.startswith(("nvidia-", "cuda-", "triton"))]


def test_tests_run_on_the_versions_that_users_get() -> None:
    runtime, development = pinned(LOCKS[0]), pinned(LOCKS[1])
    assert {name: development.get(name) for name in runtime} == runtime


@pytest.mark.parametrize("name", ["numpy", "onnxruntime", "av"])
def test_the_lock_has_a_branch_for_python_3_10(name: str) -> None:
    text = (ROOT / LOCKS[0]).read_text()
    assert re.search(rf"^{name}==\S+ ; python_full_version < '3.11'", text, re.MULTILINE)


def test_every_make_command_of_the_readme_is_a_target() -> None:
    readme, makefile = (ROOT / "README.md").read_text(), (ROOT / "Makefile").read_text()
    named = set(re.findall(r"(?:^|`)make ([a-z-]+)", readme, re.MULTILINE))
    assert {"demo", "test"} <= named
    targets = set(re.findall(r"^([a-z-]+):", makefile, re.MULTILINE))
    assert named <= targets


def test_every_option_of_the_readme_exists() -> None:
    from stream.settings import Settings

    readme = (ROOT / "README.md").read_text()
    table = readme.split("## Command line")[1].split("## Python")[0]
    known = {f"--{name.replace('_', '-')}" for name in Settings.model_fields} | {"--json"}
    assert set(re.findall(r"(?<![\w-])--[a-z]+[a-z-]*", table)) <= known


@pytest.mark.parametrize("picture", re.findall(r"\]\((docs/pictures/[^)]+)\)", (ROOT / "README.md").read_text()))
def test_pictures_of_the_readme_exist_and_are_small(picture: str) -> None:
    assert 10_000 < (ROOT / picture).stat().st_size < 600_000


@pytest.mark.parametrize("target", ["demo", "test"])
def test_make_says_what_it_would_do_without_failing(target: str) -> None:
    run = subprocess.run(["make", "-n", target], cwd=ROOT, capture_output=True, text=True, timeout=60)
    assert run.returncode == 0, run.stderr
    assert "stream-enhance demo/night-street.mp4" in run.stdout if target == "demo" else "pytest" in run.stdout


def test_make_explains_a_python_that_is_missing(tmp_path: Path) -> None:
    command = ["make", f"{tmp_path}/bin/python", f"VENV={tmp_path}", "PYTHON=python3.none"]
    run = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=60)
    assert run.returncode != 0
    assert "Install Python 3.10 or newer" in run.stdout


def test_ci_runs_make_test_and_nothing_else() -> None:
    lines = [line for line in (ROOT / ".ci" / "run").read_text().splitlines() if line and not line.startswith("#")]
    assert lines == ["set -euo pipefail", 'cd "$(dirname "$0")/.."', "make test"]


def test_the_version_is_written_in_one_place() -> None:
    current = version("stream-enhance")
    assert f'version = "{current}"' in (ROOT / "pyproject.toml").read_text()
    repeated = [
        path
        for package in PACKAGES
        for path in (ROOT / package).rglob("*.py")
        if re.search(rf"[\"']{re.escape(current)}[\"']", path.read_text())
    ]
    assert repeated == []


def test_shipped_bundles_verify_and_stay_small() -> None:
    from engines.bundle import SHIPPED, load_bundle

    folders = sorted(card.parent for card in SHIPPED.glob("*/card.json"))
    assert {folder.name for folder in folders} == {"curve", "sci", "zero-dce-plus-plus"}
    for folder in folders:
        bundle = load_bundle(folder)
        assert len(bundle.model) <= 2_000_000
        assert bundle.card.training.data
        assert bundle.card.training.data_licence


@pytest.mark.parametrize("package", PACKAGES)
def test_sources_are_python_3_10(package: str) -> None:
    for path in (ROOT / package).rglob("*.py"):
        tree = ast.parse(path.read_text(), str(path), feature_version=(3, 10))
        for node in ast.walk(tree):
            assert not isinstance(node, ast.TryStar), path
            if isinstance(node, ast.Import):
                assert not {alias.name for alias in node.names} & _TOO_NEW, path
            if isinstance(node, ast.ImportFrom) and node.module:
                assert node.module not in _TOO_NEW, path
                assert not {(node.module, alias.name) for alias in node.names} & _TOO_NEW_NAMES, path
