"""The two ways to use a network, behind one interface: ``fused`` and ``full``.

``fused``: it looks at a thumbnail, and one pass over the frame applies the tone curves that it wants, smoothed in time.
``full``: it draws the whole picture itself, frame by frame.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

from engines.bundle import Bundle
from engines.planes import Bytes
from stream.media import Frame
from stream.settings import Settings
from stream.telemetry import Telemetry
from stream.vision.enhancer import Enhancer, Predict

if TYPE_CHECKING:
    from engines.picture_network import PictureNetwork
    from stream.vision.full_enhancer import FullEnhancer
    from stream.vision.semantics import Semantics


class FrameEnhancer(Protocol):
    """What enhances the frames of one video, and what it counts."""

    strength: float
    """0..1; may be changed between frames."""
    cuts: int
    network_runs: int
    network_failures: int
    semantics: Semantics | None

    def __call__(self, frame: Frame) -> Frame:
        """The enhanced frame, or ``frame`` itself where nothing changes."""
        ...

    def close(self) -> None:
        """Ends what works beside the frames."""
        ...


class Fused:
    """Thumbnail, tone-curve grid, one pass."""

    def __init__(self, bundle: Bundle, settings: Settings, model: Predict | None = None) -> None:
        """``model``: one that is open already, such as that of several streams."""
        from engines.tone_model import ToneModel

        self._model: Predict = model or ToneModel(bundle, settings.engine)
        self.card = bundle.card
        self.extra_inputs = self._model.extra_inputs

    def enhancer(self, settings: Settings, telemetry: Telemetry, semantics: Semantics | None) -> Enhancer:
        """One that smooths in time."""
        return Enhancer(
            self._model,
            strength=settings.strength,
            network_every=settings.network_every,
            denoise=settings.denoise,
            semantics=semantics,
            colours=self.card.region_colours,
            threads=settings.threads,
            telemetry=telemetry,
        )

    def photo(self, rgb: Bytes, strength: float) -> Bytes:
        """A photo enhanced with chroma at every pixel, RGB uint8 [height, width, 3]."""
        from engines.picture import map_picture
        from engines.thumbnail import sample_rgb

        return map_picture(rgb, self._model(sample_rgb(rgb)).blend(strength))


class Full:
    """The network at full size, in tiles."""

    def __init__(self, bundle: Bundle, settings: Settings, network: PictureNetwork | None = None) -> None:
        """``network``: one that is open already, such as that of several streams."""
        from engines.full_picture import open_full

        self._network = network or open_full(bundle, settings.engine, threads=settings.threads, tile=settings.tile)
        self.card = bundle.card
        self.extra_inputs = self._network.extra_inputs

    def enhancer(self, settings: Settings, telemetry: Telemetry, semantics: Semantics | None) -> FullEnhancer:
        """One that takes every frame for itself."""
        from stream.vision.full_enhancer import FullEnhancer

        return FullEnhancer(
            self._network,
            strength=settings.strength,
            semantics=semantics,
            colours=self.card.region_colours,
            telemetry=telemetry,
        )

    def photo(self, rgb: Bytes, strength: float) -> Bytes:
        """A photo as the network draws it, RGB uint8 [height, width, 3]."""
        from engines.full_picture import redraw

        return redraw(rgb, self._network, strength)


def open_mode(bundle: Bundle, settings: Settings) -> Fused | Full:
    """The mode of the settings with this bundle. Raises ``EngineError``, with advice where they do not fit."""
    return Full(bundle, settings) if settings.mode == "full" else Fused(bundle, settings)
