"""What the methods make of a clip, to be looked at: a contact sheet, and a comparison at half speed."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path

import av
import numpy as np

from benchmarks.montage import beside, resized, stacked
from benchmarks.night import NightClip
from benchmarks.temporal.frames import to_rgb
from benchmarks.temporal.outcome import Outcome
from engines.planes import Bytes

MOMENTS = (0.05, 0.5, 0.95)
_CELL = 320
_ZOOM = 4
IN_MOTION = ("input", "hqdn3d+eq", "sci", "plain", "denoise", "regions")
"""What the comparison shows beside the truth, as far as it was run."""


def draw(clip: NightClip, shown: dict[str, Outcome], folder: Path) -> None:
    """``temporal-NAME-sheet.png`` and ``temporal-NAME.mp4`` in the folder."""
    folder.mkdir(parents=True, exist_ok=True)
    from PIL import Image

    path = folder / f"temporal-{clip.name}-sheet.png"
    Image.fromarray(sheet(clip, shown)).save(path)
    print(path)
    print(slow_motion(clip, shown, folder / f"temporal-{clip.name}.mp4"))


def sheet(clip: NightClip, shown: dict[str, Outcome]) -> Bytes:
    """A row for each method, the truth last: some moments, and a detail of the last one enlarged."""
    moments = [min(round(share * len(clip)), len(clip) - 1) for share in MOMENTS]
    rows = []
    for name, frames in {**{name: outcome.planes for name, outcome in shown.items()}, "truth": None}.items():
        pictures = [clip.clean[t] if frames is None else to_rgb(frames[t]) for t in moments]
        captions = [f"{name}, frame {t}" for t in moments]
        rows.append(beside([*pictures, _detail(pictures[-1])], [*captions, "detail"], _CELL))
    return stacked(rows)


def _detail(picture: Bytes) -> Bytes:
    """The middle of a picture, its pixels repeated: what is noise and what is not stays visible."""
    height, width = picture.shape[0] // _ZOOM, picture.shape[1] // _ZOOM
    top, left = (picture.shape[0] - height) // 2, (picture.shape[1] - width) // 2
    return picture[top : top + height, left : left + width].repeat(_ZOOM, 0).repeat(_ZOOM, 1)


def slow_motion(clip: NightClip, shown: dict[str, Outcome], path: Path) -> Path:
    """Methods side by side, two in a row, at half speed, as H.264."""
    chosen = [name for name in IN_MOTION if name in shown]
    rate = Fraction(clip.fps, 2)
    with av.open(str(path), "w", options={"movflags": "+faststart"}) as container:
        video = container.add_stream("libx264", rate=rate, options={"crf": "20", "preset": "medium", "threads": "1"})
        for t in range(len(clip)):
            pictures = [*(to_rgb(shown[name].planes[t]) for name in chosen), clip.clean[t]]
            whole = _grid(pictures, [*chosen, "truth"])
            if t == 0:
                video.width, video.height, video.pix_fmt = whole.shape[1], whole.shape[0], "yuv420p"
            frame = av.VideoFrame.from_ndarray(np.ascontiguousarray(whole), format="rgb24")
            frame.pts, frame.time_base = t, 1 / rate
            container.mux(video.encode(frame.reformat(format="yuv420p", dst_colorspace="ITU709")))
        container.mux(video.encode(None))
    return path


def _grid(pictures: list[Bytes], captions: list[str]) -> Bytes:
    """Two pictures a row with even sides; black where one is missing."""
    if len(pictures) % 2:
        pictures, captions = [*pictures, np.zeros_like(pictures[0])], [*captions, ""]
    width = min(pictures[0].shape[1], 640)
    pairs = range(0, len(pictures), 2)
    whole = stacked(
        [beside([resized(p, width) for p in pictures[i : i + 2]], captions[i : i + 2], width) for i in pairs]
    )
    return whole[: whole.shape[0] // 2 * 2, : whole.shape[1] // 2 * 2]
