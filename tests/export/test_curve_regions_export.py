"""The bundle of `curve` with regions: what it takes, parity with zeros and anything else, and the run time with it."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnxruntime as ort
import pytest
import torch

from engines.bundle import TrainingCard, load_bundle, write_bundle
from engines.thumbnail import Thumbnail
from engines.tone_model import ToneModel
from export.cards import make_card
from export.interfaces import CURVE, CURVE_REGIONS, interface_of
from export.onnx_model import to_onnx
from export.parity import Parity, compare, synthetic_pictures
from networks.curve import CurveNet

EXTRA = ("region_weights", "region_features")


@pytest.fixture(scope="module")
def network() -> CurveNet:
    torch.manual_seed(4)
    made = CurveNet(channels=(4, 6, 8), dilations=(1, 2), context=6, regions=True).eval()
    torch.nn.init.normal_(made.head.weight, 0, 0.02)
    assert made.regions is not None
    for film in made.regions.films:
        torch.nn.init.normal_(film.weight, 0, 0.1)
    return made


@pytest.fixture(scope="module")
def model(network: CurveNet) -> bytes:
    return to_onnx(network, interface_of(network))


def test_interfaces_tell_networks_with_regions_from_those_without(network: CurveNet) -> None:
    assert interface_of(network) is CURVE_REGIONS
    assert interface_of(CurveNet()) is CURVE
    assert [part.name for part in CURVE_REGIONS.extra] == list(EXTRA)
    weights, features = CURVE_REGIONS.extra
    assert (weights.layout(None, None), features.layout(None, None)) == ("1,17,h/8,w/8", "1,17,256")
    assert weights.layout((144, 256), (144, 256)) == "1,17,18,32"


def test_parity_with_zeros_and_with_anything_else_at_every_size(network: CurveNet, model: bytes) -> None:
    pictures = list(synthetic_pictures(((32, 48), (64, 40))))
    parity = compare(network, model, CURVE_REGIONS, pictures)
    assert parity.p99 <= 0.5
    assert parity.worst <= 1


def test_sizes_of_cells_are_those_of_the_thumbnail(model: bytes) -> None:
    session = ort.InferenceSession(model, providers=["CPUExecutionProvider"])
    shapes = {given.name: given.shape for given in session.get_inputs()}
    assert shapes["region_features"] == ["batch", 17, 256]
    assert [f"8*{side}" for side in shapes["region_weights"][2:]] == shapes["thumbnail"][2:]


def test_several_pictures_at_once_get_what_each_would_get_alone(network: CurveNet, model: bytes) -> None:
    session = ort.InferenceSession(model, providers=["CPUExecutionProvider"])
    rng = np.random.default_rng(3)
    given = {
        "thumbnail": rng.random((3, 3, 48, 80), dtype=np.float32),
        "region_weights": rng.random((3, 17, 6, 10), dtype=np.float32),
        "region_features": rng.normal(size=(3, 17, 256)).astype(np.float32),
    }
    (together,) = session.run(["grid"], given)
    for index in range(3):
        (alone,) = session.run(["grid"], {name: array[index : index + 1] for name, array in given.items()})
        np.testing.assert_allclose(together[index], alone[0], atol=1e-5, rtol=1e-4)


def test_the_run_time_feeds_it_with_regions_or_without(tmp_path: Path, network: CurveNet, model: bytes) -> None:
    training = TrainingCard("pictures made by the test", "CC0-1.0", "tiny.yaml", 1, 1)
    recipe = {"semantics": {"regions": "true", "dropout": 0.3}}
    card = make_card("mine", "curve", CURVE_REGIONS, 1, training, Parity(0, 0, 1), {}, recipe=recipe)
    assert "trained for that too, 30%" in card.inputs[1].normalisation
    tone = ToneModel(load_bundle(write_bundle(tmp_path / "mine", model, card).folder))
    assert tone.extra_inputs == EXTRA
    rgb = np.random.default_rng(0).random((3, 48, 80), dtype=np.float32) * np.float32(0.3)
    thumbnail = Thumbnail.from_rgb(rgb, "bt709")
    weights = np.zeros((1, 17, 6, 10), np.float32)
    weights[:, 2, 1:3, 2:4] = 1
    features = np.random.default_rng(1).normal(size=(1, 17, 256)).astype(np.float32)
    plain = tone(thumbnail).coefficients
    given = torch.from_numpy(np.stack((thumbnail.y, thumbnail.u, thumbnail.v)))[None]
    with torch.no_grad():
        np.testing.assert_allclose(plain, network(given)[0].numpy(), atol=1e-4, rtol=1e-4)
    placed = tone(thumbnail, {"region_weights": weights}).coefficients
    named = tone(thumbnail, {"region_weights": weights, "region_features": features}).coefficients
    assert np.abs(placed - plain).max() > 1e-3
    assert np.abs(named - placed).max() > 1e-3
