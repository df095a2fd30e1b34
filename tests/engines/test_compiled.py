"""The first start on a machine: kernels compile where nothing can be cached, and are found again where it can."""

from __future__ import annotations

import hashlib
import os
import subprocess
import sys
from pathlib import Path

import pytest

from engines.curve import temporal_kernels, temporal_search

ROOT = Path(__file__).parent.parent.parent


def run(code: str, **environment: str) -> str:
    environment = {**os.environ, "PYTHONPATH": str(ROOT), **environment}
    done = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_without_any_folder_to_cache_in() -> None:
    code = (
        "from numba.core import caching\n"
        "(getattr(caching, 'CacheImpl', None) or caching._CacheImpl)._locator_classes = []\n"
        "import numpy as np\n"
        "from engines.thumbnail import sample_rgb\n"
        "print(sample_rgb(np.full((8, 8, 3), 255, np.uint8)).y.min())\n"
    )
    assert abs(float(run(code)) - 1) < 1e-6


def test_a_change_in_an_inlined_file_reaches_the_cache() -> None:
    """numba looks for changes in the file of the compiled function alone; it names what else it is made of."""
    folder = ROOT / "engines" / "curve"
    for module in (temporal_kernels, temporal_search):
        found = {name: hashlib.sha256((folder / name).read_bytes()).hexdigest()[:12] for name in module.PARTS}
        assert found == module.PARTS, f"write these digests into {module.__file__}"


def compilations(call: str, cache: Path) -> int:
    """How many functions a start compiles that makes ``call`` with this folder to cache in."""
    code = (
        "import numba.core.event as event\n"
        "recorder = event.RecordingListener()\n"
        "event.register('numba:compile', recorder)\n"
        f"{call}\n"
        "print(len(recorder.buffer))\n"
    )
    return int(run(code, NUMBA_CACHE_DIR=str(cache)))


def test_what_was_compiled_is_found_by_the_next_start(tmp_path: Path) -> None:
    call = (
        "import numpy as np\nfrom engines.thumbnail import sample_rgb\nsample_rgb(np.full((8, 8, 3), 255, np.uint8))\n"
    )
    assert compilations(call, tmp_path) > 0
    assert compilations(call, tmp_path) == 0


@pytest.mark.slow
def test_warming_up_leaves_a_cache_that_the_next_start_uses(tmp_path: Path) -> None:
    """All kernels: a minute."""
    call = "import engines\nengines.warm()\n"
    assert compilations(call, tmp_path) > 0
    assert compilations(call, tmp_path) == 0
