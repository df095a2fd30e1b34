"""Dark clips: real ones of the reference data where present, and made ones."""

from __future__ import annotations

from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest

REFERENCE_CLIPS = Path(__file__).parents[3] / "shared" / "data" / "clips"

needs_reference_clips = pytest.mark.skipif(
    not REFERENCE_CLIPS.is_dir(), reason="the reference clips are not at ../shared/data/clips"
)


def luma_of_clip(path: Path, exponent: float, frames: int | None = None) -> Iterator[np.ndarray]:
    """Luma 72x128 in 0..1 of the first ``frames`` pictures, brightened by a power law."""
    with av.open(str(path)) as container:
        for number, picture in enumerate(container.decode(video=0)):
            if number == frames:
                return
            codes = picture.reformat(128, 72, "gray", interpolation="AREA").to_ndarray()
            yield (codes.astype(np.float32) / 255) ** np.float32(exponent)


def dark_picture(number: int, width: int, height: int, brightness: float = 0.12) -> av.VideoFrame:
    """A dim gradient with a moving lamp and sensor noise, yuv420p."""
    rng = np.random.default_rng(number)
    columns = np.arange(width)
    luma = 255 * brightness * (0.3 + 0.7 * columns / width) + rng.normal(0, 2, (height, width))
    left = (3 * number) % max(1, width - 8)
    luma[4:12, left : left + 8] = 200
    rgb = np.clip(np.stack([luma, luma * 0.9, luma * 0.7 + 4], axis=-1), 0, 255).astype(np.uint8)
    return av.VideoFrame.from_ndarray(rgb, "rgb24").reformat(format="yuv420p", dst_colorspace="ITU601")


def write_photo_file(path: Path, picture: av.VideoFrame) -> None:
    """PNG or JPEG by the name."""
    codec, pixel_format = ("png", "rgb24") if path.suffix == ".png" else ("mjpeg", "yuv444p")
    with av.open(str(path), "w", format="image2") as container:
        stream = container.add_stream(codec, rate=1)
        stream.width, stream.height, stream.pix_fmt = picture.width, picture.height, pixel_format
        stream.codec_context.color_range = 2
        converted = picture.reformat(format=pixel_format, dst_color_range="JPEG")
        converted.pts, converted.time_base = 0, Fraction(1, 1)
        container.mux(stream.encode(converted))
        container.mux(stream.encode(None))


def write_dark_clip(
    path: Path, frames: int = 20, size: tuple[int, int] = (160, 90), rate: int = 25, sound: bool = False
) -> Path:
    """H.264 in whatever container the name asks for; with ``sound``, an AAC tone beside it."""
    pictures = [dark_picture(number, *size) for number in range(min(frames, 25))]
    with av.open(str(path), "w") as container:
        video = container.add_stream("libx264", rate=rate, options={"preset": "ultrafast", "crf": "18"})
        video.width, video.height, video.pix_fmt = *size, "yuv420p"
        video.codec_context.time_base = Fraction(1, rate * 512)
        audio = container.add_stream("aac", rate=48000, layout="mono") if sound else None
        for number in range(frames):
            picture = pictures[number % len(pictures)]
            picture.pts, picture.time_base = number * 512, Fraction(1, rate * 512)
            container.mux(video.encode(picture))
        container.mux(video.encode(None))
        if audio is not None:
            for start in range(0, 48000 * frames // rate, 1024):
                wave = np.sin(np.arange(start, start + 1024) * 0.05).astype(np.float32)[None] * 0.3
                tone = av.AudioFrame.from_ndarray(wave, "fltp", "mono")
                tone.sample_rate, tone.pts, tone.time_base = 48000, start, Fraction(1, 48000)
                container.mux(audio.encode(tone))
            container.mux(audio.encode(None))
    return path
