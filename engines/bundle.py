"""Bundles: a folder with ``model.onnx`` and ``card.json``, the only form in which trained weights travel.

The card names the system, what goes in and out, what it was trained on and under which licence, and carries the SHA-256
of the model, which is checked on every load. This file is the only one that knows the format.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields, replace
from pathlib import Path
from types import MappingProxyType
from typing import Any, Literal, get_args

from engines.errors import BundleError

FORMAT = 1
MODEL_FILE = "model.onnx"
CARD_FILE = "card.json"
SHIPPED = Path(__file__).parent / "bundles"
USER_FOLDER_VARIABLE = "STREAM_ENHANCE_BUNDLES"

Kind = Literal["grid", "picture"]
RegionColours = Literal["", "hashed", "means"]


@dataclass(frozen=True, slots=True)
class TensorCard:
    """One input or output: its name in the model, its layout such as ``1,3,h,w`` and what its numbers mean."""

    name: str
    layout: str
    normalisation: str


@dataclass(frozen=True, slots=True)
class PaperCard:
    """The publication the system comes from; ``where`` is an arXiv number or a venue."""

    title: str
    where: str


@dataclass(frozen=True, slots=True)
class TrainingCard:
    """What the weights come from, so that anyone can judge them or train them again.

    Raises ``ValueError`` without ``data_licence``, which the weights carry on.
    """

    data: str
    data_licence: str
    recipe: str
    steps: int
    seed: int

    def __post_init__(self) -> None:
        if not self.data_licence.strip():
            raise ValueError("data_licence is empty: weights follow the licence of what they were trained on")


@dataclass(frozen=True, slots=True)
class Card:
    """All that is known about a bundle. ``kind`` says what the model gives: a tone-curve grid, or a picture.

    ``sha256`` is filled in by ``write_bundle``; ``paper`` is None for a system of this project's own. ``faithful``,
    ``repaired`` and ``unknown`` compare the system with that paper; cards from before they existed have them empty.
    ``region_colours``: how regions were painted in training where the model takes ``regions``: ``hashed``, a colour for
    each id, ``means``, the mean colour of each region in the brightened dark picture; empty where nobody says.
    """

    name: str
    system: str
    kind: Kind
    inputs: tuple[TensorCard, ...]
    outputs: tuple[TensorCard, ...]
    parameters: int
    training: TrainingCard
    licence: str
    paper: PaperCard | None = None
    faithful: str = ""
    repaired: str = ""
    unknown: str = ""
    metrics: Mapping[str, float] = field(default_factory=lambda: MappingProxyType({}))
    notes: str = ""
    region_colours: RegionColours = ""
    sha256: str = ""
    format: int = FORMAT

    def to_json(self) -> str:
        """The text of ``card.json``."""
        values = {f.name: getattr(self, f.name) for f in fields(self)}
        values |= {
            "inputs": [asdict(tensor) for tensor in self.inputs],
            "outputs": [asdict(tensor) for tensor in self.outputs],
            "training": asdict(self.training),
            "paper": asdict(self.paper) if self.paper else None,
            "metrics": dict(self.metrics),
        }
        return json.dumps(values, indent=2, ensure_ascii=False) + "\n"

    @staticmethod
    def from_json(text: str) -> Card:
        """Reads ``card.json``. Raises ``BundleError`` naming the field that is missing, unknown or of a wrong kind."""
        try:
            values: dict[str, Any] = json.loads(text)
            version = values["format"]
            if version != FORMAT:
                raise BundleError(
                    f"its card has format {version}, this version reads format {FORMAT}; update stream-enhance"
                )
            values["inputs"] = tuple(TensorCard(**tensor) for tensor in values["inputs"])
            values["outputs"] = tuple(TensorCard(**tensor) for tensor in values["outputs"])
            values["training"] = TrainingCard(**values["training"])
            paper = values.get("paper")
            values["paper"] = PaperCard(**paper) if paper else None
            values["metrics"] = MappingProxyType(
                {key: float(value) for key, value in values.get("metrics", {}).items()}
            )
            card = Card(**values)
        except KeyError as error:
            raise BundleError(f"its card lacks the field {error}") from error
        except (ValueError, TypeError, AttributeError) as error:
            raise BundleError(f"its card cannot be read: {error}") from error
        if card.kind not in get_args(Kind):
            raise BundleError(f"its card says kind '{card.kind}', known are {', '.join(get_args(Kind))}")
        if card.region_colours not in get_args(RegionColours):
            raise BundleError(f"its card says region_colours '{card.region_colours}', known are hashed, means or none")
        return card


@dataclass(frozen=True, slots=True)
class Bundle:
    """A verified bundle: what was checked is what runs, so the model's bytes are kept."""

    folder: Path
    card: Card
    model: bytes = field(repr=False)


