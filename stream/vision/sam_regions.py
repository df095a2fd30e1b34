"""Segment Anything as the segmenter of a video: a snapshot -> at most 16 regions and the embedding of the picture.

The snapshot is the enhanced thumbnail: SAM was trained on daylight and fails on dark noisy pictures. Encoding enlarges
it to SAM's 1024 pixels, whatever its size, so a small one costs the same and has less noise.

With a MobileSAM-class model in ONNX files one snapshot takes 2 to 3 s of one CPU core: 1.6 to 2.0 s for the encoder and
0.1 s for each of 4 to 12 points (measured on an EPYC with AVX2 that others used too; up to 3.6 s when it was crowded).
"""

from __future__ import annotations

from pathlib import Path

from engines.sam.automatic import VIDEO, AutomaticOptions, find_regions
from engines.sam.image_encoder import ImageEncoder, Picture
from engines.sam.mask_decoder import MaskDecoder
from stream.vision.regions import Segmentation


class SamRegions:
    """Call it with RGB uint8 [h, w, 3], from one thread at a time; ``stop`` may come from another."""

    def __init__(self, encoder: ImageEncoder, decoder: MaskDecoder, options: AutomaticOptions = VIDEO) -> None:
        self._encoder = encoder
        self._decoder = decoder
        self._options = options

    def __call__(self, rgb: Picture) -> Segmentation:
        """Ids, whose longest side is 256, and the embedding without padding. Raises ``ModelError``, also if stopped."""
        for model in (self._encoder, self._decoder):
            model.session.resume()
        encoded = self._encoder.encode(rgb)
        return Segmentation(find_regions(self._decoder, encoded, self._options), encoded.embedding)

    def stop(self) -> None:
        """Ends the call that goes on, within milliseconds."""
        for model in (self._encoder, self._decoder):
            model.session.stop()


def open_sam(encoder: Path, decoder: Path, threads: int = 1) -> SamRegions:
    """Opens SAM's two ONNX files. Raises ``ModelError`` where they are none."""
    return SamRegions(ImageEncoder(encoder, threads), MaskDecoder(decoder, threads))
