"""What can be said of a stream's settings and URIs before anything is opened, each fault as a sentence."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from engines.bundle import load_bundle
from engines.choose import check_engine
from engines.errors import EngineError
from stream.errors import StreamError
from stream.live.outputs.beforehand import check_output
from stream.live.outputs.open import place_of
from stream.live.outputs.patient import SURROUNDINGS
from stream.live.sink_settings import sink_settings
from stream.live.yaml_lines import Written
from stream.media.credentials import fill_in, split_user_info
from stream.media.encoder import check_encoder
from stream.media.sources.connection import SourceOptions, check_address, is_live, scheme_of
from stream.media.uri import local_path
from stream.models.choice import choose_sam
from stream.options import allowed_values
from stream.settings import Settings

_LIVE = "rtsp://, http://, srt://, rtmp://, udp://, /dev/videoN, gst:PIPELINE, testsrc: or live:FILE"
SOURCES_ONLY = ("http", "https", "hls", "csi", "v4l2", "testsrc", "live")


@dataclass(frozen=True, slots=True)
class Fault:
    """Why something cannot be used. ``can_pass``: it lies in what is around, and not in what was written."""

    text: str
    can_pass: bool = False


_DATAGRAMS = ("udp", "rtp")
_LIMITS = ("greater_than_equal", "less_than_equal")


def settings_of(said: Mapping[str, Written]) -> tuple[Settings | None, list[tuple[str, str]]]:
    """The settings, or the name of each one that is wrong (empty for all together) and what is wrong about it.

    What is null was not said; what was not said comes from the environment, or is the default.
    """
    values = {name: _plain(written) for name, written in said.items() if written.value is not None}
    try:
        return Settings(**({"output": ()} | values)), []
    except ValidationError as error:
        found = {str(problem["loc"][0]) if problem["loc"] else "": problem for problem in error.errors()}
        return None, [(name, _complaint(name, problem)) for name, problem in found.items()]


def problem_of_model(settings: Settings) -> str:
    """Why the model cannot be used, or nothing. Its file is read and verified, not loaded."""
    try:
        bundle = load_bundle(settings.model)
    except EngineError as error:
        return str(error).rstrip(".")
    if settings.mode == "full" and bundle.card.kind != "picture":
        return f"mode full needs a model that draws pictures; '{settings.model}' predicts tone curves: use mode fused"
    return ""


def problem_of_engine(settings: Settings) -> str:
    """Why the engine cannot run the model here, or nothing. The model has been found to be good."""
    try:
        check_engine(load_bundle(settings.model), settings.engine)
    except EngineError as error:
        return str(error).rstrip(".")
    return ""


def problem_of_segmenter(settings: Settings) -> str:
    """Why the segmenter that is named cannot be used, or nothing. Its card is read alone."""
    if settings.sam_every == "off":
        return ""
    try:
        choose_sam(settings.sam)
    except StreamError as error:
        return str(error).rstrip(".")
    return ""


def problem_of_source(uri: str, options: Mapping[str, str]) -> Fault | None:
    """Why nothing live can come from a URI, if so. Its placeholders are looked up and remembered as secrets."""
    if not is_live(uri):
        if Path(uri).is_file():
            return Fault(f"{uri} is a file, which a live stream plays at its own pace as live:{uri}")
        return Fault(f"{uri} is no live source: give {_LIVE}")
    try:
        check_address(uri, SourceOptions(options=dict(options)))
    except StreamError as error:
        return _fault(error)
    return None


def problem_of_output(uri: str, settings: Settings | None) -> Fault | None:
    """Why nothing can be written to a URI, if so; placeholders as in sources. Files may exist: they are ours.

    ``settings`` are None where they cannot be used themselves; then only the address is looked at.
    """
    try:
        filled = fill_in(uri)
        if scheme_of(filled) in SOURCES_ONLY:
            return Fault(f"{uri} can be read, not written to")
        if settings is not None:
            check_output(uri, sink_settings(settings))
        elif not is_live(filled) and uri != "null:":
            local_path(uri)
    except StreamError as error:
        return _fault(error)
    return None


def feeds_itself(source: str, output: str, settings: Settings) -> bool:
    """Whether an output goes to where the source reads: its own pictures would come back, enhanced again and again."""
    try:
        if source.lower().startswith("live:"):
            return place_of(output, sink_settings(settings)) == os.path.realpath(local_path(source[len("live:") :]))
        return is_live(output) and _endpoint(source) == _endpoint(output) != ""
    except StreamError:
        return False  # told elsewhere


def _endpoint(uri: str) -> str:
    """Server and path, without who asks; of datagrams only where they go. Empty where a URI names no such place."""
    scheme, separator, rest = fill_in(uri).partition("://")
    if not separator:
        return ""
    _, place = split_user_info(rest)
    if scheme.lower() in _DATAGRAMS:
        place = place.lstrip("@").partition("?")[0]
    host, slash, path = place.partition("/")
    return f"{scheme.lower()}://{host.lower()}{slash}{path}"


def problem_of_encoder(settings: Settings) -> str:
    """Why the encoder cannot be used, or nothing. It is opened once, on a tiny picture."""
    try:
        check_encoder(settings.encoder())
    except StreamError as error:
        return str(error).rstrip(".")
    return ""


def _fault(error: StreamError) -> Fault:
    return Fault(str(error).rstrip("."), isinstance(error, SURROUNDINGS))


def _plain(written: Written) -> Any:
    value = written.value
    if isinstance(value, dict):
        return {key: _plain(part) for key, part in value.items()}
    return [_plain(part) for part in value] if isinstance(value, list) else value


def _complaint(name: str, problem: Any) -> str:
    """``1.5 is not in 0..1``: what was given, and what would be right."""
    said = problem.get("ctx", {}).get("error")
    if said or not name:
        return str(said or problem["msg"])
    field = Settings.model_fields[name]
    allowed = allowed_values(field, is_number=problem["type"] in _LIMITS)
    if allowed == "usable here":
        return f"{problem['input']} is refused: {problem['msg'][:1].lower()}{problem['msg'][1:]}"
    return f"{problem['input']} is not {allowed}"
