"""The fields of ``Settings`` as command-line options: flags, help in groups, and refusals in plain words."""

from __future__ import annotations

import inspect
from collections.abc import Iterator
from typing import Annotated, Any, Literal, get_args, get_origin

import typer
from annotated_types import Ge, Gt, Le
from pydantic import ValidationError
from pydantic.fields import FieldInfo
from typer.core import TyperCommand

from stream.settings import Settings

_FLAGS = {
    "model": ["--model", "-m"],
    "encoder_options": ["--encoder-options", "-e"],
    "source_options": ["--source-options", "-s"],
    "output": ["--output", "-o"],
    "summary": ["--json", "--summary"],
    "quiet": ["--quiet", "-q"],
}
_LIMIT_ERRORS = ("greater_than_equal", "less_than_equal")
_REPEATABLE = {"encoder_options": "KEY=VALUE", "source_options": "KEY=VALUE", "output": "OUTPUT"}
_OPTIONS = "Options"


class GroupedCommand(TyperCommand):
    """A command whose help shows the options of each group of settings under a title of their own."""

    def format_options(self, ctx: Any, formatter: Any) -> None:
        """Arguments, options that every run has, then the groups."""
        sections: dict[str, list[Any]] = {"Arguments": [], _OPTIONS: []}
        for parameter in self.get_params(ctx):
            record = parameter.get_help_record(ctx)
            if record is not None:
                argument = parameter.param_type_name == "argument"
                title = "Arguments" if argument else _group(parameter.name or "")
                sections.setdefault(title, []).append(record)
        for title, records in sections.items():
            if records:
                with formatter.section(title):
                    formatter.write_dl(records)


def parameters() -> list[inspect.Parameter]:
    """One option for each field of the settings; pydantic checks the values."""
    return [_option(name, field) for name, field in Settings.model_fields.items()]


def refusals(error: ValidationError) -> Iterator[str]:
    """``--strength: 2 is not in 0..1.``: one line for each field that was refused."""
    for name, problem in {str(problem["loc"][0]): problem for problem in error.errors()}.items():
        allowed = allowed_values(Settings.model_fields[name], is_number=problem["type"] in _LIMIT_ERRORS)
        complaint = problem.get("ctx", {}).get("error") or f"{problem['input']} is not {allowed}"
        yield f"{_flags(name)[0]}: {complaint}."


def allowed_values(field: FieldInfo, *, is_number: bool = False) -> str:
    """The values that an option takes, to follow "is not"; ``is_number`` tells that only the size is wrong."""
    if field.annotation is bool:
        return "true or false"
    if words := _words(field):
        return f"{', '.join(words[:-1])} or {words[-1]}"
    if get_origin(field.annotation) is Literal:
        return f"one of {', '.join(get_args(field.annotation))}"
    limits = _range(field)
    above = next((limit.gt for limit in field.metadata if isinstance(limit, Gt)), None)
    if above is not None and (high := _highest(field)) is not None:
        return f"a number above {above:g} and at most {high:g}"
    if not limits:
        return "usable here"
    kind = "a number " if field.annotation is float else "a whole number "
    return f"{'' if is_number else kind}in {limits}"


def _flags(name: str) -> list[str]:
    return _FLAGS.get(name, [f"--{name.replace('_', '-')}"])


def _option(name: str, field: FieldInfo) -> inspect.Parameter:
    default = "" if field.default in (None, False, ()) or field.default_factory else f" [default: {field.default}]"
    kind: Any = str | None
    metavar: str | None = _metavar(field)
    if field.annotation is bool:
        kind, metavar = bool | None, None
    elif name in _REPEATABLE:
        kind, metavar = list[str] | None, _REPEATABLE[name]
    option = typer.Option(*_flags(name), help=f"{field.description}{default}", metavar=metavar, show_default=False)
    return inspect.Parameter(name, inspect.Parameter.KEYWORD_ONLY, default=None, annotation=Annotated[kind, option])


def _group(name: str) -> str:
    field = Settings.model_fields.get(name)
    return str(_extra(field).get("group", _OPTIONS)) if field else _OPTIONS


def _metavar(field: FieldInfo) -> str:
    if words := _words(field):
        return "|".join(words)
    if get_origin(field.annotation) is Literal:
        return "|".join(get_args(field.annotation))
    return _range(field) or (field.title or "").upper().split()[-1]


def _extra(field: FieldInfo) -> dict[str, Any]:
    return field.json_schema_extra if isinstance(field.json_schema_extra, dict) else {}


def _words(field: FieldInfo) -> tuple[str, ...]:
    """What a field takes where that is words or numbers, as its settings say."""
    allowed = _extra(field).get("allowed")
    return tuple(str(allowed).split("|")) if allowed else ()


def _range(field: FieldInfo) -> str:
    """``0..1``, or nothing for a field without limits."""
    low = next((limit.ge for limit in field.metadata if isinstance(limit, Ge)), None)
    high = _highest(field)
    return "" if low is None or high is None else f"{low:g}..{high:g}"


def _highest(field: FieldInfo) -> Any:
    """The upper bound of a field that has one."""
    return next((limit.le for limit in field.metadata if isinstance(limit, Le)), None)
