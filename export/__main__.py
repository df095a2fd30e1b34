"""``python -m export CHECKPOINT --system NAME -o FOLDER`` makes a bundle of a trained network, if it does the same."""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path

import torch
from torch import nn

from engines.bundle import TrainingCard, write_bundle
from export.cards import NOTHING_LEARNED, make_card, training_card
from export.interfaces import interface_of
from export.onnx_model import to_onnx
from export.parity import LIMIT, PICTURE_SIZES, THUMBNAIL_SIZES, compare, synthetic_pictures
from export.pictures import read_pictures
from networks.checkpoint import open_checkpoint, without_weights
from networks.systems import SYSTEMS, UNTRAINED

_RECOMPOSED = "Both stages: the bands of the first are recomposed by the second."


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m export", description=__doc__)
    parser.add_argument(
        "checkpoint",
        type=Path,
        nargs="?",
        help="checkpoint.pt of `python -m training fit`, or a published SCI checkpoint; none for lime",
    )
    parser.add_argument("--system", required=True, choices=SYSTEMS)
    parser.add_argument(
        "-o", "--output", required=True, type=Path, help="folder of the bundle; its name is the bundle's"
    )
    parser.add_argument(
        "--size",
        type=_size,
        metavar="HxW",
        help="only for pictures of this height and width (default: all sizes; lime needs one)",
    )
    parser.add_argument("--bank", type=Path, help="PASCAL-Context checkpoint of the HRNet that guides the network")
    parser.add_argument("--recomposed", action="store_true", help="drbn: with its second stage, which the run trained")
    parser.add_argument(
        "--pictures", type=Path, help="photos that the parity check also uses (a folder, searched through)"
    )
    parser.add_argument(
        "--metrics", type=Path, help="JSON of `python -m training evaluate`; its figures go onto the card"
    )
    parser.add_argument("--row", help="which row of --metrics describes this bundle (default: the bundle's name)")
    parser.add_argument("--note", default="", help="a sentence for the card, such as a cast that the weights leave")
    parser.add_argument("--data-name", help="training data, where the checkpoint does not know it")
    parser.add_argument("--data-licence", help="licence of that data")
    given = parser.parse_args(arguments)
    try:
        print(export(given))
    except (ValueError, OSError, RuntimeError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    return 0


def export(given: argparse.Namespace) -> str:
    """Export, check, write. Raises ``ValueError`` and writes nothing when the model differs from the network."""
    if given.checkpoint is None:
        checkpoint = without_weights(given.system)
    else:
        checkpoint = open_checkpoint(given.checkpoint, given.system, given.bank, recomposed=given.recomposed)
    if given.system in UNTRAINED:
        training = NOTHING_LEARNED
    elif checkpoint.recipe is not None:
        training = training_card(checkpoint.recipe, checkpoint.step)
    elif given.data_name and given.data_licence:
        training = TrainingCard(given.data_name, given.data_licence, "as published", 0, 0)
    else:
        raise ValueError(f"{given.checkpoint} does not say what it was trained on: give --data-name and --data-licence")
    metrics = _metrics(given.metrics, given.row or given.output.name) if given.metrics else {}
    network: nn.Module = checkpoint.network if given.system == "curve" else checkpoint.inference()
    interface = interface_of(network)
    torch.manual_seed(0)
    model = to_onnx(network, interface, given.size)
    usual = THUMBNAIL_SIZES if given.system == "curve" else PICTURE_SIZES
    pictures = list(synthetic_pictures([given.size] if given.size else usual))
    if given.pictures:
        pictures += read_pictures(given.pictures, given.size or (192, 192))
    parity = compare(network, model, interface, pictures, fixed=given.size is not None)
    if not parity.p99 <= LIMIT:
        raise ValueError(
            f"the exported model differs from the network: p99 {parity.p99:.2f}, max {parity.worst:.2f} codes of 255 "
            f"over {parity.pictures} pictures, allowed is p99 {LIMIT}. Nothing was written"
        )
    card = make_card(
        given.output.name,
        given.system,
        interface,
        checkpoint.parameters,
        training,
        parity,
        metrics,
        options=checkpoint.options,
        recipe=checkpoint.recipe,
        size=given.size,
        note=" ".join(filter(None, (_RECOMPOSED if given.recomposed else "", given.note))),
    )
    bundle = write_bundle(given.output, model, card)
    return (
        f"{bundle.folder}: {len(model) / 1e3:.0f} kB, {checkpoint.parameters} parameters, parity over "
        f"{parity.pictures} pictures p99 {parity.p99:.3f}, max {parity.worst:.3f} codes"
    )


def _size(text: str) -> tuple[int, int]:
    try:
        height, width = (int(side) for side in text.split("x"))
    except ValueError:
        raise argparse.ArgumentTypeError(f"'{text}' is no size such as 144x256 (height first)") from None
    return height, width


def _metrics(path: Path, row: str) -> dict[str, float]:
    table = json.loads(path.read_text())
    found = [entry for entry in table["rows"] if entry["model"] == row]
    if not found:
        raise ValueError(f"{path} has no row '{row}', it has {', '.join(entry['model'] for entry in table['rows'])}")
    return {f"{table['name']}_{key}": value for key, value in found[0].items() if isinstance(value, float)}


if __name__ == "__main__":
    sys.exit(main())
