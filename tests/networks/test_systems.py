"""Every network is built by name from plain options, and enhances a picture of any size through one call."""

from __future__ import annotations

import pytest
import torch

from networks.embedding_bank import EmbeddingBank
from networks.systems import GUIDED, SYSTEMS, Inference, build
from tests.networks.small_systems import SMALL


@pytest.fixture(autouse=True)
def _one_thread() -> None:
    torch.set_num_threads(1)


@pytest.mark.parametrize("system", [name for name in SYSTEMS if name != "curve"])
def test_every_network_enhances_an_odd_picture_without_semantics(system: str) -> None:
    torch.manual_seed(0)
    network = Inference(system, build(system, SMALL.get(system))).eval()
    image = 0.2 * torch.rand(1, 3, 45, 70)
    shapes = {"regions": (1, 4, 9, 14), "depth": (1, 3, 9, 14)}
    with torch.no_grad():
        enhanced = network(image, *(torch.zeros(shapes[name]) for name in network.extra))
    assert enhanced.shape == image.shape
    assert enhanced.min() >= 0
    assert enhanced.max() <= 1


@pytest.mark.parametrize("system", GUIDED)
def test_an_embedding_guides_every_baseline_of_skf(system: str) -> None:
    torch.manual_seed(0)
    bank = EmbeddingBank(64, classes=5, channels=(16, 24, 32))
    semantics = {"channels": bank.channels, "classes": bank.classes}
    network = Inference(system, build(system, SMALL[system] | {"semantics": semantics}), bank).eval()
    assert network.extra == ("embedding",)
    for name, parameter in network.named_parameters():
        if name.endswith("logs") or "last" in name:  # coupling layers of a flow start as the identity
            torch.nn.init.normal_(parameter, std=0.05)
        elif name.endswith("tail.bias"):  # RetinexNet's light would be negative, and its picture black
            torch.nn.init.constant_(parameter, 0.5)
    image, one, two = 0.2 * torch.rand(1, 3, 45, 70), torch.randn(1, 64, 4, 5), torch.randn(1, 64, 4, 5)
    with torch.no_grad():
        assert (network(image, one) - network(image, two)).abs().max() > 0
        assert network(image, torch.zeros(1, 64, 4, 5)).isfinite().all()


@pytest.mark.parametrize("system", GUIDED)
def test_a_baseline_starts_from_the_same_weights_with_and_without_semantics(system: str) -> None:
    """What an ablation compares differs by its semantics alone, also in the random numbers that come after it."""
    torch.manual_seed(4)
    plain = build(system, SMALL[system]).state_dict()
    after = torch.rand(3)
    torch.manual_seed(4)
    guided = build(system, SMALL[system] | {"semantics": {"channels": (16, 24, 32), "classes": 5}}).state_dict()
    assert torch.equal(torch.rand(3), after)
    assert plain.keys() < guided.keys()
    assert [name for name, tensor in plain.items() if not torch.equal(tensor, guided[name])] == []
    torch.manual_seed(5)
    other = build(system, SMALL[system] | {"semantics": {"channels": (16, 24, 32), "classes": 5}}).state_dict()
    added = [name for name in guided.keys() - plain.keys() if guided[name].ndim == 4]
    assert not any(torch.equal(guided[name], other[name]) for name in added)


def test_wrong_names_and_options_are_told() -> None:
    with pytest.raises(ValueError, match=r"unknown system 'retinex'; known are curve, sci"):
        build("retinex")
    with pytest.raises(ValueError, match=r"drbn: .*'channels'.*it takes width, semantics"):
        build("drbn", {"channels": 4})
    with pytest.raises(ValueError, match="semantics: unknown depth"):
        build("drbn", {"semantics": {"channels": (1, 2, 3), "classes": 3, "depth": 1}})
    with pytest.raises(ValueError, match="it takes classes, widths"):
        build("sllen", {"width": 4})
