"""One video file that can be played while it grows, and after the program was killed."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

from stream.live.outputs.muxing import Muxing, carried
from stream.live.outputs.packets import AudioPacket, AudioTrack, EncodedPicture, VideoFormat

FRAGMENTED = {"movflags": "frag_keyframe+empty_moov+default_base_moof+skip_trailer"}
"""Each fragment of an mp4, from key frame to key frame, is complete in itself; nothing grows with the length."""


def growing_options(muxer: str) -> dict[str, str]:
    """Options under which a file is playable at any moment, at most without its last fragment."""
    if muxer in ("mp4", "mov"):
        return dict(FRAGMENTED)
    return {"live": "1"} if muxer == "matroska" else {}


class PartNames:
    """``night.mp4``, then ``night.2.mp4``, ``night.3.mp4``: a new part never replaces anything."""

    def __init__(self, target: Path, *, overwrite: bool) -> None:
        self._target, self._overwrite = target, overwrite
        self._numbers: Iterator[int] = itertools.count(1)

    def open_next(self) -> tuple[Path, BinaryIO]:
        """The next part, open for writing. Raises OSError."""
        for number in self._numbers:
            target = self._target
            path = target if number == 1 else target.with_name(f"{target.stem}.{number}{target.suffix}")
            try:
                return path, open(path, "wb" if number == 1 and self._overwrite else "xb", buffering=0)
            except FileExistsError:
                continue
            except OSError:
                self._numbers = itertools.chain([number], self._numbers)  # this part was not begun
                raise
        raise AssertionError("counting does not end")


class FileWriter:
    """A ``Writer`` of one part of a recording."""

    def __init__(self, names: PartNames, muxer: str) -> None:
        self.notes: list[str] = []
        self.unconfirmed = 0
        self._names, self._muxer = names, muxer
        self._muxing: Muxing | None = None
        self._file: BinaryIO | None = None

    def open(self, video: VideoFormat, audio: list[AudioTrack]) -> None:
        kept, notes = carried(audio, self._muxer)
        self.notes += notes
        path, self._file = self._names.open_next()
        if path.suffixes[-2:-1] and path.suffixes[-2][1:].isdigit():
            self.notes.append(f"goes on in {path.name}, {video.width}x{video.height}")
        self._muxing = Muxing(self._file, self._muxer, video, kept, growing_options(self._muxer))
        self._muxing.write_header()

    def is_complete(self, picture: EncodedPicture) -> bool:
        return False

    def write(self, picture: EncodedPicture) -> None:
        assert self._muxing is not None
        self._muxing.write(picture)

    def write_audio(self, packet: AudioPacket) -> None:
        assert self._muxing is not None
        self._muxing.write_audio(packet)

    def close(self) -> None:
        try:
            if self._muxing is not None:
                self._muxing.close()
        finally:
            if self._file is not None:
                self._file.close()

    def abandon(self) -> None:
        """A file is never worth more than what is on the disk already."""
