"""``stream-enhance build`` and ``stream-enhance cache``: TensorRT engines of bundles, built ahead and kept on disk."""

from __future__ import annotations

import contextlib
import sys
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from engines.tensorrt.cache import Entry
    from engines.tensorrt.prepare import Wish

app = typer.Typer(add_completion=False, rich_markup_mode=None)
cache = typer.Typer(
    help="Engines that were built: ls, clear.",
    invoke_without_command=True,
    add_completion=False,
    rich_markup_mode=None,
)
app.add_typer(cache, name="cache")

USAGE = 2
_PICTURES = {".jpg", ".jpeg", ".png", ".webp", ".bmp", ".tif", ".tiff"}
_MOST_PICTURES = 64
_EVERY_S = 5.0


@app.command()
def build(
    bundle: Annotated[str, typer.Argument(help="Name or folder of a bundle.")],
    precision: Annotated[str, typer.Option(help="fp32, fp16 or int8.")] = "fp16",
    engine: Annotated[str, typer.Option(help="tensorrt, tensorrt-rtx, or auto: what is here.")] = "auto",
    device: Annotated[
        str, typer.Option(help="Number of the GPU; or, for tensorrt-rtx, any, or GPUs such as sm86,sm89.")
    ] = "auto",
    batch: Annotated[
        int, typer.Option(min=1, max=64, help="Most pictures at once, where the model takes several.")
    ] = 8,
    level: Annotated[int, typer.Option(min=0, max=5, help="How long the builder searches; 5 can take an hour.")] = 3,
    workspace: Annotated[int, typer.Option(min=1, help="GPU memory for scratch space, in MB.")] = 1024,
    calibration: Annotated[
        Path | None, typer.Option(help="int8: folder of dark photos such as the model will see.", exists=True)
    ] = None,
    again: Annotated[bool, typer.Option("--again", help="Build anew, also where it was built before.")] = False,
) -> None:
    """Build the TensorRT engine of a bundle, check it, and keep it; later runs load it."""
    with _told():
        from engines.tensorrt.prepare import prepare

        wish = _wish(bundle, precision, engine, device, batch, level, workspace, calibration)
        typer.echo(f"{wish.bundle.card.name}: {wish.precision}, {wish.flavour}", err=True)
        entry, _ = prepare(wish, report=_Progress(), again=again)
        for line in _lines(entry):
            typer.echo(line)


@cache.callback()
def root(context: typer.Context) -> None:
    """Engines that were built. Without a command: ls."""
    if context.invoked_subcommand is None:
        list_all()


@cache.command("ls")
def list_all() -> None:
    """List the engines, the most recently used first."""
    from engines.tensorrt.cache import LIMIT, EngineCache

    store = EngineCache()
    entries = store.entries()
    for entry in entries:
        notes = entry.notes
        typer.echo(
            f"{entry.path.stem[:12]}  {notes.get('bundle', '?'):<20} {entry.key.precision}  {entry.key.flavour} "
            f"{entry.key.version}, {entry.key.device}  {_size(entry.size)}  "
            f"{notes.get('engine against ONNX Runtime', 'not checked')}"
        )
    for path in store.unsound():
        typer.echo(f"{path.name}: no engine of this version; it will not be loaded (cache clear removes it)")
    total = sum(entry.size for entry in entries)
    typer.echo(f"{len(entries)} engines, {_size(total)} of at most {_size(LIMIT)}, in {store.folder}")


@cache.command()
def clear() -> None:
    """Delete all engines; they are built again when they are needed."""
    from engines.tensorrt.cache import EngineCache

    store = EngineCache()
    count, size = store.clear()
    typer.echo(f"{count} files deleted, {_size(size)} free, in {store.folder}")


