"""What a photo file says about its picture: orientation, camera, colour profile. Copied byte for byte, never changed.

JPEG: marker segments (ITU-T T.81 B.1.1). PNG: ancillary chunks (W3C PNG, 5.3). Pixels are not turned: the orientation
in the EXIF data stays true.
"""

from __future__ import annotations

import struct
import zlib
from collections.abc import Iterator
from typing import NamedTuple

_JPEG_START = b"\xff\xd8"
_PNG_START = b"\x89PNG\r\n\x1a\n"
_EXIF = b"Exif\x00\x00"
_JPEG_KEPT = {0xE1, 0xE2, 0xED, 0xFE}
"""APP1 (EXIF, XMP), APP2 (ICC profile), APP13 (IPTC), comment."""
_JPEG_SCAN = 0xDA
_PNG_KEPT = {b"eXIf", b"iCCP", b"sRGB", b"gAMA", b"cHRM", b"pHYs", b"tEXt", b"zTXt", b"iTXt", b"tIME"}


class Part(NamedTuple):
    """A JPEG segment (``kind`` = marker byte) or a PNG chunk (``kind`` = four letters), and all of its bytes."""

    kind: bytes
    data: bytes
    raw: bytes


def _segments(jpeg: bytes) -> Iterator[Part]:
    """The marker segments before the first scan."""
    at = len(_JPEG_START)
    while at + 4 <= len(jpeg) and jpeg[at] == 0xFF:
        marker = jpeg[at + 1]
        if marker == 0xFF:
            at += 1
            continue
        if marker == _JPEG_SCAN:
            return
        (length,) = struct.unpack(">H", jpeg[at + 2 : at + 4])
        yield Part(bytes([marker]), jpeg[at + 4 : at + 2 + length], jpeg[at : at + 2 + length])
        at += 2 + length


def _chunks(png: bytes) -> Iterator[Part]:
    at = len(_PNG_START)
    while at + 12 <= len(png):
        (length,) = struct.unpack(">I", png[at : at + 4])
        yield Part(png[at + 4 : at + 8], png[at + 8 : at + 8 + length], png[at : at + 12 + length])
        at += 12 + length


def copy_photo_tags(original: bytes, encoded: bytes) -> bytes:
    """``encoded`` with the tags of ``original``. Between JPEG and PNG only the EXIF data is carried over."""
    if encoded.startswith(_JPEG_START):
        if original.startswith(_JPEG_START):
            parts = [part.raw for part in _segments(original) if part.kind[0] in _JPEG_KEPT]
        else:
            parts = [b"\xff\xe1" + struct.pack(">H", len(exif) + 2) + exif for exif in _exif(original)]
        first = next(_segments(encoded))
        at = len(_JPEG_START) + (len(first.raw) if first.kind == b"\xe0" else 0)  # JFIF comes first
        return encoded[:at] + b"".join(parts) + encoded[at:]
    if encoded.startswith(_PNG_START):
        if original.startswith(_PNG_START):
            kept = [part for part in _chunks(original) if part.kind in _PNG_KEPT]
            parts = [part.raw for part in kept]
            taken = {part.kind for part in kept}
        else:
            parts = [_chunk(b"eXIf", exif[len(_EXIF) :]) for exif in _exif(original)]
            taken = {b"eXIf"}
        header, *rest = (part for part in _chunks(encoded) if part.kind not in taken)
        return _PNG_START + header.raw + b"".join(parts) + b"".join(part.raw for part in rest)
    return encoded


def _exif(original: bytes) -> list[bytes]:
    """The EXIF data with its JPEG prefix, at most one and small enough for a segment."""
    if original.startswith(_JPEG_START):
        found = [part.data for part in _segments(original) if part.kind == b"\xe1" and part.data.startswith(_EXIF)]
    elif original.startswith(_PNG_START):
        found = [_EXIF + part.data for part in _chunks(original) if part.kind == b"eXIf"]
    else:
        found = []
    return [exif for exif in found[:1] if len(exif) <= 0xFFFF - 2]


def _chunk(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
