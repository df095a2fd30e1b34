"""MIRNet, second version, and the fusion it shares with HWMNet."""

import torch

from networks.mirnet import Down, GlobalContext, MIRNet, Up
from networks.skff import SKFF

torch.set_num_threads(1)


def test_without_the_last_layer_the_input_comes_back() -> None:
    network = MIRNet(8, groups=(1, 2))
    torch.nn.init.zeros_(network.last.weight)
    image = torch.rand(1, 3, 9, 14)
    torch.testing.assert_close(network(image).enhanced, image)


def test_padding_does_what_repeating_the_border_outside_does() -> None:
    network = MIRNet(8, groups=(1,), blocks=1).eval()
    image = torch.rand(1, 3, 10, 15)
    padded = torch.nn.functional.pad(image, (0, 1, 0, 2), mode="replicate")
    torch.testing.assert_close(network(image).raw, network(padded).raw[..., :10, :15])


def test_fusion_of_equal_streams_is_that_stream() -> None:
    stream = torch.rand(2, 16, 5, 6)
    fuse = SKFF(16, 3, torch.nn.PReLU())
    torch.testing.assert_close(fuse([stream, stream, stream]), stream)


def test_fusion_stays_between_its_streams() -> None:
    a, b = torch.rand(2, 16, 5, 6), torch.rand(2, 16, 5, 6)
    fused = SKFF(16, 2, torch.nn.LeakyReLU(0.2))([a, b])
    assert bool((fused <= torch.maximum(a, b) + 1e-6).all() and (fused >= torch.minimum(a, b) - 1e-6).all())


def test_context_adds_the_same_vector_to_every_pixel() -> None:
    feature = torch.rand(2, 8, 5, 6)
    added = GlobalContext(8)(feature) - feature
    torch.testing.assert_close(added, added[..., :1, :1].expand_as(added))
    assert added.abs().max() > 0


def test_scales() -> None:
    assert Down(8, 12)(torch.rand(1, 8, 6, 10)).shape == (1, 12, 3, 5)
    assert Up(12, 8)(torch.rand(1, 12, 3, 5)).shape == (1, 8, 6, 10)
