"""What an encoder is told so that it suits live video: no delay, bounded rate, key frames only when asked for."""

from __future__ import annotations

import math
from dataclasses import replace

from stream.media.encoder import EncoderSettings

_CAP_720P = 4_000_000
_BUFFER_S = 0.5
"""The rate buffer in seconds of the highest rate: so long may one big key frame hold up a line of that rate."""
_PRESET = "ultrafast"
"""A third of veryfast's CPU time for 0.3 dB less at the same rate: docs/decisions/live-outputs.md has the figures."""
_ENDLESS = 1 << 20
"""Frames between key frames that the encoder makes by itself: key frames are set by time, from outside."""
_AT_ONCE = {"qsv": {"async_depth": "1", "forced_idr": "1"}, "vaapi": {"async_depth": "1"}}
"""Without these, the encoders of Intel's hardware hold several pictures back, and keys are no places to join at. Taken
from FFmpeg's list of options; never run, for want of the hardware."""


def rate_cap(width: int, height: int) -> int:
    """Highest rate in bits a second where the user gave none: 4 Mb/s at 1280x720, rising slower than the area does."""
    return round(_CAP_720P * math.pow(width * height / (1280 * 720), 0.75))


def live_options(settings: EncoderSettings, width: int, height: int, bitrate: int | None) -> dict[str, str]:
    """Options for the codec context. ``bitrate`` in bits a second caps constant quality; the user's options win."""
    cap = bitrate or rate_cap(width, height)
    usual = replace(settings, options={}).codec_options()
    chosen = {**usual, **_common(cap), **_of_encoder(settings, usual, cap)}
    return {**chosen, **settings.options, **_parameter_lists(settings, chosen)}


def _common(cap: int) -> dict[str, str]:
    return {"g": str(_ENDLESS), "bf": "0", "maxrate": str(cap), "bufsize": str(round(cap * _BUFFER_S))}


def _of_encoder(settings: EncoderSettings, usual: dict[str, str], cap: int) -> dict[str, str]:
    codec, fast = settings.codec, {"preset": settings.preset or _PRESET, "tune": "zerolatency", "forced-idr": "1"}
    if codec == "libx264":
        return {**fast, "x264-params": "repeat-headers=1"}
    if codec == "libx265":
        parameters = f"{usual['x265-params']}:repeat-headers=1:info=0"
        return {**fast, "x265-params": parameters}
    if codec == "libsvtav1":
        return {"preset": settings.preset or "10", "svtav1-params": "pred-struct=1:lookahead=0:scd=0"}
    if codec == "libvpx-vp9":
        return {"b": str(cap), "deadline": "realtime", "cpu-used": "8", "lag-in-frames": "0", "row-mt": "1"}
    if codec.endswith("_nvenc"):
        return {"tune": "ull", "zerolatency": "1", "delay": "0", "rc": "vbr", "forced-idr": "1"}
    at_once = {} if codec.startswith("mjpeg") else _AT_ONCE.get(codec.rpartition("_")[2], {})
    return at_once if usual else {"b": str(cap), **at_once}


def _parameter_lists(settings: EncoderSettings, chosen: dict[str, str]) -> dict[str, str]:
    """Lists such as ``x264-params`` hold ours and the user's; of two equal names the last one, the user's, counts."""
    return {
        name: f"{chosen[name]}:{settings.options[name]}"
        for name in ("x264-params", "x265-params", "svtav1-params")
        if name in chosen and name in settings.options
    }
