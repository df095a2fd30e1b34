"""The grid network with regions: without them it is what it was; objects do not sway it; each has its own say."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from networks.curve import CurveNet
from networks.curve_regions import EMBEDDING, REGIONS, RegionContext, means, scenery, shares

COUNT = 1 + REGIONS


def pair(seed: int = 0) -> tuple[CurveNet, CurveNet]:
    """A network without regions, and one with the same weights and a region part that does something."""
    torch.manual_seed(seed)
    plain = CurveNet().eval()
    torch.nn.init.normal_(plain.head.weight, 0, 0.05)
    for block in plain.blocks:
        torch.nn.init.normal_(block.film.weight, 0, 0.05)
    regional = CurveNet(regions=True).eval()
    regional.load_state_dict(plain.state_dict(), strict=False)
    assert regional.regions is not None
    for film in regional.regions.films:
        torch.nn.init.normal_(film.weight, 0, 0.1)
    return plain, regional


def thumbnail(seed: int = 1, height: int = 48, width: int = 64) -> torch.Tensor:
    generator = torch.Generator().manual_seed(seed)
    chroma = 0.1 * torch.rand(1, 2, height, width, generator=generator) - 0.05
    return torch.cat((0.3 * torch.rand(1, 1, height, width, generator=generator), chroma), 1)


def region(cells: tuple[slice, slice], number: int = 3, rows: int = 6, cols: int = 8) -> torch.Tensor:
    weights = torch.zeros(1, COUNT, rows, cols)
    weights[:, number, cells[0], cells[1]] = 1
    weights[:, 0] = 1 - weights[:, number]
    return weights


@pytest.mark.parametrize("size", [(48, 64), (144, 256), (192, 192), (8, 8)])
@torch.no_grad()
def test_without_regions_it_is_the_network_that_it_was(size: tuple[int, int]) -> None:
    plain, regional = pair()
    seen = thumbnail(height=size[0], width=size[1])
    none = torch.zeros(1, COUNT, size[0] // 8, size[1] // 8)
    told_nothing = none.clone()
    told_nothing[:, 0] = 1
    expected = plain(seen)
    assert torch.equal(regional(seen), expected)
    for weights in (none, told_nothing):
        torch.testing.assert_close(
            regional(seen, weights, torch.zeros(1, COUNT, EMBEDDING)), expected, atol=1e-5, rtol=1e-5
        )
        # What is said of regions that are not there counts for nothing.
        torch.testing.assert_close(
            regional(seen, weights, torch.randn(1, COUNT, EMBEDDING)), expected, atol=1e-5, rtol=1e-5
        )


@torch.no_grad()
def test_regions_and_their_embedding_make_a_difference() -> None:
    _, regional = pair()
    seen, weights = thumbnail(), region((slice(1, 4), slice(2, 5)))
    features = torch.zeros(1, COUNT, EMBEDDING)
    nothing, placed = regional(seen), regional(seen, weights, features)
    features[:, 3] = torch.randn(EMBEDDING)
    named = regional(seen, weights, features)
    assert (placed - nothing).abs().max() > 1e-3
    assert (named - placed).abs().max() > 1e-3
    torch.testing.assert_close(regional(seen, weights), placed)


@torch.no_grad()
def test_what_is_known_of_a_region_moves_its_own_cells_only() -> None:
    torch.manual_seed(0)
    context = RegionContext(4, 5, 2).eval()
    for film in context.films:
        torch.nn.init.normal_(film.weight, 0, 1)
    weights = region((slice(1, 4), slice(2, 5)))
    given = [torch.rand(1, 1, 6, 8), torch.rand(1, 4, 6, 8), torch.rand(1, 5), shares(weights)]
    one, other = torch.zeros(1, COUNT, EMBEDDING), torch.zeros(1, COUNT, EMBEDDING)
    other[:, 3] = torch.randn(EMBEDDING)
    for first, second in zip(context(*given, one), context(*given, other), strict=True):
        moved = (first - second).abs().sum(1)[0] > 1e-6
        assert torch.equal(moved, weights[0, 3] > 0)


@torch.no_grad()
def test_an_object_that_enters_hardly_sways_the_scenes_statistics() -> None:
    """Two cells by two, first dark, then bright; their neighbours see them through the convolutions."""
    _, regional = pair()
    told: list[torch.Tensor] = []
    regional.scene.register_forward_pre_hook(lambda _, given: told.append(given[0]))
    whole = {"rows": 18, "cols": 32}
    own, wide = region((slice(8, 10), slice(14, 16)), **whole), region((slice(6, 12), slice(12, 18)), **whole)
    swayed = []
    for weights in (torch.zeros_like(own), own, wide):
        for level in (0.1, 1.0):
            seen = thumbnail(height=144, width=256)
            seen[:, 0, 64:80, 112:128] = level
            regional(seen, weights)
        swayed.append(float((told[-1] - told[-2]).abs().mean()))
    assert swayed[1] < 0.7 * swayed[0]
    assert swayed[2] < 0.01 * swayed[0]


def test_large_regions_are_scenery_and_small_ones_are_objects() -> None:
    small, large = region((slice(0, 2), slice(0, 2))), region((slice(0, 4), slice(0, 8)))
    assert torch.equal(scenery(shares(small)), 1 - small[:, 3:4])
    assert torch.equal(scenery(shares(large)), torch.ones(1, 1, 6, 8))


def test_where_objects_leave_little_everything_is_scenery() -> None:
    weights = torch.zeros(1, COUNT, 6, 8)
    for number in range(12):
        weights[0, 1 + number, number // 2, 4 * (number % 2) : 4 * (number % 2) + 4] = 1
    torch.testing.assert_close(scenery(shares(weights)), torch.ones(1, 1, 6, 8))


@settings(max_examples=30, deadline=None)
@given(st.integers(0, 10_000), st.floats(0, 3))
def test_shares_sum_to_one_whatever_is_given(seed: int, scale: float) -> None:
    torch.manual_seed(seed)
    shared = shares(scale * torch.rand(2, COUNT, 3, 4) - 0.1)
    torch.testing.assert_close(shared.sum(1), torch.ones(2, 3, 4))
    assert (shared >= 0).all()
    stays = scenery(shared)
    assert ((stays >= -1e-6) & (stays <= 1 + 1e-6)).all()


@settings(max_examples=15, deadline=None)
@given(st.integers(0, 10_000))
def test_every_curve_is_monotone_whatever_is_said_of_regions(seed: int) -> None:
    _, regional = pair(seed)
    with torch.no_grad():
        grid = regional(thumbnail(seed, 24, 32), 2 * torch.rand(1, COUNT, 3, 4), 5 * torch.randn(1, COUNT, EMBEDDING))
    a, s = grid[..., 0], grid[..., 1]
    assert torch.isfinite(grid).all()
    assert (a + s / 2 >= 0).all()
    assert (a + 16 * s >= 0).all()


def test_means_are_of_the_part_alone() -> None:
    features = torch.arange(6.0).view(1, 1, 2, 3)
    weights = torch.tensor([[[[1.0, 0, 0], [0, 0, 0]], [[0, 0, 0], [0, 1.0, 1.0]], [[0, 0, 0], [0, 0, 0]]]])
    torch.testing.assert_close(means(features, weights)[0, :, 0], torch.tensor([0.0, 4.5, 0.0]))


def test_it_stays_small_and_the_new_part_learns() -> None:
    network = CurveNet(regions=True).train()
    assert sum(parameter.numel() for parameter in network.parameters()) <= 400_000
    grid = network(
        thumbnail().expand(2, -1, -1, -1), torch.rand(2, COUNT, 6, 8) / COUNT, torch.randn(2, COUNT, EMBEDDING)
    )
    torch.nn.init.normal_(network.head.weight, 0, 0.05)
    grid = network(
        thumbnail().expand(2, -1, -1, -1), torch.rand(2, COUNT, 6, 8) / COUNT, torch.randn(2, COUNT, EMBEDDING)
    )
    grid.square().mean().backward()
    assert network.regions is not None
    assert all((film.weight.grad != 0).any() for film in network.regions.films)
