"""Charbonnier, DRBN's and LLFlow's losses against answers known by hand."""

import math

import pytest
import torch
from torch.nn import functional as F

from networks.llflow import LLFlow, LLFlowEncoding
from networks.llflow_condition import colour_map
from training.losses.charbonnier import charbonnier
from training.losses.drbn import FEATURES, SMALLEST, band_similarity, judged, looks, sorted_beside
from training.losses.llflow import latent_picture, likelihood
from training.losses.perceptual import VGG16, feature_distances

torch.set_num_threads(1)


def test_charbonnier_by_hand() -> None:
    got, want = torch.tensor([[0.0, 0.5]]), torch.tensor([[0.0, 0.1]])
    expected = [1e-3, math.sqrt(0.4**2 + 1e-6)]
    torch.testing.assert_close(charbonnier(got, want, "sum"), torch.tensor(sum(expected)))
    torch.testing.assert_close(charbonnier(got, want, "mean"), torch.tensor(sum(expected) / 2))
    torch.testing.assert_close(charbonnier(got, want, "sum", epsilon=0.3), torch.tensor(0.3 + 0.5))


def test_charbonnier_has_a_gradient_where_pictures_agree() -> None:
    got = torch.rand(1, 3, 4, 4, requires_grad=True)
    charbonnier(got, got.detach(), "sum").backward()
    assert got.grad is not None
    assert bool(got.grad.isfinite().all())
    assert not bool(got.grad.any())


def test_charbonnier_refuses_what_would_be_broadcast() -> None:
    with pytest.raises(ValueError, match="different shapes"):
        charbonnier(torch.rand(1, 3, 4, 4), torch.rand(1, 1, 4, 4), "mean")


@pytest.mark.parametrize("size", [(64, 48), (45, 50)])
def test_bands_equal_to_every_second_and_fourth_pixel_are_perfect(size: tuple[int, int]) -> None:
    high = torch.rand(2, 3, *size)
    terms = band_similarity((high, high[..., ::2, ::2], high[..., ::4, ::4]), high)
    assert list(terms) == ["full", "half", "quarter"]
    for term in terms.values():
        torch.testing.assert_close(term, torch.tensor(-1.0))
    averaged = band_similarity((high, F.avg_pool2d(high, 2, ceil_mode=True), high[..., ::4, ::4]), high)
    assert averaged["half"] > -0.95  # a filter before subsampling is another target


def test_bands_need_room_for_the_window() -> None:
    small = torch.rand(1, 3, SMALLEST - 1, 64)
    with pytest.raises(ValueError, match="at least 41 pixels"):
        band_similarity((small, small[..., ::2, ::2], small[..., ::4, ::4]), small)
    fits = torch.rand(1, 3, SMALLEST, SMALLEST)
    assert fits[..., ::4, ::4].shape[-1] == 11
    band_similarity((fits, fits[..., ::2, ::2], fits[..., ::4, ::4]), fits)


def test_the_discriminator_sees_the_channels_sorted() -> None:
    picture = torch.tensor([0.6, 0.1, 0.3]).view(1, 3, 1, 1)
    assert sorted_beside(picture).flatten().tolist() == pytest.approx([0.6, 0.1, 0.3, 0.1, 0.3, 0.6])


def test_looks_weigh_the_features_as_published() -> None:
    torch.manual_seed(0)
    network, got, high = VGG16("relu2_2"), torch.rand(1, 3, 16, 16), torch.rand(1, 3, 16, 16)
    terms = looks(got, high, network)
    distances = feature_distances(network, got, high, tuple(FEATURES))
    expected = (
        distances["relu1_1"] + 0.6 * distances["relu1_2"] + 0.4 * distances["relu2_1"] + 0.2 * distances["relu2_2"]
    )
    torch.testing.assert_close(terms["features"], expected)
    assert terms["similarity"] > -0.5
    assert set(looks(got, high, None)) == {"similarity"}
    torch.testing.assert_close(looks(high, high, network)["similarity"], torch.tensor(-1.0))


def test_scores_are_judged_by_squares() -> None:
    scores = torch.tensor([0.0, 0.5, 1.0])
    assert judged(scores, real=True).item() == pytest.approx((1 + 0.25) / 3)
    assert judged(scores, real=False).item() == pytest.approx((0.25 + 1) / 3)


def test_a_latent_at_the_prior_has_the_bits_of_its_entropy() -> None:
    """Log density of N(0, 1) at its mean, and the 5 bits per value of noise of one 32nd."""
    high = torch.rand(2, 3, 16, 24)
    own = colour_map(high)
    encoding = LLFlowEncoding(F.pixel_unshuffle(own, 8), torch.zeros(2), own + 1.0)
    least = 1.5 * math.log2(2 * math.pi) + 15
    assert likelihood(encoding, high, of_target=True).item() == pytest.approx(least, rel=1e-5)
    assert likelihood(encoding, high, of_target=False).item() == pytest.approx(least + 1.5 / math.log(2), rel=1e-5)
    torch.testing.assert_close(latent_picture(encoding), own)


def test_only_the_predicted_prior_teaches_the_colour_head() -> None:
    torch.manual_seed(0)
    network, high = LLFlow(8, 1, (0,), 1).train(), torch.rand(1, 3, 16, 16)
    head = network.encoder.colours.weight
    for of_target in (True, False):
        network.zero_grad()
        likelihood(network.encode(high, 0.1 * high), high, of_target).backward()
        taught = head.grad is not None and bool(head.grad.any())
        assert taught is not of_target
