"""SNR-LLIE-Net, with and without semantic modules."""

import pytest
import torch
from semantic_checks import check_knowledge_counts

from networks.snr import SNRLLIENet, TransformerLayer, from_tokens, semantic_modules, signal_to_noise, to_tokens

torch.set_num_threads(1)

CHANNELS = (6, 8, 10)


def small(semantic: list[torch.nn.Module] | None = None) -> SNRLLIENet:
    torch.manual_seed(0)
    return SNRLLIENet(8, layers=2, heads=2, hidden=32, semantic=semantic)


def test_snr_map_by_hand() -> None:
    """A bright pixel on gray 0.5: its blur is 0.51, all else follows from the definition."""
    image = torch.full((1, 3, 15, 15), 0.5)
    image[..., 7, 7] = 0.75
    snr = signal_to_noise(image)[0, 0]
    clean = 0.5 / 1e-4
    assert snr[0, 0].item() == pytest.approx(clean / (clean + 1e-4), rel=1e-3)
    assert snr[7, 7].item() == pytest.approx((0.51 / (0.24 + 1e-4)) / clean, rel=1e-3)
    assert snr[6, 6].item() == pytest.approx((0.51 / (0.01 + 1e-4)) / clean, rel=1e-3)


def test_snr_map_range_and_a_maximum_from_outside() -> None:
    image = torch.rand(2, 3, 9, 11)
    snr = signal_to_noise(image)
    assert 0 <= snr.min() <= snr.max() <= 1
    assert snr.amax(dim=(2, 3)).min() > 0.99
    lower = signal_to_noise(image, torch.full((2, 1, 1, 1), 1e9))
    assert lower.max() < 1e-2


def test_tokens_are_patches_and_come_back() -> None:
    feature = torch.rand(2, 3, 8, 12)
    tokens = to_tokens(feature)
    assert tokens.shape == (2, 6, 48)
    torch.testing.assert_close(tokens[0, 1].sort().values, feature[0, :, 0:4, 4:8].flatten().sort().values)
    torch.testing.assert_close(from_tokens(tokens, feature), feature)


def test_ignored_tokens_do_not_reach_the_others() -> None:
    torch.manual_seed(0)
    layer = TransformerLayer(16, heads=2, per_head=4, hidden=8)
    tokens = torch.randn(1, 6, 16)
    ignored = torch.tensor([[False, True, False, False, True, False]])
    changed = tokens.clone()
    changed[:, 1] = torch.randn(16)  # a constant would end in the normalisation
    before, after = layer(tokens, ignored), layer(changed, ignored)
    torch.testing.assert_close(before[:, [0, 2, 3, 4, 5]], after[:, [0, 2, 3, 4, 5]])
    assert (layer(changed, torch.zeros_like(ignored)) - layer(tokens, torch.zeros_like(ignored)))[:, 0].abs().max() > 0


def test_a_picture_without_any_clean_patch_stays_finite() -> None:
    layer = TransformerLayer(16, heads=2, per_head=4, hidden=8)
    tokens = torch.randn(1, 5, 16, requires_grad=True)
    layer(tokens, torch.ones(1, 5, dtype=torch.bool)).sum().backward()
    assert tokens.grad is not None
    assert bool(tokens.grad.isfinite().all())


def test_the_map_chooses_between_the_branches() -> None:
    network = small()
    image = torch.rand(1, 3, 32, 48)
    clean, noisy = torch.ones(1, 1, 32, 48), torch.zeros(1, 1, 32, 48)
    before = network(image, snr_map=clean).raw, network(image, snr_map=noisy).raw
    for parameter in network.short_range.parameters():
        torch.nn.init.zeros_(parameter)
    after = network(image, snr_map=clean).raw, network(image, snr_map=noisy).raw
    assert (before[0] - after[0]).abs().max() > 1e-5
    torch.testing.assert_close(before[1], after[1])


def test_the_map_of_the_picture_is_the_default() -> None:
    network, image = small(), torch.rand(1, 3, 20, 37)
    out = network(image)
    torch.testing.assert_close(out.snr, signal_to_noise(image))
    torch.testing.assert_close(network(image, snr_map=out.snr).raw, out.raw)


def test_without_the_last_layer_the_input_comes_back() -> None:
    network = small()
    assert network.last.bias is not None
    torch.nn.init.zeros_(network.last.weight)
    torch.nn.init.zeros_(network.last.bias)
    image = torch.rand(1, 3, 21, 35)
    torch.testing.assert_close(network(image).enhanced, image)


def test_the_picture_depends_on_the_knowledge_and_its_gradient_reaches_it() -> None:
    network = small(semantic_modules(CHANNELS, 8))
    check_knowledge_counts(network, torch.rand(1, 3, 33, 50), CHANNELS)


def test_semantic_modules_need_knowledge_and_there_are_three() -> None:
    with pytest.raises(ValueError, match="pass `knowledge`"):
        small(semantic_modules(CHANNELS, 8))(torch.rand(1, 3, 16, 16))
    with pytest.raises(ValueError, match="three decoder scales"):
        small(semantic_modules(CHANNELS, 8)[:2])
