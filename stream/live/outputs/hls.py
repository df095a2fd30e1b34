"""A folder with an HLS playlist and its newest segments, for players behind a web server (RFC 8216).

A later attempt, another picture size or another run goes on in the same playlist, after a discontinuity.
"""

from __future__ import annotations

import contextlib
import io
import re
import time
from pathlib import Path
from typing import Any

from stream.live.outputs.failures import real_errors
from stream.live.outputs.growing import PlacedFile
from stream.live.outputs.muxing import Muxing, carried
from stream.live.outputs.packets import AudioPacket, AudioTrack, EncodedPicture, VideoFormat

_LISTED = 6
"""Segments in the playlist. Players begin three segments before the end, and some fall behind."""
_FLAGS = "delete_segments+program_date_time+independent_segments+omit_endlist"
_MARK = "-hls"
"""Between a playlist's name and the number of a segment; no other playlist's segments and no recordings look so."""
_MAP = re.compile(r'#EXT-X-MAP:.*URI="([^"]*)"')
_WRITE = 2
"""``AVIO_FLAG_WRITE``."""


def segment_muxer(codec: str) -> str:
    """The kind of segments: all players know H.264 in MPEG-TS, other codecs in fragmented mp4 only."""
    return "mpegts" if codec == "h264" else "mp4"


class HlsWriter:
    """A ``Writer`` into one folder."""

    def __init__(self, playlist: Path, segment_s: float) -> None:
        """``segment_s``: length of the segments, which begin with key frames."""
        self.notes: list[str] = []
        self.unconfirmed = 0
        self._playlist, self._segment_s = playlist, segment_s
        self._muxing: Muxing | None = None
        self._files: list[PlacedFile] = []
        self._error: OSError | None = None
        """What failed first: from then on nothing is put in place."""
        self._unlisted = 0
        """Pictures since the playlist was last put in place."""

    def open(self, video: VideoFormat, audio: list[AudioTrack]) -> None:
        inner = segment_muxer(video.codec)
        kept, notes = carried(audio, inner)
        self.notes += notes
        self._playlist.parent.mkdir(parents=True, exist_ok=True)
        listed = self._listed()
        self._sweep(listed)
        options = {"hls_time": f"{self._segment_s:g}", "hls_list_size": str(_LISTED), "hls_flags": _FLAGS}
        options["hls_segment_filename"] = self._pattern("ts" if inner == "mpegts" else "m4s")
        if inner == "mpegts":
            options["hls_segment_type"] = "mpegts"
            if listed:
                options["hls_flags"] += "+append_list+discont_start"
            else:
                options["start_number"] = str(self._free_number())
        else:  # what is listed belongs to other parameters (EXT-X-MAP): the list begins anew, under names of its own
            options["hls_segment_type"], options["hls_start_number_source"] = "fmp4", "epoch"
            options["hls_fmp4_init_filename"] = f"{self._playlist.stem}-init{int(time.time())}.mp4"
        with real_errors(self._said):
            self._muxing = Muxing(str(self._playlist), "hls", video, kept, options, io_open=self._open_file)
            self._muxing.write_header()

    def is_complete(self, picture: EncodedPicture) -> bool:
        return False

    def write(self, picture: EncodedPicture) -> None:
        assert self._muxing is not None
        with real_errors(self._said):
            self._muxing.write(picture)
        self._unlisted += 1

    def write_audio(self, packet: AudioPacket) -> None:
        assert self._muxing is not None
        with real_errors(self._said):
            self._muxing.write_audio(packet)

    def close(self) -> None:
        """After a failure ``unconfirmed`` counts what no playlist names."""
        try:
            if self._muxing is not None:
                with real_errors(self._said):
                    self._muxing.close()
        finally:
            self.unconfirmed = self._unlisted if self._said() is not None else 0

    def abandon(self) -> None:
        """A disk that hangs cannot be helped."""

    def _open_file(self, path: str, flags: int, options: dict[str, str]) -> Any:
        """For FFmpeg, which does not tell of every error of files that it opens by itself. Raises nothing."""
        self._said()
        self._files = [file for file in self._files if not file.closed]
        try:
            if not flags & _WRITE:
                return io.BytesIO(Path(path).read_bytes())
            self._files.append(PlacedFile(Path(path), self._may_be_placed))
        except OSError as error:
            self._error = self._error or error
            return io.BytesIO()
        return self._files[-1]

    def _may_be_placed(self, path: Path) -> bool:
        if self._said() is not None:
            return False
        if path.stem == self._playlist.name:  # with .tmp, a name that FFmpeg takes away at once
            self._unlisted = 0
        return True

    def _pattern(self, suffix: str) -> str:
        """Names of segments for FFmpeg. What stands before the number keeps ``cam1`` and ``cam11`` apart."""
        folder, stem = str(self._playlist.parent).replace("%", "%%"), self._playlist.stem.replace("%", "%%")
        return f"{folder}/{stem}{_MARK}%d.{suffix}"

    def _listed(self) -> set[str]:
        """The segments in the playlist; none where it is not there or cannot be read."""
        try:
            lines = self._playlist.read_text(encoding="utf-8").splitlines()
        except (OSError, UnicodeError):
            return set()
        maps = [found[1] for line in lines if (found := _MAP.match(line))]
        return {*maps, *(line for line in lines if line and not line.startswith("#"))}

    def _sweep(self, listed: set[str]) -> None:
        """Removes segments of before that the playlist does not name; FFmpeg forgets about them when it is opened.

        None at all where the playlist names nothing: it was lost, and they are all that is left.
        """
        with contextlib.suppress(OSError):
            for path in self._playlist.parent.iterdir() if listed else ():
                if self._own().fullmatch(path.name) and path.name not in listed:
                    path.unlink()

    def _free_number(self) -> int:
        """Above those of all segments that are there, so that a playlist that begins anew overwrites none."""
        found = (self._own().fullmatch(path.name) for path in self._playlist.parent.iterdir())
        return max((int(own[1]) + 1 for own in found if own and own[1]), default=0)

    def _own(self) -> re.Pattern[str]:
        stem = re.escape(self._playlist.stem)
        return re.compile(rf"{stem}(?:{_MARK}(\d+)\.(?:ts|m4s)|-init\d+\.mp4)(?:\.tmp)?")

    def _said(self) -> OSError | None:
        self._error = self._error or next((file.error for file in self._files if file.error is not None), None)
        return self._error
