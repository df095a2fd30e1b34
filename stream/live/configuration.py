"""The streams of a service, as ``streams.yaml`` tells them: ``defaults`` for all, and each stream by its name.

Every fault of the file is found at once and told with its line, the keys that lead there and what would be right.
Passwords need not be in the file: ``{CAM_PASS}`` in a URI is taken from the environment, ``{file:/run/secrets/cam}``
from a file, when the URI is opened.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from difflib import get_close_matches
from pathlib import Path
from typing import ClassVar

from stream.errors import StreamError
from stream.live.checks import (
    Fault,
    feeds_itself,
    problem_of_encoder,
    problem_of_engine,
    problem_of_model,
    problem_of_output,
    problem_of_segmenter,
    problem_of_source,
    settings_of,
)
from stream.live.outputs.open import place_of
from stream.live.sink_settings import sink_settings
from stream.live.yaml_lines import Mapping, Problem, Written, read_yaml
from stream.redaction import redact
from stream.settings import Settings

PROCESS_KEYS = ("metrics", "summary", "quiet", "debug")
"""Settings that a process has once: they stand at the top of the file."""
_TOP_KEYS = ("defaults", "streams", *PROCESS_KEYS)
_SETTINGS = tuple(name for name in Settings.model_fields if name not in (*PROCESS_KEYS, "output"))
_ENCODER = ("codec", "preset", "crf", "encoder_options")
_PLACES = ("source", "outputs")
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}", re.ASCII)
_ELSEWHERE = {
    "output": "is called outputs here",
    "url": "is called source here",
    "input": "is called source here",
    **dict.fromkeys(PROCESS_KEYS, "is set once for the process: it stands at the top of the file"),
}


@dataclass(frozen=True, slots=True, repr=False)
class StreamConfig:
    """A live stream by name. ``source`` and ``outputs`` are URIs as they were written, placeholders and all.

    ``settings.output`` plays no part here: ``outputs`` says where the stream goes.
    """

    name: str
    source: str
    outputs: tuple[str, ...]
    settings: Settings

    def __repr__(self) -> str:
        """Without the URIs, which may hold passwords."""
        return f"StreamConfig(name={self.name!r}, outputs={len(self.outputs)})"


@dataclass(frozen=True, slots=True)
class Configuration:
    """All of a file: the streams, and the settings that the process has once."""

    path: Path
    streams: tuple[StreamConfig, ...]
    process: Settings
    warnings: tuple[str, ...] = ()
    """What around single streams is not right yet, such as a folder that cannot be written to; as a fault is told."""


class ConfigurationError(StreamError):
    """The file cannot be used. ``problems`` are all that was found; the text tells them in one line."""

    exit_code: ClassVar[int] = 2

    def __init__(self, path: Path, problems: list[Problem]) -> None:
        self.path, self.problems = path, problems
        super().__init__("; ".join(self.lines))

    @property
    def lines(self) -> list[str]:
        """``streams.yaml:7: streams.door.strength: 1.5 is not in 0..1``, one for each problem, in the file's order."""
        return _told(self.path, self.problems)


def _told(path: Path, problems: list[Problem]) -> list[str]:
    found = dict.fromkeys(sorted(problems, key=lambda problem: problem.line))
    return [redact(f"{path}:{p.line}: {p}" if p.line else f"{path}: {p}") for p in found]


def read_configuration(path: str | Path, *, strict: bool = True) -> Configuration:
    """Reads and checks a file; nothing is opened but bundles. Raises ``ConfigurationError`` with all its faults.

    Not ``strict``: what lies in the surroundings of a stream, and can pass, is no fault but a warning.
    """
    path = Path(path)
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        reason = (error.strerror if isinstance(error, OSError) else None) or "it is no text in UTF-8"
        raise ConfigurationError(path, [Problem(0, "", f"cannot be read: {reason}")]) from error
    document, problems = read_yaml(text)
    reader = _Reader(problems)
    configuration = None if document.value is None and problems else reader.configuration(path, document)
    if configuration is None or reader.problems or (strict and reader.passing):
        raise ConfigurationError(path, reader.problems + reader.passing)
    return replace(configuration, warnings=tuple(_told(path, reader.passing)))


