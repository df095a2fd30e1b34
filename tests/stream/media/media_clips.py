"""Real encoded clips for the media tests, made with PyAV as the tests need them."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np
from av.packet import Packet as AvPacket
from av.stream import Disposition

from stream.media import Frame, Packet, open_sink, open_source
from stream.media.encoder import EncoderSettings

ASS_HEADER = b"""[Script Info]
ScriptType: v4.00+

[V4+ Styles]
Format: Name, Fontname
Style: Default,Arial

[Events]
Format: Layer, Start, End, Style, Name, MarginL, MarginR, MarginV, Effect, Text
"""
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


def write_film(
    path: Path,
    *,
    audio: str = "aac",
    subtitle: str | None = "mov_text",
    start: Fraction = Fraction(0),
    rotation: int = 0,
    seconds: int = 2,
) -> Path:
    """Video with B-frames, stereo sound, subtitles, two chapters, titles and languages; all start at ``start``."""
    time_base = Fraction(1, 12800)
    with av.open(str(path), "w") as container:
        video = container.add_stream("libx264", rate=25, options={"bf": "2", "b_strategy": "0"})
        video.width, video.height = 64, 48
        video.codec_context.time_base = video.time_base = time_base
        sound = container.add_stream(audio, rate=48000)
        sound.layout = "stereo"
        words = container.add_stream(subtitle) if subtitle else None
        if words is not None:
            words.codec_context.subtitle_header = ASS_HEADER
        container.metadata.update(title="Night walk", comment="hello")
        video.metadata["language"], sound.metadata["language"] = "deu", "fra"
        if words is not None:
            words.metadata.update(language="eng", title="signs")
        if rotation:
            video.set_display_rotation(rotation)
        thousandth = Fraction(1, 1000)
        container.set_chapters(
            [
                {"id": 1, "start": 0, "end": 1000, "time_base": thousandth, "metadata": {"title": "one"}},
                {"id": 2, "start": 1000, "end": 2000, "time_base": thousandth, "metadata": {"title": "two"}},
            ]
        )
        for index in range(25 * seconds):
            image = picture(index, 64, 48)
            image.pts, image.time_base = int(start / time_base) + 512 * index, time_base
            container.mux(video.encode(image))
        wave = (8000 * np.sin(2 * np.pi * 440 * np.arange(48000 * seconds) / 48000)).astype(np.int16)
        whole = av.AudioFrame.from_ndarray(np.repeat(wave, 2)[None, :], "s16", "stereo")
        whole.sample_rate, whole.pts = 48000, int(start * 48000)
        context = sound.codec_context
        resampler = av.AudioResampler(context.format.name, "stereo", 48000, frame_size=context.frame_size or 1024)
        for block in [*resampler.resample(whole), *resampler.resample(None)]:
            container.mux(sound.encode(block))
        container.mux(video.encode(None))
        container.mux(sound.encode(None))
        for when in (Fraction(1, 5), Fraction(11, 10)) if words is not None else ():
            text = f"line at {when}".encode()
            line = AvPacket(len(text).to_bytes(2, "big") + text if subtitle == "mov_text" else text)
            line.stream, line.time_base = words, thousandth
            line.pts = line.dts = int((when + start) * 1000)
            line.duration = 500
            container.mux(line)
    return path


def write_data_clip(path: Path, codec: str, packets: int = 20) -> Path:
    """A second of video beside a data stream of ``packets`` packets, 1/25 s apart."""
    time_base = Fraction(1, 90_000)
    with av.open(str(path), "w") as container:
        video = container.add_stream("libx264", rate=25, options={"bf": "0"})
        video.width, video.height, video.pix_fmt = 64, 48, "yuv420p"
        video.codec_context.time_base = video.time_base = time_base
        data = container.add_data_stream(codec)
        data.time_base = time_base
        for index in range(25):
            image = picture(index, 64, 48)
            image.pts, image.time_base = 3600 * index, time_base
            container.mux(video.encode(image))
            if index < packets:
                packet = AvPacket(b"\x06\x0e\x2b\x34" + bytes([index] * 12))
                packet.stream, packet.time_base = data, time_base
                packet.pts = packet.dts = 3600 * index
                if path.suffix == ".mp4":
                    packet.duration = 3600
                container.mux(packet)
        container.mux(video.encode(None))
    return path


def write_covered_clip(path: Path, codec: str) -> tuple[Path, bytes]:
    """A clip with a cover that is larger than its video, and the cover's bytes."""
    cover = picture(3, 320, 240, "yuvj420p" if codec == "mjpeg" else "rgb24")
    context = av.CodecContext.create(codec, "w")
    context.width, context.height, context.pix_fmt, context.time_base = 320, 240, cover.format.name, Fraction(1, 25)
    cover.pts = 0
    data = b"".join(bytes(packet) for packet in [*context.encode(cover), *context.encode(None)])
    plain = write_clip(path.with_name(f"plain{path.suffix}"))
    with av.open(str(plain)) as source, av.open(str(path), "w") as container:
        video = container.add_stream_from_template(source.streams.video[0], opaque=True)
        if path.suffix == ".mkv":
            name, kind = {"mjpeg": ("cover.jpg", "image/jpeg"), "png": ("cover.png", "image/png")}[codec]
            container.add_attachment(name, kind, data)
        else:
            still = container.add_stream(codec, rate=25)
            still.width, still.height, still.pix_fmt = 320, 240, cover.format.name
            still.disposition = Disposition.attached_pic
            packet = AvPacket(data)
            packet.stream, packet.pts, packet.dts, packet.time_base = still, 0, 0, Fraction(1, 25)
            container.mux(packet)
        for packet in source.demux():
            if packet.size:
                packet.stream = video
                container.mux(packet)
    return path, data


def covers_of(path: Path) -> list[bytes]:
    """The bytes of the covers, as a player finds them."""
    with av.open(str(path)) as container:
        covers = {s.index for s in container.streams if s.disposition & Disposition.attached_pic}
        return [bytes(packet) for packet in container.demux() if packet.size and packet.stream.index in covers]


def trimmed(source: Path, target: Path, cut: Fraction, end: Fraction | None = None) -> Path:
    """A lossless trim: packets copied, an edit list hides what is before ``cut`` and after ``end`` (seconds)."""
    options = {"avoid_negative_ts": "disabled", "movie_timescale": "1000000"}
    with av.open(str(source)) as container, av.open(str(target), "w", container_options=options) as output:
        copies = {
            stream.index: output.add_stream_from_template(stream, opaque=True)
            for stream in container.streams
            if stream.type in ("video", "audio")
        }
        for packet in container.demux():
            if packet.size and packet.stream.index in copies:
                shift = round(cut / packet.time_base)
                packet.pts, packet.dts = packet.pts - shift, packet.dts - shift
                packet.stream = copies[packet.stream.index]
                output.mux(packet)
    if end is not None:
        data = bytearray(target.read_bytes())
        at = data.find(b"elst")
        while at >= 0:
            data[at + 12 : at + 16] = int(end * 1_000_000).to_bytes(4, "big")
            at = data.find(b"elst", at + 1)
        target.write_bytes(data)
    return target
