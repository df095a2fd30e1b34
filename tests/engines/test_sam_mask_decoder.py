"""Points in pixels of the picture reach the decoder at the right place, for pictures and models of any shape."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import pytest

from engines.errors import ModelError
from engines.sam.image_encoder import Encoded, ImageEncoder
from engines.sam.mask_decoder import MaskDecoder, mask_size
from engines.sam.session import Session
from tests.engines.fake_sam import PADDING, write_decoder, write_encoder


@pytest.fixture
def models(tmp_path: Path) -> tuple[ImageEncoder, Path]:
    return ImageEncoder(write_encoder(tmp_path / "encoder.onnx")), tmp_path


def with_square(size: tuple[int, int], centre: tuple[float, float], side: int) -> np.ndarray:
    """A dark picture with a white square; ``centre`` is (x, y)."""
    picture = np.zeros((*size, 3), np.uint8)
    top, left = int(centre[1] - side / 2), int(centre[0] - side / 2)
    picture[top : top + side, left : left + side] = 255
    return picture


@pytest.mark.parametrize(
    ("size", "centre"),
    [((300, 900), (700, 90)), ((900, 300), (80, 640)), ((400, 600), (500, 300)), ((97, 211), (50, 60))],
)
def test_the_mask_lies_where_the_point_is(
    models: tuple[ImageEncoder, Path], size: tuple[int, int], centre: tuple[float, float]
) -> None:
    encoder, folder = models
    side = max(size) // 8
    encoded = encoder.encode(with_square(size, centre, side))
    decoder = MaskDecoder(write_decoder(folder / "decoder.onnx"))
    prompted = decoder.prompt(encoded, np.array([centre], np.float32))
    rows, columns = mask_size(size)
    assert prompted.logits.shape == (1, 1, rows, columns)
    assert prompted.iou.shape == (1, 1)
    y, x = np.nonzero(prompted.logits[0, 0] > 0)
    scale = 256 / max(size)
    assert ((x.mean() + 0.5) / scale, (y.mean() + 0.5) / scale) == pytest.approx(centre, abs=8 / scale)
    assert np.sqrt(len(x)) / scale == pytest.approx(side, abs=10 / scale)


def colours(encoder: ImageEncoder) -> Encoded:
    """Four vertical stripes of the scaled picture, 256 pixels wide each."""
    stripes = np.repeat(np.array([20, 90, 160, 230], np.uint8), 256)
    return encoder.encode(np.broadcast_to(stripes[None, :, None], (640, 1024, 3)).copy())


@pytest.mark.parametrize(("batch", "fits"), [(1, 1), (4, 4), ("n", 64)])
def test_batches_of_any_size_that_fits(models: tuple[ImageEncoder, Path], batch: int | str, fits: int) -> None:
    encoder, folder = models
    decoder = MaskDecoder(write_decoder(folder / "decoder.onnx", batch))
    assert decoder.batch == fits
    encoded = colours(encoder)
    points = np.array([[900, 10], [100, 600], [300, 300]], np.float32)[: min(3, fits)]
    prompted = decoder.prompt(encoded, points)
    assert prompted.logits.shape == (len(points), 1, 160, 256)
    for point, logits in zip(points, prompted.logits[:, 0], strict=True):
        stripe = int(point[0]) // 256
        inside = np.zeros((160, 256), bool)
        inside[:, 64 * stripe : 64 * stripe + 64] = True
        np.testing.assert_array_equal(logits > 0, inside)
    with pytest.raises(ValueError, match="points"):
        decoder.prompt(encoded, np.zeros((fits + 1, 2), np.float32))
    with pytest.raises(ValueError, match="points"):
        decoder.prompt(encoded, np.zeros((0, 2), np.float32))


def test_models_that_give_several_masks(models: tuple[ImageEncoder, Path]) -> None:
    encoder, folder = models
    decoder = MaskDecoder(write_decoder(folder / "decoder.onnx", several=True))
    prompted = decoder.prompt(colours(encoder), np.array([[100, 100]], np.float32))
    assert prompted.logits.shape == (1, 3, 160, 256)
    np.testing.assert_allclose(prompted.iou, [[0.95, 0.99, 0.5]])
    assert [(mask > 0).mean() for mask in prompted.logits[0]] == [0.25, 0, 0.75]


def test_the_decoder_sees_the_padding(models: tuple[ImageEncoder, Path], monkeypatch: pytest.MonkeyPatch) -> None:
    encoder, folder = models
    given: dict[str, np.ndarray] = {}
    run = Session.run

    def spy(session: Session, wanted: Sequence[str], arrays: Mapping[str, np.ndarray]) -> list[np.ndarray]:
        given.update(arrays)
        return run(session, wanted, arrays)

    encoded = colours(encoder)
    monkeypatch.setattr(Session, "run", spy)
    MaskDecoder(write_decoder(folder / "decoder.onnx")).prompt(encoded, np.array([[512, 320]], np.float32))
    assert (given["image_embeddings"][0, 3] == PADDING).all()
    np.testing.assert_array_equal(given["point_coords"], [[[512, 320], [0, 0]]])
    np.testing.assert_array_equal(given["point_labels"], [[1, -1]])


def test_an_encoder_is_no_decoder(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match=r"encoder.onnx is no SAM mask decoder: it takes input"):
        MaskDecoder(write_encoder(tmp_path / "encoder.onnx"))
