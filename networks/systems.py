"""All networks by name: how each is built from plain options, and one call that enhances a picture with any of them.

Names are those of ``--model``, of recipes and of bundles. ``build`` makes the network that training sees, `Inference`
wraps it (and the bank that guides it) as ``forward(image, *extra) -> enhanced``: what validation runs and what is
exported. Of extra inputs **all zeros mean "not known"**, so that every network runs without a segmenter too.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor, nn

from networks import drbn, hwmnet, kind, kind_plus, llflow, retinexnet, snr
from networks.curve import CurveNet
from networks.embedding_bank import EmbeddingBank
from networks.enlighten_anything import EnlightenAnything
from networks.enlightengan import EnlightenGAN
from networks.lime import LIME
from networks.mirnet import MIRNet
from networks.sci import SCI, Calibrator
from networks.skf import PROJECT, RELEASED, Knowledge, SEOptions, brighten
from networks.sllen import SLLEN, SLLENOptions
from networks.wakeup_darkness import WakeupDarkness
from networks.zero_dce import ZeroDCE, ZeroDCEPlusPlus

Semantics = Mapping[str, Any]
"""What SE modules are built for: the bank's ``channels`` (finest first) and ``classes``; ``released`` layers or not."""


def _bank(semantics: Semantics) -> tuple[Sequence[int], int, SEOptions]:
    unknown = semantics.keys() - {"channels", "classes", "released"}
    if unknown:
        raise ValueError(f"semantics: unknown {', '.join(sorted(unknown))}; known are channels, classes, released")
    return semantics["channels"], int(semantics["classes"]), RELEASED if semantics.get("released") else PROJECT


@contextmanager
def _aside() -> Iterator[None]:
    """Random numbers of their own for SE modules, so that a baseline starts from the same weights with and without."""
    with torch.random.fork_rng(devices=[]):
        torch.default_generator.manual_seed(int(torch.randint(2**62, (), device="cpu").item()))
        yield


