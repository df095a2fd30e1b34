"""How the enhanced video is encoded.

Defaults: libx264, CRF 21, preset veryfast. Brightened night video is noisy, and noise is what an encoder spends bits
on: docs/decisions/pyav.md has the figures behind the choice.
"""

from __future__ import annotations

import os
from dataclasses import dataclass, field
from fractions import Fraction

import av
from av.codec.context import Flags
from av.video.codeccontext import VideoCodecContext

from stream.errors import EncoderUnavailable
from stream.media.colour import ColourTags
from stream.media.probe import is_hardware, probe_encoder

_QUALITY = {
    "libx264": ("crf", 21, 51),
    "libx265": ("crf", 25, 51),
    "libsvtav1": ("crf", 32, 63),
    "libvpx-vp9": ("crf", 31, 63),
    "nvenc": ("cq", 24, 51),
    "qsv": ("global_quality", 24, 51),
}
"""The option that means constant quality, a value that looks about as good as the first one, and where its scale ends.
All scales begin at 0, and some encoders clip what lies outside without a word."""
_PRESETS = ("ultrafast", "superfast", "veryfast", "faster", "fast", "medium", "slow", "slower", "veryslow", "placebo")
_FALLBACK_RATE = Fraction(25)
_RATES = (Fraction(1), Fraction(1000))


@dataclass(frozen=True, slots=True)
class EncoderSettings:
    """``options`` go to the encoder as they are and win over ``crf`` and ``preset``."""

    codec: str = "libx264"
    crf: float | None = None
    """None = a value for this encoder that keeps brightened noise at a sensible rate."""
    preset: str | None = None
    """None = veryfast for libx264 and libx265."""
    threads: int = 0
    """0 = as many as the encoder likes."""
    options: dict[str, str] = field(default_factory=dict)

    @property
    def needs_even_size(self) -> bool:
        """H.264 and H.265 crop 4:2:0 pictures in steps of two: they cannot say that a side is odd."""
        return self.codec in ("libx264", "libx265") or self.codec.startswith(("h264_", "hevc_"))

    def codec_options(self) -> dict[str, str]:
        """Options for the codec context, as FFmpeg spells them for this encoder."""
        chosen: dict[str, str] = {}
        quality = _quality_of(self.codec)
        if quality is not None:
            option, usual, _ = quality
            chosen[option] = f"{usual if self.crf is None else self.crf:g}"
        elif self.crf is not None:
            chosen["crf"] = f"{self.crf:g}"  # the encoder says itself that it does not know it
        if self.codec in ("libx264", "libx265"):
            chosen["preset"] = self.preset or "veryfast"
        elif self.preset is not None:
            chosen["preset"] = self.preset
        if self.codec == "libvpx-vp9":
            chosen["b"] = "0"
        if self.codec == "libx265":
            chosen["x265-params"] = "log-level=error"
        return {**chosen, **self.options}


def _quality_of(codec: str) -> tuple[str, int, int] | None:
    return _QUALITY.get(codec) or _QUALITY.get(codec.rpartition("_")[2])


def _check_quality(settings: EncoderSettings) -> None:
    quality = _quality_of(settings.codec)
    if quality is None or settings.crf is None or 0 <= settings.crf <= quality[2]:
        return
    raise EncoderUnavailable(
        f"{settings.codec} has no --crf {settings.crf:g}: its scale runs from 0 (best) to {quality[2]}",
        do=f"Use a number from 0 to {quality[2]}, or leave --crf out for {quality[1]}",
    )


def check_encoder(settings: EncoderSettings) -> None:
    """Opens the encoder once on a tiny picture, so that a wrong name or option is said before anything is decoded.

    Raises EncoderUnavailable.
    """
    advice = "Check --codec, --preset, --crf and the -e options; stream-enhance doctor lists the encoders"
    if settings.codec == "libsvtav1":
        os.environ.setdefault("SVT_LOG", "1")  # it prints to the terminal by itself; 1 = errors only
    try:
        context = av.CodecContext.create(settings.codec, "w")
    except (av.codec.codec.UnknownCodecError, ValueError) as error:
        raise EncoderUnavailable(f"this build has no encoder named {settings.codec!r}", do=advice) from error
    if not isinstance(context, VideoCodecContext):
        raise EncoderUnavailable(f"{settings.codec!r} does not encode video", do=advice)
    if is_hardware(settings.codec):
        found = probe_encoder(settings.codec)
        if not found.available:
            raise EncoderUnavailable(
                f"the encoder {settings.codec} does not work on this machine: {found.reason}", do="Use --codec libx264"
            )
    context.width, context.height = 320, 192
    context.pix_fmt = accepted_format(settings.codec, "yuv420p")
    context.time_base, context.framerate = Fraction(1, 25), Fraction(25)
    context.thread_count = 1
    options = settings.codec_options()
    if settings.codec in ("libx264", "libx265") and options["preset"] not in _PRESETS:
        raise EncoderUnavailable(
            f"{settings.codec} has no preset {options['preset']!r}", do=f"Use one of {', '.join(_PRESETS)}"
        )
    _check_quality(settings)
    context.options.update(options)
    try:
        context.open()
    except (av.FFmpegError, ValueError) as error:
        given = " ".join(f"{key}={value}" for key, value in options.items())
        if not given:
            said = getattr(error, "strerror", None) or error
            raise EncoderUnavailable(
                f"the encoder {settings.codec} does not take this kind of video ({context.pix_fmt}): {said}",
                do="Use --codec libx264",
            ) from error
        raise EncoderUnavailable(f"the encoder {settings.codec} refuses its options ({given})", do=advice) from error
    if context.options:
        raise EncoderUnavailable(
            f"{settings.codec} does not know the option {next(iter(context.options))!r}", do=advice
        )


def accepted_format(codec: str, pixel_format: str) -> str:
    """``pixel_format`` if the encoder takes it, else the nearest that it takes."""
    formats = [known.name for known in av.Codec(codec, "w").video_formats or []]
    if not formats or pixel_format in formats:
        return pixel_format
    return next((name for name in ("yuv420p", "nv12", "yuv420p10le") if name in formats), formats[0])


def configure(
    context: VideoCodecContext,
    settings: EncoderSettings,
    picture: av.VideoFrame,
    time_base: Fraction,
    average_rate: Fraction | None,
    tags: ColourTags,
    sample_aspect_ratio: Fraction | None,
) -> None:
    """Sets a video encoder up for pictures like ``picture``: same format, size, time base and colour tags.

    ``average_rate`` (frames a second) steers rate control only; time stamps are never regularised.
    """
    context.width, context.height, context.pix_fmt = picture.width, picture.height, picture.format.name
    context.time_base = time_base
    rate = average_rate if average_rate and _RATES[0] <= average_rate <= _RATES[1] else _FALLBACK_RATE
    context.framerate = rate
    if sample_aspect_ratio:
        context.sample_aspect_ratio = sample_aspect_ratio
    context.color_range, context.colorspace = tags.range, tags.matrix
    context.color_primaries, context.color_trc = tags.primaries, tags.transfer
    context.thread_count = settings.threads
    context.flags |= Flags.frame_duration
    options = settings.codec_options()
    if tags.chroma_location is not None:
        options.setdefault("chroma_sample_location", tags.chroma_location)
    context.options.update(options)
