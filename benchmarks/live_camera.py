"""A camera: publishes a clip with numbered pictures over and over, in real time, and writes down when each one left.

``python -m benchmarks.live_camera CLIP URL LOG``. The pictures are encoded beforehand: cameras have chips for it. A
line of LOG is ``number seconds``: counted from 0 without end, and ``time.monotonic()``, which all processes share.
"""

from __future__ import annotations

import sys
import time
from fractions import Fraction
from pathlib import Path

import av
from av.packet import Packet

from benchmarks.clips import scratch
from stream.media.sources.connection import SourceOptions
from stream.media.sources.testsrc import TestsrcConnection

VERSION = 1
"""Raise when the clip changes: older ones are then made again."""


def numbered_clip(width: int, height: int, fps: int, seconds: float, mbit_per_s: float) -> Path:
    """A clip of the night street whose pictures carry their numbers, from 0; made if it is not there yet."""
    frames = round(seconds * fps)
    path = scratch() / f"numbered-{width}x{height}-{fps}-{frames}-{mbit_per_s:g}M-v{VERSION}.mp4"
    if not path.exists():
        part = path.with_suffix(".part.mp4")
        _encode(part, width, height, fps, frames, mbit_per_s)
        part.replace(path)
    return path


def _encode(path: Path, width: int, height: int, fps: int, frames: int, mbit_per_s: float) -> None:
    source = TestsrcConnection(f"testsrc:size={width}x{height},fps={fps}", SourceOptions())
    with av.open(str(path), "w") as container:
        options = {"preset": "veryfast", "tune": "zerolatency", "x264-params": "scenecut=0"}
        video = container.add_stream("libx264", rate=fps, options=options)
        video.width, video.height, video.pix_fmt = width, height, "yuv420p"
        video.bit_rate, video.gop_size = round(mbit_per_s * 1e6), fps
        video.codec_context.time_base = Fraction(1, fps)
        for number in range(frames):
            picture = source.frame(number, number).picture
            picture.pts, picture.time_base = number, Fraction(1, fps)
            container.mux(video.encode(picture))
        container.mux(video.encode(None))


def publish(clip: Path, url: str, log: Path) -> None:
    """Until killed."""
    with av.open(str(clip)) as source:
        template = source.streams.video[0]
        assert template.average_rate is not None
        rate, base = Fraction(template.average_rate), Fraction(template.time_base or 1)
        packets = [(bytes(packet), packet.is_keyframe) for packet in source.demux(template) if packet.size]
        options = {"rtsp_transport": "tcp", "flush_packets": "1"}
        with av.open(url, "w", format="rtsp", options=options, timeout=(20, 20)) as target, log.open("w", 1) as written:
            video = target.add_stream_from_template(template)
            started, step = time.monotonic(), round(1 / (rate * base))
            number = 0
            while True:
                time.sleep(max(0.0, started + float(number / rate) - time.monotonic()))
                data, key_frame = packets[number % len(packets)]
                packet = Packet(data)
                packet.stream, packet.time_base, packet.is_keyframe = video, base, key_frame
                packet.pts = packet.dts = number * step
                packet.duration = step
                left = time.monotonic()
                target.mux(packet)
                written.write(f"{number} {left:.6f}\n")
                number += 1


def shown_number(luma_number: int, clip_frames: int, sent_before: int) -> int:
    """The endless number of a picture that shows ``luma_number`` of a clip, no later than ``sent_before``."""
    return sent_before - (sent_before - luma_number) % clip_frames


if __name__ == "__main__":
    publish(Path(sys.argv[1]), sys.argv[2], Path(sys.argv[3]))