def _retinexnet(
    channels: int = 64, decoder: retinexnet.Decoder = "concat", semantics: Semantics | None = None
) -> nn.Module:
    modules = None
    if semantics is not None:
        bank, _, options = _bank(semantics)
        with _aside():
            modules = retinexnet.semantic_modules(bank, channels, 2 * max(1, channels * 3 // 16), options=options)
    return retinexnet.RetinexNet(channels, decoder, modules)


def _kind(
    channels: int = 32, soften: bool = False, ratio: float | None = None, semantics: Semantics | None = None
) -> nn.Module:
    modules = None
    if semantics is not None:
        bank, _, options = _bank(semantics)
        with _aside():
            modules = kind.semantic_modules(bank, channels, options=options)
    return kind.KinD(channels, modules, soften, ratio)


def _kind_plus(
    channels: int = 32, soften: bool = False, ratio: float | None = None, semantics: Semantics | None = None
) -> nn.Module:
    modules = None
    if semantics is not None:
        bank, _, options = _bank(semantics)
        with _aside():
            modules = kind_plus.semantic_modules(bank, channels, options=options)
    return kind_plus.KinDPlus(channels, modules, soften, ratio)


def _drbn(width: int = 16, semantics: Semantics | None = None) -> nn.Module:
    modules = None
    if semantics is not None:
        bank, classes, options = _bank(semantics)
        with _aside():
            modules = drbn.semantic_modules(bank, classes, width, options)
    return drbn.DRBN(width, modules)


def _hwmnet(width: int = 96, semantics: Semantics | None = None) -> nn.Module:
    modules = None
    if semantics is not None:
        bank, _, options = _bank(semantics)
        with _aside():
            modules = hwmnet.semantic_modules(bank, width, options=options)
    return hwmnet.HWMNet(width, modules)


def _snr(
    channels: int = 64, layers: int = 6, heads: int = 8, hidden: int = 2048, semantics: Semantics | None = None
) -> nn.Module:
    modules = None
    if semantics is not None:
        bank, _, options = _bank(semantics)
        with _aside():
            modules = snr.semantic_modules(bank, channels, options=options)
    return snr.SNRLLIENet(channels, layers, heads, hidden, modules)


def _llflow(
    channels: int, blocks: int, stacked: Sequence[int], steps: int, large: bool, semantics: Semantics | None
) -> nn.Module:
    modules, reversed_pairing = None, False
    if semantics is not None:
        bank, _, options = _bank(semantics)
        reversed_pairing = bool(semantics.get("released"))
        width = channels * (1 + len(stacked))
        with _aside():
            if large:
                modules = llflow.semantic_modules_l(bank, options, reversed_pairing, width, width * 3 // 5)
            else:
                modules = llflow.semantic_modules_s(bank, options, reversed_pairing, width)
    return llflow.LLFlow(channels, blocks, stacked, steps, modules, reversed_pairing)


def _llflow_s(
    channels: int = 32,
    blocks: int = 4,
    stacked: Sequence[int] = (1,),
    steps: int = 4,
    semantics: Semantics | None = None,
) -> nn.Module:
    return _llflow(channels, blocks, stacked, steps, False, semantics)


def _llflow_l(
    channels: int = 64,
    blocks: int = 24,
    stacked: Sequence[int] = (1, 3, 5, 7),
    steps: int = 12,
    semantics: Semantics | None = None,
) -> nn.Module:
    return _llflow(channels, blocks, stacked, steps, True, semantics)


def _enlighten_anything(
    layout: str = "repaired", channels: int = 16, heads: int = 2, stages: int = 3, calibrator: bool = True
) -> nn.Module:
    if layout not in ("repaired", "published"):
        raise ValueError(f"layout is 'repaired' or 'published', not {layout!r}")
    found = Calibrator() if calibrator else None
    return EnlightenAnything("published" if layout == "published" else "repaired", channels, heads, stages, found)


def _sllen(**options: Any) -> nn.Module:
    if "widths" in options:
        options["widths"] = tuple(options["widths"])
    return SLLEN(SLLENOptions(**options))


BUILDERS: dict[str, Callable[..., nn.Module]] = {
    "curve": CurveNet,
    "sci": SCI,
    "enlighten-anything": _enlighten_anything,
    "wakeup-darkness": WakeupDarkness,
    "retinexnet": _retinexnet,
    "kind": _kind,
    "kind-plus": _kind_plus,
    "drbn": _drbn,
    "hwmnet": _hwmnet,
    "snr": _snr,
    "llflow-s": _llflow_s,
    "llflow-l": _llflow_l,
    "sllen": _sllen,
    "lime": LIME,
    "zero-dce": ZeroDCE,
    "zero-dce-plus-plus": ZeroDCEPlusPlus,
    "enlightengan": EnlightenGAN,
    "mirnet": MIRNet,
}
SYSTEMS = tuple(BUILDERS)
GUIDED = ("retinexnet", "kind", "kind-plus", "drbn", "hwmnet", "snr", "llflow-s", "llflow-l")
"""The seven baselines of SKF (LLFlow in two sizes), which take ``semantics``."""
UNTRAINED = ("lime",)
"""Systems without parameters: there is nothing to learn."""


def build(system: str, options: Mapping[str, Any] | None = None) -> nn.Module:
    """A network with fresh weights. Raises ``ValueError`` for an unknown system, option or value."""
    builder = BUILDERS.get(system)
    if builder is None:
        raise ValueError(f"unknown system '{system}'; known are {', '.join(SYSTEMS)}")
    try:
        return builder(**(options or {}))
    except TypeError as error:
        shown = SLLENOptions if system == "sllen" else builder
        raise ValueError(f"{system}: {error}; it takes {', '.join(inspect.signature(shown).parameters)}") from error


class Inference(nn.Module):
    """A system's network as `forward(image, *extra) -> enhanced`, both (N, 3, H, W) R'G'B' in 0..1; any H and W.

    `extra` names further inputs: ``embedding`` (N, D, h, w), an image encoder's embedding of the whole brightened
    picture, for a network that an `EmbeddingBank` guides; ``regions`` (N, 4, h, w), colours of regions and a channel
    that is 1 inside them, for Enlighten Anything; ``depth`` (N, 3, h, w) for its successor. Zeros: not known.
    A `bank` that works on pictures becomes part of the network and sees `brighten(image)`.
    ``curve`` gives grids, not pictures, and is not for this class.
    """

    def __init__(self, system: str, network: nn.Module, bank: nn.Module | None = None) -> None:
        super().__init__()
        if system == "curve":
            raise ValueError("curve gives a grid; it has no picture-to-picture form")
        self.system = system
        self.network = network
        self.bank = bank
        self.extra: tuple[str, ...] = ()
        if isinstance(bank, EmbeddingBank) and bank.encoder is None:
            self.extra = ("embedding",)
        elif system == "enlighten-anything":
            self.extra = ("regions",)
        elif system == "wakeup-darkness":
            self.extra = ("regions", "depth")

    def forward(self, image: Tensor, *extra: Tensor) -> Tensor:
        network, system = self.network, self.system
        if len(extra) != len(self.extra):
            raise ValueError(f"{system} takes {('image', *self.extra)}, but {1 + len(extra)} inputs were given")
        if system in ("sci", "lime"):
            found = network(image)
            enhanced: Tensor = found if isinstance(found, Tensor) else found.enhanced
            return enhanced
        if system == "enlighten-anything":
            published = network.layout == "published"
            enhanced = network(image, _painted(extra[0], published)).enhanced
        elif system == "wakeup-darkness":
            enhanced = network(image, _painted(extra[0], True), extra[1]).enhanced
        elif system in GUIDED:
            enhanced = network(image, knowledge=self.knowledge(image, *extra)).enhanced
        else:
            enhanced = network(image).enhanced
        return enhanced

    def knowledge(self, image: Tensor, *extra: Tensor) -> Knowledge | None:
        """What the bank knows about the picture; None without a bank."""
        if self.bank is None:
            return None
        if isinstance(self.bank, EmbeddingBank) and self.bank.encoder is None:
            return self.bank.from_embedding(extra[0], (image.shape[-2], image.shape[-1]))
        known: Knowledge = self.bank(brighten(image))
        return known


def _painted(regions: Tensor, published: bool) -> Tensor:
    """The map that the network was trained with: where no region is, neutral gray (E4), or white as published."""
    colours, inside = regions[:, :3], regions[:, 3:4]
    if published:
        return torch.where(inside > 0, colours, 1.0)
    return torch.cat([torch.where(inside > 0, colours, 0.5), inside], dim=1)
