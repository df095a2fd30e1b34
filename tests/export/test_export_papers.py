"""Networks of the papers as ONNX: parity in odd and fixed sizes with semantic inputs known and not; honest cards.

Exporting with free sizes takes seconds even for small networks, so the default run takes a few that stand for the rest;
the slow one takes every system, small and at its published size (up to 2 GB of memory, several minutes each).
"""

from __future__ import annotations

from typing import Any

import numpy as np
import onnx
import pytest
import torch
from torch import nn

from benchmarks.lively import enliven
from engines.bundle import Card, TrainingCard
from export.about import GUIDANCE, SYSTEMS, UNBUILT, about
from export.cards import make_card
from export.interfaces import Interface, interface_of
from export.onnx_model import to_onnx
from export.parity import LIMIT, TELLING, Parity, compare, synthetic_pictures
from networks import systems
from networks.embedding_bank import EmbeddingBank
from networks.hrnet import HRNetV2
from networks.systems import GUIDED, Inference, build
from tests.networks.small_systems import SMALL

ODD = [(45, 71), (33, 98), (16, 17)]
FIXED = (36, 64)
TRAINING = TrainingCard("pictures made by the test", "CC0-1.0", "tiny.yaml", 1, 1)
PICTURES = [name for name in systems.SYSTEMS if name not in ("curve", "lime")]


@pytest.fixture(autouse=True)
def _one_thread() -> None:
    torch.set_num_threads(1)


def network(system: str, bank: nn.Module | None = None, options: dict[str, Any] | None = None) -> Inference:
    """A network all of whose parts act, in inference form."""
    torch.manual_seed(3)
    chosen = dict(SMALL.get(system, {}) if options is None else options)
    if bank is not None:
        chosen["semantics"] = {"channels": tuple(bank.channels)[:3], "classes": bank.classes}
    made = Inference(system, build(system, chosen), bank).eval()
    enliven(made, torch.from_numpy(next(synthetic_pictures([(48, 64)])))[None])
    return made


def options_of(system: str, guided: bool = False) -> dict[str, Any]:
    """What `network` builds with, as a checkpoint tells it."""
    semantics = {"semantics": {"channels": [8, 12, 16], "classes": 5}} if guided else {}
    return SMALL.get(system, {}) | semantics


def small_bank() -> EmbeddingBank:
    torch.manual_seed(4)
    return EmbeddingBank(32, classes=5, channels=(8, 12, 16))


def agrees(made: Inference, size: tuple[int, int] | None, limit: float = LIMIT / 10) -> tuple[Interface, bytes]:
    interface = interface_of(made)
    model = to_onnx(made, interface, size)
    parity = compare(made, model, interface, list(synthetic_pictures([size] if size else ODD)), fixed=size is not None)
    assert parity.p99 <= limit, parity
    assert parity.telling >= TELLING, parity
    assert b".py" not in text_in(model), "a file of this machine is named"
    return interface, model


def text_in(model: bytes) -> bytes:
    """The model without its weights: among millions of bytes of weights any three letters turn up by chance."""
    without = onnx.load_from_string(model)
    for weight in without.graph.initializer:
        weight.ClearField("raw_data")
    found: bytes = without.SerializeToString()
    return found


@pytest.mark.parametrize("system", ["zero-dce-plus-plus", "enlighten-anything"])
def test_free_sizes_with_parity(system: str) -> None:
    agrees(network(system), None)


@pytest.mark.parametrize(
    "system", ["retinexnet", *(pytest.param(name, marks=pytest.mark.slow) for name in ("snr", "llflow-s"))]
)
def test_fixed_sizes_with_an_embedding(system: str) -> None:
    interface, model = agrees(network(system, small_bank()), FIXED)
    declared = {
        value.name: [side.dim_value for side in value.type.tensor_type.shape.dim]
        for value in onnx.load_from_string(model).graph.input
    }
    assert declared == {"image": [1, 3, 36, 64], "embedding": [1, 32, 36, 64]}
    assert [part.name for part in interface.inputs] == ["image", "embedding"]


def test_parity_fails_when_the_extra_input_is_read_differently() -> None:
    """Random extra inputs are part of the comparison: zeros alone would not tell these two apart."""
    made = network("enlighten-anything", options={})
    model = to_onnx(made, interface_of(made), FIXED)
    pictures = list(synthetic_pictures([FIXED]))
    with torch.no_grad():
        for name, parameter in made.network.named_parameters():
            if "fuse" in name:
                parameter.mul_(3)
    assert compare(made, model, interface_of(made), pictures, fixed=True).p99 > 0.1


def test_lime_needs_a_size() -> None:
    with pytest.raises(ValueError, match="needs a fixed size, as --size 288x512 gives: its solver halves"):
        to_onnx(network("lime"), interface_of(network("lime")))


