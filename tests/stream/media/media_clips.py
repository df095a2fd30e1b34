"""Real encoded clips for the media tests, made with PyAV as the tests need them."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np

from stream.media import Frame, Packet, open_sink, open_source
from stream.media.encoder import EncoderSettings

FAST = EncoderSettings(preset="ultrafast", crf=20, threads=1)


def picture(index: int, width: int, height: int, pixel_format: str = "yuv420p") -> av.VideoFrame:
    """A moving gradient with a bright square, so that motion, B-frames and order are real."""
    rows, columns = np.mgrid[0:height, 0:width]
    rgb = np.stack([(columns + 3 * index) % 256, (rows + 2 * index) % 256, (columns + rows) % 256], axis=-1).astype(
        np.uint8
    )
    left = (5 * index) % max(1, width - 16)
    rgb[4:20, left : left + 16] = 250
    return av.VideoFrame.from_ndarray(rgb // 2, "rgb24").reformat(format=pixel_format)


def write_clip(
    path: Path,
    *,
    codec: str = "libx264",
    frames: int = 12,
    size: tuple[int, int] = (64, 48),
    pixel_format: str = "yuv420p",
    time_base: Fraction = Fraction(1, 12800),
    pts: Sequence[int] | None = None,
    rate: Fraction | int = 25,
    options: dict[str, str] | None = None,
    mux: dict[str, str] | None = None,
    **context: Any,
) -> Path:
    """One video stream with the given time stamps; ``context`` sets attributes of the encoder."""
    step = round(Fraction(1) / rate / time_base)
    times = list(pts) if pts is not None else [index * step for index in range(frames)]
    with av.open(str(path), "w", container_options=mux or {}) as container:
        stream = container.add_stream(codec, rate=rate, options=options or {})
        stream.width, stream.height, stream.pix_fmt = *size, pixel_format
        stream.codec_context.time_base = time_base
        stream.time_base = time_base
        for name, value in context.items():
            setattr(stream.codec_context, name, value)
        for index, when in enumerate(times):
            image = picture(index, *size, pixel_format)
            image.pts, image.time_base = when, time_base
            container.mux(stream.encode(image))
        container.mux(stream.encode(None))
    return path


def times(path: Path) -> list[Fraction]:
    """Presentation times in exact seconds, as a player sees them."""
    with av.open(str(path)) as container:
        stream = container.streams.video[0]
        return [frame.pts * stream.time_base for frame in container.decode(stream)]


def pass_through(source_path: Path, target: Path, settings: EncoderSettings = FAST, **sink_options: Any) -> list[str]:
    """Copies through source and sink without touching a pixel; returns all notes."""
    source = open_source(source_path)
    sink = open_sink(target, source, settings, **sink_options)
    for item in source:
        if isinstance(item, Packet):
            sink.write_packet(item)
        else:
            sink.write(item)
    sink.close()
    source.close()
    return source.notes + sink.notes


def frames_of(path: Path) -> list[Frame]:
    """All frames of the source, packets left out."""
    source = open_source(path)
    return [item for item in source if isinstance(item, Frame)]


def packets_of(path: Path, kind: str) -> Iterable[tuple[Fraction, bytes]]:
    """(time in seconds, bytes) of the packets of the first stream of a kind."""
    with av.open(str(path)) as container:
        stream = next(s for s in container.streams if s.type == kind)
        return [(p.pts * p.time_base, bytes(p)) for p in container.demux(stream) if p.size]
