"""DRBN: sizes and gradients, what recurrences hand on, guidance in the last one, recomposition."""

import pytest
import torch

from networks.drbn import DRBN, Recomposition, semantic_modules
from networks.skf import Knowledge

BANK = (4, 8, 12)


def knowledge(image: torch.Tensor) -> Knowledge:
    """A small bank: pooled copies of the picture, its channels as classes."""
    features = tuple(
        torch.nn.functional.avg_pool2d(image[:, :1], 4 << i, ceil_mode=True).expand(-1, c, -1, -1)
        for i, c in enumerate(BANK)
    )
    return Knowledge(features, image)


@pytest.mark.parametrize("size", [(64, 64), (100, 150), (37, 51)])
def test_forward_and_backward(size: tuple[int, int]) -> None:
    torch.manual_seed(0)
    network = DRBN(width=8, semantic=semantic_modules(BANK, 3, 8))
    image = torch.rand(2, 3, *size)
    out = network(image, knowledge(image))
    assert out.enhanced.shape == image.shape
    assert torch.equal(out.enhanced, out.scales[0].clamp(0, 1))
    for step, scale in zip((1, 2, 4), out.scales, strict=True):
        assert scale.shape == image[..., ::step, ::step].shape
    sum(scale.square().sum() for scale in out.scales).backward()  # type: ignore[union-attr]
    silent = {name for name, p in network.named_parameters() if p.grad is None or not p.grad.any()}
    assert silent == set()
    assert all(p.grad is not None and p.grad.isfinite().all() for p in network.parameters())


@pytest.mark.parametrize("size", [(64, 64), (100, 150)])
def test_published_width_runs_forward_and_backward(size: tuple[int, int]) -> None:
    network = DRBN()
    network(torch.rand(1, 3, *size)).scales[0].mean().backward()


def test_recurrences_have_their_own_weights_and_hand_features_on() -> None:
    network = DRBN(width=4)
    joined = torch.rand(1, 6, 16, 16)
    first, second = (recurrence(joined, None) for recurrence in network.recurrences[:2])
    assert not torch.equal(first.results[0], second.results[0])
    with_previous = network.recurrences[1](joined, first)
    for plain, fed in zip(second.features, with_previous.features, strict=True):
        assert not torch.equal(plain, fed)


def test_result_is_the_sum_of_bands() -> None:
    """The full-scale head adds to the doubled half-scale result, which adds to the doubled quarter-scale one."""
    recurrence = DRBN(width=4).recurrences[0]
    for head in recurrence.heads[:2]:
        torch.nn.init.zeros_(head[1].weight)
        torch.nn.init.zeros_(head[1].bias)
    full, half, quarter = recurrence(torch.rand(1, 6, 16, 16), None).results
    up = torch.nn.functional.interpolate(quarter, scale_factor=2, mode="bilinear", align_corners=False)
    torch.testing.assert_close(half, up)
    torch.testing.assert_close(full, torch.nn.functional.interpolate(half, scale_factor=2, mode="bilinear"))


def test_every_part_of_the_knowledge_counts() -> None:
    torch.manual_seed(0)
    network = DRBN(width=8, semantic=semantic_modules(BANK, 3, 8))
    image = torch.rand(1, 3, 45, 61)
    known = knowledge(image)
    out = network(image, known).enhanced
    others = [
        Knowledge((torch.rand_like(known.features[0]), *known.features[1:]), known.logits),
        Knowledge((known.features[0], torch.rand_like(known.features[1]), known.features[2]), known.logits),
        Knowledge(known.features, known.logits.flip(1)),
    ]
    assert all((network(image, other).enhanced - out).abs().max() > 1e-6 for other in others)
    with pytest.raises(ValueError, match="pass `knowledge`"):
        network(image)


def test_a_bank_is_asked_about_the_third_recurrence() -> None:
    torch.manual_seed(0)
    network = DRBN(width=4, semantic=semantic_modules(BANK, 3, 4))
    asked = []

    def bank(image: torch.Tensor) -> Knowledge:
        asked.append(image)
        return knowledge(image)

    results = []
    network.recurrences[2].register_forward_hook(lambda _, __, bands: results.append(bands.results[0]))
    image = torch.rand(1, 3, 32, 32)
    out = network(image, bank)
    assert asked[0] is results[0]
    torch.testing.assert_close(network(image, knowledge(results[0])).enhanced, out.enhanced)


def test_recomposition_with_even_weights_is_the_fine_result() -> None:
    """The bands add up to the full-scale result when all weights are one."""
    network = Recomposition(width=4)
    torch.nn.init.zeros_(network.last[1].weight)
    torch.nn.init.constant_(network.last[1].bias, 0.5)
    scales = tuple(torch.rand(1, 3, *size) for size in ((37, 51), (19, 26), (10, 13)))
    torch.testing.assert_close(network(torch.rand(1, 3, 37, 51), scales), scales[0])
    out = Recomposition(width=4)(torch.rand(1, 3, 37, 51), scales)
    assert out.shape == (1, 3, 37, 51)
    assert out.min() >= 0
    assert out.max() <= 1
