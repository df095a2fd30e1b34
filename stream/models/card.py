"""What is known about an installed segmenter: ``card.json`` beside its files, with the size and SHA-256 of each."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path

from stream.models.errors import ModelDamaged

FORMAT = 1
CARD_FILE = "card.json"
ENCODER_FILE = "encoder.onnx"
DECODER_FILE = "decoder.onnx"
_BLOCK = 1 << 20


@dataclass(frozen=True, slots=True)
class FileCard:
    """``size`` in bytes, ``sha256`` in lower-case hexadecimal digits."""

    size: int
    sha256: str

    @staticmethod
    def of(path: Path) -> FileCard:
        """Reads the whole file."""
        digest, size = hashlib.sha256(), 0
        with path.open("rb") as file:
            while block := file.read(_BLOCK):
                digest.update(block)
                size += len(block)
        return FileCard(size, digest.hexdigest())


@dataclass(frozen=True, slots=True)
class ModelCard:
    """``source`` says where the files come from, ``files`` lists all of them by name."""

    name: str
    source: str
    licence: str
    files: Mapping[str, FileCard]

    @property
    def size(self) -> int:
        """Bytes of all files."""
        return sum(file.size for file in self.files.values())

    def to_json(self) -> str:
        """The text of ``card.json``."""
        values = {"format": FORMAT, "name": self.name, "source": self.source, "licence": self.licence}
        files = {name: asdict(file) for name, file in self.files.items()}
        return json.dumps(values | {"files": files}, indent=2, ensure_ascii=False) + "\n"

    @staticmethod
    def from_json(text: str) -> ModelCard:
        """Raises ``ModelDamaged`` for a card that cannot be read or that lacks one of the two models."""
        try:
            values = json.loads(text)
            if values["format"] != FORMAT:
                raise ModelDamaged(f"its card has format {values['format']}, this version reads format {FORMAT}")
            files = {
                str(name): FileCard(int(file["size"]), str(file["sha256"])) for name, file in values["files"].items()
            }
            card = ModelCard(str(values["name"]), str(values["source"]), str(values["licence"]), files)
        except (ValueError, TypeError, KeyError, AttributeError) as error:
            raise ModelDamaged(f"its card cannot be read: {type(error).__name__} {error}") from error
        if not {ENCODER_FILE, DECODER_FILE} <= files.keys() or any(Path(name).name != name for name in files):
            raise ModelDamaged(f"its card does not list {ENCODER_FILE} and {DECODER_FILE}")
        return card
