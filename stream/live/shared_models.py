"""The networks of a process: each is loaded once, for all streams that name it, and goes with the last of them."""

from __future__ import annotations

import threading
from collections.abc import Hashable
from concurrent.futures import Future
from weakref import WeakValueDictionary

from engines.bundle import Bundle, load_bundle
from engines.curve.grid import Floats
from engines.full_picture import open_full
from engines.network_inputs import Extra
from engines.picture_network import PictureNetwork
from stream.background import in_background
from stream.live.batching import SharedToneModel
from stream.live.enhancing import Network
from stream.live.warming import warm_up
from stream.settings import Settings
from stream.vision.modes import Full, Fused


class SharedModels:
    """Call it with the settings of a stream. What is loaded stays as long as somebody holds it."""

    def __init__(self) -> None:
        self._loaded: WeakValueDictionary[Hashable, Fused | Full] = WeakValueDictionary()
        self._loading = threading.Lock()
        self._tone_models: WeakValueDictionary[Hashable, SharedToneModel] = WeakValueDictionary()

    def __call__(self, settings: Settings) -> Fused | Full:
        """The network in the mode that the settings ask for. Raises ``EngineError``; the next call tries again."""
        bundle = load_bundle(settings.model)
        key = _key(bundle, settings)
        with self._loading:
            network = self._loaded.get(key)
            if network is None:
                network = self._open(bundle, settings, key)
                warm_up(network, settings)
                self._loaded[key] = network
        return network

    def soon(self, settings: Settings) -> Future[Network]:
        """The same, by a thread; the interpreter waits for it at its end."""
        return in_background(lambda: self(settings))

    @property
    def loaded(self) -> int:
        """Networks that are in memory now."""
        return len(self._loaded)

    def batches(self) -> tuple[int, int]:
        """Runs of the tone models that are loaded, and thumbnails that went through them."""
        figures = [model.figures for model in list(self._tone_models.values())]
        return sum(runs for runs, _ in figures), sum(items for _, items in figures)

    def _open(self, bundle: Bundle, settings: Settings, key: Hashable) -> Fused | Full:
        if settings.mode == "full":
            return Full(bundle, settings, _OneAtATime(bundle, settings))
        model = SharedToneModel(bundle, settings.engine)
        self._tone_models[key] = model
        return Fused(bundle, settings, model)


class _OneAtATime(PictureNetwork):
    """A network that draws pictures, for several threads: they take turns."""

    def __init__(self, bundle: Bundle, settings: Settings) -> None:
        self._network = open_full(bundle, settings.engine, threads=settings.threads, tile=settings.tile)
        self._turn = threading.Lock()
        self.card = bundle.card

    @property
    def extra_inputs(self) -> tuple[str, ...]:
        return self._network.extra_inputs

    def __call__(self, rgb: Floats, extra: Extra | None = None) -> Floats:
        with self._turn:
            return self._network(rgb, extra)


def _key(bundle: Bundle, settings: Settings) -> Hashable:
    """What makes two settings want the same network."""
    own = (settings.tile, settings.threads) if settings.mode == "full" else ()
    return bundle.card.sha256, settings.mode, settings.engine, own