@pytest.mark.slow
@pytest.mark.timeout(1800)
def test_lime_is_exported_as_a_loop_and_flat_pictures_end_it_quietly() -> None:
    _, model = agrees(network("lime", options={"steps": 25}), FIXED, LIMIT)
    nodes = onnx.load_from_string(model).graph.node
    assert [node.op_type for node in nodes].count("Loop") == 1
    assert len(model) < 1e6


def test_sizes_that_a_network_does_not_take_are_refused() -> None:
    with pytest.raises(ValueError, match="multiples of 8, not 100x160"):
        to_onnx(build("curve"), interface_of(build("curve")), (100, 160))


@pytest.mark.parametrize("system", systems.SYSTEMS)
def test_the_card_of_every_system_is_complete(system: str) -> None:
    guided = system in GUIDED
    made: nn.Module = build(system) if system == "curve" else network(system, small_bank() if guided else None)
    interface = interface_of(made)
    parity = Parity(0.01, 0.2, 3)
    options = options_of(system, guided)
    card = make_card("mine", system, interface, 7, TRAINING, parity, {"psnr": 1.0}, options=options, note="It tints.")
    again = Card.from_json(card.to_json())
    assert again.kind == ("grid" if system == "curve" else "picture")
    assert [given.name for given in again.inputs] == [part.name for part in interface.inputs]
    assert all("not known" in given.normalisation for given in again.inputs[1:])
    assert (again.paper is None) == (system == "curve")
    assert "It tints." in again.notes
    known = about(system, guided)
    assert (again.faithful, again.repaired, again.unknown) == (known.faithful, known.repaired, known.unknown)
    assert again.metrics == {"psnr": 1.0, "parity_p99_codes": 0.01, "parity_max_codes": 0.2}
    if guided:
        assert again.paper is not None
        assert "CVPR 2023" in again.paper.where
        assert "uided by semantic knowledge" in again.notes
        assert again.inputs[1].layout == "1,32,h,w"


def test_a_card_of_fixed_size_says_so_and_smallest_sides_are_told() -> None:
    made = network("snr", small_bank())
    interface = interface_of(made)
    guided = options_of("snr", guided=True)
    fixed = make_card("a", "snr", interface, 1, TRAINING, Parity(0, 0, 1), {}, options=guided, size=(288, 512))
    assert [given.layout for given in fixed.inputs] == ["1,3,288,512", "1,32,36,64"]
    assert fixed.outputs[0].layout == "1,3,288,512"
    free = make_card("a", "snr", interface, 1, TRAINING, Parity(0, 0, 1), {})
    assert free.inputs[0].normalisation == "R'G'B' in 0..1; h, w at least 3"


def test_everything_is_told_about_every_system() -> None:
    assert set(SYSTEMS) == set(systems.SYSTEMS)
    assert {name for name, known in SYSTEMS.items() if known.attachment} == set(GUIDED)
    for known in (*SYSTEMS.values(), *(about(name, guided=True) for name in GUIDED), GUIDANCE, *UNBUILT.values()):
        for sentence in (known.note, known.faithful, known.repaired, known.unknown, known.licence):
            assert sentence.endswith("."), sentence


@pytest.mark.slow
@pytest.mark.timeout(1800)
@pytest.mark.parametrize("size", [None, FIXED], ids=["free", "fixed"])
@pytest.mark.parametrize("system", PICTURES)
def test_every_small_network(system: str, size: tuple[int, int] | None) -> None:
    agrees(network(system, small_bank() if system in GUIDED else None), size)


@pytest.mark.slow
@pytest.mark.timeout(1800)
def test_an_hrnet_bank_is_inside_the_model() -> None:
    torch.manual_seed(5)
    interface, _ = agrees(network("drbn", HRNetV2(8, classes=6)), None)
    assert [part.name for part in interface.inputs] == ["image"]


@pytest.mark.slow
@pytest.mark.timeout(3600)
@pytest.mark.parametrize("guided", [False, True], ids=["plain", "skf"])
@pytest.mark.parametrize("system", ["hwmnet", "snr", "llflow-s", "llflow-l", "kind", "kind-plus", "mirnet"])
def test_published_size_in_one_file(system: str, guided: bool) -> None:
    """Up to 66 million parameters: about 2 GB of memory. MIRNet has no guided form; HRNet's is the largest bank."""
    if guided and system not in GUIDED:
        pytest.skip("has no guided form")
    made = network(system, EmbeddingBank() if guided else None, options={})
    interface = interface_of(made)
    model = to_onnx(made, interface)
    assert len(model) > 4 * sum(parameter.numel() for parameter in made.network.parameters()) * 0.95
    pictures = list(synthetic_pictures([(33, 50)]))[1:2]
    assert np.isfinite(compare(made, model, interface, pictures).worst)
    assert compare(made, model, interface, pictures).p99 <= LIMIT
