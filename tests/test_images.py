"""The images: their files, and the steps that they share with every other installation.

No container engine is needed: the steps run here, on what an image may read.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from image_files import IMAGES, PREFIX, ROOT, WITH_TENSORRT, arguments, copied, instructions, let_in

pytestmark = [
    pytest.mark.timeout(170),
    pytest.mark.skipif(sys.platform != "linux", reason="images and their scripts are for Linux"),
]
BIN = Path(sys.executable).parent
LIMIT_S = 120


@pytest.mark.parametrize("image", IMAGES)
def test_an_image_has_a_pinned_base_two_stages_no_root_and_a_health_check(image: str) -> None:
    base = re.fullmatch(r"BASE=(\S+):(\S+)", arguments(image, "ARG")[0])
    assert base
    assert re.search(r"\d+\.\d+", base[2])
    assert "latest" not in base[2]
    assert arguments(image, "FROM") == ["${BASE} AS build", "${BASE}"]
    assert [rest.split()[0] for rest in arguments(image, "COPY") if rest.startswith("--from=")] == ["--from=build"]
    assert int(arguments(image, "USER")[-1]) > 0
    after_user = [word for word, _ in instructions(image)][-7:]
    assert "USER" not in after_user[1:]
    assert len(arguments(image, "HEALTHCHECK")) == len(arguments(image, "ENTRYPOINT")) == 1
    assert "/var/cache/stream-enhance" in arguments(image, "VOLUME")


@pytest.mark.parametrize("image", IMAGES)
def test_an_image_names_only_what_exists(image: str) -> None:
    assert all((ROOT / name).exists() for name in copied(image))
    brought = {f"{PREFIX}{name}" for name in copied(image)}
    named = {path for _, rest in instructions(image) for path in re.findall(r"/opt/stream-enhance/\w+/[\w.-]+", rest)}
    assert {path for path in named if not path.startswith(f"{PREFIX}bin/")} <= brought
    steps = re.findall(r"install-runtime((?: [a-z]+)+)", " ; ".join(arguments(image, "RUN")))
    known = re.findall(r"^([a-z]+)\(\) \{", (ROOT / "scripts/install-runtime").read_text(), re.MULTILINE)
    asked = [step for line in steps for step in line.split()]
    assert asked[0] == "system"
    assert asked[-2:] == ["package", "kernels"]
    assert set(asked) <= set(known)
    assert ("engines" in asked) == (image in WITH_TENSORRT)


def test_the_images_may_read_what_they_copy_and_nothing_else() -> None:
    assert {name for image in IMAGES for name in copied(image)} == let_in()


@pytest.mark.parametrize("image", IMAGES)
def test_hadolint_finds_nothing(image: str) -> None:
    hadolint = shutil.which("hadolint", path=f"{BIN}{os.pathsep}{os.environ.get('PATH', '')}")
    if hadolint is None:
        pytest.skip("hadolint is not installed here")
    done = subprocess.run([hadolint, image], cwd=ROOT, capture_output=True, text=True, timeout=LIMIT_S)
    assert (done.returncode, done.stdout) == (0, "")


@pytest.fixture
def context(tmp_path: Path) -> Path:
    """A folder with what an image may read, and nothing else."""
    folder = tmp_path / "context"
    for name in let_in():
        target = folder / name
        target.parent.mkdir(parents=True, exist_ok=True)
        if (ROOT / name).is_dir():
            shutil.copytree(ROOT / name, target, ignore=shutil.ignore_patterns("__pycache__"))
        else:
            shutil.copy2(ROOT / name, target)
    return folder


def install(context: Path, *steps: str, **environment: str) -> subprocess.CompletedProcess[str]:
    """Runs steps of the script in ``context``, into ``context/../prefix``."""
    return subprocess.run(
        [context / "scripts" / "install-runtime", *steps],
        env={**os.environ, "PREFIX": str(context.parent / "prefix"), "PYTHON": sys.executable, **environment},
        capture_output=True,
        text=True,
        timeout=15 * LIMIT_S,
    )


def entry_of(lock: Path, name: str) -> str:
    """One package of a lock, with its hashes."""
    found = re.search(rf"^{name}==.*?(?=^\S)", lock.read_text(), re.MULTILINE | re.DOTALL)
    assert found
    return found[0]


def test_the_steps_install_a_command_that_works(context: Path) -> None:
    """With one locked package in place of all; the others come from the environment of the tests."""
    lock = context / "one.lock"
    lock.write_text(entry_of(ROOT / "requirements.lock", "mdurl"))
    done = install(context, "system", "environment", "package", LOCK=str(lock))
    assert done.returncode == 0, done.stderr
    site = next((context.parent / "prefix" / "lib").glob("python*/site-packages"))
    assert (site / "mdurl").is_dir()
    assert {"engines", "stream"} <= {path.name for path in site.iterdir()}
    assert not {"networks", "training", "export"} & {path.name for path in site.iterdir()}
    assert not (context / "build").exists()
    sources = [*(site / "engines").rglob("*.py"), *(site / "stream").rglob("*.py")]
    assert {path.stat().st_mtime_ns % 1_000_000_000 for path in sources} == {0}
    assert next((site / "stream" / "__pycache__").glob("cli.*.pyc")).read_bytes()[4] == 1  # by hash, and not compared

    others = next(path for path in sys.path if path.endswith("site-packages"))
    (site / "others.pth").write_text(others)
    command = context.parent / "prefix" / "bin" / "stream-enhance"
    told = subprocess.run([command, "models"], cwd="/", capture_output=True, text=True, timeout=LIMIT_S)
    assert told.returncode == 0, told.stderr
    assert "curve" in told.stdout
    code = "import engines, stream; print(engines.__file__, stream.__file__)"
    where = subprocess.run([site.parents[2] / "bin" / "python", "-c", code], cwd="/", capture_output=True, text=True)
    assert where.stdout.split() == [str(site / "engines/__init__.py"), str(site / "stream/__init__.py")]


def test_a_package_that_is_not_what_was_locked_is_refused(context: Path) -> None:
    lock = context / "one.lock"
    lock.write_text(re.sub(r"sha256:\w{64}", f"sha256:{'0' * 64}", entry_of(ROOT / "requirements.lock", "mdurl")))
    done = install(context, "environment", "package", LOCK=str(lock))
    assert done.returncode != 0
    assert "DO NOT MATCH THE HASHES" in done.stderr
    assert not list((context.parent / "prefix").rglob("site-packages/engines"))


def test_the_script_refuses_unknown_steps_and_explains_itself(context: Path) -> None:
    assert (unknown := install(context, "everything")).returncode == 2
    assert "no step is called 'everything'" in unknown.stderr
    assert "environment" in install(context).stdout


@pytest.mark.slow
@pytest.mark.timeout(1800)
def test_a_full_installation_enhances_the_demo_clip(context: Path, tmp_path: Path) -> None:
    kernels = {"NUMBA_CACHE_DIR": str(tmp_path / "kernels")}
    done = install(context, "system", "environment", "engines", "package", "kernels", **kernels)
    assert done.returncode == 0, done.stderr
    prefix = tmp_path / "prefix"
    command = [prefix / "bin/stream-enhance", ROOT / "demo/night-street.mp4", tmp_path / "out.mp4"]
    record = tmp_path / "summary.json"
    ran = subprocess.run(
        [*command, "--json", record], cwd="/", env={**os.environ, **kernels}, capture_output=True, text=True
    )
    assert ran.returncode == 0, ran.stderr
    assert (tmp_path / "out.mp4").stat().st_size > 100_000
    assert json.loads(record.read_text())["frames"]["out"] > 0
    assert subprocess.run([prefix / "bin/python", "-c", "import onnx, ml_dtypes"], cwd="/").returncode == 0
