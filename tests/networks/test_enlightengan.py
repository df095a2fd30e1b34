"""EnlightenGAN: generator and discriminators."""

import pytest
import torch

from networks.enlightengan import LUMA, EnlightenGAN, PatchDiscriminator, global_discriminator, local_discriminator

torch.set_num_threads(1)


def small() -> EnlightenGAN:
    torch.manual_seed(0)
    return EnlightenGAN((4, 8, 8, 16, 16)).eval()


def test_attention_is_one_minus_gray() -> None:
    image = torch.rand(1, 3, 32, 48)
    gray = sum(weight * image[:, c] for c, weight in enumerate(LUMA))
    torch.testing.assert_close(small()(image).attention[:, 0], 1 - gray)


def test_a_white_picture_stays_white_and_a_dark_one_is_changed() -> None:
    network = small()
    white = torch.ones(1, 3, 32, 32)
    torch.testing.assert_close(network(white).raw, white, atol=1e-5, rtol=0)
    dark = torch.full((1, 3, 32, 32), 0.1)
    assert (network(dark).raw - dark).abs().max() > 1e-3


def test_without_the_last_layer_the_input_comes_back() -> None:
    network = small()
    torch.nn.init.zeros_(network.last.weight)
    assert network.last.bias is not None
    torch.nn.init.zeros_(network.last.bias)
    image = torch.rand(1, 3, 21, 35)
    torch.testing.assert_close(network(image).enhanced, image)


def test_every_skip_reaches_the_output() -> None:
    network = small()
    out = network(torch.rand(1, 3, 32, 32)).raw.sum()
    out.backward()
    for block in network.down:
        assert all(p.grad is not None and bool(p.grad.abs().sum() > 0) for p in block.parameters() if p.ndim == 4)


@pytest.mark.parametrize(("layers", "size"), [(5, 64), (5, 100), (4, 32), (4, 16)])
def test_discriminators_score_patches(layers: int, size: int) -> None:
    network = PatchDiscriminator(layers, 8)
    scores = network(2 * torch.rand(2, 3, size, size) - 1)
    assert scores.shape[:2] == (2, 1)
    assert scores.shape[2] >= 3
    scores.mean().backward()
    assert all(p.grad is not None and bool(p.grad.abs().sum() > 0) for p in network.parameters())


def test_the_global_discriminator_has_one_more_stride() -> None:
    strides = [
        sum(isinstance(m, torch.nn.Conv2d) and m.stride == (2, 2) for m in network)
        for network in (global_discriminator(8), local_discriminator(8))
    ]
    assert strides == [5, 4]
