"""The command ``stream-enhance``.

``stream-enhance INPUT... [OUTPUT]`` enhances; ``doctor``, ``models`` and ``warm`` are subcommands. The options are the
fields of ``Settings``. Heavy imports happen inside the commands, in the order in which they are needed.
"""

from __future__ import annotations

import contextlib
import inspect
import os
import sys
import time
from threading import Thread
from typing import Annotated, Any, Literal, get_args, get_origin

import typer
from annotated_types import Ge, Le
from pydantic import ValidationError
from pydantic.fields import FieldInfo
from typer.core import TyperGroup

from stream import models_cli
from stream.settings import Settings

# NumPy's matrix products here are tiny. Their own threads would spin for the cores that decoding and encoding fill, and
# every product would wait for the slowest of them. It counts when NumPy is imported, which is later.
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

USAGE = 2
_DEFAULT = "enhance"
_FLAGS = {
    "model": ["--model", "-m"],
    "encoder_options": ["--encoder-options", "-e"],
    "output": ["--output", "-o"],
    "summary": ["--json", "--summary"],
    "quiet": ["--quiet", "-q"],
}
_LIMIT_ERRORS = ("greater_than_equal", "less_than_equal")
_EPILOG = "Other commands: doctor (what this machine can do), models (bundles, segmenters), warm (compile the kernels)."


