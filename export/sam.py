"""``python -m export.sam CHECKPOINT FOLDER``: a checkpoint of Segment Anything as `encoder.onnx` and `decoder.onnx`.

CHECKPOINT is a published `vit_b`, `vit_l` or `vit_h` file. Of a model with another image encoder (MobileSAM and
others), and of a decoder that is an ONNX file already, only the decoder is exported. It answers many prompts per call
with three masks each, at low resolution, without post-processing. What differs from torch is not written.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import torch
from torch import Tensor, nn

from engines.sam.session import Session
from export.onnx_model import IR_VERSION, LARGEST, strip, traced
from export.sam_decoder_weights import decoder_state
from networks.sam import SAM, example_prompts, load_decoder, open_sam

ENCODER_FILE, DECODER_FILE = "encoder.onnx", "decoder.onnx"
PROMPTS = ("image_embeddings", "point_coords", "point_labels", "mask_input", "has_mask_input", "orig_im_size")
ANSWERS = ("iou_predictions", "low_res_masks")
LIMIT = 1e-3
"""Largest difference between torch and the exported model, as a share of the largest value (of 1, if smaller)."""


@dataclass(frozen=True, slots=True)
class Written:
    """One exported file: its weights may lie beside it, in `NAME.data`. ``difference`` as ``LIMIT`` has it."""

    path: Path
    size: int
    difference: float


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m export.sam", description=__doc__)
    parser.add_argument("checkpoint", type=Path, help="published checkpoint (.pth), or a published decoder (.onnx)")
    parser.add_argument("folder", type=Path, help=f"where {ENCODER_FILE} and {DECODER_FILE} are put")
    parser.add_argument("--batch", type=int, help="prompts of two points per call (default: any number of both)")
    given = parser.parse_args(arguments)
    try:
        if given.batch is not None and given.batch < 1:
            raise ValueError(f"a batch has at least one prompt, not {given.batch}")
        print(export_sam(given.checkpoint, given.folder, given.batch))
    except (ValueError, OSError, RuntimeError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    return 0


def export_sam(checkpoint: Path, folder: Path, batch: int | None = None) -> str:
    """Export, compare, write; the answer says what was done and what to do with it."""
    sam = _open(checkpoint)
    folder.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=folder, prefix=".unfinished-") as name:
        unfinished = Path(name)
        written = [export_decoder(sam.decoder, unfinished / DECODER_FILE, batch)]
        if sam.encoder is not None:
            written.insert(0, export_encoder(sam.encoder, unfinished / ENCODER_FILE))
        for part in unfinished.iterdir():
            part.replace(folder / part.name)
    lines = [
        f"{folder / done.path.name}: {done.size / 1e6:.1f} MB, differs from torch by {done.difference:.1e}"
        for done in written
    ]
    if sam.encoder is None:
        lines.append("The image encoder is not one that is built here: use it as the ONNX file that its authors offer.")
        files = f"{ENCODER_FILE} {folder / DECODER_FILE}"
    else:
        files = str(folder)
    return "\n".join([*lines, f"Next: stream-enhance models add {files} --name NAME --licence LICENCE"])


def export_encoder(encoder: nn.Module, path: Path, side: int = 1024, largest: int = LARGEST) -> Written:
    """`input` (1, 3, side, side) -> `output` (1, 256, side / 16, side / 16), fixed sizes."""
    picture = (torch.rand(1, 3, side, side) * 4 - 2,)
    _write(encoder, picture, ["input"], ["output"], None, path, largest)
    return _compared(encoder, picture, ["input"], ["output"], path)


def export_decoder(decoder: nn.Module, path: Path, batch: int | None = None, largest: int = LARGEST) -> Written:
    """The interface of `networks.sam.PromptedMasks`, for ``batch`` prompts of two points or for any number of both."""
    free: tuple[Any, ...] | None = None
    if batch is None:
        several = {0: torch.export.Dim("batch", min=1), 1: torch.export.Dim("points", min=1)}
        free = ({}, several, several, {}, {}, {})
    _write(decoder, example_prompts(batch or 3), list(PROMPTS), list(ANSWERS), free, path, largest)
    return _compared(decoder, example_prompts(batch or 5), PROMPTS, ANSWERS, path)


def _open(path: Path) -> SAM:
    if path.suffix != ".onnx":
        return open_sam(path)
    try:
        return SAM("", None, load_decoder(decoder_state(path)))
    except RuntimeError as error:
        raise ValueError(f"{path} is no SAM decoder as published: {error}") from error


def _write(
    network: nn.Module,
    given: tuple[Tensor, ...],
    inputs: list[str],
    outputs: list[str],
    free: tuple[Any, ...] | None,
    path: Path,
    largest: int,
) -> None:
    """Exports to ``path``; weights of more than ``largest`` bytes lie beside it, as one ONNX file cannot hold them."""
    program = traced(network, given, inputs, outputs, free)
    weights = sum(value.numel() * value.element_size() for value in network.state_dict().values())
    program.save(path, external_data=weights > 0.95 * largest)
    model = onnx.load(path, load_external_data=False)
    strip(model)
    model.ir_version = IR_VERSION
    path.write_bytes(model.SerializeToString())
    onnx.checker.check_model(path)


def _compared(
    network: nn.Module, given: tuple[Tensor, ...], inputs: Sequence[str], outputs: Sequence[str], path: Path
) -> Written:
    """Raises `ValueError` where the written model does something else than the network."""
    arrays = {name: value.numpy() for name, value in zip(inputs, given, strict=True)}
    with torch.no_grad():
        wanted = network(*given)
    got = Session(path).run(outputs, arrays)
    difference = 0.0
    for right, array in zip(wanted if isinstance(wanted, tuple) else (wanted,), got, strict=True):
        right = right.numpy()
        difference = max(difference, float(np.abs(array - right).max() / max(1.0, np.abs(right).max())))
    if not difference <= LIMIT:
        raise ValueError(f"{path.name} differs from torch by {difference:.2e}, allowed is {LIMIT}. Nothing was written")
    size = sum(part.stat().st_size for part in (path, path.with_name(f"{path.name}.data")) if part.exists())
    return Written(path, size, difference)


if __name__ == "__main__":
    sys.exit(main())
