"""A folder with an HLS playlist and its newest segments, for players behind a web server (RFC 8216).

A later attempt, another picture size or another run goes on in the same playlist, after a discontinuity.
"""

from __future__ import annotations

import contextlib
import re
import time
from pathlib import Path
from typing import Any

from stream.live.outputs.failures import real_errors
from stream.live.outputs.growing import GrowingFile
from stream.live.outputs.muxing import Muxing, carried
from stream.live.outputs.packets import AudioPacket, AudioTrack, EncodedPicture, VideoFormat

_LISTED = 6
"""Segments in the playlist. Players begin three segments before the end, and some fall behind."""
_FLAGS = "delete_segments+program_date_time+temp_file+independent_segments+omit_endlist"
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
        self._files: list[GrowingFile] = []

    def open(self, video: VideoFormat, audio: list[AudioTrack]) -> None:
        inner = segment_muxer(video.codec)
        kept, notes = carried(audio, inner)
        self.notes += notes
        self._playlist.parent.mkdir(parents=True, exist_ok=True)
        self._sweep()
        options = {"hls_time": f"{self._segment_s:g}", "hls_list_size": str(_LISTED), "hls_flags": _FLAGS}
        if inner == "mpegts":
            options["hls_segment_type"] = "mpegts"
            if self._playlist.exists():
                options["hls_flags"] += "+append_list+discont_start"
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

    def write_audio(self, packet: AudioPacket) -> None:
        assert self._muxing is not None
        with real_errors(self._said):
            self._muxing.write_audio(packet)

    def close(self) -> None:
        if self._muxing is not None:
            with real_errors(self._said):
                self._muxing.close()

    def abandon(self) -> None:
        """A disk that hangs cannot be helped."""

    def _open_file(self, path: str, flags: int, options: dict[str, str]) -> Any:
        """For FFmpeg, which does not tell of every error of files that it opens by itself."""
        if not flags & _WRITE:
            return open(path, "rb")
        self._files = [file for file in self._files if not file.closed]
        self._files.append(GrowingFile(Path(path), replace=True))
        return self._files[-1]

    def _sweep(self) -> None:
        """Removes segments of before that no playlist names any more; FFmpeg forgets about them when it is opened."""
        with contextlib.suppress(OSError):
            listed = self._playlist.read_text(encoding="utf-8") if self._playlist.exists() else ""
            own = re.compile(rf"{re.escape(self._playlist.stem)}(?:\d+\.(?:ts|m4s)|-init\d+\.mp4)(?:\.tmp)?")
            for path in self._playlist.parent.iterdir():
                if own.fullmatch(path.name) and path.name not in listed:
                    path.unlink()

    def _said(self) -> Exception | None:
        return next((file.error for file in self._files if file.error is not None), None)
