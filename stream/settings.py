"""All that a run can be told, once: the same names on the command line, in the environment and in plain dicts.

``Settings(strength=0.8)`` or ``Settings(**dict)`` in Python, ``--strength 0.8`` on the command line,
``STREAM_ENHANCE_STRENGTH=0.8`` in the environment. What is given in the call wins over the environment.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

from pydantic import BeforeValidator, Field, field_validator
from pydantic_settings import BaseSettings, NoDecode, SettingsConfigDict

from stream import quantities

if TYPE_CHECKING:
    from stream.media.encoder import EncoderSettings

Compare = Literal["none", "split", "side"]
Mode = Literal["fused", "full"]
EngineName = Literal[
    "onnxruntime",
    "auto",
    "openvino",
    "cuda",
    "ort-tensorrt",
    "ort-tensorrt-rtx",
    "ort-openvino",
    "tensorrt",
    "tensorrt-rtx",
]
Denoise = Literal["auto", "off"] | Annotated[float, Field(ge=0.0, le=1.0)]
SamEvery = Literal["auto", "off"] | Annotated[int, Field(ge=1, le=100_000)]
When = Literal["always", "dark"]
Transport = Literal["tcp", "udp", "auto"]
Away = Literal["hold", "pause"]
LIVE = "Live streams"
"""Title of the group of settings that play no part for files."""
_SMALLEST_TILE = 64
_ADDRESS = re.compile(r"^(?:(?:[\w.-]+|\[[0-9a-fA-F:.]+\]):)?(\d{1,5})$", re.ASCII)


def _or_none(parse: Callable[[object], object]) -> BeforeValidator:
    """What ``parse`` makes of a value; the word ``none`` switches the option off."""

    def read(given: object) -> object:
        off = given is None or (isinstance(given, str) and given.strip().lower() == "none")
        return None if off else parse(given)

    return BeforeValidator(read)


def _as_it_is(given: object) -> object:
    return given


def _age_or_size(given: object) -> object:
    quantities.keep(given)
    return given


def _address(given: object) -> str:
    match = _ADDRESS.match(str(given).strip())
    if match is None or not 0 < int(match[1]) < 65536:
        raise ValueError(f"{given} is not a port such as 9100, or HOST:PORT")
    return str(given).strip()


def _key_value_pairs(given: object) -> object:
    """Accept ``"tune=film,aq-mode=3"`` and ``["tune=film", "aq-mode=3"]`` beside a dict."""
    pairs = given.split(",") if isinstance(given, str) else given
    if not isinstance(pairs, (list, tuple)):
        return pairs
    options = {}
    for pair in pairs:
        key, equals, value = str(pair).partition("=")
        if not (key.strip() and equals):
            raise ValueError(f"'{pair}' is not of the form KEY=VALUE")
        options[key.strip()] = value.strip()
    return options


Pairs = Annotated[dict[str, str], NoDecode, BeforeValidator(_key_value_pairs)]


class Settings(BaseSettings):
    """Options of one run. Raises ``pydantic.ValidationError`` for unknown names and values out of range."""

    model_config = SettingsConfigDict(env_prefix="STREAM_ENHANCE_", extra="forbid", frozen=True)

    model: Annotated[str, BeforeValidator(str)] = Field(
        "curve", title="Model", description="Name of a bundle, or path of a bundle folder."
    )
    mode: Mode = Field(
        "fused",
        title="Mode",
        description="fused: the network looks at a thumbnail and one pass applies its tone curves, smoothed in time. "
        "full: it draws every frame at full size; slow, and not smoothed from frame to frame.",
    )
    tile: int = Field(
        512,
        ge=0,
        le=16384,
        title="Tile",
        description="Mode full: largest side of the pieces that a frame is drawn in, 64 or more; 0 is the whole frame.",
    )
    strength: float = Field(
        1.0, ge=0.0, le=1.0, title="Strength", description="How much of the enhancement is used; 0 changes nothing."
    )
    compare: Compare = Field(
        "none", title="Compare", description="Before and after in one picture: one half each, or side by side."
    )
    network_every: int = Field(
        2,
        ge=1,
        le=60,
        title="Network every",
        description="Mode fused: run the network on every N-th frame, and at every cut.",
    )
    denoise: Denoise = Field(
        "auto",
        title="Denoise",
        description="Mode fused: how much noise is averaged away in time, along the motion. auto: all of it, where it "
        "can be seen.",
        json_schema_extra={"allowed": "auto|off|0..1"},
    )
    sam_every: SamEvery = Field(
        "auto",
        title="SAM every",
        description="Look for regions with SAM on every N-th frame; auto: where the regions of before no longer hold.",
        json_schema_extra={"allowed": "auto|off|N"},
    )
    sam: str = Field(
        "auto", title="SAM", description="Segmenter to use, see models list; auto: the one that is installed. Or off."
    )
    sam_share: float = Field(
        0.5, gt=0.0, le=1.0, title="SAM share", description="Part of one CPU core that SAM may use, above 0 to 1."
    )
    codec: str = Field("libx264", title="Codec", description="Video encoder of the output, as FFmpeg names it.")
    crf: int | None = Field(
        None, ge=0, le=63, title="CRF", description="Constant quality; lower is better and larger. Default: by encoder."
    )
    preset: str | None = Field(
        None, title="Preset", description="Speed of the encoder, such as veryfast. Default: by encoder."
    )
    encoder_options: Pairs = Field(
        default_factory=dict, title="Encoder options", description="Further option of the encoder; repeatable."
    )
    engine: EngineName = Field(
        "onnxruntime",
        title="Engine",
        description="What runs the network; onnxruntime is the CPU. auto: the fastest here, measured once; see doctor.",
    )
    threads: int | None = Field(
        None,
        ge=1,
        le=256,
        title="Threads",
        description="Threads for the pass over the pixels; in mode full, for the network. Default: what pays off.",
    )
    output: Annotated[tuple[str, ...], NoDecode] = Field(
        (),
        title="Output",
        description="Output file, or folder for several inputs; beside the input if none is given. For a live source "
        "one or more files, folders or URIs; repeatable.",
    )
    overwrite: bool = Field(False, title="Overwrite", description="Replace existing outputs.")
    summary: Path | None = Field(None, title="Summary", description="Write the summary as JSON; - is standard output.")
    when: When = Field(
        "always",
        title="When",
        description="dark: enhance while the scene is dark, and pass daylight through untouched.",
        json_schema_extra={"group": LIVE},
    )
    staleness: float = Field(
        0.5,
        ge=0.02,
        le=60.0,
        title="Staleness",
        description="Seconds after which a frame that still waits is dropped, 0.02 to 60.",
        json_schema_extra={"group": LIVE},
    )
    transport: Transport = Field(
        "tcp",
        title="Transport",
        description="How RTSP carries the video; auto: UDP, then TCP.",
        json_schema_extra={"group": LIVE},
    )
    source_options: Pairs = Field(
        default_factory=dict,
        title="Source options",
        description="Option of the source, such as size=1280x720, fps=30 or format=mjpeg of a camera; repeatable.",
        json_schema_extra={"group": LIVE},
    )
    source_timeout: float = Field(
        2.0,
        ge=0.5,
        le=50.0,
        title="Source timeout",
        description="Seconds without video after which a source counts as lost, 0.5 to 50; for slow cameras three "
        "times the time between two pictures.",
        json_schema_extra={"group": LIVE},
    )
    away: Away = Field(
        "hold",
        title="Away",
        description="While the source is away, hold the last picture with a notice, or pause the outputs.",
        json_schema_extra={"group": LIVE},
    )
    give_up_after: Annotated[float | None, _or_none(_as_it_is)] = Field(
        None,
        gt=0.0,
        title="Give up after",
        description="Seconds without a source after which the run fails. Default: none, it goes on trying.",
        json_schema_extra={"group": LIVE, "allowed": "SECONDS|none"},
    )
    bitrate: Annotated[int | None, _or_none(quantities.bits_per_second)] = Field(
        None,
        title="Bitrate",
        description="Bits a second at most, such as 800k or 4M. Default: by picture size.",
        json_schema_extra={"group": LIVE, "allowed": "BITS|none"},
    )
    key_every: float = Field(
        2.0,
        ge=0.1,
        le=60.0,
        title="Key every",
        description="Seconds between key frames, with which viewers begin.",
        json_schema_extra={"group": LIVE},
    )
    segment: Annotated[float | None, _or_none(quantities.seconds)] = Field(
        None,
        title="Segment",
        description="Cut recordings into files of this length, such as 10m, named by time.",
        json_schema_extra={"group": LIVE, "allowed": "TIME|none"},
    )
    keep: Annotated[str | None, _or_none(_age_or_size)] = Field(
        None,
        title="Keep",
        description="Delete the oldest segments: by age, such as 7d, or by size of all, such as 50GB.",
        json_schema_extra={"group": LIVE, "allowed": "AGE|SIZE|none"},
    )
    metrics: Annotated[str | None, _or_none(_address)] = Field(
        None,
        title="Metrics",
        description="Serve /metrics, /healthz and /readyz on this port of 127.0.0.1, or of another address.",
        json_schema_extra={"group": LIVE, "allowed": "PORT|HOST:PORT|none"},
    )
    quiet: bool = Field(False, title="Quiet", description="Say nothing but errors.")
    debug: bool = Field(False, title="Debug", description="Show tracebacks and the log of the libraries.")

    def encoder(self) -> EncoderSettings:
        """How video is encoded; the encoder's own defaults where nothing was said."""
        from stream.media.encoder import EncoderSettings

        said = {"crf": self.crf, "preset": self.preset}
        chosen: dict[str, Any] = {name: value for name, value in said.items() if value is not None}
        return EncoderSettings(codec=self.codec, options=dict(self.encoder_options), **chosen)

    @field_validator("tile")
    @classmethod
    def _worth_cutting(cls, given: int) -> int:
        if 0 < given < _SMALLEST_TILE:
            raise ValueError(f"{given} is too small for a tile, whose edges overlap: {_SMALLEST_TILE} or more, or 0")
        return given

    @field_validator("output", mode="before")
    @classmethod
    def _one_or_more(cls, given: object) -> object:
        """One name, or several: in the environment one a line, as names may hold any other character."""
        if given is None:
            return ()
        if isinstance(given, str):
            return tuple(line.strip() for line in given.splitlines() if line.strip())
        return tuple(map(str, given)) if isinstance(given, (list, tuple)) else (str(given),)
