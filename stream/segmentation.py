"""Opens what finds regions for a run: the SAM model that is installed, if the network can use what it finds.

The model's files are verified and its sessions opened in the segmenter's own thread, at the first snapshot: no frame
waits for that either. One that was named is verified before, so that the run can refuse it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

from stream.errors import StreamError
from stream.settings import Settings

if TYPE_CHECKING:
    from stream.models.store import InstalledModel
    from stream.vision.regions import Segmentation
    from stream.vision.sam_regions import SamRegions
    from stream.vision.segmenter import Picture
    from stream.vision.semantics import Semantics

GIVEN = ("embedding", "regions", "region_weights", "region_features")
"""Inputs of networks that a segmenter provides."""


class Segmenting(Protocol):
    """What finds regions in pictures."""

    def __call__(self, rgb: Picture) -> Segmentation: ...

    def stop(self) -> None: ...


class OpenSam(Protocol):
    """Makes one for a model, which has been ``verified`` or will be when it is first used."""

    def __call__(self, model: InstalledModel, *, verified: bool) -> Segmenting: ...


class Sam:
    """Segments snapshots with the two files of a SAM model, which are opened at the first."""

    def __init__(self, model: InstalledModel, *, verified: bool) -> None:
        self._model, self._verified = model, verified
        self._damage: StreamError | None = None
        self._sam: SamRegions | None = None

    def __call__(self, rgb: Picture) -> Segmentation:
        """Regions of an RGB picture uint8 [h, w, 3]. Raises ``ModelError``, and ``ModelDamaged`` every time."""
        self._sam = self._sam or self._open()
        return self._sam(rgb)

    def _open(self) -> SamRegions:
        from stream.vision.sam_regions import open_sam

        if self._damage is not None:
            raise self._damage
        if not self._verified:
            try:
                self._model.verify()
            except StreamError as error:
                self._damage = error
                raise
        return open_sam(self._model.encoder, self._model.decoder)

    def stop(self) -> None:
        """Ends a call that goes on."""
        if self._sam is not None:
            self._sam.stop()


def open_semantics(
    settings: Settings, wanted: tuple[str, ...], open_sam: OpenSam = Sam
) -> tuple[Semantics | None, str]:
    """What finds regions for a network that takes the inputs ``wanted``, and a note for the user, or "".

    None where the network has no use for regions, where they are switched off, and, with a note that says how to get
    one, where no segmenter is installed. ``open_sam`` may give one that others use too. Raises ``StreamError`` for one
    that is named and damaged or not there.
    """
    if settings.sam_every == "off" or settings.sam == "off":
        return None, ""
    if not set(wanted) & set(GIVEN):
        unused = f"model '{settings.model}' has no use for regions, so the segmenter '{settings.sam}' was not used"
        return None, "" if settings.sam == "auto" else unused
    from stream.models.choice import choose_sam

    choice = choose_sam(settings.sam)
    if choice.model is None:
        return None, choice.note
    named = settings.sam != "auto"
    if named:
        choice.model.verify()
    from stream.vision.segmenter import Segmenter
    from stream.vision.semantics import Semantics

    sam = open_sam(choice.model, verified=named)
    return Semantics(Segmenter(sam, settings.sam_share, sam.stop), settings.sam_every), ""
