"""Every network that exports goes through parse and build with TensorRT-RTX: pytest -m slow."""

from __future__ import annotations

from typing import Any

import pytest
import torch

from engines.bundle import Bundle, TrainingCard, load_bundle
from engines.precision.agreement import LIMITS
from engines.precision.half import to_half
from engines.tensorrt.build import Parsed, build
from engines.tensorrt.flavour import Flavour
from engines.tensorrt.shapes import THUMBNAILS, profiles
from engines.tensorrt.stated import state
from export.cards import make_card
from export.interfaces import interface_of
from export.onnx_model import to_onnx
from export.parity import Parity
from networks.embedding_bank import EmbeddingBank
from networks.systems import GUIDED, SYSTEMS, Inference
from networks.systems import build as built
from tests.networks.small_systems import SMALL

pytestmark = [pytest.mark.slow, pytest.mark.timeout(1800)]
FIXED = {"lime": (96, 128)}
KEYS = [
    key for system in SYSTEMS if system != "curve" for key in (system, system + "-skf")[: 2 if system in GUIDED else 1]
]


def exported(key: str) -> Bundle:
    """A small form of a network with fresh weights, and its card."""
    system = key.removesuffix("-skf")
    torch.manual_seed(0)
    options, bank = dict(SMALL.get(system, {})), None
    if system != key:
        bank = EmbeddingBank()
        options["semantics"] = {"channels": bank.channels, "classes": bank.classes}
    network = Inference(system, built(system, options), bank).eval()
    interface, size = interface_of(network), FIXED.get(system)
    training = TrainingCard("none", "none", "none", 0, 0)
    card = make_card(key, system, interface, 0, training, Parity(0, 0, 0), {}, size=size)
    return Bundle(load_bundle("sci").folder, card, to_onnx(network, interface, size))


@pytest.mark.parametrize("key", KEYS)
def test_small_forms_build_in_fp32_and_fp16(rtx: Flavour, key: str) -> None:
    bundle = exported(key)
    ranges = profiles(bundle.card, sizes=THUMBNAILS[:1], free=False)
    assert build(rtx, bundle.model, ranges).plan
    half = to_half(bundle.model)
    built_half = build(rtx, half, ranges)
    assert built_half.plan
    assert built_half.census.fp16 or not built_half.census.total


@pytest.mark.parametrize("precision", ["fp16", "int8"])
@pytest.mark.parametrize("name", ["curve", "sci", "zero-dce-plus-plus"])
def test_shipped_bundles_build_with_all_profiles_of_their_cards(rtx: Flavour, name: str, precision: Any) -> None:
    bundle = load_bundle(name)
    ranges = profiles(bundle.card)
    stated = state(bundle, precision, ranges)
    assert stated.agreement is not None
    assert stated.agreement.passes(LIMITS[precision])
    assert build(rtx, stated.model, ranges).census == Parsed(rtx, stated.model).census == stated.census
