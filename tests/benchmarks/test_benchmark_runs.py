"""What a measured run compares: the same frames through the same stages, one difference at a time."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest

from benchmarks.clips import TINY, clip
from benchmarks.runs import ROOT, Measured, Row, ffmpeg_row
from benchmarks.worker import ENCODER
from stream.media import EncoderSettings


def measured(mode: str, out: Path, *options: str) -> dict[str, Any]:
    command = [sys.executable, "-m", "benchmarks.worker", mode, str(clip(TINY)), str(out), *options]
    run = subprocess.run(command, capture_output=True, text=True, cwd=ROOT, timeout=120)
    assert run.returncode == 0, run.stderr
    found: dict[str, Any] = json.loads(run.stdout)
    return found


def luma(path: Path) -> list[float]:
    with av.open(str(path)) as container:
        return [float(frame.to_ndarray()[: frame.height].mean()) for frame in container.decode(video=0)]


def test_codec_only_encodes_every_frame_unchanged_in_brightness(tmp_path: Path) -> None:
    found = measured("codec", tmp_path / "codec.mp4")
    assert found["frames"] == TINY.frames
    assert 0 < found["cpu_s"] < found["process_cpu_s"]
    assert luma(tmp_path / "codec.mp4") == pytest.approx(luma(clip(TINY)), abs=1.0)


def test_matched_gives_the_encoder_exactly_the_enhanced_pictures(tmp_path: Path, square_root_bundle: Path) -> None:
    whole = measured("enhanced", tmp_path / "enhanced.mp4", "--bundle", str(square_root_bundle))
    fed = measured("matched", tmp_path / "matched.mp4", "--bundle", str(square_root_bundle))
    assert fed["bytes_out"] == whole["bytes_out"]
    assert luma(tmp_path / "matched.mp4") == luma(tmp_path / "enhanced.mp4")
    assert np.mean(luma(tmp_path / "enhanced.mp4")) > np.mean(luma(clip(TINY))) + 10
    assert {"thumbnail", "network", "smooth", "apply"} <= set(whole["stages"])
    assert "apply" not in fed["stages"]


@pytest.mark.parametrize("mode", ["clahe", "clahe-rgb", "network-full-size"])
def test_peers_write_brighter_or_equal_frames_and_stop_where_told(
    tmp_path: Path, square_root_bundle: Path, mode: str
) -> None:
    found = measured(mode, tmp_path / "peer.mp4", "--bundle", str(square_root_bundle), "--frames", "5")
    bright = luma(tmp_path / "peer.mp4")
    assert found["frames"] == len(bright) == 5
    assert np.mean(bright) >= np.mean(luma(clip(TINY))[:5])


def test_medians_ignore_one_slow_run() -> None:
    runs = [{"frames": 10, "cpu_s": cpu, "wall_s": 2 * cpu} for cpu in (0.1, 0.11, 0.9)]
    row = Measured(Row("codec only", ("codec",)), runs)
    assert row.per_frame_ms() == pytest.approx(11.0)
    assert row.fps == pytest.approx(10 / 0.22)
    assert row.middle_run() is runs[1]
    assert row.spread == pytest.approx((0.9 - 0.1) / 0.11)


def test_every_row_encodes_with_the_defaults_of_the_product() -> None:
    assert ENCODER.codec_options() == EncoderSettings().codec_options()
    command = ffmpeg_row("ffmpeg", Path("in.mp4"), 1, None).arguments
    for key, value in EncoderSettings().codec_options().items():
        assert command[command.index(f"-{key}") + 1] == value
