"""What a photo file says about its picture: camera, colour profile, orientation. Copied byte for byte.

JPEG: marker segments (ITU-T T.81 B.1.1). PNG: ancillary chunks (W3C PNG, 5.3). WebP: RIFF chunks. EXIF: a TIFF
directory (CIPA DC-008), of which only the orientation is read, and set to upright where the pixels were turned.
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
_ORIENTATION = 0x0112
_UPRIGHT = 1


class Part(NamedTuple):
    """A JPEG segment (``kind`` = marker byte) or a PNG or RIFF chunk (``kind`` = four letters)."""

    kind: bytes
    data: bytes


def _segments(jpeg: bytes) -> Iterator[Part]:
    """The marker segments before the first scan."""
    at = len(_JPEG_START)
    while at + 4 <= len(jpeg) and jpeg[at] == 0xFF and jpeg[at + 1] != _JPEG_SCAN:
        if jpeg[at + 1] == 0xFF:
            at += 1
            continue
        (length,) = struct.unpack(">H", jpeg[at + 2 : at + 4])
        yield Part(jpeg[at + 1 : at + 2], jpeg[at + 4 : at + 2 + length])
        at += 2 + length


def _chunks(data: bytes, start: int, head: str) -> Iterator[Part]:
    """PNG chunks (``head`` = length, kind; a checksum follows) or RIFF chunks (kind, length; even sizes)."""
    at = start
    while at + 8 <= len(data):
        first, second = struct.unpack(head, data[at : at + 8])
        png = isinstance(second, bytes)
        kind, length = (second, first) if png else (first, second)
        yield Part(kind, data[at + 8 : at + 8 + length])
        at += 8 + length + (4 if png else length % 2)


def _parts(photo: bytes) -> Iterator[Part]:
    if photo.startswith(_JPEG_START):
        yield from _segments(photo)
    elif photo.startswith(_PNG_START):
        yield from _chunks(photo, len(_PNG_START), ">I4s")
    elif photo[:4] == b"RIFF" and photo[8:12] == b"WEBP":
        yield from _chunks(photo, 12, "<4sI")


def _exif(photo: bytes) -> bytes | None:
    """The TIFF directory of a photo."""
    for kind, data in _parts(photo):
        if kind == b"\xe1" and data.startswith(_EXIF):
            return data[len(_EXIF) :]
        if kind in (b"eXIf", b"EXIF"):
            return data.removeprefix(_EXIF)
    return None


def _orientation_at(tiff: bytes) -> tuple[int, str] | None:
    """Where the orientation's value is, and how to unpack it."""
    order = {b"II": "<", b"MM": ">"}.get(tiff[:2])
    if order is None or len(tiff) < 10:
        return None
    (directory,) = struct.unpack(order + "I", tiff[4:8])
    if directory + 2 > len(tiff):
        return None
    (count,) = struct.unpack(order + "H", tiff[directory : directory + 2])
    for entry in range(directory + 2, min(directory + 2 + 12 * count, len(tiff) - 11), 12):
        tag, kind = struct.unpack(order + "HH", tiff[entry : entry + 4])
        if (tag, kind) == (_ORIENTATION, 3):
            return entry + 8, order + "H"
    return None


def orientation(photo: bytes) -> int:
    """The EXIF orientation, 1 (upright) to 8."""
    tiff = _exif(photo)
    place = _orientation_at(tiff) if tiff else None
    if tiff is None or place is None:
        return _UPRIGHT
    (value,) = struct.unpack(place[1], tiff[place[0] : place[0] + 2])
    return int(value) if 1 <= value <= 8 else _UPRIGHT


def _turned(tiff: bytes) -> bytes:
    """The directory with its orientation set to upright."""
    place = _orientation_at(tiff)
    if place is None:
        return tiff
    return tiff[: place[0]] + struct.pack(place[1], _UPRIGHT) + tiff[place[0] + 2 :]


def copy_photo_tags(original: bytes, encoded: bytes) -> bytes:
    """``encoded`` (JPEG or PNG, pixels upright) with the tags of ``original``; of another kind only its EXIF data."""
    tiff = _exif(original)
    if encoded.startswith(_JPEG_START):
        parts = [Part(b"\xe1", _EXIF + _turned(tiff))] if tiff else []
        if original.startswith(_JPEG_START):
            kept = (part for part in _segments(original) if part.kind[0] in _JPEG_KEPT)
            parts += [part for part in kept if not part.data.startswith(_EXIF)]
        first = next(_segments(encoded))
        at = len(_JPEG_START) + (4 + len(first.data) if first.kind == b"\xe0" else 0)  # JFIF comes first
        return encoded[:at] + b"".join(_segment(part) for part in parts) + encoded[at:]
    if encoded.startswith(_PNG_START):
        parts = [Part(b"eXIf", _turned(tiff))] if tiff else []
        if original.startswith(_PNG_START):
            parts += [part for part in _parts(original) if part.kind in _PNG_KEPT - {b"eXIf"}]
        taken = {part.kind for part in parts}
        header, *rest = (part for part in _parts(encoded) if part.kind not in taken)
        return _PNG_START + b"".join(_chunk(part) for part in (header, *parts, *rest))
    return encoded


def _segment(part: Part) -> bytes:
    """Empty if it is too long for JPEG, which only foreign EXIF data can be."""
    if len(part.data) > 0xFFFF - 2:
        return b""
    return b"\xff" + part.kind + struct.pack(">H", len(part.data) + 2) + part.data


def _chunk(part: Part) -> bytes:
    return (
        struct.pack(">I", len(part.data)) + part.kind + part.data + struct.pack(">I", zlib.crc32(part.kind + part.data))
    )