class _Reader:
    """Collects problems while it reads; what it returns is of use only if there are none."""

    def __init__(self, problems: list[Problem]) -> None:
        self.problems = problems
        self.passing: list[Problem] = []
        """What is not right around single streams."""

    def configuration(self, path: Path, document: Written) -> Configuration:
        top = self._mapping(document, "", "a file with the keys defaults and streams") or {}
        self._unknown(top, "", _TOP_KEYS)
        process = {key: top[key] for key in PROCESS_KEYS if key in top}
        defaults = self._mapping(top["defaults"], "defaults", "settings") if "defaults" in top else None
        for key in self._unknown(defaults or {}, "defaults", _SETTINGS):
            del (defaults or {})[key]
        streams = self._mapping(top["streams"], "streams", "streams by name") if "streams" in top else None
        if not streams and not self.problems:
            self._add(document.line, "", "there are no streams: give at least one under the key streams")
        read = [self._stream(name, written, defaults or {}) for name, written in (streams or {}).items()]
        self._same_outputs(streams or {}, [config for config in read if config is not None])
        settings = self._settings({key: (value, key) for key, value in process.items()}, document.line)
        return Configuration(path, tuple(config for config in read if config), settings or Settings.model_construct())

    def _stream(self, name: str, written: Written, defaults: Mapping) -> StreamConfig | None:
        path = f"streams.{name}"
        if not _NAME.fullmatch(name):
            self._add(written.line, path, "a name has letters, digits, '.', '_' and '-', 64 at most, no other signs")
        own = self._mapping(written, path, "a source, outputs and settings")
        if own is None:
            return None
        unknown = self._unknown(own, path, (*_PLACES, *_SETTINGS))
        said = {key: (value, f"defaults.{key}") for key, value in defaults.items()}
        said |= {key: (own[key], f"{path}.{key}") for key in own if key not in (*_PLACES, *unknown)}
        settings = self._settings(said, written.line)
        source = self._source(own, path, written.line, settings.source_options if settings else {})
        wrong = problem_of_encoder(settings) if settings else ""
        if wrong:
            value, where = next((said[key] for key in _ENCODER if key in said), (written, path))
            self._add(value.line, where, wrong)
        outputs = self._outputs(own, path, written.line, None if wrong else settings)
        if source is None or outputs is None or settings is None:
            return None
        if wrong := problem_of_model(settings):
            value, where = said.get("model") or said.get("mode") or (written, path)
            self._add(value.line, where, wrong)
        elif wrong := problem_of_engine(settings):
            value, where = said.get("engine", (written, path))
            self._add(value.line, where, wrong)
        if wrong := problem_of_segmenter(settings):
            value, where = said.get("sam", (written, path))
            self._add(value.line, where, wrong)
        return StreamConfig(name, source, outputs, settings)

    def _source(self, own: Mapping, path: str, line: int, options: dict[str, str]) -> str | None:
        if "source" not in own:
            self._add(line, path, "has no source: give the URI of a camera or stream")
            return None
        written = own["source"]
        uri = self._text(written, f"{path}.source", "a URI")
        if uri is not None and (wrong := problem_of_source(uri, options)):
            self._add_fault(written.line, f"{path}.source", wrong)
        return uri

    def _outputs(self, own: Mapping, path: str, line: int, settings: Settings | None) -> tuple[str, ...] | None:
        written = own.get("outputs")
        if written is None or written.value in (None, []):
            self._add(written.line if written else line, path, "has no outputs: give one URI or a list of them")
            return None
        parts = written.value if isinstance(written.value, list) else [written]
        uris = [self._text(part, f"{path}.outputs", "a URI, or a list of them") for part in parts]
        for part, uri in zip(parts, uris, strict=True):
            if uri is not None and (wrong := problem_of_output(uri, settings)):
                self._add_fault(part.line, f"{path}.outputs", wrong)
        return tuple(uri for uri in uris if uri is not None)

    def _same_outputs(self, streams: Mapping, configs: list[StreamConfig]) -> None:
        """Two outputs in one place destroy each other's work, be they of two streams or of one; so does a circle."""
        owner: dict[str, str] = {}
        for config in configs:
            own = streams[config.name].value
            for part, uri in _parts(own["outputs"]) if isinstance(own, dict) else ():
                if feeds_itself(config.source, uri, config.settings):
                    self._add(part.line, f"streams.{config.name}.outputs", f"{uri} is where this stream comes from")
                try:
                    place = place_of(uri, sink_settings(config.settings))
                except StreamError:
                    continue  # told already
                if place and place in owner:
                    whose = "this stream" if owner[place] == config.name else f"stream {owner[place]}"
                    self._add(part.line, f"streams.{config.name}.outputs", f"{uri} is an output of {whose} already")
                owner.setdefault(place, config.name)

    def _settings(self, said: dict[str, tuple[Written, str]], line: int) -> Settings | None:
        settings, faults = settings_of({key: value for key, (value, _) in said.items()})
        for name, text in faults:
            written, path = said.get(
                name, (None, f"environment variable STREAM_ENHANCE_{name.upper()}" if name else "")
            )
            self._add(written.line if written else 0 if name else line, path, text)
        return settings

    def _mapping(self, written: Written, path: str, what: str) -> Mapping | None:
        if isinstance(written.value, dict):
            return dict(written.value)
        if written.value is not None:
            self._add(written.line, path, f"must hold {what}")
        return None if path.startswith("streams.") and written.value is not None else {}

    def _text(self, written: Written, path: str, what: str) -> str | None:
        if isinstance(written.value, str) and written.value.strip():
            return written.value.strip()
        unquoted = isinstance(written.value, dict) and all(part.value is None for part in written.value.values())
        self._add(written.line, path, f"must be {what}" + ("; put it in quotes" if unquoted else ""))
        return None

    def _unknown(self, given: Mapping, path: str, known: tuple[str, ...]) -> list[str]:
        """The keys that mean nothing in this place, each told with the nearest one that does."""
        unknown = [key for key in given if key not in known]
        for key in unknown:
            near = get_close_matches(key, known, 1)
            advice = f"did you mean {near[0]}?" if near else f"known are {', '.join(known)}"
            misplaced = "has no meaning for all streams at once: it stands with each" if key in _PLACES else None
            text = misplaced or (_ELSEWHERE.get(key) if path else None) or f"is unknown; {advice}"
            self._add(given[key].line, f"{path}.{key}" if path else key, text)
        return unknown

    def _add_fault(self, line: int, path: str, fault: Fault) -> None:
        (self.passing if fault.can_pass else self.problems).append(Problem(line, path, redact(fault.text)))

    def _add(self, line: int, path: str, text: str) -> None:
        self.problems.append(Problem(line, path, redact(text)))


def _parts(outputs: Written) -> list[tuple[Written, str]]:
    """Each output as it stands in the file, which was found to hold texts."""
    parts = outputs.value if isinstance(outputs.value, list) else [outputs]
    return [(part, part.value.strip()) for part in parts if isinstance(part.value, str)]
