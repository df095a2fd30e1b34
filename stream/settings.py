"""All that a run can be told, once: the same names on the command line, in the environment and in plain dicts.

``Settings(strength=0.8)`` or ``Settings(**dict)`` in Python, ``--strength 0.8`` on the command line,
``STREAM_ENHANCE_STRENGTH=0.8`` in the environment. What is given in the call wins over the environment.
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

from pydantic import BeforeValidator, Field, field_validator
from pydantic_settings import BaseSettings, NoDecode, SettingsConfigDict

Compare = Literal["none", "split", "side"]
Mode = Literal["fused", "full"]
Denoise = Literal["auto", "off"] | Annotated[float, Field(ge=0.0, le=1.0)]
SamEvery = Literal["auto", "off"] | Annotated[int, Field(ge=1, le=100_000)]
_SMALLEST_TILE = 64


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
    encoder_options: Annotated[dict[str, str], NoDecode] = Field(
        default_factory=dict, title="Encoder options", description="Further option of the encoder; repeatable."
    )
    threads: int | None = Field(
        None,
        ge=1,
        le=256,
        title="Threads",
        description="Threads for the pass over the pixels; in mode full, for the network. Default: what pays off.",
    )
    output: Path | None = Field(
        None, title="Output", description="Output file, or folder for several inputs. Default: beside the input."
    )
    overwrite: bool = Field(False, title="Overwrite", description="Replace existing outputs.")
    summary: Path | None = Field(None, title="Summary", description="Write the summary as JSON; - is standard output.")
    quiet: bool = Field(False, title="Quiet", description="Say nothing but errors.")
    debug: bool = Field(False, title="Debug", description="Show tracebacks and the log of the libraries.")

    @field_validator("tile")
    @classmethod
    def _worth_cutting(cls, given: int) -> int:
        if 0 < given < _SMALLEST_TILE:
            raise ValueError(f"{given} is too small for a tile, whose edges overlap: {_SMALLEST_TILE} or more, or 0")
        return given

    @field_validator("encoder_options", mode="before")
    @classmethod
    def _key_value_pairs(cls, given: object) -> object:
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
