"""After ``stream-enhance warm`` no run compiles anything, whatever the bundle and the mode."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
from night_clips import dark_picture, write_dark_clip, write_photo_file

ROOT = Path(__file__).parent.parent.parent
COUNT_COMPILATIONS = """
import sys
import numba.core.event as event
recorder = event.RecordingListener()
event.register("numba:compile", recorder)
from stream import Pipeline
for name in ("in.mp4", "in.png"):
    for model, mode in (("curve", "fused"), ("sci", "fused"), ("sci", "full")):
        summary = Pipeline(name, model=model, mode=mode, preset="ultrafast", overwrite=True).run()
        assert summary.network_failures == 0
print(len(recorder.buffer))
"""


@pytest.mark.slow  # compiles everything anew, about a minute; tests/engines/test_compiled.py is the quick part of it
@pytest.mark.timeout(600)
def test_nothing_is_left_to_compile(tmp_path):
    write_dark_clip(tmp_path / "in.mp4", frames=4)
    write_photo_file(tmp_path / "in.png", dark_picture(0, 121, 75))
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "NUMBA_CACHE_DIR": str(tmp_path / "kernels")}

    def run(*arguments: str) -> str:
        command = [sys.executable, *arguments]
        done = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr
        return done.stdout

    assert "kernels ready" in run("-m", "stream.cli", "warm")
    assert list((tmp_path / "kernels").rglob("*.nbi"))
    assert int(run("-c", COUNT_COMPILATIONS)) == 0
