"""The SCH loss against its definition, spelled out bin by bin and class by class, and by what must not change it."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from training.losses.sch import class_histograms, sch_loss, without_borders

ONE_PIXEL = torch.zeros(1, 1, 1, dtype=torch.int64)


def bins_of(value: float, open_bins: bool = False) -> Tensor:
    """The histogram [256] of one pixel."""
    picture = torch.full((1, 3, 1, 1), value, dtype=torch.float64)
    return class_histograms(picture, ONE_PIXEL, 1, open_bins=open_bins)[0, 0, 0]


def naive_histograms(picture: Tensor, classes: Tensor, count: int, open_bins: bool) -> Tensor:
    """Equation 9 as it stands: every pixel against every bin."""
    centres = (torch.arange(256, dtype=picture.dtype) + 0.5) / 256
    lower = torch.sigmoid(400 * (picture[..., None] - centres + 0.5 / 256))
    upper = torch.sigmoid(400 * (picture[..., None] - centres - 0.5 / 256))
    if open_bins:
        lower = torch.cat((torch.ones_like(lower[..., :1]), lower[..., 1:]), -1)
        upper = torch.cat((upper[..., :-1], torch.zeros_like(upper[..., :1])), -1)
    masks = torch.stack([classes == number for number in range(count)], 1).to(picture.dtype)
    return torch.einsum("nchwb,nkhw->nkcb", lower - upper, masks)


def case(seed: int, spread: float = 1.0) -> tuple[Tensor, Tensor, Tensor]:
    """Two random pictures [2, 3, 7, 9] around 0..1 and a map of 4 classes, -1 = none."""
    generator = torch.Generator().manual_seed(seed)
    first, second = torch.rand(2, 2, 3, 7, 9, generator=generator, dtype=torch.float64)
    classes = torch.randint(-1, 4, (2, 7, 9), generator=generator)
    return 0.5 + spread * (first - 0.5), second, classes


def test_a_pixel_on_a_bin_centre_spreads_over_its_neighbours() -> None:
    found = bins_of(100.5 / 256)
    shares = [found[100 - reach : 101 + reach].sum().item() for reach in range(4)]
    assert shares == pytest.approx([0.372, 0.825, 0.961, 0.992], abs=5e-4)


@pytest.mark.parametrize(("value", "mass"), [(0.0, 0.5), (0.5 / 256, 0.686), (0.01, 0.982), (0.021, 1.0), (0.5, 1.0)])
def test_closed_bins_lose_the_mass_of_black(value: float, mass: float) -> None:
    assert bins_of(value).sum().item() == pytest.approx(mass, abs=5e-4)


@settings(deadline=None)
@given(st.floats(-0.2, 1.2))
def test_open_bins_give_every_value_mass_one(value: float) -> None:
    assert bins_of(value, open_bins=True).sum().item() == pytest.approx(1.0, abs=1e-6)


@settings(max_examples=25, deadline=None)
@given(st.integers(0, 2**31), st.floats(0, 1.4), st.booleans())
def test_scattering_equals_the_definition(seed: int, spread: float, open_bins: bool) -> None:
    picture, _, classes = case(seed, spread)
    found = class_histograms(picture, classes, 4, open_bins=open_bins)
    wanted = naive_histograms(picture, classes, 4, open_bins)
    torch.testing.assert_close(found, wanted, rtol=0, atol=63 * 3e-7)


@settings(max_examples=25, deadline=None)
@given(st.integers(0, 2**31), st.floats(0, 1.4), st.booleans())
def test_the_gradient_equals_that_of_the_definition(seed: int, spread: float, open_bins: bool) -> None:
    picture, _, classes = case(seed, spread)
    weights = torch.randn(2, 4, 3, 256, dtype=torch.float64, generator=torch.Generator().manual_seed(seed))
    gradients = []
    for histograms in (
        class_histograms(picture.requires_grad_(), classes, 4, open_bins=open_bins),
        naive_histograms(picture, classes, 4, open_bins),
    ):
        picture.grad = None
        (histograms * weights).sum().backward()
        assert picture.grad is not None
        gradients.append(picture.grad)
    torch.testing.assert_close(gradients[0], gradients[1], rtol=0, atol=3e-4)  # of slopes up to 100


@settings(max_examples=25, deadline=None)
@given(st.integers(0, 2**31))
def test_moving_pixels_about_inside_their_class_changes_nothing(seed: int) -> None:
    picture, target, classes = case(seed)
    classes = classes.clamp(min=0)
    before = sch_loss(picture, target, classes, 4, radius=0)
    flat, generator = picture.flatten(2).clone(), torch.Generator().manual_seed(seed)
    for sample in range(len(flat)):
        for number in range(4):
            places = torch.where(classes[sample].flatten() == number)[0]
            shuffled = places[torch.randperm(len(places), generator=generator)]
            flat[sample][:, places] = flat[sample][:, shuffled]
    after = sch_loss(flat.view_as(picture), target, classes, 4, radius=0)
    torch.testing.assert_close(after, before, rtol=1e-9, atol=0)


def test_moving_pixels_to_another_class_is_noticed() -> None:
    picture = torch.zeros(1, 3, 8, 8)
    picture[..., 4:] = 0.8
    classes = torch.zeros(1, 8, 8, dtype=torch.int64)
    classes[..., 4:] = 1
    swapped = picture.flip(3)
    assert sch_loss(swapped, picture, torch.zeros_like(classes), 1, radius=0).item() == pytest.approx(0, abs=1e-9)
    # Both classes have moved all of their mass, and one pixel's mass counts 2 / 256.
    found = sch_loss(swapped, picture, classes, 2, radius=0).item()
    assert found == pytest.approx(2 / 256 / 2, rel=1e-4)


def test_identical_pictures_are_at_distance_zero_with_a_finite_gradient() -> None:
    picture = torch.rand(2, 3, 16, 16)
    picture[0, :, :4] = 0.0
    picture[1, :, :4] = 1.0
    enhanced = picture.clone().requires_grad_()
    loss = sch_loss(enhanced, picture, torch.randint(0, 5, (2, 16, 16)), 5)
    loss.backward()
    assert loss.item() == 0
    assert enhanced.grad is not None
    assert torch.isfinite(enhanced.grad).all()


def test_descending_the_loss_brings_the_histogram_nearer() -> None:
    torch.manual_seed(0)
    target, enhanced = torch.rand(1, 3, 12, 12), (0.95 * torch.rand(1, 3, 12, 12)).requires_grad_()
    classes = (torch.arange(12) // 6).expand(1, 12, 12).contiguous()
    first = sch_loss(enhanced, target, classes, 2)
    optimizer = torch.optim.Adam([enhanced], lr=2e-3)
    for _ in range(60):
        optimizer.zero_grad()
        loss = sch_loss(enhanced, target, classes, 2)
        loss.backward()
        optimizer.step()
    assert loss.item() < 0.5 * first.item()


def test_borders_of_classes_are_eroded_and_edges_of_the_picture_are_not() -> None:
    classes = torch.zeros(1, 10, 12, dtype=torch.int64)
    classes[:, :, 6:] = 3
    kept = without_borders(classes, 2)
    assert (kept[:, :, 4:8] == -1).all()
    assert (kept[:, :, :4] == 0).all()
    assert (kept[:, :, 8:] == 3).all()
    assert torch.equal(without_borders(classes, 0), classes)
    corner = classes.clone()
    corner[:, 5, 2] = 7  # a lone pixel takes its 5x5 neighbourhood with it
    assert (without_borders(corner, 2)[:, 3:8, :5] == -1).all()


def test_pixels_near_borders_do_not_count() -> None:
    picture, target = torch.rand(1, 3, 10, 12), torch.rand(1, 3, 10, 12)
    classes = torch.zeros(1, 10, 12, dtype=torch.int64)
    classes[:, :, 6:] = 1
    spoiled = picture.clone()
    spoiled[..., 4:8] = 0.0
    assert sch_loss(spoiled, target, classes, 2) == sch_loss(picture, target, classes, 2)
    assert sch_loss(spoiled, target, classes, 2, radius=0) != sch_loss(picture, target, classes, 2, radius=0)


def test_a_map_of_borders_only_gives_zero() -> None:
    checkers = (torch.arange(8)[:, None] + torch.arange(8)).remainder(2)[None]
    enhanced = torch.rand(1, 3, 8, 8, requires_grad=True)
    loss = sch_loss(enhanced, torch.rand(1, 3, 8, 8), checkers, 2)
    loss.backward()
    assert loss.item() == 0


def test_normalisers_are_what_they_say() -> None:
    picture, target, classes = case(3)
    classes = classes.clamp(min=0)
    total = (naive_histograms(picture, classes, 6, False) - naive_histograms(target, classes, 6, False)).abs().mean(3)
    per_picture = total.sum((1, 2))
    pixels = 7 * 9
    present = torch.tensor([len(classes[sample].unique()) for sample in range(2)])
    parity = {"open_bins": False, "radius": 0}
    for normaliser, wanted in (
        ("present", (per_picture / (3 * pixels * present)).mean()),
        ("classes", per_picture.sum() / (2 * 6 * pixels * 3)),
        ("pixels", per_picture.sum() / (2 * pixels)),
    ):
        found = sch_loss(picture, target, classes, 6, normaliser=normaliser, **parity)  # type: ignore[arg-type]
        torch.testing.assert_close(found, wanted, rtol=1e-5, atol=0)
    weights = torch.tensor([2.0, 0, 0, 0, 0, 0], dtype=torch.float64)
    found = sch_loss(picture, target, classes, 6, normaliser="pixels", class_weights=weights, **parity)  # type: ignore[arg-type]
    torch.testing.assert_close(found, 2 * total[:, 0].sum() / (2 * pixels), rtol=1e-5, atol=0)


def test_half_precision_is_computed_in_single() -> None:
    picture, target = torch.rand(1, 3, 8, 8).bfloat16(), torch.rand(1, 3, 8, 8).bfloat16()
    assert sch_loss(picture, target, torch.zeros(1, 8, 8, dtype=torch.int64), 1).dtype == torch.float32


def test_a_class_map_of_another_size_is_refused() -> None:
    with pytest.raises(ValueError, match="does not fit"):
        class_histograms(torch.rand(1, 3, 8, 8), torch.zeros(1, 4, 4, dtype=torch.int64), 1)
