"""A cut embedding is the embedding of the cut: same place, same turn, and the same knowledge to a bank."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor
from torch.nn import functional as F

from networks.embedding_bank import EmbeddingBank
from training.batches import Crop
from training.semantics.crops import crop_embedding, crop_regions

TURNS = list(itertools.product((False, True), repeat=3))


def coordinates(height: int, width: int, scale: float = 1.0) -> Tensor:
    """[2, height, width]: where the centre of each pixel is, (y, x)."""
    y, x = torch.meshgrid(torch.arange(height) + 0.5, torch.arange(width) + 0.5, indexing="ij")
    return scale * torch.stack([y, x])


@st.composite
def crops(draw: st.DrawFn, height: int, width: int, margin: int) -> Crop:
    tall, wide = draw(st.integers(8, 60)), draw(st.integers(8, 60))
    top = draw(st.integers(margin, height - margin - tall))
    left = draw(st.integers(margin, width - margin - wide))
    return Crop(top, left, tall, wide, draw(st.booleans()), draw(st.booleans()), draw(st.booleans()))


@settings(max_examples=60, deadline=None)
@given(crops(120, 200, margin=8), st.sampled_from([4, 8, 16]))
def test_every_cell_of_a_cut_embedding_lies_where_its_pixels_lie(crop: Crop, cell: int) -> None:
    """An embedding that holds coordinates is cut to the coordinates that the pixels have, on average."""
    cut = crop_embedding(coordinates(12, 20, 10.0), (120, 200), crop, cell)
    pixels = torch.from_numpy(np.ascontiguousarray(crop.of(coordinates(120, 200).permute(1, 2, 0).numpy())))
    height, width = crop.size
    assert cut.shape == (2, -(-height // cell), -(-width // cell))
    whole = F.interpolate(cut[None], size=(height, width), mode="bilinear", align_corners=False)[0]
    inner = whole[:, height // 2 - 1 : height // 2 + 2, width // 2 - 1 : width // 2 + 2]
    expected = pixels.permute(2, 0, 1)[:, height // 2 - 1 : height // 2 + 2, width // 2 - 1 : width // 2 + 2]
    if min(cut.shape[1:]) > 2:
        torch.testing.assert_close(inner, expected, atol=1e-3, rtol=0)
    torch.testing.assert_close(cut.mean((1, 2)), pixels.mean((0, 1)), atol=1e-3, rtol=0)


@pytest.mark.parametrize(("flip_h", "flip_v", "transpose"), TURNS)
def test_where_cells_coincide_nothing_is_interpolated(flip_h: bool, flip_v: bool, transpose: bool) -> None:
    embedding = torch.randn(5, 64, 64)
    crop = Crop(64, 128, 160, 96, flip_h, flip_v, transpose)
    cells = Crop(8, 16, 20, 12, flip_h, flip_v, transpose).of(embedding.permute(1, 2, 0).numpy())
    cut = crop_embedding(embedding, (512, 512), crop)
    torch.testing.assert_close(cut, torch.from_numpy(cells.copy()).permute(2, 0, 1), atol=1e-4, rtol=0)


@pytest.mark.parametrize(("flip_h", "flip_v", "transpose"), TURNS)
def test_the_knowledge_of_a_crop_is_the_crop_of_the_knowledge(flip_h: bool, flip_v: bool, transpose: bool) -> None:
    """Up to interpolation: away from the border, for an embedding that is smooth from cell to cell."""
    torch.manual_seed(0)
    coarse = torch.randn(1, 16, 10, 10)
    embedding = F.interpolate(coarse, size=(64, 64), mode="bicubic")[0]
    bank = EmbeddingBank(16, classes=4, channels=(4, 8, 12))
    bank.fit(embedding[None])
    whole = bank.from_embedding(embedding[None], (512, 512))
    crop = Crop(80, 144, 192, 128, flip_h, flip_v, transpose)
    known = bank.from_embedding(crop_embedding(embedding, (512, 512), crop)[None], crop.size)
    for level, (part, full) in enumerate(
        zip((*known.features, known.logits), (*whole.features, whole.logits), strict=True)
    ):
        stride = 4 * 2**level if level < 3 else 1
        piece = Crop(80 // stride, 144 // stride, 192 // stride, 128 // stride, flip_h, flip_v, transpose)
        expected = torch.from_numpy(piece.of(full[0].permute(1, 2, 0).numpy()).copy()).permute(2, 0, 1)
        assert part.shape[1:] == expected.shape
        rim = max(1, 16 // stride)
        inner = (slice(None), slice(rim, -rim), slice(rim, -rim))
        assert (part[0][inner] - expected[inner]).abs().max() < 0.05 * expected.abs().max()


def test_an_odd_crop_between_cells_knows_nearly_the_same() -> None:
    torch.manual_seed(1)
    embedding = F.interpolate(torch.randn(1, 16, 10, 10), size=(43, 64), mode="bicubic")[0]
    bank = EmbeddingBank(16, classes=4, channels=(4, 8, 12))
    bank.fit(embedding[None])
    whole = bank.from_embedding(embedding[None], (400, 600)).logits[0]
    crop = Crop(33, 71, 101, 147, flip_h=True)
    part = bank.from_embedding(crop_embedding(embedding, (400, 600), crop)[None], crop.size).logits[0]
    expected = whole[:, 33:134, 71:218].flip(-1)
    assert (part - expected)[:, 12:-12, 12:-12].abs().max() < 0.1 * expected.abs().max()
    assert (part - expected).abs().mean() < 0.02 * expected.abs().max()


def test_not_known_stays_not_known() -> None:
    assert not crop_embedding(torch.zeros(4, 8, 8), (64, 64), Crop(3, 5, 30, 40)).any()


@settings(max_examples=40, deadline=None)
@given(crops(120, 200, margin=0))
def test_region_ids_go_with_their_pixels(crop: Crop) -> None:
    ids = torch.from_numpy(np.random.default_rng(0).integers(0, 256, (30, 50), dtype=np.uint8))
    pixels = np.kron(ids.numpy(), np.ones((4, 4), np.uint8))
    cut = crop_regions(ids, (120, 200), crop)
    assert cut.dtype == torch.int64
    np.testing.assert_array_equal(cut.numpy(), crop.of(pixels))


def test_regions_of_a_picture_that_is_no_multiple_of_the_map() -> None:
    ids = torch.arange(1, 7, dtype=torch.uint8).reshape(2, 3)
    cut = crop_regions(ids, (5, 7), Crop(0, 0, 5, 7))
    assert cut.tolist() == [[1, 1, 2, 2, 2, 3, 3]] * 2 + [[4, 4, 5, 5, 5, 6, 6]] * 3
