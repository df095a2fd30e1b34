"""AAC as MPEG-TS carries it (ADTS, ISO/IEC 13818-7): each packet with a header, which other containers keep once."""

from __future__ import annotations


def audio_specific_config(data: bytes) -> bytes | None:
    """What other containers want to know once (ISO/IEC 14496-3), from the header of a packet; None without one."""
    if not has_header(data):
        return None
    profile, rate = data[2] >> 6, (data[2] >> 2) & 15
    channels = (data[2] & 1) << 2 | data[3] >> 6
    return bytes([(profile + 1) << 3 | rate >> 1, (rate & 1) << 7 | channels << 3])


def has_header(data: bytes) -> bool:
    """Whether a packet begins with a header of ADTS that tells the packet's own length."""
    if len(data) < 8 or data[0] != 0xFF or data[1] & 0xF6 != 0xF0:
        return False
    return ((data[3] & 3) << 11 | data[4] << 3 | data[5] >> 5) == len(data)


def without_header(data: bytes) -> bytes:
    """The packet itself; with a checksum the header is longer."""
    return data[7 if data[1] & 1 else 9 :] if has_header(data) else data
