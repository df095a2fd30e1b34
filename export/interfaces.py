"""What an exported model takes and gives: names, channels and sizes of its inputs."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn

from networks.curve import CELL, CurveNet
from networks.curve_regions import EMBEDDING, REGIONS
from networks.embedding_bank import EmbeddingBank
from networks.systems import Inference

EMBEDDING_SIDE = 64
"""Rows or columns of an embedding along the longer side of its picture: what SAM image encoders give."""


@dataclass(frozen=True, slots=True)
class Input:
    """A float32 input [1, channels, h, w]; h and w are multiples of ``multiple``.

    With ``cell`` it has one value for every cell of so many pixels along each side of the picture, whatever the
    picture's size; with ``length`` it is no map, but [1, channels, length].
    """

    name: str
    channels: int
    multiple: int = 1
    cell: int = 0
    length: int = 0

    def shape(self, picture: tuple[int, int], own: tuple[int, int]) -> tuple[int, ...]:
        """Beside a ``picture`` of (h, w); ``own``: height and width of what has a size of its own."""
        if self.length:
            return 1, self.channels, self.length
        height, width = (side // self.cell for side in picture) if self.cell else own
        return 1, self.channels, height, width

    def layout(self, picture: tuple[int, int] | None, own: tuple[int, int] | None) -> str:
        """The shape in words, with letters where sizes are free."""
        if self.length:
            return f"1,{self.channels},{self.length}"
        if picture is not None and own is not None:
            return ",".join(map(str, self.shape(picture, own)))
        return f"1,{self.channels},h/{self.cell},w/{self.cell}" if self.cell else f"1,{self.channels},h,w"


@dataclass(frozen=True, slots=True)
class Interface:
    """The picture, then inputs that may be zeros ("not known"), and the name of the result.

    ``fixed_only`` says why the model can be made for one size of picture only; empty where sizes can be free.
    ``batched``: where sizes are free, so is the number of pictures of one size that are looked at together.
    """

    picture: Input
    result: str
    extra: tuple[Input, ...] = ()
    fixed_only: str = ""
    batched: bool = False

    @property
    def inputs(self) -> tuple[Input, ...]:
        return (self.picture, *self.extra)

    def extra_sizes(self, size: tuple[int, int]) -> dict[str, tuple[int, int]]:
        """Height and width of the extra inputs where they are fixed beside a picture of fixed ``size``.

        An embedding has 64 cells along the longer side; maps are as large as the picture.
        """
        height, width = size
        cells = max(1, round(EMBEDDING_SIDE * height / max(size))), max(1, round(EMBEDDING_SIDE * width / max(size)))
        return {given.name: cells if given.name == "embedding" else size for given in self.extra}

    def check(self, size: tuple[int, int] | None) -> None:
        """Raises ``ValueError`` for a fixed size, or for free ones (None), that the network does not take."""
        if size is None:
            if self.fixed_only:
                raise ValueError(f"needs a fixed size, as --size 288x512 gives: {self.fixed_only}")
            return
        multiple = self.picture.multiple
        if min(size) < 1 or any(side % multiple for side in size):
            raise ValueError(f"{self.picture.name} has sides that are multiples of {multiple}, not {size[0]}x{size[1]}")


_HALVINGS = (
    "its solver halves the picture ten times, rounding up, and torch.export does not get through the formulas of ten "
    "nested sizes in minutes"
)
CURVE = Interface(Input("thumbnail", 3, CELL), "grid", batched=True)
CURVE_REGIONS = Interface(
    CURVE.picture,
    CURVE.result,
    (Input("region_weights", 1 + REGIONS, cell=CELL), Input("region_features", 1 + REGIONS, length=EMBEDDING)),
    batched=True,
)


def interface_of(network: nn.Module) -> Interface:
    """The interface of an `Inference`, or of ``curve``'s network, which gives grids."""
    if not isinstance(network, Inference):
        return CURVE_REGIONS if isinstance(network, CurveNet) and network.regions is not None else CURVE
    channels = {"regions": 4, "depth": 3}
    if isinstance(network.bank, EmbeddingBank):
        channels["embedding"] = len(network.bank.mean)
    extra = tuple(Input(name, channels[name]) for name in network.extra)
    return Interface(Input("image", 3), "enhanced", extra, _HALVINGS if network.system == "lime" else "")


def random_inputs(
    interface: Interface, size: tuple[int, int], extra: dict[str, tuple[int, int]] | None = None
) -> tuple[Tensor, ...]:
    """A random picture and random extra inputs, of the sizes ``extra`` or of those of ``extra_sizes``."""
    sizes = {interface.picture.name: size} | interface.extra_sizes(size) | (extra or {})
    return tuple(torch.rand(given.shape(size, sizes[given.name])) for given in interface.inputs)