def user_folder() -> Path:
    """Where a user's own bundles lie: ``$STREAM_ENHANCE_BUNDLES``, else ``~/.local/share/stream-enhance/bundles``."""
    named = os.environ.get(USER_FOLDER_VARIABLE)
    return Path(named).expanduser() if named else Path.home() / ".local" / "share" / "stream-enhance" / "bundles"


def available_bundles() -> dict[str, Path]:
    """Name -> folder of all bundles that ``load_bundle`` finds by name; the user's own hide shipped ones."""
    found: dict[str, Path] = {}
    for root in (SHIPPED, user_folder()):
        if root.is_dir():
            found |= {card.parent.name: card.parent for card in sorted(root.glob(f"*/{CARD_FILE}"))}
    return found


def load_bundle(path_or_name: str | Path) -> Bundle:
    """Opens a bundle by folder or by name and verifies it. Raises ``BundleError`` with advice.

    A known name wins over a folder called the same in the working directory: say ``./curve`` for that one. A ``Path``
    that is a folder is never taken for a name.
    """
    folder = Path(path_or_name).expanduser()
    known = available_bundles()
    if str(path_or_name) in known and not (isinstance(path_or_name, Path) and folder.is_dir()):
        folder = known[str(path_or_name)]
    elif not folder.is_dir():
        names = ", ".join(sorted(known)) or "none"
        raise BundleError(
            f"no bundle '{path_or_name}': neither a known name nor a folder. "
            f"Known names: {names}. Give the path of a bundle folder, or put it into {user_folder()}."
        )
    try:
        text = (folder / CARD_FILE).read_text(encoding="utf-8")
        model = (folder / MODEL_FILE).read_bytes()
    except (OSError, UnicodeDecodeError) as error:
        raise BundleError(f"{folder} is no usable bundle, it needs {CARD_FILE} and {MODEL_FILE}: {error}") from error
    try:
        card = Card.from_json(text)
    except BundleError as error:
        raise BundleError(f"bundle {folder} is refused: {error}") from error
    if hashlib.sha256(model).hexdigest() != card.sha256:
        raise BundleError(
            f"bundle {folder} is refused: {MODEL_FILE} is not the file its card describes (SHA-256 differs). "
            "It was altered or its download was cut short: fetch or export the bundle again"
        )
    return Bundle(folder, card, model)


def write_bundle(folder: Path, onnx_bytes: bytes, card: Card) -> Bundle:
    """Writes ``model.onnx`` and ``card.json`` (with the model's SHA-256) into ``folder`` and loads them back."""
    card = replace(card, sha256=hashlib.sha256(onnx_bytes).hexdigest(), format=FORMAT)
    folder.mkdir(parents=True, exist_ok=True)
    for name, content in ((MODEL_FILE, onnx_bytes), (CARD_FILE, card.to_json().encode())):
        part = folder / f"{name}.part"
        part.write_bytes(content)
        part.replace(folder / name)
    return load_bundle(folder)
