"""Planes to an H.264 file with BT.709 limited tags, and back: what a surveillance camera does to its own picture."""

from __future__ import annotations

from collections.abc import Iterable
from fractions import Fraction
from pathlib import Path

import av
import numpy as np

from benchmarks.night.clip import Bytes
from benchmarks.night.isp import BT709
from demo.render import to_frame
from engines.planes import Planes

GOP = 50
"""Frames from one key frame to the next."""


def write_video(frames: Iterable[Planes], path: Path, fps: int, crf: int | None) -> None:
    """x264 on one thread (so that the bytes are always the same) at a constant rate factor; None: without loss."""
    quality = {"qp": "0"} if crf is None else {"crf": str(crf)}
    tags = "colorprim=bt709:transfer=bt709:colormatrix=bt709:fullrange=0"
    with av.open(str(path), "w") as container:
        options = {**quality, "preset": "fast", "threads": "1", "g": str(GOP), "x264-params": tags}
        video = container.add_stream("libx264", rate=fps, options=options)
        video.codec_context.time_base = Fraction(1, fps)
        for index, planes in enumerate(frames):
            if index == 0:
                video.width, video.height, video.pix_fmt = planes.width, planes.height, "yuv420p"
            frame = to_frame((planes.y, planes.u, planes.v))
            frame.pts, frame.time_base = index, Fraction(1, fps)
            container.mux(video.encode(frame))
        container.mux(video.encode(None))


def read_video(path: Path) -> list[Planes]:
    """All frames of a yuv420p file, copied out of the decoder."""
    with av.open(str(path)) as container:
        frames = container.decode(video=0)
        return [Planes(_plane(f, 0), _plane(f, 1), _plane(f, 2), BT709) for f in frames]


def _plane(frame: av.VideoFrame, index: int) -> Bytes:
    plane = frame.planes[index]
    rows = np.frombuffer(memoryview(plane), np.uint8).reshape(plane.height, plane.line_size)
    return np.ascontiguousarray(rows[:, : plane.width])
