"""Enlighten Anything: the published attention sees nothing, the repaired one does; cascade, maps, SCI's weights."""

from collections.abc import Callable
from itertools import pairwise

import pytest
import torch
from torch import Tensor, nn

from networks.enlighten_anything import (
    EnlightenAnything,
    GuidedIllumination,
    Layout,
    LiftedFusion,
    hashed_colours,
    published_region_map,
    region_map,
    region_means,
)
from networks.skf import RELEASED, SE

MAPS: dict[Layout, Callable[[Tensor], Tensor]] = {"published": published_region_map, "repaired": region_map}


def regions(size: tuple[int, int], seed: int = 0) -> Tensor:
    """Blocks of eight pixels with ids 0 to 5."""
    generator = torch.Generator().manual_seed(seed)
    coarse = torch.randint(0, 6, (1, 1, size[0] // 8 + 1, size[1] // 8 + 1), generator=generator)
    return coarse.repeat_interleave(8, 2).repeat_interleave(8, 3)[:, 0, : size[0], : size[1]]


def randomised(network: nn.Module) -> nn.Module:
    torch.manual_seed(3)
    for parameter in network.parameters():
        nn.init.normal_(parameter, std=0.3)
    return network


@pytest.mark.parametrize("seed", range(3))
def test_published_layout_ignores_the_regions_exactly(seed: int) -> None:
    """One channel per head: the soft-max over one entry is 1 whatever the regions say."""
    network = randomised(EnlightenAnything("published")).eval()
    picture = torch.rand(1, 3, 40, 56)
    first = published_region_map(regions((40, 56), seed)).requires_grad_()
    second = torch.rand(1, 3, 20, 28) * 5
    out = network(picture, first)
    assert torch.equal(out.illumination, network(picture, second).illumination)
    assert (out.enhanced - network(picture, second).enhanced).abs().max() == 0.0
    out.illumination.sum().backward()
    assert first.grad is None or not first.grad.any()
    query = [p for name, p in network.named_parameters() if "query" in name or "align" in name]
    assert len(query) == 4
    assert all(p.grad is None or not p.grad.any() for p in query)


def test_repaired_layout_uses_the_regions() -> None:
    torch.manual_seed(0)
    network = EnlightenAnything()
    picture = torch.rand(1, 3, 40, 56) * 0.3
    ids = regions((40, 56))
    coloured = region_map(ids).requires_grad_()
    out = network(picture, coloured)
    other = network(picture, region_map(regions((40, 56), seed=9)))
    assert (out.illumination - other.illumination).abs().max() > 1e-4
    out.illumination.square().sum().backward()
    assert coloured.grad is not None
    assert (coloured.grad.abs().amax(dim=(0, 2, 3)) > 0).all()
    assert all(p.grad is not None and p.grad.any() for p in network.parameters())


def test_the_published_block_with_one_head_would_have_seen_them() -> None:
    """The zero is the heads' doing, not the block's."""
    block = randomised(SE(3, 3, options=RELEASED._replace(heads=1)))
    feature = torch.rand(1, 3, 16, 16)
    assert (block(feature, torch.rand(1, 3, 16, 16)) - block(feature, torch.rand(1, 3, 16, 16))).abs().max() > 1e-4


@pytest.mark.parametrize("layout", ["published", "repaired"])
@pytest.mark.parametrize("size", [(64, 64), (100, 150), (37, 51)])
def test_forward_and_backward(size: tuple[int, int], layout: Layout) -> None:
    network = EnlightenAnything(layout, calibrator=nn.Conv2d(3, 3, 3, padding=1))
    picture = torch.rand(2, 3, *size)
    coloured = MAPS[layout](regions(size)).expand(2, -1, -1, -1)
    out = network(picture, coloured)
    assert out.enhanced.shape == out.illumination.shape == picture.shape
    assert out.illumination.min() >= 1e-4
    assert out.illumination.max() <= 1
    assert out.enhanced.min() >= 0
    assert out.enhanced.max() <= 1
    stages = network.unroll(picture, coloured)
    sum(stage.illumination.sum() for stage in stages).backward()  # type: ignore[union-attr]
    assert all(p.grad is not None and p.grad.isfinite().all() for p in network.parameters())


def test_cascade() -> None:
    network = EnlightenAnything(calibrator=nn.Conv2d(3, 3, 1)).eval()
    picture, coloured = torch.rand(1, 3, 24, 24), region_map(regions((24, 24)))
    stages = network.unroll(picture, coloured)
    assert len(stages) == 3
    assert stages[0].seen is picture
    assert torch.equal(stages[0].result, network(picture, coloured).enhanced)
    for before, after in pairwise(stages):
        assert torch.equal(after.seen, picture + network.calibrate(before.result))  # type: ignore[misc]
        assert torch.equal(after.illumination, network.enhance(after.seen, coloured))
        torch.testing.assert_close(after.result, (picture / after.illumination).clamp(0, 1))
    assert len(EnlightenAnything().unroll(picture, coloured)) == 1


def test_without_its_last_weights_the_illumination_is_half_plus_the_picture() -> None:
    network = EnlightenAnything()
    nn.init.zeros_(network.enhance.out_conv[0].weight)  # type: ignore[arg-type]
    nn.init.zeros_(network.enhance.out_conv[0].bias)  # type: ignore[arg-type]
    picture = torch.rand(1, 3, 8, 8)
    torch.testing.assert_close(
        network(picture, region_map(regions((8, 8)))).illumination, (0.5 + picture).clamp(1e-4, 1)
    )


def test_maps() -> None:
    ids = torch.tensor([[[0, 1, 1], [2, 2, 900]]])
    coloured = region_map(ids)
    assert coloured[0, :, 0, 0].tolist() == [0.5, 0.5, 0.5, 0.0]
    assert coloured[0, 3].tolist() == [[0, 1, 1], [1, 1, 1]]
    assert torch.equal(coloured[0, :, 0, 1], coloured[0, :, 0, 2])
    assert published_region_map(ids)[0, :, 0, 0].tolist() == [1.0, 1.0, 1.0]
    assert torch.equal(published_region_map(ids)[:, :, 1], hashed_colours(ids)[:, :, 1])
    many = hashed_colours(torch.arange(1, 257).view(1, 16, 16)).flatten(2)[0].T
    assert len(many.unique(dim=0)) == 256
    assert ((many.mean(0) - 0.5).abs() < 0.1).all()
    assert many.min() >= 0
    assert many.max() <= 1


def test_region_means() -> None:
    ids = torch.tensor([[[0, 3], [3, 3]], [[3, 3], [1, 1]]])
    picture = torch.arange(24.0).view(2, 3, 2, 2)
    means = region_means(ids, picture)
    assert means[0, 0].tolist() == [[0, 2], [2, 2]]
    assert means[1, 2].tolist() == [[20.5, 20.5], [22.5, 22.5]]
    assert torch.equal(region_map(ids, means)[0, :3, 1, 1], means[0, :, 1, 1])


def test_heads_that_cannot_attend_are_refused() -> None:
    for channels, heads in ((3, 3), (8, 1), (16, 4)):
        with pytest.raises(ValueError, match="cannot attend"):
            LiftedFusion(channels, heads)
    with pytest.raises(ValueError, match="maps of 4 channels, got 3"):
        EnlightenAnything()(torch.rand(1, 3, 8, 8), torch.rand(1, 3, 8, 8))


def test_takes_over_the_weights_of_sci() -> None:
    sci = pytest.importorskip("networks.sci")
    source = sci.SCI()
    network = EnlightenAnything("published", calibrator=sci.Calibrator())
    report = network.load_state_dict(source.state_dict(), strict=False)
    assert report.unexpected_keys == []
    assert all(key.startswith("enhance.fuse.") for key in report.missing_keys)
    assert sum(p.numel() for p in network.parameters()) == 6_264
    assert isinstance(network.enhance, GuidedIllumination)
