"""One tone model for several streams: thumbnails that come at the same time are looked at together.

Models whose file is for one picture at a time, and those that draw pictures, take them one by one, first come first
served; either way the model is loaded once.

What batches pay, measured on two cores of an x86 server with the network `curve` at 256x144 on one thread, in CPU time
for each picture, best of three rounds on a machine with other work: 4.0 ms alone, 3.5 in pairs, 3.6 by fours, 3.5 by
eights: about a tenth is saved. The pictures of a batch of four are ready together after 14 ms; one after the other they
would be ready after 4, 8, 12 and 16 ms, so the mean latency is not better; and two models beside each other on two idle
cores take 2.1 ms for each picture. On a CPU batches save a little work where cores are scarce and several streams come
at once. They are no way to more streams.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from engines.bundle import Bundle
from engines.choose import Engine, open_engine
from engines.curve.grid import CELL, COEFFICIENTS, CurveGrid, Floats
from engines.errors import EngineError, ModelError, NotFiniteError
from engines.network_inputs import Extra, NetworkInputs
from engines.thumbnail import Thumbnail
from engines.tone_model import ToneModel, black_kept
from stream.live.gathering import Gatherer

MOST = 8
"""Pictures in one run: more save nothing further."""
Asked = tuple[Thumbnail, Extra | None]


class SharedToneModel:
    """A tone model for several threads at once, with the interface of ``ToneModel``."""

    def __init__(self, bundle: Bundle, device: str = "cpu", threads: int = 1) -> None:
        """Opening may raise ``ModelError`` or ``DeviceError``."""
        self.card = bundle.card
        batched = _open_batched(bundle, device, threads) if bundle.card.kind == "grid" else None
        self.takes_batches = batched is not None
        model = batched or _OneByOne(ToneModel(bundle, device, threads))
        self.extra_inputs: tuple[str, ...] = model.extra_inputs
        self._gather: Gatherer[Asked, CurveGrid] = Gatherer(
            model, lambda asked: asked[0].y.shape, most=MOST if batched else 1
        )

    @property
    def figures(self) -> tuple[int, int]:
        """Runs of the model so far, and thumbnails that went through them."""
        return self._gather.runs, self._gather.items

    def __call__(self, thumbnail: Thumbnail, extra: Extra | None = None) -> CurveGrid:
        """The grid for a picture, as ``ToneModel`` gives it. What is wrong with other pictures is not raised here."""
        return self._gather((thumbnail, extra))


class _OneByOne:
    def __init__(self, model: ToneModel) -> None:
        self._model = model
        self.extra_inputs = model.extra_inputs

    def __call__(self, asked: Sequence[Asked]) -> Sequence[CurveGrid | Exception]:
        return [self._model(thumbnail, extra) for thumbnail, extra in asked]


class _Batched:
    """A model of kind ``grid`` whose file takes any number of pictures."""

    def __init__(self, engine: Engine, name: str) -> None:
        self._engine, self._name = engine, name
        self._inputs = NetworkInputs(engine, name)
        self._output = engine.outputs[0].name
        self.extra_inputs = self._inputs.extra

    def __call__(self, asked: Sequence[Asked]) -> Sequence[CurveGrid | Exception]:
        fed: list[dict[str, Floats]] = []
        for thumbnail, extra in asked:
            given = np.stack([thumbnail.y, thumbnail.u, thumbnail.v])[None]
            fed.append(self._inputs.feed(given, extra))
        together = {name: np.concatenate([one[name] for one in fed]) for name in fed[0]} if len(fed) > 1 else fed[0]
        result = self._engine.infer(together)[self._output]
        height, width = asked[0][0].y.shape
        wanted = (len(asked), height // CELL, width // CELL, COEFFICIENTS)
        if result.shape != wanted:
            raise ModelError(f"bundle '{self._name}' gave {list(result.shape)} where {list(wanted)} was due")
        return [self._grid(part, thumbnail) for part, (thumbnail, _) in zip(result, asked, strict=True)]

    def _grid(self, nodes: Floats, thumbnail: Thumbnail) -> CurveGrid | EngineError:
        if not np.isfinite(nodes).all():
            return NotFiniteError(
                f"bundle '{self._name}' gave NaN or infinity for this picture; keep the previous grid"
            )
        return black_kept(CurveGrid(nodes).made_monotone(thumbnail.y), thumbnail)


def _open_batched(bundle: Bundle, device: str, threads: int) -> _Batched | None:
    """The model if it takes any number of pictures of a size, else None."""
    engine = open_engine(bundle, device, threads)
    free = all(not isinstance(tensor.shape[0], int) for tensor in (*engine.inputs, *engine.outputs))
    return _Batched(engine, bundle.card.name) if free and len(engine.outputs) == 1 else None
