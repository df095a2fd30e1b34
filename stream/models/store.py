"""Where segmenters lie: one folder each with ``encoder.onnx``, ``decoder.onnx`` and ``card.json``.

A model appears all at once or not at all: it is put together in a folder beside its place, then renamed. Its files are
checked against the card when it is used, so that what was altered or cut short never runs.
"""

from __future__ import annotations

import os
import re
import shutil
import sys
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from stream.errors import OutputNotWritable
from stream.models.card import CARD_FILE, DECODER_FILE, ENCODER_FILE, FileCard, ModelCard
from stream.models.errors import ModelDamaged, ModelExists, ModelNotFound, ModelRefused

FOLDER_VARIABLE = "STREAM_ENHANCE_MODELS"
RESERVED = ("off", "auto")
"""Words that choose a segmenter without being the name of one."""
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")


@dataclass(frozen=True, slots=True)
class InstalledModel:
    """A segmenter on disk; nothing of it but its card has been read."""

    folder: Path
    card: ModelCard

    @property
    def encoder(self) -> Path:
        """SAM's image encoder."""
        return self.folder / ENCODER_FILE

    @property
    def decoder(self) -> Path:
        """SAM's mask decoder."""
        return self.folder / DECODER_FILE

    def verify(self) -> None:
        """Reads all files: about 0.1 s for 45 MB. Raises ``ModelDamaged`` unless they are what the card says."""
        for name, expected in self.card.files.items():
            try:
                found = FileCard.of(self.folder / name)
            except OSError as error:
                raise _damaged(self.folder, f"{name} cannot be read ({error.strerror})") from error
            if found != expected:
                raise _damaged(self.folder, f"{name} is not the file its card describes (SHA-256 differs)")


def models_folder() -> Path:
    """``$STREAM_ENHANCE_MODELS``, else ``stream-enhance/models`` in the user's cache folder."""
    named = os.environ.get(FOLDER_VARIABLE)
    return Path(named).expanduser() if named else _cache_folder() / "stream-enhance" / "models"


def _cache_folder() -> Path:
    named = os.environ.get("XDG_CACHE_HOME")
    if named and Path(named).is_absolute():
        return Path(named)
    if sys.platform == "win32":
        return Path(os.environ.get("LOCALAPPDATA") or Path.home() / "AppData" / "Local")
    return Path.home() / ("Library/Caches" if sys.platform == "darwin" else ".cache")


def names(folder: Path | None = None) -> list[str]:
    """Names of all segmenters that are there, damaged ones too."""
    folder = folder or models_folder()
    return sorted(card.parent.name for card in folder.glob(f"*/{CARD_FILE}") if _NAME.fullmatch(card.parent.name))


def open_model(name: str, folder: Path | None = None) -> InstalledModel:
    """Reads the card. Raises ``ModelNotFound`` or ``ModelDamaged``; the files are checked by ``verify``."""
    folder = folder or models_folder()
    known = names(folder)
    if name not in known:
        there = ", ".join(known) or "none"
        raise ModelNotFound(f"no segmenter '{name}' is installed in {folder}; there is {there}", do=_advice(name))
    place = folder / name
    try:
        card = ModelCard.from_json((place / CARD_FILE).read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError) as error:
        raise _damaged(place, f"its card cannot be read ({error})") from error
    except ModelDamaged as error:
        raise _damaged(place, error.what) from error
    return InstalledModel(place, card)


def check_name(name: str) -> None:
    """Raises ``ModelRefused`` for a name that is no plain word or means something else."""
    if not _NAME.fullmatch(name) or name in RESERVED:
        raise ModelRefused(f"'{name}' cannot be a segmenter's name", do="Use letters, digits, dots and dashes")


def check_free(name: str, *, replace: bool = False, folder: Path | None = None) -> None:
    """Raises ``ModelRefused`` as ``check_name`` does, and ``ModelExists`` where the name is taken."""
    check_name(name)
    if not replace and ((folder or models_folder()) / name).exists():
        raise ModelExists(f"a segmenter '{name}' is installed already", do="Use --replace to replace it")


def install(
    name: str,
    files: Mapping[str, Path],
    source: str,
    licence: str,
    *,
    expected: Mapping[str, FileCard] | None = None,
    replace: bool = False,
    folder: Path | None = None,
) -> InstalledModel:
    """Copies ``files`` (name there -> path) into the store. With ``expected``, all must be exactly those.

    Raises ``ModelRefused``, ``ModelExists``, ``ModelDamaged`` for what is not as expected, and ``OutputNotWritable``;
    then nothing has changed.
    """
    folder = folder or models_folder()
    check_free(name, replace=replace, folder=folder)
    place = folder / name
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=folder, prefix=".unfinished-") as temporary:
            unfinished = Path(temporary) / "model"
            unfinished.mkdir()
            for file, path in files.items():
                shutil.copyfile(path, unfinished / file)
            cards = {file: FileCard.of(unfinished / file) for file in files}
            for file, wanted in (expected or {}).items():
                if cards.get(file) != wanted:
                    raise ModelDamaged(f"{file} is not the file that was expected (SHA-256 differs)", kept="Not used")
            card = ModelCard(name, source, licence, cards)
            (unfinished / CARD_FILE).write_text(card.to_json(), encoding="utf-8")
            if place.exists():
                place.rename(Path(temporary) / "replaced")
            unfinished.rename(place)
    except OSError as error:
        raise OutputNotWritable(f"cannot install into {folder}: {error}", do=f"Set {FOLDER_VARIABLE}") from error
    return InstalledModel(place, card)


def remove(name: str, folder: Path | None = None) -> int:
    """Deletes a segmenter, damaged or not, and says how many bytes that freed. Raises ``ModelNotFound``."""
    folder = folder or models_folder()
    if name not in names(folder):
        raise ModelNotFound(f"no segmenter '{name}' is installed in {folder}", do="See: stream-enhance models list")
    place = folder / name
    freed = sum(path.stat().st_size for path in place.iterdir() if path.is_file())
    try:
        shutil.rmtree(place)
    except OSError as error:
        raise OutputNotWritable(f"cannot delete {place}: {error}") from error
    return freed


def _advice(name: str) -> str:
    from stream.models.catalogue import OFFERS

    if name in OFFERS:
        return f"To get it: stream-enhance models pull {name}"
    return "To add one: stream-enhance models add PATH"


def _damaged(place: Path, why: str) -> ModelDamaged:
    from stream.models.catalogue import OFFERS

    again = f"pull {place.name} --replace" if place.name in OFFERS else f"add PATH --name {place.name} --replace"
    return ModelDamaged(f"segmenter {place} is refused: {why}", do=f"Get it again: stream-enhance models {again}")
