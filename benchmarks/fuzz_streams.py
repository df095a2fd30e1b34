"""Streams to break, and the ways in which they are broken; everything follows from a number."""

from __future__ import annotations

import io
import random
from collections.abc import Callable
from dataclasses import dataclass
from fractions import Fraction
from typing import cast

import av
import numpy as np
from av.video.stream import VideoStream

_TS_PACKET = 188
_START_CODE = b"\x00\x00\x01"
_FRAMES, _WIDTH, _HEIGHT = 24, 160, 96


@dataclass(frozen=True, slots=True)
class Kind:
    """One kind of stream: container as FFmpeg names it, codec, whether with AAC sound."""

    container: str
    codec: str
    sound: bool

    @property
    def name(self) -> str:
        return f"{self.codec.removeprefix('lib')}{'+aac' if self.sound else ''} in {self.container}"


KINDS = (
    Kind("mpegts", "libx264", True),
    Kind("mpegts", "libx265", True),
    Kind("mp4", "libx264", True),
    Kind("mp4", "libx265", False),
    Kind("h264", "libx264", False),
    Kind("hevc", "libx265", False),
)


def pristine(kind: Kind) -> bytes:
    """A short stream of a moving gradient, two key frames, before anything is done to it."""
    target = io.BytesIO()
    # Fragments, so that mp4 too is read as it comes.
    options = {"movflags": "frag_keyframe+empty_moov+default_base_moof"} if kind.container == "mp4" else {}
    with av.open(target, "w", format=kind.container, options=options) as container:
        coding = {"preset": "ultrafast", "threads": "1"}
        if kind.codec == "libx265":
            coding["x265-params"] = "log-level=none:pools=1:keyint=12"
        video = cast(VideoStream, container.add_stream(kind.codec, rate=25, options=coding))
        video.width, video.height, video.pix_fmt, video.gop_size = _WIDTH, _HEIGHT, "yuv420p", 12
        video.codec_context.time_base = Fraction(1, 25)
        sound = container.add_stream("aac", rate=16000, layout="mono") if kind.sound else None
        for index in range(_FRAMES):
            container.mux(video.encode(_picture(index)))
            if sound is not None:
                tone = np.sin(np.arange(640) / 9 + index).astype(np.float32)[None]
                samples = av.AudioFrame.from_ndarray(tone, "fltp", "mono")
                samples.sample_rate, samples.pts = 16000, index * 640
                container.mux(sound.encode(samples))
        container.mux(video.encode(None))
        if sound is not None:
            container.mux(sound.encode(None))
    return target.getvalue()


def _picture(index: int) -> av.VideoFrame:
    rows, columns = np.mgrid[0 : _HEIGHT * 3 // 2, 0:_WIDTH]
    picture = av.VideoFrame.from_ndarray(((rows * 2 + columns + 5 * index) % 220 + 16).astype(np.uint8), "yuv420p")
    picture.pts, picture.time_base = index, Fraction(1, 25)
    return picture


def units(kind: Kind, data: bytes) -> list[bytes]:
    """What gets lost together: packets of MPEG-TS, NAL units of Annex B, pieces of the size of a datagram else."""
    if kind.container == "mpegts":
        return [data[at : at + _TS_PACKET] for at in range(0, len(data), _TS_PACKET)]
    if kind.container == "mp4":
        return [data[at : at + 700] for at in range(0, len(data), 700)]
    first, *others = data.split(_START_CODE)
    return [first, *(_START_CODE + other for other in others)]


def _flip(random_: random.Random, kind: Kind, data: bytes) -> bytes:
    broken = bytearray(data)
    for _ in range(random_.choice((1, 4, 30, 300))):
        broken[random_.randrange(len(broken))] ^= 1 << random_.randrange(8)
    return bytes(broken)


def _flip_headers(random_: random.Random, kind: Kind, data: bytes) -> bytes:
    """Bits of the first half a thousand bytes, where tables and parameter sets are."""
    broken = bytearray(data)
    for _ in range(random_.randint(1, 12)):
        broken[random_.randrange(min(512, len(broken)))] ^= 1 << random_.randrange(8)
    return bytes(broken)


def _truncate(random_: random.Random, kind: Kind, data: bytes) -> bytes:
    return data[: random_.randrange(len(data))]


def _behead(random_: random.Random, kind: Kind, data: bytes) -> bytes:
    """Who joins late sees no beginning."""
    return data[random_.randrange(len(data) * 3 // 4) :]


def _lose(random_: random.Random, kind: Kind, data: bytes) -> bytes:
    share = random_.choice((0.01, 0.05, 0.2, 0.5))
    return b"".join(unit for unit in units(kind, data) if random_.random() >= share)


def _reorder(random_: random.Random, kind: Kind, data: bytes) -> bytes:
    """Packets overtake each other by up to a few places."""
    reach = random_.choice((1.5, 4, 20))
    order = sorted(enumerate(units(kind, data)), key=lambda entry: entry[0] + random_.uniform(0, reach))
    return b"".join(unit for _, unit in order)


def _duplicate(random_: random.Random, kind: Kind, data: bytes) -> bytes:
    return b"".join(unit * random_.choice((1, 1, 1, 2, 3)) for unit in units(kind, data))


def _garbage(random_: random.Random, kind: Kind, data: bytes) -> bytes:
    """Zeros or noise over a piece, or between two."""
    at, length = random_.randrange(len(data)), random_.randrange(1, 2000)
    noise = bytes(length) if random_.random() < 0.4 else random_.randbytes(length)
    return data[:at] + noise + data[at + (length if random_.random() < 0.6 else 0) :]


def _splice(random_: random.Random, kind: Kind, data: bytes) -> bytes:
    """The stream begins anew in the middle of a packet, as when an encoder restarts."""
    return data[: random_.randrange(len(data))] + data[random_.randrange(len(data) // 2) :]


Mutation = Callable[[random.Random, Kind, bytes], bytes]
MUTATIONS: dict[str, Mutation] = {
    "bit flips": _flip,
    "bit flips in headers": _flip_headers,
    "truncated": _truncate,
    "joined late": _behead,
    "packets lost": _lose,
    "packets out of order": _reorder,
    "packets twice": _duplicate,
    "garbage": _garbage,
    "spliced": _splice,
}


@dataclass(frozen=True, slots=True)
class Broken:
    """One stream to try: number ``index`` of a run."""

    index: int
    kind: Kind
    mutations: tuple[str, ...]
    data: bytes


def broken(index: int, streams: dict[Kind, bytes], seed: int = 0) -> Broken:
    """Stream ``index``: kinds in turn, one or two mutations. The same numbers give the same bytes."""
    random_ = random.Random(f"{seed} {index}")
    kind = KINDS[index % len(KINDS)]
    names = tuple(MUTATIONS)
    chosen = [names[index // len(KINDS) % len(names)]]
    if random_.random() < 0.3:
        chosen.append(random_.choice(names))
    data = streams[kind]
    for name in chosen:
        data = MUTATIONS[name](random_, kind, data) or b"\x00"
    return Broken(index, kind, tuple(chosen), data)
