"""Bundles of both kinds become grids, through real ONNX files, and what is wrong with them is said."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest
from onnx import helper

import engines
from engines.bundle import Bundle
from engines.colour import Colour
from engines.curve import reference
from engines.errors import DeviceError, ModelError, NotFiniteError
from engines.planes import Planes
from engines.thumbnail import Thumbnail, sample
from engines.tone_model import ToneModel

BundleMaker = Callable[..., Bundle]


def dark_scene(full: bool = False) -> Planes:
    """A smooth dark picture with some colour: what a fit can follow exactly."""
    x, y = np.meshgrid(np.linspace(0, 1, 320), np.linspace(0, 1, 180))
    luma = 45 + 40 * (0.5 + 0.5 * np.sin(7 * x + 5 * y))
    u, v = 128 + 6 * np.sin(3 * x[::2, ::2]), 128 + 6 * np.cos(4 * y[::2, ::2])
    return Planes(*(plane.round().astype(np.uint8) for plane in (luma, u, v)), Colour("bt709", full))


def test_gain_network_becomes_a_gain_grid(gain_bundle: Bundle) -> None:
    planes = dark_scene()
    grid = ToneModel(gain_bundle)(sample(planes))
    assert grid.coefficients.shape == (18, 32, 9)
    out = reference.apply(planes, grid)
    assert np.abs(out.y - (2 * (planes.y - 16.0) + 16)).max() <= 1
    assert np.abs(out.u - (2 * (planes.u - 128.0) + 128)).max() <= 1
    assert np.abs(out.v - (2 * (planes.v - 128.0) + 128)).max() <= 1


def test_gamma_network_is_followed_at_full_size(gamma_bundle: Bundle) -> None:
    planes = dark_scene()
    out = reference.apply(planes, ToneModel(gamma_bundle)(sample(planes)))
    before = sample(planes).to_rgb()
    wanted, got = np.sqrt(np.clip(before, 0, 1)), sample(out).to_rgb()
    assert np.abs(got - wanted).mean() < 0.01


def test_identity_network_changes_no_code(make_bundle: BundleMaker) -> None:
    planes = dark_scene(full=True)
    out = reference.apply(planes, ToneModel(make_bundle("same"))(sample(planes)))
    assert (out.y == planes.y).all()
    assert (out.u == planes.u).all()
    assert (out.v == planes.v).all()


def grid_nodes(*coefficients: float) -> tuple[list[object], dict[str, list[float]]]:
    """A network that predicts the same nine coefficients everywhere, at an eighth of the thumbnail."""
    nodes = [
        helper.make_node("AveragePool", ["thumbnail"], ["small"], kernel_shape=[8, 8], strides=[8, 8]),
        helper.make_node("Transpose", ["small"], ["last"], perm=[0, 2, 3, 1]),
        helper.make_node("ReduceSum", ["last", "axis"], ["one"], keepdims=1),
        helper.make_node("Mul", ["one", "zero"], ["none"]),
        helper.make_node("Add", ["none", "theta"], ["grid"]),
    ]
    nodes.insert(0, helper.make_node("Constant", [], ["axis"], value_ints=[-1]))
    return nodes, {"zero": [0.0], "theta": list(coefficients)}


def test_a_grid_network_is_taken_as_it_is(make_bundle: BundleMaker) -> None:
    wanted = (2.0, 0.1, 0.02, 1.5, 0, 0, 1.2, 0, 0.01)
    grid = ToneModel(make_bundle("grid", "grid", *grid_nodes(*wanted)))(sample(dark_scene()))
    assert (grid.coefficients == np.float32(wanted)).all()


@pytest.mark.parametrize(("level", "share"), [(0.0, 0.0), (0.39 / 255, 0.0), (0.8 / 255, 0.5), (1.21 / 255, 1.0)])
def test_black_stays_black_and_the_darkest_pictures_are_pictures(
    make_bundle: BundleMaker, level: float, share: float
) -> None:
    """A network that would lift black by a fifth: nothing of it where there is nothing to see."""
    model = ToneModel(make_bundle("grid", "grid", *grid_nodes(1.0, 0.0, 0.2, 1, 0, 0, 1, 0, 0)))
    black = Thumbnail.from_rgb(np.full((3, 144, 256), 0.2 / 255, np.float32), "bt709")
    black.y[80:88, 120:128] = level
    grid = model(black)
    np.testing.assert_allclose(grid.coefficients[..., 2], 0.2 * share, atol=1e-3)
    assert grid.is_identity == (share == 0)


def test_a_falling_predicted_curve_is_made_to_rise_and_keeps_its_mean(make_bundle: BundleMaker) -> None:
    a, s, b = -1.0, 1.0, 0.2
    thumbnail = sample(dark_scene())
    grid = ToneModel(make_bundle("grid", "grid", *grid_nodes(a, s, b, 1, 0, 0, 1, 0, 0)))(thumbnail)
    assert grid.is_monotone()
    y, root = (q.reshape(18, 8, 32, 8).mean(axis=(1, 3)) for q in (thumbnail.y, np.sqrt(thumbnail.y)))
    curve = grid.coefficients
    change = curve[..., 0] * y + curve[..., 1] * root + curve[..., 2] - (a * y + s * root + b)
    assert np.abs(change).max() < 1e-5


@pytest.mark.parametrize("kind", ["grid", "picture"])
def test_nan_is_refused_by_type(make_bundle: BundleMaker, kind: str) -> None:
    if kind == "grid":
        bundle = make_bundle("nan", "grid", *grid_nodes(float("nan"), *[0.0] * 8))
    else:
        nodes = [helper.make_node("Mul", ["image", "nan"], ["enhanced"])]
        bundle = make_bundle("nan", nodes=nodes, constants={"nan": [float("nan")]})
    with pytest.raises(NotFiniteError, match="keep the previous grid"):
        ToneModel(bundle)(sample(dark_scene()))


def test_a_model_of_another_kind_than_its_card_is_refused(gamma_bundle: Bundle) -> None:
    lying = replace(gamma_bundle, card=replace(gamma_bundle.card, kind="grid"))
    with pytest.raises(ModelError, match=r"gave \[1, 3, 144, 256\] where \[1, 18, 32, 9\]"):
        ToneModel(lying)(sample(dark_scene()))


def test_engine_declares_and_checks_its_inputs(gamma_bundle: Bundle) -> None:
    engine = engines.open_engine(gamma_bundle)
    assert engine.inputs[0].name == "image"
    assert engine.inputs[0].shape == (1, 3, "h", "w")
    out = engine.infer({"image": np.full((1, 3, 8, 8), 0.25, np.float32)})
    assert list(out) == ["enhanced"]
    assert (out["enhanced"] == 0.5).all()
    with pytest.raises(ModelError, match="takes image"):
        engine.infer({"picture": np.zeros((1, 3, 8, 8), np.float32)})
    with pytest.raises(ModelError, match="failed on image"):
        engine.infer({"image": np.zeros((1, 3, 8, 8), np.float64)})


def test_unusable_device_and_file_are_refused(gamma_bundle: Bundle) -> None:
    with pytest.raises(DeviceError, match="unknown device 'tpu'"):
        engines.open_engine(gamma_bundle, "tpu")
    with pytest.raises(ModelError, match="holds no model"):
        engines.open_engine(replace(gamma_bundle, model=b"not a model"))
    import onnxruntime

    if "CUDAExecutionProvider" not in onnxruntime.get_available_providers():
        with pytest.raises(DeviceError, match="onnxruntime-gpu"):
            engines.open_engine(gamma_bundle, "cuda")


def test_enhance_picture(gamma_bundle: Bundle) -> None:
    x = np.linspace(8, 90, 200)
    rgb = np.stack(
        [np.broadcast_to(x, (120, 200)), np.broadcast_to(x * 0.8, (120, 200)), np.full((120, 200), 40)], axis=2
    )
    rgb = rgb.round().astype(np.uint8)
    out = engines.enhance_picture(rgb, gamma_bundle.folder)
    assert out.dtype == np.uint8
    assert out.shape == rgb.shape
    assert np.abs(out / 255 - np.sqrt(rgb / 255)).mean() < 0.02
    assert (engines.enhance_picture(rgb, gamma_bundle.folder, strength=0) == rgb).all()
    half = engines.enhance_picture(rgb, gamma_bundle.folder, strength=0.5)
    assert rgb.mean() + 20 < half.mean() < out.mean() - 20
    with pytest.raises(ValueError, match="uint8"):
        engines.enhance_picture(rgb.astype(np.float32), gamma_bundle.folder)
