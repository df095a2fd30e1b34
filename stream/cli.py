"""The command ``stream-enhance``.

``stream-enhance INPUT... [OUTPUT]`` enhances; ``run``, ``doctor``, ``models``, ``build``, ``cache`` and ``warm`` are
subcommands. The options are the fields of ``Settings``. Heavy imports happen inside the commands, in the order in which
they are needed.
"""

from __future__ import annotations

import atexit
import contextlib
import inspect
import os
import sys
import threading
import time
from collections.abc import Iterator
from typing import Annotated, Any

import typer
from pydantic import ValidationError
from typer.core import TyperGroup

from stream import engines_cli, models_cli
from stream.options import GroupedCommand, parameters, refusals
from stream.settings import Settings

# NumPy's matrix products here are tiny. Their own threads would spin for the cores that decoding and encoding fill, and
# every product would wait for the slowest of them. It counts when NumPy is imported, which is later.
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

USAGE = 2
_DEFAULT = "enhance"
_EPILOG = (
    "Other commands: run (several live streams out of one file), doctor (what this machine can do), models (bundles, "
    "segmenters), build and cache (TensorRT engines), warm (compile the kernels)."
)


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
    """Make dark clips, photos and live streams bright and steady.

    stream-enhance INPUT... [OUTPUT]: an input is a file, a folder or a pattern; several are worked through one by one.
    Two names are an input and its output. Without an output, results go beside the inputs as NAME.enhanced.

    stream-enhance SOURCE -o OUTPUT...: a live source is rtsp://, http://, srt://, rtmp://, udp://, /dev/video0, csi:0,
    gst:PIPELINE, testsrc: or live:FILE, a file at its own pace. It goes to addresses like these, to files, folders of
    segments, or null:, until Ctrl-C ends it.
    """
    _begin_preload()
    from stream.jobs import live_job, plan
    from stream.runner import report, run_jobs

    options = {name: value for name, value in given.items() if value not in (None, [])}
    try:
        settings = Settings(**options)
    except ValidationError as error:
        _refuse(error)
    with _everything_logged() if settings.debug else contextlib.nullcontext():
        try:
            live = live_job(inputs, settings.output)
            if live is None:
                code = run_jobs(plan(inputs, settings.output), settings)
            else:
                from stream.live.command import run_live

                code = run_live(live, settings)
        except Exception as error:
            code = report(error, debug=settings.debug)
    raise typer.Exit(code)


def _begin_preload() -> None:
    # First and alone: two threads that import NumPy at the same time find one half of it each.
    with contextlib.suppress(ImportError):
        import numpy  # noqa: F401
    threading.Thread(target=_preload, name="preload").start()


def _preload() -> None:
    """Import what takes longest and waits for files and for LLVM, beside the imports of the main thread."""
    with contextlib.suppress(ImportError):  # the main thread says what is missing
        import engines.curve.cpu
        import engines.thumbnail
        import engines.tone_model  # noqa: F401


def _register_enhance() -> None:
    """Give ``enhance`` one option for each field of the settings."""
    arguments = inspect.Parameter(
        "inputs",
        inspect.Parameter.POSITIONAL_OR_KEYWORD,
        annotation=Annotated[list[str], typer.Argument(metavar="INPUT", show_default=False)],
    )
    signature = inspect.Signature([arguments, *parameters()])
    enhance.__signature__ = signature  # type: ignore[attr-defined]
    enhance.__annotations__ = {name: parameter.annotation for name, parameter in signature.parameters.items()}
    app.command(_DEFAULT, cls=GroupedCommand, epilog=_EPILOG)(enhance)


_register_enhance()


@app.command()
def run(
    streams: Annotated[str, typer.Argument(metavar="STREAMS.YAML", help="The streams, and settings for each.")],
    check: Annotated[bool, typer.Option("--check", help="Say whether the file is good, and start nothing.")] = False,
) -> None:
    """Run several live streams in one process, as a file describes them; SIGHUP reads it again."""
    _begin_preload()
    from stream.live.service import run_service

    raise typer.Exit(run_service(streams, check=check))


@app.command()
def doctor(as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False) -> None:
    """Say what this machine can do, what is missing and how to get it."""
    from stream.doctor import examine, to_json, to_text

    findings = examine()
    typer.echo(to_json(findings) if as_json else to_text(findings))


app.add_typer(models_cli.app, name="models")
app.command("build")(engines_cli.build)
app.add_typer(engines_cli.cache, name="cache")


@app.command()
def warm() -> None:
    """Compile the kernels now, so that no later start has to."""
    start = time.perf_counter()
    import engines
    import stream.vision.smoothing
    import stream.vision.tracker  # noqa: F401  (both compile on import, as motion does, which this one needs)

    engines.warm()
    typer.echo(f"kernels ready after {time.perf_counter() - start:.1f} s")


def _refuse(error: ValidationError) -> None:
    from stream.redaction import redact

    for line in refusals(error):
        print(f"error: {redact(line)}", file=sys.stderr)
    raise typer.Exit(USAGE)


@contextlib.contextmanager
def _everything_logged() -> Iterator[None]:
    """The log of the libraries, FFmpeg's too: it goes through ``logging`` under the name ``libav``."""
    import logging

    import av.logging

    from stream.redaction import redact_all_logging

    redact_all_logging()
    logging.basicConfig(level=logging.DEBUG)
    before = av.logging.get_level()
    av.logging.set_level(av.logging.INFO)
    try:
        yield
    finally:
        av.logging.set_level(before)


def main() -> None:
    """Entry point. Exit codes: 0 done, 1 failed, 2 usage, 130 interrupted, 143 terminated."""
    try:
        app()
    except KeyboardInterrupt:
        _leave(130)
    except SystemExit as end:
        _leave(end.code if isinstance(end.code, int) else 0)


def _leave(code: int) -> None:
    """End the process. What is finalised is finalised: a thread that is still inside a library is not waited for.

    The interpreter would stop such a thread within C++, which aborts the process. And without one it would spend half a
    second, several on a busy machine, on taking compiled code out of memory that goes away anyhow.
    """
    if not any(thread.daemon for thread in threading.enumerate()):
        threading._shutdown()  # type: ignore[attr-defined]  # idle pools are told to end, the others waited for
        atexit._run_exitfuncs()
    for said in (sys.stdout, sys.stderr):
        with contextlib.suppress(OSError, ValueError):  # whoever read it may be gone
            said.flush()
    os._exit(code)


if __name__ == "__main__":
    main()
