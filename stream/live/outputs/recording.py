"""One video file that can be played while it grows, and after the program was killed."""

from __future__ import annotations

from pathlib import Path

from stream.live.outputs.failures import real_errors
from stream.live.outputs.growing import GrowingFile
from stream.live.outputs.muxing import Muxing, carried
from stream.live.outputs.packets import AudioPacket, AudioTrack, EncodedPicture, VideoFormat

_FRAGMENTS = "frag_keyframe+empty_moov+default_base_moof"
"""Each fragment of an mp4, from key frame to key frame, is complete in itself."""


def growing_options(muxer: str, *, indexed: bool) -> dict[str, str]:
    """Options under which a file is playable at any moment, at most without its last fragment.

    ``indexed``: at its end an mp4 becomes an ordinary one, with an index of all pictures, which is kept in memory until
    then; else nothing grows with the length.
    """
    if muxer in ("mp4", "mov"):
        return {"movflags": _FRAGMENTS + ("+hybrid_fragmented" if indexed else "+skip_trailer")}
    return {"live": "1"} if muxer == "matroska" and not indexed else {}


_BEGUN: set[Path] = set()
"""First parts that this process has begun: a stream that starts again must not overwrite what it wrote itself."""


class PartNames:
    """``night.mp4``, then ``night.2.mp4``, ``night.3.mp4``: a new part never replaces anything.

    ``overwrite``: but the first one does, once in a process.
    """

    def __init__(self, target: Path, *, overwrite: bool) -> None:
        self._target, self._overwrite = target, overwrite
        self._next = 1

    def open_next(self) -> tuple[Path, int, GrowingFile]:
        """The next part, open for writing, and its number. Raises OSError; that part was then not begun."""
        target = self._target
        while True:
            number = self._next
            path = target if number == 1 else target.with_name(f"{target.stem}.{number}{target.suffix}")
            replace = number == 1 and self._overwrite and path.resolve() not in _BEGUN
            try:
                file = GrowingFile(path, replace=replace)
            except FileExistsError:
                self._next += 1
                continue
            self._next += 1
            if number == 1:
                _BEGUN.add(path.resolve())
            return path, number, file

    def give_back(self, number: int) -> None:
        """That part came to nothing and was removed."""
        self._next = min(self._next, number)


class RecordingWriter:
    """What writers of files have in common: a muxer on a file that survives failures. ``_begin`` it in ``open``."""

    def __init__(self, muxer: str, *, indexed: bool) -> None:
        self.notes: list[str] = []
        self.unconfirmed = 0
        self._muxer, self._indexed = muxer, indexed
        self._muxing: Muxing | None = None
        self._file: GrowingFile | None = None
        self._held_back = 0
        """Pictures that the muxer has and the file does not: those of the fragment that has begun."""
        self._abandoned = False
        self.empty = True
        """The file holds no picture."""

    def _begin(self, file: GrowingFile, video: VideoFormat, audio: list[AudioTrack]) -> None:
        self._file = file
        kept, notes = carried(audio, self._muxer)
        self.notes += notes
        with real_errors(self._said):
            self._muxing = Muxing(file, self._muxer, video, kept, growing_options(self._muxer, indexed=self._indexed))
            self._muxing.write_header()

    def is_complete(self, picture: EncodedPicture) -> bool:
        return False

    def write(self, picture: EncodedPicture) -> None:
        assert self._muxing is not None
        assert self._file is not None
        before = self._file.mark()
        with real_errors(self._said):
            self._muxing.write(picture)
        self._held_back += 1
        if self._file.size > before:
            fragmented = self._muxer != "mpegts"
            self.empty = self.empty and fragmented and self._held_back == 1
            self._held_back = 1 if fragmented else 0  # a fragment or cluster is written when the next one begins
        if self._abandoned:
            self.unconfirmed = self._held_back

    def write_audio(self, packet: AudioPacket) -> None:
        assert self._muxing is not None
        with real_errors(self._said):
            self._muxing.write_audio(packet)

    def close(self) -> None:
        """Also after a failure: the file is left playable. ``unconfirmed`` then counts what it does not hold."""
        if self._file is None:
            return
        try:
            if self._muxing is not None:
                self._file.mark()
                with real_errors(self._said):
                    self._muxing.close()
        finally:
            self.unconfirmed = self._held_back if self._file.error is not None else 0
            if self._held_back and not self.unconfirmed:
                self.empty = False
            self._file.close()

    def _said(self) -> Exception | None:
        return self._file.error if self._file is not None else None

    def abandon(self) -> None:
        """A file that hangs cannot be helped; what is on the disk stays, and only that counts from now on."""
        self._abandoned = True
        self.unconfirmed = self._held_back


class FileWriter(RecordingWriter):
    """A ``Writer`` of one part of a recording."""

    def __init__(self, names: PartNames, muxer: str) -> None:
        super().__init__(muxer, indexed=False)
        self._names = names
        self._part: tuple[Path, int] | None = None

    def open(self, video: VideoFormat, audio: list[AudioTrack]) -> None:
        path, number, file = self._names.open_next()
        self._part = path, number
        self._begin(file, video, audio)

    def close(self) -> None:
        try:
            super().close()
        finally:
            if self._part is not None:
                path, number = self._part
                if self.empty:
                    path.unlink(missing_ok=True)
                    self._names.give_back(number)
                elif number > 1:
                    self.notes.append(f"went on in {path.name}")
