"""The two entrances of SKF's discriminator."""

import torch

from networks.skf_discriminator import SKFDiscriminator


def test_plain_and_joined_inputs() -> None:
    torch.manual_seed(0)
    network = SKFDiscriminator(classes=5, channels=8)
    picture, classes = torch.rand(2, 3, 50, 37), torch.softmax(torch.randn(2, 5, 50, 37), dim=1)
    plain, joined = network(picture), network(picture, classes)
    assert plain.shape == joined.shape == (2,)
    assert (plain - joined).abs().max() > 0
    assert all(0 < p < 1 for p in [*plain.tolist(), *joined.tolist()])
    plain.sum().backward()
    assert network.plain.weight.grad is not None
    assert network.joined.weight.grad is None
    joined.sum().backward()
    assert network.joined.weight.grad is not None
    assert network.joined.weight.grad.any()


def test_it_learns_to_tell_bright_from_dark() -> None:
    torch.manual_seed(0)
    network = SKFDiscriminator(classes=5, channels=4)
    optimiser = torch.optim.Adam(network.parameters(), lr=5e-3)
    for _ in range(15):
        real, fake = torch.rand(4, 3, 16, 16) * 0.5 + 0.5, torch.rand(4, 3, 16, 16) * 0.2
        loss = (network(torch.cat([real, fake])) - torch.tensor([1.0] * 4 + [0.0] * 4)).square().mean()
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
    real, fake = torch.rand(4, 3, 16, 16) * 0.5 + 0.5, torch.rand(4, 3, 16, 16) * 0.2
    told = network(torch.cat([real, fake]))
    assert told[:4].min() > told[4:].max()
