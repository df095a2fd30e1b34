"""Titles, languages, chapters, dispositions and rotation: what is said about the streams, carried over."""

from __future__ import annotations

from av.container import InputContainer, OutputContainer
from av.video.stream import VideoStream

from stream.media.source import VideoInfo

_OF_THE_OLD_FILE = {"major_brand", "minor_version", "compatible_brands", "encoder", "duration", "rotate", "vendor_id"}
_KNOWN_TO_QUICKTIME = {
    *("title", "artist", "album_artist", "composer", "album", "date", "comment", "genre", "copyright", "grouping"),
    *("lyrics", "description", "synopsis", "show", "episode_id", "network", "keywords", "track", "disc"),
    *("creation_time", "author"),
}


def _common(key: str) -> str:
    """Matroska shouts: ``COMMENT`` is ``comment`` elsewhere."""
    return key.lower() if key.lower() in _KNOWN_TO_QUICKTIME or key.upper() == "HANDLER_NAME" else key


def _still_true(metadata: dict[str, str]) -> dict[str, str]:
    """Without what describes the old file's bytes: brands, encoder, the statistics that mkvmerge writes."""
    return {
        _common(key): value
        for key, value in metadata.items()
        if key.lower() not in _OF_THE_OLD_FILE
        and not key.upper().startswith(("_STATISTICS", "BPS", "NUMBER_OF_"))
        and key.upper().partition("-")[0] != "DURATION"
    }


def stream_tags(metadata: dict[str, str]) -> dict[str, str]:
    """Tags of one stream as every muxer understands them."""
    kept = _still_true(metadata)
    if "name" in kept:
        kept.setdefault("title", kept.pop("name"))  # how QuickTime calls a track's title
    return kept


def copy_video_tags(source: VideoStream, target: VideoStream, info: VideoInfo) -> None:
    """Language, title, disposition and display matrix of the enhanced stream. Call before the header is written."""
    target.metadata.update(stream_tags(source.metadata))
    target.disposition = source.disposition
    if info.display_matrix is not None:
        target.set_display_matrix(info.display_matrix)


def copy_container_tags(source: InputContainer, target: OutputContainer, muxer: str) -> None:
    """Title and the like, and chapters."""
    metadata = _still_true(source.metadata)
    target.metadata.update(metadata)
    if muxer in ("mp4", "mov") and not metadata.keys() <= _KNOWN_TO_QUICKTIME:
        # Keys without an iTunes name (camera make, place) need the generic table; readers know both.
        target.container_options["movflags"] = "use_metadata_tags"
    chapters = source.chapters()
    if chapters:
        target.set_chapters(chapters)
