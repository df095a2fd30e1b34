"""Pictures reach SAM's encoder as published, and embeddings come back without padding, at the right place."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from engines.errors import ModelError
from engines.sam.image_encoder import Encoded, ImageEncoder, embedding_size, prepare, resample, scaled_size
from tests.engines.fake_sam import write_decoder, write_encoder

MEAN = np.array([123.675, 116.28, 103.53])
DEVIATION = np.array([58.395, 57.12, 57.375])


@pytest.mark.parametrize(
    ("size", "scaled", "cells"),
    [
        ((1080, 1920), (576, 1024), (36, 64)),
        ((512, 512), (1024, 1024), (64, 64)),
        ((400, 600), (683, 1024), (43, 64)),
        ((1000, 333), (1024, 341), (64, 22)),
        ((3, 2000), (2, 1024), (1, 64)),
    ],
)
def test_sizes(size: tuple[int, int], scaled: tuple[int, int], cells: tuple[int, int]) -> None:
    assert scaled_size(size) == scaled
    assert embedding_size(size) == cells


@settings(max_examples=25, deadline=None)
@given(st.tuples(*[st.integers(1, 60)] * 4), st.integers(0, 2**32 - 1))
def test_resampling_is_the_antialiased_bilinear_one(sizes: tuple[int, int, int, int], seed: int) -> None:
    image = pytest.importorskip("PIL.Image")
    picture = np.random.default_rng(seed).integers(0, 256, (sizes[0], sizes[1], 3), dtype=np.uint8)
    expected = np.asarray(image.fromarray(picture).resize((sizes[3], sizes[2]), image.Resampling.BILINEAR))
    ours = resample(picture, (sizes[2], sizes[3]))
    assert np.abs(ours.astype(int) - expected).max() <= 1


def test_input_is_normalised_and_padded_with_zeros_right_and_bottom() -> None:
    picture = np.full((256, 512, 3), (10, 120, 250), np.uint8)
    given_to_model = prepare(picture)
    assert given_to_model.shape == (1, 3, 1024, 1024)
    expected = (np.array([10, 120, 250]) - MEAN) / DEVIATION
    np.testing.assert_allclose(
        given_to_model[0, :, :512], np.broadcast_to(expected[:, None, None], (3, 512, 1024)), rtol=1e-5
    )
    assert not given_to_model[0, :, 512:].any()


def test_a_portrait_is_padded_on_the_right() -> None:
    given_to_model = prepare(np.full((700, 333, 3), 255, np.uint8))
    assert given_to_model[0, 0, :, :487].min() > 2
    assert not given_to_model[0, :, :, 487:].any()


@pytest.mark.parametrize(
    "picture", [np.zeros((4, 4), np.uint8), np.zeros((4, 4, 3), np.float32), np.zeros((0, 4, 3), np.uint8)]
)
def test_other_arrays_are_refused(picture: np.ndarray) -> None:
    with pytest.raises(ValueError, match="RGB picture"):
        prepare(picture)


def test_embedding_covers_the_picture_alone_and_lies_as_it_does(tmp_path: Path) -> None:
    encoder = ImageEncoder(write_encoder(tmp_path / "encoder.onnx"))
    picture = np.zeros((90, 200, 3), np.uint8)
    picture[:, 100:, 2] = 255
    picture[45:, :, 1] = 255
    encoded = encoder.encode(picture)
    assert encoded.size == (90, 200)
    assert encoded.embedding.shape == (256, 29, 64)
    assert encoded.embedding.dtype == np.float32
    bright = (255 - MEAN) / DEVIATION
    assert encoded.embedding[2, 5, 50] == pytest.approx(bright[2], abs=1e-4)
    assert encoded.embedding[2, 5, 10] == pytest.approx(-MEAN[2] / DEVIATION[2], abs=1e-4)
    assert encoded.embedding[1, 20, 10] == pytest.approx(bright[1], abs=1e-4)
    assert encoded.embedding[1, 5, 10] == pytest.approx(-MEAN[1] / DEVIATION[1], abs=1e-4)


def test_an_embedding_without_its_padding_is_refused() -> None:
    with pytest.raises(ValueError, match="with its padding"):
        Encoded(np.zeros((256, 32, 64), np.float32), (100, 200))


def test_files_that_are_no_encoder_are_refused_by_name(tmp_path: Path) -> None:
    (tmp_path / "text.onnx").write_text("no model")
    with pytest.raises(ModelError, match=r"missing.onnx does not exist"):
        ImageEncoder(tmp_path / "missing.onnx")
    with pytest.raises(ModelError, match=r"text.onnx is no model"):
        ImageEncoder(tmp_path / "text.onnx")
    with pytest.raises(ModelError, match=r"decoder.onnx is no SAM image encoder"):
        ImageEncoder(write_decoder(tmp_path / "decoder.onnx"))
    with pytest.raises(ModelError, match=r"not \[1, 256, 64, 64\]"):
        ImageEncoder(write_encoder(tmp_path / "coarse.onnx", cells=32)).encode(np.zeros((8, 8, 3), np.uint8))