class DefaultCommand(TyperGroup):
    """A group whose first word may be left out: what is no command is an argument of ``enhance``."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        """``in.mp4`` -> ``enhance in.mp4``"""
        if args and args[0] not in self.commands and args[0] != "--version":
            args = [_DEFAULT, *args]
        return super().parse_args(ctx, args or [_DEFAULT, "--help"])


app = typer.Typer(cls=DefaultCommand, add_completion=False, pretty_exceptions_enable=False, rich_markup_mode=None)


def _show_version(wanted: bool) -> None:
    if wanted:
        from importlib.metadata import version

        typer.echo(f"stream-enhance {version('stream-enhance')}")
        raise typer.Exit


@app.callback()
def root(
    version: Annotated[
        bool, typer.Option("--version", callback=_show_version, is_eager=True, help="Print the version.")
    ] = False,
) -> None:
    """Make dark video bright: stream-enhance INPUT... [OUTPUT]"""


def enhance(inputs: list[str], **given: Any) -> None:
    """Make dark clips and photos bright and steady.

    stream-enhance INPUT... [OUTPUT]: an input is a file, a folder or a pattern; several are worked through one by one.
    Two names are an input and its output. Without an output, results go beside the inputs as NAME.enhanced.
    """
    Thread(target=_preload, name="preload").start()
    from stream.jobs import plan
    from stream.runner import report, run_jobs

    options = {name: value for name, value in given.items() if value not in (None, [])}
    try:
        settings = Settings(**options)
    except ValidationError as error:
        _refuse(error)
    if settings.debug:
        _log_everything()
    try:
        code = run_jobs(plan(inputs, settings.output), settings)
    except Exception as error:
        code = report(error, debug=settings.debug)
    raise typer.Exit(code)


def _preload() -> None:
    """Import what takes longest and waits for files and for LLVM, beside the imports of the main thread."""
    with contextlib.suppress(ImportError):  # the main thread says what is missing
        import engines.curve.cpu
        import engines.thumbnail
        import engines.tone_model  # noqa: F401


def _option(name: str, field: FieldInfo) -> inspect.Parameter:
    """The command-line option of a settings field; pydantic checks its value."""
    flags = _FLAGS.get(name, [f"--{name.replace('_', '-')}"])
    default = "" if field.default in (None, False) or field.default_factory else f" [default: {field.default}]"
    kind: Any = str | None
    metavar: str | None = _metavar(field)
    if field.annotation is bool:
        kind, metavar = bool | None, None
    elif name == "encoder_options":
        kind, metavar = list[str] | None, "KEY=VALUE"
    option = typer.Option(*flags, help=f"{field.description}{default}", metavar=metavar, show_default=False)
    return inspect.Parameter(name, inspect.Parameter.KEYWORD_ONLY, default=None, annotation=Annotated[kind, option])


def _metavar(field: FieldInfo) -> str:
    if words := _words(field):
        return "|".join(words)
    if get_origin(field.annotation) is Literal:
        return "|".join(get_args(field.annotation))
    return _range(field) or (field.title or "").upper().split()[-1]


def _words(field: FieldInfo) -> tuple[str, ...]:
    """What a field takes where that is words or numbers, as its settings say."""
    extra = field.json_schema_extra
    return tuple(str(extra["allowed"]).split("|")) if isinstance(extra, dict) and "allowed" in extra else ()


def _range(field: FieldInfo) -> str:
    """``0..1``, or nothing for a field without limits."""
    low = next((limit.ge for limit in field.metadata if isinstance(limit, Ge)), None)
    high = next((limit.le for limit in field.metadata if isinstance(limit, Le)), None)
    return "" if low is None or high is None else f"{low:g}..{high:g}"


def _register_enhance() -> None:
    """Give ``enhance`` one option for each field of the settings."""
    arguments = inspect.Parameter(
        "inputs",
        inspect.Parameter.POSITIONAL_OR_KEYWORD,
        annotation=Annotated[list[str], typer.Argument(metavar="INPUT", show_default=False)],
    )
    parameters = [arguments, *(_option(name, field) for name, field in Settings.model_fields.items())]
    enhance.__signature__ = inspect.Signature(parameters)  # type: ignore[attr-defined]
    enhance.__annotations__ = {parameter.name: parameter.annotation for parameter in parameters}
    app.command(_DEFAULT, epilog=_EPILOG)(enhance)


_register_enhance()


@app.command()
def doctor(as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False) -> None:
    """Say what this machine can do, what is missing and how to get it."""
    from stream.doctor import examine, to_json, to_text

    findings = examine()
    typer.echo(to_json(findings) if as_json else to_text(findings))


app.add_typer(models_cli.app, name="models")


@app.command()
def warm() -> None:
    """Compile the kernels now, so that no later start has to."""
    start = time.perf_counter()
    import engines
    import stream.vision.tracker  # noqa: F401  (compiles on import, as motion does, which it needs)

    engines.warm()
    typer.echo(f"kernels ready after {time.perf_counter() - start:.1f} s")


def _refuse(error: ValidationError) -> None:
    for name, problem in {str(problem["loc"][0]): problem for problem in error.errors()}.items():
        flag = _FLAGS.get(name, [f"--{name.replace('_', '-')}"])[0]
        allowed = _allowed(Settings.model_fields[name], is_number=problem["type"] in _LIMIT_ERRORS)
        complaint = problem.get("ctx", {}).get("error") or f"{problem['input']} is not {allowed}"
        print(f"error: {flag}: {complaint}.", file=sys.stderr)
    raise typer.Exit(USAGE)


def _allowed(field: FieldInfo, *, is_number: bool) -> str:
    """The values that an option takes, to follow "is not"; ``is_number`` tells that only the size is wrong."""
    if field.annotation is bool:
        return "true or false"
    if words := _words(field):
        return f"{', '.join(words[:-1])} or {words[-1]}"
    if get_origin(field.annotation) is Literal:
        return f"one of {', '.join(get_args(field.annotation))}"
    limits = _range(field)
    if not limits:
        return "usable here"
    kind = "a number " if field.annotation is float else "a whole number "
    return f"{'' if is_number else kind}in {limits}"


def _log_everything() -> None:
    """The log of the libraries, FFmpeg's too: it goes through ``logging`` under the name ``libav``."""
    import logging

    import av.logging

    logging.basicConfig(level=logging.DEBUG)
    av.logging.set_level(av.logging.INFO)


def main() -> None:
    """Entry point. Exit codes: 0 done, 1 failed, 2 usage, 130 interrupted, 143 terminated."""
    try:
        app()
    except KeyboardInterrupt:
        sys.exit(130)


if __name__ == "__main__":
    main()
