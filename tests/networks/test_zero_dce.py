"""Zero-DCE and Zero-DCE++."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from networks.zero_dce import ITERATIONS, ZeroDCE, ZeroDCEPlusPlus, apply_curves

torch.set_num_threads(1)


@given(st.floats(0, 1), st.floats(-1, 1))
@settings(deadline=None)
def test_curves_keep_the_range_and_a_negative_parameter_brightens(value: float, parameter: float) -> None:
    image = torch.full((1, 3, 1, 1), value, dtype=torch.float64)
    out = apply_curves(image, torch.full((1, 3, 1, 1), parameter, dtype=torch.float64))
    assert 0.0 <= out.min() <= out.max() <= 1.0
    assert bool((out >= image - 1e-12).all() if parameter <= 0 else (out <= image + 1e-12).all())


def test_24_maps_are_eight_curves_in_turn() -> None:
    image, curves = torch.rand(2, 3, 4, 5), 2 * torch.rand(2, 24, 4, 5) - 1
    expected = image
    for n in range(ITERATIONS):
        expected = expected + curves[:, 3 * n : 3 * n + 3] * (expected.square() - expected)
    torch.testing.assert_close(apply_curves(image, curves), expected)


def test_three_maps_are_used_eight_times() -> None:
    image, curve = torch.rand(1, 3, 4, 5), 2 * torch.rand(1, 3, 4, 5) - 1
    torch.testing.assert_close(apply_curves(image, curve), apply_curves(image, curve.repeat(1, 8, 1, 1)))


@pytest.mark.parametrize("network", [ZeroDCE(8), ZeroDCEPlusPlus(8)])
@pytest.mark.parametrize("size", [(1, 1), (7, 13), (24, 36)])
def test_any_size_and_range(network: torch.nn.Module, size: tuple[int, int]) -> None:
    out = network(torch.rand(1, 3, *size))
    assert out.enhanced.shape == (1, 3, *size)
    assert out.curves.shape[-2:] == size
    assert out.curves.abs().max() <= 1
    assert 0 <= out.enhanced.min() <= out.enhanced.max() <= 1


def test_reduction_of_one_is_the_network_on_the_picture_itself() -> None:
    network = ZeroDCEPlusPlus(8, reduction=1)
    image = torch.rand(1, 3, 12, 24)
    torch.testing.assert_close(network(image).curves, network.estimator(image))


def test_reduction_sees_only_the_small_picture() -> None:
    network = ZeroDCEPlusPlus(8, reduction=12)
    for parameter in network.parameters():
        torch.nn.init.normal_(parameter, 0.0, 0.3)
    image = torch.full((1, 3, 48, 48), 0.3)
    noisy = image.clone()
    noisy[..., 0, 0] += 0.5  # not among the pixels that the small picture is made of
    torch.testing.assert_close(network(noisy).curves, network(image).curves)
    brighter = image + 0.1
    assert (network(brighter).curves - network(image).curves).abs().max() > 1e-4


def test_reduction_below_one_is_refused() -> None:
    with pytest.raises(ValueError, match="at least 1"):
        ZeroDCEPlusPlus(reduction=0)
