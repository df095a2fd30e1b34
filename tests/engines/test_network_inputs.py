"""Shares of regions and their features: one value per cell of what the model sees, whatever it sees."""

from __future__ import annotations

import re
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from engines.errors import ModelError
from engines.network_inputs import NetworkInputs, Window
from engines.onnx_runtime import Tensor


class Model:
    """What an opened model declares."""

    def __init__(self, **inputs: tuple[int | str, ...]) -> None:
        shapes = {"thumbnail": (1, 3, "h", "w"), **inputs}
        self.inputs = tuple(Tensor(name, shape, "tensor(float)") for name, shape in shapes.items())


def inputs(**declared: tuple[int | str, ...]) -> NetworkInputs:
    model: Any = Model(**declared)
    return NetworkInputs(model, "tiny")


FREE = {"region_weights": (1, 17, "rows", "cols"), "region_features": (1, 17, 256)}


def picture(height: int, width: int) -> np.ndarray:
    return np.zeros((1, 3, height, width), np.float32)


def weights(rows: int, cols: int, seed: int = 0) -> np.ndarray:
    drawn = np.random.default_rng(seed).random((1, 17, rows, cols))
    return (drawn / drawn.sum(axis=1, keepdims=True)).astype(np.float32)


def test_unknown_weights_have_the_cells_of_every_picture() -> None:
    network = inputs(**FREE)
    assert network.extra == ("region_weights", "region_features")
    for height, width in ((144, 256), (168, 224), (168, 224), (20, 8)):
        fed = network.feed(picture(height, width))
        assert fed["region_weights"].shape == (1, 17, -(-height // 8), -(-width // 8))
        assert fed["region_features"].shape == (1, 17, 256)
        assert not fed["region_weights"].any()
        assert not fed["region_features"].any()


def test_known_ones_arrive_as_they_are() -> None:
    given_weights, features = weights(18, 32), np.random.default_rng(1).random((1, 17, 256), dtype=np.float32)
    fed = inputs(**FREE).feed(picture(144, 256), {"region_weights": given_weights, "region_features": features})
    np.testing.assert_array_equal(fed["region_weights"], given_weights)
    np.testing.assert_array_equal(fed["region_features"], features)


@settings(max_examples=50, deadline=None)
@given(st.integers(1, 20), st.integers(1, 20), st.integers(1, 90), st.integers(1, 90), st.floats(0, 0.5))
def test_shares_sum_to_one_in_every_window(rows: int, cols: int, height: int, width: int, top: float) -> None:
    window = Window(top, top + 0.5, 0.25, 1.1)
    fed = inputs(**FREE).feed(picture(height, width), {"region_weights": weights(rows, cols)}, window)
    got = fed["region_weights"]
    assert got.shape == (1, 17, -(-height // 8), -(-width // 8))
    np.testing.assert_allclose(got.sum(axis=1), 1, atol=1e-5)


def test_a_tile_gets_the_shares_of_its_part_and_all_features() -> None:
    given_weights = np.zeros((1, 17, 8, 8), np.float32)
    given_weights[:, 3, :, :4] = 1
    given_weights[:, 5, :, 4:] = 1
    features = np.ones((1, 17, 256), np.float32)
    fed = inputs(**FREE).feed(
        picture(64, 64), {"region_weights": given_weights, "region_features": features}, Window(0, 0.5, 0.5, 1)
    )
    assert fed["region_weights"].shape == (1, 17, 8, 8)
    np.testing.assert_array_equal(fed["region_weights"][:, 5, :, 1:], 1)
    np.testing.assert_array_equal(fed["region_features"], features)


def test_a_model_of_one_size_gets_that_size() -> None:
    network = inputs(region_weights=(1, 17, 9, 16))
    assert network.feed(picture(144, 256))["region_weights"].shape == (1, 17, 9, 16)
    assert network.feed(picture(144, 256), {"region_weights": weights(18, 32)})["region_weights"].shape == (
        1,
        17,
        9,
        16,
    )


@pytest.mark.parametrize(
    ("name", "array", "wanted"),
    [
        ("region_weights", np.zeros((1, 16, 4, 4), np.float32), "[1, 17, rows, columns]"),
        ("region_weights", np.zeros((1, 17, 0, 4), np.float32), "[1, 17, rows, columns]"),
        ("region_features", np.zeros((1, 17, 255), np.float32), "float32 [1, 17, 256], not float32 [1, 17, 255]"),
        ("region_features", np.zeros((1, 17, 256)), "float32 [1, 17, 256], not float64"),
        ("region_features", np.zeros((1, 17, 256, 1), np.float32), "[1, 17, 256]"),
    ],
)
def test_other_shapes_are_refused(name: str, array: np.ndarray, wanted: str) -> None:
    with pytest.raises(ModelError, match=f"takes {name} as .*{re.escape(wanted)}"):
        inputs(**FREE).feed(picture(32, 32), {name: array})


def test_models_that_declare_something_else_under_these_names_are_refused() -> None:
    with pytest.raises(ModelError, match="region_features is"):
        inputs(region_features=(1, 17, 256, 1))
    with pytest.raises(ModelError, match="takes thumbnail, flow; known are one picture and embedding"):
        inputs(flow=(1, 2, "h", "w"))
