"""Every frame once, in order, at exactly its own time, whatever the clip looks like."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path
from typing import Any

import pytest
from media_clips import pass_through, times, write_clip

from stream.media.encoder import EncoderSettings

B_FRAMES = {"bf": "2", "b_strategy": "0"}
CLIPS: dict[str, dict[str, Any]] = {
    "constant rate": {},
    "b-frames": {"options": B_FRAMES},
    "variable rate": {"pts": [0, 512, 1000, 1001, 3000, 9000, 9001, 20000, 21111, 30000], "options": B_FRAMES},
    "start at 5.47 s": {"pts": [70001 + 512 * index for index in range(10)], "options": B_FRAMES},
    "30000/1001": {"time_base": Fraction(1001, 30000), "rate": Fraction(30000, 1001)},
    "1/90001 s units": {"time_base": Fraction(1, 90001), "pts": [7 * index * index for index in range(12)]},
    "H.265 with b-frames": {"codec": "libx265", "options": {"x265-params": "log-level=error:bframes=3"}, "frames": 20},
    "ProRes": {"name": "in.mov", "codec": "prores_ks", "pixel_format": "yuv422p10le"},
    "MPEG-4 in avi": {"name": "in.avi", "codec": "mpeg4", "time_base": Fraction(1, 25)},
    "MJPEG": {"name": "in.avi", "codec": "mjpeg", "pixel_format": "yuvj420p", "time_base": Fraction(1, 25)},
    "MPEG-2 with b-frames": {"name": "in.mpg", "codec": "mpeg2video", "time_base": Fraction(1, 25), "max_b_frames": 2},
    "VP9": {"name": "in.webm", "codec": "libvpx-vp9", "options": {"deadline": "realtime", "cpu-used": "8"}},
    "FFV1 with variable rate": {
        "name": "in.mkv",
        "codec": "ffv1",
        "time_base": Fraction(1, 1000),
        "pts": [3, 40, 41, 99],
    },
    "transport stream": {"name": "in.ts", "options": B_FRAMES},
    "one frame": {"frames": 1},
    "fewer frames than decoder threads": {"frames": 3},
}


@pytest.mark.parametrize("target", ["mp4", "mov"])
@pytest.mark.parametrize("clip", CLIPS)
def test_times_are_equal(tmp_path: Path, clip: str, target: str) -> None:
    options = dict(CLIPS[clip])
    source = write_clip(tmp_path / options.pop("name", "in.mp4"), **options)
    pass_through(source, tmp_path / f"out.{target}", EncoderSettings(options={"bf": "2"}))
    assert times(tmp_path / f"out.{target}") == times(source)


@pytest.mark.parametrize("name", ["vtest.avi", "city-night.mpg"])
def test_clips_from_the_world(tmp_path: Path, name: str) -> None:
    clip = Path(__file__).parents[4] / "shared" / "data" / "clips" / name
    if not clip.exists():
        pytest.skip(f"needs the reference clip {clip}")
    pass_through(clip, tmp_path / "out.mp4", EncoderSettings(preset="ultrafast"))
    assert times(tmp_path / "out.mp4") == times(clip)
