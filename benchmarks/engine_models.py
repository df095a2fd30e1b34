"""The models that go through TensorRT: shipped bundles, every network that exports at its published width, and SAM.

Exports are kept in the scratch folder, as they take a while; they are for one size, which takes a third of the time
that free sizes take. Networks have fresh weights: whether they build does not depend on what was learned, how well
they stand fp16 and int8 does.
"""

from __future__ import annotations

import os
from dataclasses import dataclass, replace
from pathlib import Path
from types import MappingProxyType

from benchmarks import model_costs
from benchmarks.clips import scratch
from engines.bundle import SHIPPED, Card, TensorCard, TrainingCard, load_bundle
from export.cards import make_card
from export.interfaces import interface_of
from export.onnx_model import to_onnx
from export.parity import Parity

_NOTHING = TrainingCard("none", "none", "none", 0, 0)
_BUNDLE = "-bundle"
BUNDLES = tuple(f"{folder.name}{_BUNDLE}" for folder in sorted(SHIPPED.iterdir()) if (folder / "card.json").is_file())
SAM = ("sam-encoder", "sam-decoder", "sam-decoder-published")
KEYS = (*BUNDLES, *(key for key in model_costs.KEYS if f"{key}{_BUNDLE}" not in BUNDLES), *SAM)

_PROMPTS = {"image_embeddings": "1,256,64,64", "point_coords": "n,2,2", "point_labels": "n,2"}
_PROMPTS |= {"mask_input": "1,1,256,256", "has_mask_input": "1", "orig_im_size": "2"}
_SAM_INPUTS = {
    "sam-encoder": {"input": "1,3,1024,1024"},
    "sam-decoder": _PROMPTS,
    "sam-decoder-published": {name: layout.replace("n", "1") for name, layout in _PROMPTS.items()},
}
_SAM_NOTES = {
    "sam-encoder": "a light SAM's, 1024x1024",
    "sam-decoder": "the same SAM's, by python -m export.sam; 1 to 8 prompts",
    "sam-decoder-published": "the same SAM's as its authors export it",
}


@dataclass(frozen=True, slots=True)
class Model:
    """An ONNX file and its card; ``sizes``: number of thumbnails it is built for; ``note``: what it is."""

    path: Path
    card: Path
    sizes: int
    note: str


def obtain(key: str, sam: Path | None) -> Model | str:
    """The model, exported now if need be, or why there is none."""
    if key.endswith(_BUNDLE):
        folder = load_bundle(key.removesuffix(_BUNDLE)).folder
        return Model(folder / "model.onnx", folder / "card.json", 3, "trained, shipped; three thumbnails")
    if key in SAM:
        return _sam(key, sam)
    folder = scratch() / "onnx"
    folder.mkdir(parents=True, exist_ok=True)
    network, size = model_costs.built(key), model_costs.THUMBNAIL
    interface = interface_of(network)
    path = folder / f"{key}-{size[0]}x{size[1]}.onnx"
    if not path.is_file():
        part = path.with_suffix(f".{os.getpid()}.part")
        try:
            part.write_bytes(to_onnx(network, interface, size))
        except Exception as error:  # what torch says against it is a result
            return f"does not export: {type(error).__name__}: {str(error).strip().splitlines()[0][:200]}"
        part.replace(path)
    system = key.removesuffix(model_costs.GUIDED_SUFFIX)
    card = make_card(key, system, interface, 0, _NOTHING, Parity(0, 0, 0), {}, size=size)
    return _with_card(path, card, "published width, fresh weights; exported for 144x256")


def _sam(key: str, folder: Path | None) -> Model | str:
    path = folder / f"{key.removeprefix('sam-')}.onnx" if folder else None
    if path is None or not path.is_file():
        return "not given (--sam FOLDER)"
    inputs = tuple(TensorCard(name, layout, "") for name, layout in _SAM_INPUTS[key].items())
    outputs = (TensorCard("output", "1,256,64,64", ""),)
    card = Card(key, "sam", "picture", inputs, outputs, 0, _NOTHING, "see its own card", metrics=MappingProxyType({}))
    return _with_card(path, card, _SAM_NOTES[key])


def _with_card(path: Path, card: Card, note: str) -> Model:
    folder = scratch() / "onnx"
    folder.mkdir(parents=True, exist_ok=True)
    written = folder / f"{card.name}-{path.stem}.json"
    written.write_text(replace(card, sha256="").to_json(), encoding="utf-8")
    return Model(path, written, 1, note)
