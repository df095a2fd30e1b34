"""HWMNet, with and without semantic modules."""

import pytest
import torch
from semantic_checks import check_knowledge_counts
from torch.nn import functional as F

from networks.hwmnet import HalfWaveletBlock, HWMNet, haar, inverse_haar, semantic_modules

torch.set_num_threads(1)

CHANNELS = (6, 8, 10)


def test_haar_is_orthonormal_and_its_inverse_is_exact() -> None:
    feature = torch.rand(2, 5, 8, 18, dtype=torch.float64)
    bands = haar(feature)
    assert bands.shape == (2, 20, 4, 9)
    torch.testing.assert_close(bands.square().sum(), feature.square().sum())
    torch.testing.assert_close(inverse_haar(bands), feature)


def test_haar_bands_see_what_they_should() -> None:
    flat, rows = torch.ones(1, 1, 4, 4), torch.tensor([0.0, 1.0]).repeat(2).view(1, 1, 4, 1).expand(1, 1, 4, 4)
    ll, hl, lh, hh = haar(flat).chunk(4, dim=1)
    assert bool((ll == 2).all())
    assert not any(bool(band.any()) for band in (hl, lh, hh))
    for picture, zero in ((rows, 1), (rows.transpose(2, 3), 2)):
        bands = haar(picture).chunk(4, dim=1)
        assert not bool(bands[zero].any())
        assert not bool(bands[3].any())
        assert bool(bands[3 - zero].any())


def test_half_of_the_channels_pass_the_wavelet_by() -> None:
    """With all convolutions off but the last two, a block is its projection of the 1x1 identity."""
    block = HalfWaveletBlock(16, 8)
    torch.nn.init.zeros_(block.conv.weight)
    feature = torch.rand(1, 16, 8, 8)
    torch.testing.assert_close(block(feature), block.project(block.identity(feature)))


def test_without_the_last_layer_the_input_comes_back() -> None:
    network = HWMNet(8)
    assert network.last.bias is not None
    torch.nn.init.zeros_(network.last.weight)
    torch.nn.init.zeros_(network.last.bias)
    image = torch.rand(1, 3, 21, 35)
    torch.testing.assert_close(network(image).enhanced, image)


def test_padding_does_what_repeating_the_border_outside_does() -> None:
    network = HWMNet(8).eval()
    image = torch.rand(1, 3, 30, 41)
    padded = F.pad(image, (0, 7, 0, 2), mode="replicate")
    torch.testing.assert_close(network(image).raw, network(padded).raw[..., :30, :41])


def test_the_pyramid_reaches_the_deepest_level() -> None:
    network = HWMNet(8).eval()
    deepest: list[torch.Tensor] = []
    network.encoder[3].register_forward_pre_hook(lambda _, inputs: deepest.append(inputs[0]))
    network(torch.rand(1, 3, 32, 48))
    assert deepest[0].shape == (1, 8 * 4 + 8, 4, 6)


def test_the_picture_depends_on_the_knowledge_and_its_gradient_reaches_it() -> None:
    torch.manual_seed(0)
    network = HWMNet(8, semantic_modules(CHANNELS, 8))
    check_knowledge_counts(network, torch.rand(1, 3, 33, 50), CHANNELS)


def test_semantic_modules_need_knowledge_and_there_are_three() -> None:
    with pytest.raises(ValueError, match="pass `knowledge`"):
        HWMNet(8, semantic_modules(CHANNELS, 8))(torch.rand(1, 3, 16, 16))
    with pytest.raises(ValueError, match="three decoder levels"):
        HWMNet(8, semantic_modules(CHANNELS, 8)[:2])
