"""YAML as text with places: every value knows its line, and every scalar is the text that was written.

Scalars stay text because the settings read text anyway, from the command line and the environment: one schema for all,
and none of YAML's surprises (``off`` would be a boolean, ``10:30`` a number in base 60). Only ``null``, ``~`` and
nothing at all mean "not said".
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from yaml import YAMLError

_NULL, _MERGE, _STANDARD = "tag:yaml.org,2002:null", "tag:yaml.org,2002:merge", "tag:yaml.org,2002:"


@dataclass(frozen=True, slots=True)
class Problem:
    """What is wrong in a file: the line (1 is the first, 0 none), the keys that lead there, and a sentence."""

    line: int
    path: str
    text: str

    def __str__(self) -> str:
        return f"{self.path}: {self.text}" if self.path else self.text


@dataclass(frozen=True, slots=True)
class Written:
    """A value and the line of its key, or its own where it has none."""

    value: Mapping | Sequence | str | None
    line: int


Mapping = dict[str, Written]
Sequence = list[Written]
Node = Any
"""One of PyYAML's, which differ by ``id``: scalar, sequence or mapping."""


def read_yaml(text: str) -> tuple[Written, list[Problem]]:
    """The document, and what is wrong with it as YAML; an empty one is None."""
    import yaml  # only those who have a file need it

    try:
        node = yaml.compose(text, Loader=yaml.SafeLoader)
    except yaml.YAMLError as error:
        return Written(None, 0), [_syntax(error)]
    except RecursionError:
        return Written(None, 0), [Problem(0, "", "this is nested too deeply")]
    if node is None:
        return Written(None, 1), []
    reader = _Reader()
    return reader.written(node, "", _line(node)), reader.problems


class _Reader:
    """Turns nodes into values. A node that is named again (``*alias``) is read once."""

    def __init__(self) -> None:
        self.problems: list[Problem] = []
        self._read: dict[int, Mapping | Sequence | str | None] = {}
        self._within: set[int] = set()

    def written(self, node: Node, path: str, line: int) -> Written:
        if id(node) in self._within:
            self.problems.append(Problem(line, path, "contains itself"))
            return Written(None, line)
        if id(node) not in self._read:
            self._within.add(id(node))
            self._read[id(node)] = self._value(node, path)
            self._within.discard(id(node))
        return Written(self._read[id(node)], line)

    def _value(self, node: Node, path: str) -> Mapping | Sequence | str | None:
        if not node.tag.startswith(_STANDARD):
            self.problems.append(Problem(_line(node), path, f"the tag {node.tag} means nothing here"))
        if node.id == "mapping":
            return self._mapping(node, path)
        if node.id == "sequence":
            return [self.written(part, f"{path}[{index}]", _line(part)) for index, part in enumerate(node.value)]
        return None if node.tag == _NULL else self._text(node, path)

    def _text(self, node: Node, path: str) -> str:
        text = str(node.value)
        if any("\ud800" <= sign <= "\udfff" for sign in text):  # escapes can spell what no encoding has
            self.problems.append(Problem(_line(node), path, "holds half a character: write it itself, not as \\u"))
            return ""
        return text

    def _mapping(self, node: Node, path: str) -> Mapping:
        own: Mapping = {}
        merged: Mapping = {}
        for key, value in node.value:
            line = _line(key)
            if key.tag == _MERGE:
                parts = value.value if value.id == "sequence" else [value]
                for part in parts:
                    taken = self.written(part, path, line).value
                    merged = {**taken, **merged} if isinstance(taken, dict) else merged
            elif key.id != "scalar":
                self.problems.append(Problem(line, path, "a key must be a single word"))
            elif (name := self._text(key, path)) in own:
                first = own[name].line
                self.problems.append(Problem(line, _join(path, name), f"is given twice, first in line {first}"))
            else:
                own[name] = self.written(value, _join(path, name), line)
        return {**merged, **own}


def _join(path: str, key: str) -> str:
    return f"{path}.{key}" if path else key


def _line(node: Node) -> int:
    return int(node.start_mark.line) + 1


def _syntax(error: YAMLError) -> Problem:
    mark = getattr(error, "problem_mark", None)
    what = getattr(error, "problem", None) or str(error)
    context = getattr(error, "context", None)
    said = " ".join((f"{context}, {what}" if context else what).split())
    if "mapping values" in said:
        said += "; put a value in quotes that ends with a colon, or has one before a blank"
    return Problem(mark.line + 1 if mark else 0, "", f"this is no YAML: {said}")
