"""LLFlow: the flow and its inverse, its likelihood, its conditions, and the semantic modules."""

import math

import pytest
import torch
from semantic_checks import check_knowledge_counts
from torch import Tensor, nn

from networks.llflow import LLFlow, LLFlowEncoding, bits_per_pixel, semantic_modules_l, semantic_modules_s
from networks.llflow_condition import (
    ConditionEncoder,
    colour_map,
    condition_input,
    equalisation_table,
    equalise,
    noise_map,
)
from networks.llflow_flow import ActNorm, ConditionalFlow, CouplingNetwork, InvertibleConv

torch.set_num_threads(1)

CHANNELS = (6, 8, 10)


def scramble(network: nn.Module, size: float = 0.05) -> None:
    """Leaves the initial state, in which couplings do nothing."""
    torch.manual_seed(1)
    with torch.no_grad():
        for parameter in network.parameters():
            parameter.add_(size * torch.randn_like(parameter))


def small(semantic: list[nn.Module] | None = None, reversed_pairing: bool = False) -> LLFlow:
    torch.manual_seed(0)
    network = LLFlow(8, 2, (0,), 1, semantic, reversed_pairing).eval()
    scramble(network)
    return network


def conditions(height: int, width: int, channels: int, batch: int = 1) -> list[Tensor]:
    return [torch.randn(batch, channels, height // s, width // s, dtype=torch.float64) for s in (2, 4, 8)]


def test_reverse_undoes_forward() -> None:
    flow = ConditionalFlow(2, 5, hidden=8).double().eval()
    scramble(flow)
    picture, u = torch.rand(2, 3, 16, 24, dtype=torch.float64), conditions(16, 24, 5, batch=2)
    latent, _ = flow(picture, u)
    assert latent.shape == (2, 192, 2, 3)
    torch.testing.assert_close(flow.reverse(latent, u), picture)


def test_the_determinant_is_that_of_the_jacobian() -> None:
    flow = ConditionalFlow(1, 2, hidden=4).double().eval()
    scramble(flow, 0.05)
    picture, u = torch.rand(1, 3, 8, 8, dtype=torch.float64), conditions(8, 8, 2)
    jacobian = torch.autograd.functional.jacobian(lambda x: flow(x, u)[0].flatten(), picture).reshape(192, 192)
    expected = torch.linalg.slogdet(jacobian)[1]
    assert expected.abs() > 1
    torch.testing.assert_close(flow(picture, u)[1][0], expected, rtol=1e-6, atol=0)


def test_the_latent_depends_on_every_condition() -> None:
    flow = ConditionalFlow(1, 2, hidden=4).double().eval()
    scramble(flow, 0.2)
    picture, u = torch.rand(1, 3, 8, 8, dtype=torch.float64), conditions(8, 8, 2)
    latent = flow(picture, u)[0]
    for scale in range(3):
        changed = [feature + 1.0 if i == scale else feature for i, feature in enumerate(u)]
        assert (flow(picture, changed)[0] - latent).abs().max() > 1e-4


def test_fresh_coupling_networks_shift_nothing_and_scale_by_a_constant() -> None:
    shift, scale = CouplingNetwork(3, 4, 8)(torch.rand(1, 3, 5, 6))
    assert shift.shape == scale.shape == (1, 4, 5, 6)
    assert not bool(shift.any())
    torch.testing.assert_close(scale, torch.full_like(scale, 1 / (1 + math.exp(-2)) + 1e-4))


def test_activation_norm_starts_from_its_first_training_batch_only() -> None:
    norm = ActNorm(3)
    batch = torch.randn(4, 3, 8, 8) * torch.tensor([0.1, 1.0, 5.0]).view(1, 3, 1, 1) + 2.0
    norm.eval()
    torch.testing.assert_close(norm(batch), batch)
    out = norm.train()(batch)
    torch.testing.assert_close(out.mean(dim=(0, 2, 3)), torch.zeros(3), atol=1e-5, rtol=0)
    torch.testing.assert_close(out.std(dim=(0, 2, 3), unbiased=False), torch.ones(3), atol=1e-4, rtol=0)
    torch.testing.assert_close(norm.reverse(out), batch, atol=1e-5, rtol=1e-5)
    loaded = ActNorm(3)
    loaded.load_state_dict(norm.state_dict())
    torch.testing.assert_close(loaded.train()(2 * batch), norm(2 * batch))


def test_frozen_inverses_give_the_same_picture_without_a_matrix_inverse(monkeypatch: pytest.MonkeyPatch) -> None:
    network, image = small(), 0.3 * torch.rand(1, 3, 16, 24)
    before = network(image).raw
    network.freeze()

    def refuse(_: Tensor) -> Tensor:
        raise AssertionError("a matrix was inverted")

    monkeypatch.setattr(torch.linalg, "inv", refuse)
    torch.testing.assert_close(network(image).raw, before)
    network.thaw()
    with pytest.raises(AssertionError, match="inverted"):
        network(image)


def test_training_and_loading_forget_the_frozen_inverses() -> None:
    network, image = small(), 0.3 * torch.rand(1, 3, 16, 16)
    other = small()
    with torch.no_grad():
        for conv in other.flow.inverses():
            conv.weight.mul_(1.5)
    expected = other(image).raw
    network.freeze()
    network.load_state_dict(other.state_dict())
    torch.testing.assert_close(network(image).raw, expected)
    network.freeze()
    network.train()
    assert all(conv.inverse is None for conv in network.flow.inverses())
    assert not any("inverse" in name for name in network.state_dict())
    assert isinstance(network.flow.inverses()[0], InvertibleConv)


def test_what_is_encoded_is_what_enhancing_returns() -> None:
    """A latent equal to the colour map must decode to the picture that encodes to it."""
    network, image = small(), 0.3 * torch.rand(1, 3, 16, 24)
    out = network(image)
    encoding = network.encode(out.raw, image)
    colours = torch.nn.functional.pixel_shuffle(encoding.latent, 8)
    torch.testing.assert_close(colours, out.colours, atol=1e-4, rtol=1e-4)


def test_enhancing_is_deterministic() -> None:
    network, image = small(), torch.rand(1, 3, 19, 30)
    out = network(image)
    assert torch.equal(out.raw, network(image).raw)
    assert out.raw.shape == out.colours.shape == image.shape
    assert 0 < out.colours.min() <= out.colours.max() < 1


def test_bits_of_a_latent_at_the_mean() -> None:
    colours = torch.rand(2, 3, 16, 24)
    latent = torch.nn.functional.pixel_unshuffle(colours, 8)
    bits = bits_per_pixel(LLFlowEncoding(latent, torch.zeros(2), colours))
    expected = 3 * 0.5 * math.log2(2 * math.pi) + 15
    torch.testing.assert_close(bits, torch.full((2,), expected))
    further = bits_per_pixel(LLFlowEncoding(latent + 1.0, torch.zeros(2), colours))
    torch.testing.assert_close(further - bits, torch.full((2,), 1.5 / math.log(2)))
    torch.testing.assert_close(
        bits_per_pixel(LLFlowEncoding(latent + 1.0, torch.zeros(2), colours), colours + 1.0), bits
    )
    wider = bits_per_pixel(LLFlowEncoding(latent, torch.full((2,), 16 * 24 * math.log(2)), colours))
    torch.testing.assert_close(wider, bits - 1)


def test_dequantisation_noise_is_a_32nd() -> None:
    network, image = small(), torch.rand(1, 3, 8, 8)
    middle = network.encode(image, image, noise=torch.full_like(image, 0.5))
    torch.testing.assert_close(middle.latent, network.encode(image, image).latent)
    high = network.encode(image, image, noise=torch.ones_like(image))
    torch.testing.assert_close(high.latent, network.encode(image + 1 / 64, image).latent)


def test_a_likelihood_of_an_odd_size_is_refused() -> None:
    with pytest.raises(ValueError, match="multiples of 8, not 16x20"):
        small().encode(torch.rand(1, 3, 16, 20), torch.rand(1, 3, 16, 20))


def test_a_training_step_lowers_the_bits() -> None:
    torch.manual_seed(0)
    network = LLFlow(8, 1, (0,), 1).train()
    bright = torch.rand(2, 3, 16, 16) * 0.2 + 0.5
    dark = bright * 0.1
    optimiser = torch.optim.Adam(network.parameters(), 2e-3)
    bits = []
    for _ in range(12):
        loss = bits_per_pixel(network.encode(bright, dark, noise=torch.rand_like(bright))).mean()
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
        bits.append(loss.item())
    assert bits[-1] < bits[0] - 0.2
    assert all(p.grad is not None for name, p in network.named_parameters())


def test_equalisation_by_hand() -> None:
    """Levels 10, 10, 20, 200: 20 has one of the two pixels above the darkest level, 200 both."""
    image = torch.tensor([10, 10, 20, 200]).view(1, 1, 2, 2).expand(1, 3, 2, 2) / 255
    out = equalise(image, equalisation_table(image))
    torch.testing.assert_close(out[0, 0].flatten(), torch.tensor([0.0, 0.0, 0.5, 1.0]))


def test_equalisation_keeps_a_flat_channel_and_separates_pictures() -> None:
    images = torch.stack([torch.full((3, 4, 4), 40 / 255), torch.rand(3, 4, 4)])
    tables = equalisation_table(images)
    torch.testing.assert_close(equalise(images, tables)[0], images[0])
    torch.testing.assert_close(equalisation_table(images[1:]), tables[1:])


def test_colour_and_noise_map() -> None:
    image = torch.tensor([0.1, 0.2, 0.7]).view(1, 3, 1, 1).expand(1, 3, 4, 5)
    colours = colour_map(image)
    torch.testing.assert_close(colours, image / 1.0001)
    torch.testing.assert_close(colour_map(0.1 * image), colours, atol=2e-3, rtol=0)
    noise = noise_map(colours)
    assert not bool(noise[..., 1:-1, 1:-1].any())
    torch.testing.assert_close(noise[..., 0, 2], colours[..., 0, 2] / 2)
    ramp = torch.arange(5.0).expand(1, 3, 5, 5)
    torch.testing.assert_close(noise_map(ramp)[..., 2, 1:-1], torch.ones(1, 3, 3))


def test_the_four_views_and_a_table_from_outside() -> None:
    image = torch.rand(1, 3, 6, 7)
    views = condition_input(image)
    torch.testing.assert_close(views[:, :3], (image + 1e-3).log())
    table = torch.arange(256.0).flip(0).expand(1, 3, 256) / 255
    other = condition_input(image, table)
    torch.testing.assert_close(other[:, 3:6], 1 - (image * 255).round() / 255)
    keep = [0, 1, 2, *range(6, 12)]
    torch.testing.assert_close(views[:, keep], other[:, keep])


def test_conditions_have_their_scales_and_stacked_blocks() -> None:
    encoder = ConditionEncoder(8, 3, (0, 2))
    condition = encoder(torch.rand(1, 12, 16, 24))
    assert [tuple(u.shape[1:]) for u in condition.features] == [(24, 8, 12), (24, 4, 6), (24, 2, 3)]
    assert condition.colours.shape == (1, 3, 16, 24)
    with pytest.raises(ValueError, match="not all among the 3 blocks"):
        ConditionEncoder(8, 3, (1, 3))


@pytest.mark.parametrize("make", [semantic_modules_s, semantic_modules_l])
@pytest.mark.parametrize("reversed_pairing", [False, True])
def test_semantics_change_the_picture_and_get_gradient(make: object, reversed_pairing: bool) -> None:
    torch.manual_seed(0)
    if make is semantic_modules_s:
        modules = semantic_modules_s(CHANNELS, reversed_pairing=reversed_pairing, channels=16)
    else:
        modules = semantic_modules_l(CHANNELS, reversed_pairing=reversed_pairing, channels=16, width=8)
    network = small(modules, reversed_pairing)
    check_knowledge_counts(network, 0.3 * torch.rand(1, 3, 33, 50), CHANNELS)


def test_semantic_modules_need_knowledge_and_there_are_three() -> None:
    with pytest.raises(ValueError, match="pass `knowledge`"):
        small(semantic_modules_s(CHANNELS, channels=16))(torch.rand(1, 3, 16, 16))
    with pytest.raises(ValueError, match="three scales"):
        small(semantic_modules_s(CHANNELS, channels=16)[:2])
