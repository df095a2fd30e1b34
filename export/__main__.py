"""``python -m export CHECKPOINT --system curve -o FOLDER`` makes a bundle of a trained network, if it does the same."""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path

import torch

from engines.bundle import TrainingCard, write_bundle
from export.cards import make_card, training_card
from export.onnx_model import INTERFACES, to_onnx
from export.parity import LIMIT, compare, synthetic_pictures
from export.pictures import read_pictures
from networks.checkpoint import open_checkpoint


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m export", description=__doc__)
    parser.add_argument(
        "checkpoint", type=Path, help="checkpoint.pt of `python -m training fit`, or a published SCI checkpoint"
    )
    parser.add_argument("--system", required=True, choices=sorted(INTERFACES))
    parser.add_argument(
        "-o", "--output", required=True, type=Path, help="folder of the bundle; its name is the bundle's"
    )
    parser.add_argument(
        "--pictures", type=Path, help="photos that the parity check also uses (a folder, searched through)"
    )
    parser.add_argument(
        "--metrics", type=Path, help="JSON of `python -m training evaluate`; its figures go onto the card"
    )
    parser.add_argument("--row", help="which row of --metrics describes this bundle (default: the bundle's name)")
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
    checkpoint = open_checkpoint(given.checkpoint, given.system)
    if checkpoint.recipe is not None:
        training = training_card(checkpoint.recipe, checkpoint.step)
    elif given.data_name and given.data_licence:
        training = TrainingCard(given.data_name, given.data_licence, "as published", 0, 0)
    else:
        raise ValueError(f"{given.checkpoint} does not say what it was trained on: give --data-name and --data-licence")
    metrics = _metrics(given.metrics, given.row or given.output.name) if given.metrics else {}
    interface = INTERFACES[given.system]
    torch.manual_seed(0)
    model = to_onnx(checkpoint.network, interface)
    pictures = list(synthetic_pictures()) + (read_pictures(given.pictures) if given.pictures else [])
    parity = compare(checkpoint.network, model, interface, pictures)
    if not parity.p99 <= LIMIT:
        raise ValueError(
            f"the exported model differs from the network: p99 {parity.p99:.2f}, max {parity.worst:.2f} codes of 255 "
            f"over {parity.pictures} pictures, allowed is p99 {LIMIT}. Nothing was written"
        )
    card = make_card(given.output.name, given.system, checkpoint.parameters, training, parity, metrics)
    bundle = write_bundle(given.output, model, card)
    return (
        f"{bundle.folder}: {len(model) / 1e3:.0f} kB, {checkpoint.parameters} parameters, parity over "
        f"{parity.pictures} pictures p99 {parity.p99:.3f}, max {parity.worst:.3f} codes"
    )


def _metrics(path: Path, row: str) -> dict[str, float]:
    table = json.loads(path.read_text())
    found = [entry for entry in table["rows"] if entry["model"] == row]
    if not found:
        raise ValueError(f"{path} has no row '{row}', it has {', '.join(entry['model'] for entry in table['rows'])}")
    return {f"{table['name']}_{key}": value for key, value in found[0].items() if isinstance(value, float)}


if __name__ == "__main__":
    sys.exit(main())
