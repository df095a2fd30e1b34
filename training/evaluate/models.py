"""What is measured, by its name: each is a function from a dark to a bright RGB picture of 8 bits.

``input`` (nothing done); a bundle, folder or name, the way it ships (8-bit 4:2:0 planes, thumbnail, ONNX Runtime, grid,
fused pass); ``full:BUNDLE``, one of kind ``picture`` run on the whole picture instead; a checkpoint of any system, in
torch on the whole picture (``curve`` through planes and grid, which is all it has); ``lime``, which needs none.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from engines.bundle import Card, available_bundles, load_bundle
from engines.curve.cpu import apply
from engines.curve.grid import CurveGrid
from engines.picture_network import PictureNetwork
from engines.planes import Bytes, Planes
from engines.thumbnail import Thumbnail, sample
from engines.tone_model import ToneModel
from networks.checkpoint import Checkpoint, open_checkpoint, without_weights
from networks.systems import UNTRAINED
from training.evaluate.gt_ratio import SYSTEMS as RATIO_SYSTEMS
from training.evaluate.gt_ratio import enhanced_with_target
from training.evaluate.planes import from_tensor, to_planes, to_rgb, to_tensor
from training.extras import Colours, colours_of, extra_inputs
from training.semantics import Semantics

Extra = Mapping[str, NDArray[np.float32]]
Enhance = Callable[[Bytes, Extra], Bytes]
EnhanceTold = Callable[[Bytes, Extra, Bytes], Bytes]


@dataclass(frozen=True, slots=True)
class Model:
    """Call it with an RGB picture [h, w, 3], and with its file where ``cache`` knows about that.

    ``extra``: names of the semantic inputs it takes, zeros without ``cache``. ``trained_on``: words of its card.
    ``colours``: how it learned to see regions painted; hashed where the card of a bundle does not say.
    ``told``: how it enhances a picture when it is told the target; only of those opened with ``gt_ratio``.
    ``regions_of``: by file, another picture whose regions it is told instead.
    """

    enhance: Enhance
    extra: tuple[str, ...] = ()
    cache: Semantics | None = None
    trained_on: str = ""
    colours: Colours = "hashed"
    told: EnhanceTold | None = None
    regions_of: Mapping[Path, Path] = field(default_factory=dict)

    @property
    def semantics(self) -> str:
        """Whether it was told what is where, in words for a table."""
        if not self.extra:
            return "takes none"
        if self.cache is not None and self.regions_of:
            return "of another scene"
        return "given" if self.cache is not None else "not given"

    def __call__(self, picture: Bytes, file: Path | None = None, target: Bytes | None = None) -> Bytes:
        known, file = (self.cache, file) if file is not None else (None, Path())
        size = (picture.shape[0], picture.shape[1])
        tensors = extra_inputs(self.extra, known, file, self.regions_of.get(file), self.colours, size)
        extra = {n: t.numpy() for n, t in zip(self.extra, tensors, strict=True)}
        if self.told is not None and target is not None:
            return self.told(picture, extra, target)
        return self.enhance(picture, extra)


def open_method(
    model: str,
    semantics: Path | None = None,
    *,
    device: str = "cpu",
    threads: int = 1,
    bank: Path | None = None,
    gt_ratio: bool = False,
    truncate: bool = False,
) -> Model:
    """The model of a name. ``semantics``: cache folder for those that take semantic inputs. ``bank``: HRNet's weights.

    ``gt_ratio``: checkpoints of KinD and KinD++ take their light ratio from the target. ``truncate``: pictures that a
    network draws are cut off to 8 bits, not rounded.
    Raises ``ValueError``, ``BundleError`` or another ``EngineError`` for what cannot be opened.
    """
    cache = Semantics(semantics) if semantics is not None else None
    if model == "input":
        return Model(lambda picture, extra: picture)
    if model in UNTRAINED and model not in available_bundles():
        return _of_checkpoint(without_weights(model), cache, device, gt_ratio, truncate)
    if Path(model).is_file():
        return _of_checkpoint(open_checkpoint(Path(model), bank=bank), cache, device, gt_ratio, truncate)
    if model.startswith("full:"):
        bundle = load_bundle(model.removeprefix("full:"))
        network = PictureNetwork(bundle, device, threads)

        def whole(picture: Bytes, extra: Extra) -> Bytes:
            given = (to_tensor(picture)[0] / 255).numpy()
            return from_tensor(torch.from_numpy(network(given, extra))[None], truncate)

        return Model(whole, network.extra_inputs, cache, bundle.card.training.data, _colours(bundle.card))
    bundle = load_bundle(model)
    tone = ToneModel(bundle, device, threads)
    return Model(_through_planes(tone), tone.extra_inputs, cache, bundle.card.training.data, _colours(bundle.card))


def _through_planes(tone: Callable[[Thumbnail, Extra], CurveGrid]) -> Enhance:
    def shipped(picture: Bytes, extra: Extra) -> Bytes:
        planes = to_planes(picture)
        done = Planes(np.empty_like(planes.y), np.empty_like(planes.u), np.empty_like(planes.v), planes.colour)
        apply(planes, tone(sample(planes), extra), done)
        return to_rgb(done)

    return shipped


def _of_checkpoint(
    checkpoint: Checkpoint, cache: Semantics | None, device: str, gt_ratio: bool, truncate: bool
) -> Model:
    trained_on = _data_of(checkpoint.recipe)
    if checkpoint.system == "curve":
        network = checkpoint.network.to(device)
        taken = ("region_weights", "region_features") if checkpoint.options.get("regions") else ()

        @torch.no_grad()
        def tone(thumbnail: Thumbnail, extra: Extra) -> CurveGrid:
            given = torch.from_numpy(np.stack((thumbnail.y, thumbnail.u, thumbnail.v)))[None]
            known = [torch.from_numpy(extra[name]).to(device) for name in taken]
            return CurveGrid(network(given.to(device), *known)[0].cpu().numpy()).made_monotone(thumbnail.y)

        return Model(_through_planes(tone), taken, cache, trained_on)
    inference = checkpoint.inference().to(device)

    def given(extra: Extra) -> list[Tensor]:
        return [torch.from_numpy(extra[name]).to(device) for name in inference.extra]

    def ready(picture: Bytes) -> Tensor:
        return (to_tensor(picture) / 255).to(device)

    @torch.no_grad()
    def whole(picture: Bytes, extra: Extra) -> Bytes:
        return from_tensor(inference(ready(picture), *given(extra)), truncate)

    def told(picture: Bytes, extra: Extra, target: Bytes) -> Bytes:
        enhanced = enhanced_with_target(inference, ready(picture), ready(target), *given(extra))
        return from_tensor(enhanced, truncate)

    by_target = told if gt_ratio and checkpoint.system in RATIO_SYSTEMS else None
    return Model(whole, inference.extra, cache, trained_on, colours_of(checkpoint.recipe), by_target)


def _colours(card: Card) -> Colours:
    return "means" if card.region_colours == "means" else "hashed"


def _data_of(recipe: Mapping[str, Any] | None) -> str:
    """How the recipe in a checkpoint names its data; nothing where there is none."""
    data = (recipe or {}).get("data")
    return str(data.get("name", "")) if isinstance(data, Mapping) else ""
