"""Finds out whether an encoder really works here: in a process of its own, with a time limit.

Drivers that are absent or broken crash or hang when they are touched, so that the list of compiled-in encoders says
nothing, and the main process must not be the one to try.
"""

from __future__ import annotations

import functools
import subprocess
import sys
from dataclasses import dataclass

HARDWARE = ("_nvenc", "_qsv", "_vaapi", "_amf", "_v4l2m2m", "_videotoolbox", "_mf", "_vulkan", "_rkmpp", "_omx")
H264_ENCODERS = ("libx264", "h264_nvenc", "h264_qsv", "h264_vaapi", "h264_amf", "h264_v4l2m2m", "h264_videotoolbox")
_TIMEOUT = 20.0
_ENCODE_A_FEW = """
import sys
from fractions import Fraction
import av


def explain(kind, error, trace):
    known = kind is av.codec.codec.UnknownCodecError
    text = getattr(error, "strerror", None) or str(error)
    print("not in this build of FFmpeg" if known else f"does not open, no device or driver: {text}", file=sys.stderr)


sys.excepthook = explain
context = av.CodecContext.create(sys.argv[1], "w")
formats = [known.name for known in context.codec.video_formats or []]
context.width, context.height, context.time_base, context.framerate = 640, 368, Fraction(1, 25), Fraction(25)
context.pix_fmt = next((name for name in ("yuv420p", "nv12") if name in formats), "yuv420p")
size = 0
for index in range(5):
    frame = av.VideoFrame(640, 368, context.pix_fmt)
    for plane in frame.planes:
        plane.update(bytes(plane.buffer_size))
    frame.pts = index
    size += sum(packet.size for packet in context.encode(frame))
size += sum(packet.size for packet in context.encode(None))
sys.exit(0 if size else "it gave no packets")
"""


@dataclass(frozen=True, slots=True)
class EncoderProbe:
    """Whether an encoder works on this machine, and why not."""

    name: str
    available: bool
    reason: str


def is_hardware(name: str) -> bool:
    """True for encoders that need a device and a driver."""
    return name.endswith(HARDWARE)


@functools.cache
def probe_encoder(name: str, timeout: float = _TIMEOUT) -> EncoderProbe:
    """Encodes five small pictures in a child process; remembered for the life of this one."""
    try:
        child = subprocess.run(
            [sys.executable, "-c", _ENCODE_A_FEW, name],
            capture_output=True,
            text=True,
            timeout=timeout,
            stdin=subprocess.DEVNULL,
            check=False,
        )
    except subprocess.TimeoutExpired:
        return EncoderProbe(name, False, f"no answer within {timeout:g} s")
    if child.returncode == 0:
        return EncoderProbe(name, True, "works")
    if child.returncode < 0:
        return EncoderProbe(name, False, f"crashed with signal {-child.returncode}")
    lines = [line for line in child.stderr.splitlines() if line.strip()]
    return EncoderProbe(name, False, lines[-1].strip() if lines else f"failed with code {child.returncode}")