def _wish(
    bundle: str,
    precision: str,
    engine: str,
    device: str,
    batch: int,
    level: int,
    workspace: int,
    calibration: Path | None,
) -> Wish:
    from engines.bundle import load_bundle
    from engines.precision.census import PRECISIONS
    from engines.tensorrt.build import BuildOptions
    from engines.tensorrt.flavour import NAMES
    from engines.tensorrt.prepare import Wish, choose_flavour

    chosen = next((known for known in PRECISIONS if known == precision), None)
    if chosen is None:
        raise _Usage(f"--precision is {', '.join(PRECISIONS)}, not '{precision}'")
    name = next((known for known in NAMES if known == engine), None)
    if name is None and engine != "auto":
        raise _Usage(f"--engine is auto, {' or '.join(NAMES)}, not '{engine}'")
    if calibration is not None and chosen != "int8":
        raise _Usage("--calibration is for --precision int8")
    gpu, targets = _device(device)
    flavour = choose_flavour(name, gpu)
    options = BuildOptions(level=level, workspace=workspace << 20, targets=targets)
    pictures = _pictures(calibration) if calibration else ()
    return Wish(load_bundle(bundle), flavour, chosen, gpu, batch, options, pictures)


def _device(text: str) -> tuple[int | None, tuple[str, ...]]:
    """Number of the GPU to check on (None: none) and targets to build for."""
    words = text.lower()
    if words == "auto":
        return 0, ()
    if words == "any":
        return None, ()
    if words.isdigit():
        return int(words), ()
    targets = tuple(word.strip().upper() for word in words.split(","))
    if not all(target.startswith("SM") and target[2:].isdigit() for target in targets):
        raise _Usage(f"--device is the number of a GPU, any, or GPUs such as sm86,sm89, not '{text}'")
    return None, targets


def _pictures(folder: Path) -> Sequence[NDArray[np.float32]]:
    """Photos as thumbnails [3, h, w] of the usual size nearest in shape, spread over the folder."""
    import numpy as np

    from engines.thumbnail import sample_rgb
    from stream.media.photos import read_photo

    paths = sorted(path for path in folder.rglob("*") if path.suffix.lower() in _PICTURES)
    if not paths:
        raise _Usage(f"{folder} holds no photos ({', '.join(sorted(_PICTURES))})")
    found = []
    for path in paths[:: -(-len(paths) // _MOST_PICTURES)]:
        rgb, _ = read_photo(path)
        height, width = rgb.shape[:2]
        aspect = min((16 / 9, 1.0, 9 / 16), key=lambda shape: abs(np.log(width / height / shape)))
        rows, columns = min(height, round(width / aspect)), min(width, round(height * aspect))
        top, left = (height - rows) // 2, (width - columns) // 2
        part = np.ascontiguousarray(rgb[top : top + rows, left : left + columns])
        found.append(np.clip(sample_rgb(part).to_rgb(), 0, 1).astype(np.float32))
    return found


class _Progress:
    """A line that moves on a terminal; elsewhere one now and then."""

    def __init__(self) -> None:
        self._told = 0.0
        self._terminal = sys.stderr.isatty()

    def __call__(self, share: float, phase: str) -> bool:
        now = time.monotonic()
        if now - self._told >= (0.1 if self._terminal else _EVERY_S):
            self._told = now
            text = f"{100 * share:3.0f} %  {phase}"
            print(f"\r{text:<76.76}" if self._terminal else text, end="" if self._terminal else "\n", file=sys.stderr)
        if share >= 1 and self._terminal:
            print("\r" + " " * 76 + "\r", end="", file=sys.stderr)
        return True


def _lines(entry: Entry) -> list[str]:
    width = max(len(name) for name in entry.notes)
    told: list[Any] = [f"  {name:<{width}}  {value}" for name, value in entry.notes.items()]
    return [f"{entry.path}: {_size(entry.size)}", *told]


class _Usage(Exception):
    """The command must change."""


@contextlib.contextmanager
def _told() -> Iterator[None]:
    """What a user can act upon is said in one line."""
    from engines.errors import EngineError
    from stream.errors import StreamError

    try:
        yield
    except (_Usage, ValueError) as error:
        typer.echo(f"error: {error}", err=True)
        raise typer.Exit(USAGE) from None
    except (StreamError, EngineError) as error:
        typer.echo(f"error: {error}", err=True)
        raise typer.Exit(getattr(error, "exit_code", 1)) from None


def _size(size: int) -> str:
    return f"{size / 1e6:.1f} MB" if size >= 1e5 else f"{size / 1e3:.0f} kB"
