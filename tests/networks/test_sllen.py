"""SLLEN-style: sizes, where gradient goes in each phase, the random and the steady IEF."""

import pytest
import torch
from torch import Tensor, nn

from networks.sllen import SLLEN, FeatureEnhancementBlock, SLLENOptions

SMALL = SLLENOptions(classes=5, widths=(8, 16, 16, 24), blocks=1, semantic_channels=8, heads=1)


def small() -> SLLEN:
    torch.manual_seed(0)
    return SLLEN(SMALL)


def touched(network: nn.Module) -> set[str]:
    return {name for name, p in network.named_parameters() if p.grad is not None and bool(p.grad.any())}


@pytest.mark.parametrize("size", [(64, 64), (100, 150), (37, 51)])
def test_forward_and_backward(size: tuple[int, int]) -> None:
    network = small()
    image = torch.rand(2, 3, *size)
    out = network(image)
    assert out.enhanced.shape == out.raw.shape == image.shape
    assert out.logits.shape == network.segment(image).shape == (2, 5, *size)
    assert torch.equal(out.enhanced, out.raw.clamp(0, 1))
    assert not out.logits.requires_grad
    out.raw.square().sum().backward()
    assert all(p.grad is None or p.grad.isfinite().all() for p in network.parameters())


@pytest.mark.parametrize("size", [(64, 64), (100, 150)])
def test_default_width_runs_forward_and_backward(size: tuple[int, int]) -> None:
    network = SLLEN()
    network(torch.rand(1, 3, *size)).raw.mean().backward()


def test_enhancement_reaches_the_encoder_and_the_decoder_only() -> None:
    network = small().train()
    network.set_phase("enhancement")
    for candidate in range(3):
        network(torch.rand(1, 3, 32, 32), candidate).raw.square().sum().backward()
    everything = {name for name, _ in network.named_parameters()}
    assert touched(network) == {name for name in everything if not name.startswith("segmentation.")}


def test_the_encoder_is_not_trained_through_the_segmentation_in_the_enhancement_step() -> None:
    """With everything but HSF and IEF cut off from the loss, the encoder must stay without gradient."""
    network = small()
    seen: list[Tensor] = []
    network.enhancement.register_forward_pre_hook(lambda _, inputs: seen.extend([inputs[1], inputs[2]]))
    network(torch.rand(1, 3, 32, 32))
    assert len(seen) == 2
    assert not any(x.requires_grad for x in seen)


def test_segmentation_reaches_the_encoder_and_the_head_only() -> None:
    network = small().train()
    network.set_phase("segmentation")
    labels = torch.randint(0, 5, (1, 32, 32))
    nn.functional.cross_entropy(network.segment(torch.rand(1, 3, 32, 32)), labels).backward()
    names = touched(network)
    assert any(name.startswith("encoder.") for name in names)
    assert all(name.startswith(("encoder.", "segmentation.")) for name in names)
    assert any(name.startswith("segmentation.classify") for name in names)


def test_frozen_head_keeps_its_statistics() -> None:
    network = small().train()
    statistics = network.segmentation.steps[0][1].running_mean.clone()  # type: ignore[index]
    network.set_phase("enhancement")
    network.train()
    network(torch.rand(2, 3, 32, 32))
    assert torch.equal(statistics, network.segmentation.steps[0][1].running_mean)  # type: ignore[index]
    network.set_phase("segmentation")
    network.segment(torch.rand(2, 3, 32, 32))
    assert not torch.equal(statistics, network.segmentation.steps[0][1].running_mean)  # type: ignore[index]


def test_phase_parameters_share_the_encoder() -> None:
    network = small()
    segmentation = {id(p) for p in network.phase_parameters("segmentation")}
    enhancement = {id(p) for p in network.phase_parameters("enhancement")}
    assert segmentation & enhancement == {id(p) for p in network.encoder.parameters()}
    assert segmentation | enhancement == {id(p) for p in network.parameters()}


def test_ief_is_random_in_training_and_steady_otherwise() -> None:
    network = small()
    image = torch.rand(1, 3, 32, 32)
    fixed = [network.eval()(image, candidate).raw for candidate in range(3)]
    assert not torch.equal(fixed[0], fixed[1])
    assert all(torch.equal(network(image).raw, fixed[2]) for _ in range(5))
    network.set_phase("enhancement")
    network.train()
    drawn = [network(image).raw for _ in range(60)]
    counts = [sum(torch.equal(d, f) for d in drawn) for f in fixed]
    assert sum(counts) == 60
    assert min(counts) >= 8


def test_block_uses_both_kinds_of_semantics() -> None:
    torch.manual_seed(0)
    block = FeatureEnhancementBlock(16, 8, (24, 16, 16), 2)
    feature, hsf, ief = torch.rand(1, 16, 9, 11), torch.rand(1, 8, 18, 22), torch.rand(1, 24, 5, 6)
    out = block(feature, hsf, ief, 0)
    assert out.shape == feature.shape
    assert (block(feature, hsf.flip(1), ief, 0) - out).abs().max() > 1e-5
    assert (block(feature, hsf, ief.flip(1), 0) - out).abs().max() > 1e-5


def test_too_many_heads_are_refused() -> None:
    with pytest.raises(ValueError, match="8 heads leave fewer than 8 of 32"):
        SLLENOptions(heads=8)
