"""RetinexNet: sizes and gradients, the decomposition's meaning, both decoders, guidance."""

import pytest
import torch

from networks.retinexnet import Decoder, RetinexNet, semantic_modules
from networks.skf import RELEASED, Knowledge

BANK = (4, 8, 12)


def knowledge(size: tuple[int, int]) -> Knowledge:
    features = tuple(torch.rand(1, c, size[0] // (4 << i) + 1, size[1] // (4 << i) + 1) for i, c in enumerate(BANK))
    return Knowledge(features, torch.rand(1, 5, *size))


@pytest.mark.parametrize("decoder", ["concat", "add"])
@pytest.mark.parametrize("size", [(64, 64), (100, 150), (37, 51)])
def test_forward_and_backward(size: tuple[int, int], decoder: Decoder) -> None:
    torch.manual_seed(0)
    network = RetinexNet(channels=16, decoder=decoder)
    image = torch.rand(1, 3, *size)
    out = network(image)
    assert out.enhanced.shape == image.shape
    assert out.illumination.shape == out.relit.shape == (1, 1, *size)
    assert out.enhanced.min() >= 0
    assert out.enhanced.max() <= 1
    assert torch.equal(out.enhanced, (out.reflectance * out.relit).clamp(0, 1))
    (out.reflectance * out.relit).sum().backward()
    assert all(p.grad is not None and p.grad.isfinite().all() for p in network.parameters())


@pytest.mark.parametrize("size", [(64, 64), (100, 150)])
def test_published_width_runs_forward_and_backward(size: tuple[int, int]) -> None:
    network = RetinexNet()
    out = network(torch.rand(1, 3, *size))
    out.relit.mean().backward()
    assert out.enhanced.shape == (1, 3, *size)


def test_decomposition_sees_the_brightest_channel_first() -> None:
    network = RetinexNet(channels=8)
    seen = []
    network.decompose.head.register_forward_pre_hook(lambda _, inputs: seen.append(inputs[0]))
    image = torch.rand(1, 3, 16, 16)
    network(image)
    assert torch.equal(seen[0], torch.cat([image.max(dim=1, keepdim=True).values, image], dim=1))


def test_the_ports_padded_1x1_is_the_same_as_a_repeated_border() -> None:
    """The published 1x1 with padding and unpadded 3x3 give what this decoder's end gives without the extra rows."""
    network = RetinexNet(channels=8).relight
    x = torch.rand(1, 24, 9, 11)
    border = torch.nn.functional.pad(x, (1, 1, 1, 1), mode="replicate")
    published = torch.nn.functional.conv2d(network.gather(border), network.tail.weight, network.tail.bias)
    torch.testing.assert_close(network.tail(network.gather(x)), published)


def test_knowledge_guides_the_relighting_only() -> None:
    torch.manual_seed(0)
    network = RetinexNet(channels=16, semantic=semantic_modules(BANK, 16, 8))
    image = torch.rand(1, 3, 45, 61)
    known = knowledge((45, 61))
    out = network(image, known)
    for level in range(3):
        features = list(known.features)
        features[level] = torch.rand_like(features[level]) * 3
        other = network(image, Knowledge(tuple(features), known.logits))
        assert (other.relit - out.relit).abs().max() > 1e-6
        assert torch.equal(other.reflectance, out.reflectance)


def test_what_cannot_be_is_said() -> None:
    guided = RetinexNet(channels=16, semantic=semantic_modules(BANK, 16, 8, options=RELEASED))
    with pytest.raises(ValueError, match="pass `knowledge`"):
        guided(torch.rand(1, 3, 16, 16))
    with pytest.raises(ValueError, match="three decoder steps"):
        RetinexNet(channels=16, semantic=semantic_modules(BANK, 16, 8)[:2])
