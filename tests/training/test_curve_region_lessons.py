"""Training of ``curve`` with regions: what samples are told, what moves, and what stays to the bit."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from training_pictures import brackets, tiny_recipe

from networks.checkpoint import open_checkpoint
from networks.curve_regions import EMBEDDING
from training.curve_regions import (
    COUNT,
    NOTHING,
    Forgetting,
    RegionBook,
    RegionLessons,
    SceneRegions,
    pooled_features,
    region_weights,
)
from training.data import Pair, find_pairs
from training.evaluate.models import open_method
from training.losses.curve import region_exposure
from training.recipe import Recipe
from training.samples import Augmentation, Samples, stretched
from training.semantics import Semantics
from training.semantics.files import digest, write_embedding, write_regions
from training.trainer import fit
from training.validation import Validation

ALL = Forgetting(region=0, features=0)
PLAIN = Augmentation(scale=0.25, degraded=0, mixed=0, versions=0, light_colour=0, white_balance=0)


def fill(folder: Path, pairs: list[Pair]) -> Semantics:
    """A cache that knows these: left half is region 1, the rest is region 2 but for a corner, which is region 20."""
    ids = np.full((64, 80), 2, np.uint8)
    ids[:, :40], ids[:16, 64:] = 1, 20
    for number, pair in enumerate(pairs):
        name = digest(pair.low)
        write_regions(folder / "aaaaaaaaaaaa-bbbbbbbbbbbb-g045-x" / f"{name}.png", ids)
        embedding = np.random.default_rng(number).normal(size=(EMBEDDING, 4, 5)).astype(np.float16)
        write_embedding(folder / "aaaaaaaaaaaa-g045" / f"{name}.npy", embedding)
    return Semantics(folder)


@pytest.fixture
def data(tmp_path: Path) -> Path:
    torch.set_num_threads(1)
    return brackets(tmp_path / "data", scenes=2)


@pytest.fixture
def cache(tmp_path: Path, data: Path) -> Semantics:
    return fill(tmp_path / "cache", find_pairs(data))


def test_shares_and_features_are_means() -> None:
    ids = torch.zeros(8, 8, dtype=torch.uint8)
    ids[:4, :6] = 3
    weights = region_weights(ids, 2, 2)
    torch.testing.assert_close(weights[3], torch.tensor([[1.0, 0.5], [0, 0]]))
    torch.testing.assert_close(weights.sum(0), torch.ones(2, 2))
    embedding = torch.zeros(EMBEDDING, 2, 2)
    embedding[:, 0, 0], embedding[:, 0, 1], embedding[:, 1] = 1, 4, 100
    features = pooled_features(embedding, ids)
    torch.testing.assert_close(features[3], torch.full((EMBEDDING,), 2.0))
    assert not features[[0, 1, 2, *range(4, COUNT)]].any()


def test_only_the_sixteen_largest_are_known(data: Path, cache: Semantics) -> None:
    scene = RegionBook(cache).of(find_pairs(data)[0].low)
    assert sorted(scene.ids.unique().tolist()) == [0, 1, 2]
    assert scene.features.abs().sum(1).nonzero().flatten().tolist() == [1, 2]


def told(lessons: RegionLessons, scene: SceneRegions, times: int = 1) -> list[tuple[torch.Tensor, torch.Tensor]]:
    rng = np.random.default_rng(0)
    return [lessons.told(scene.ids, scene, (4, 5), rng) for _ in range(times)]


def test_samples_are_told_all_some_or_nothing(data: Path, cache: Semantics) -> None:
    pairs = find_pairs(data)
    scene = RegionBook(cache).of(pairs[0].low)
    ((weights, features),) = told(RegionLessons(cache, pairs, 0, ALL), scene)
    torch.testing.assert_close(weights, region_weights(scene.ids, 4, 5))
    torch.testing.assert_close(features, scene.features)
    blind = told(RegionLessons(cache, pairs, 0.3, Forgetting(region=0.5, features=0.5)), scene, 400)
    nothing = [not weights.any() for weights, _ in blind]
    assert np.mean(nothing) == pytest.approx(0.3, abs=0.07)
    assert all(not features.any() for (_, features), none in zip(blind, nothing, strict=True) if none)
    known = [(bool(w[1].any()), bool(w[2].any()), bool(f[1].any())) for w, f in blind if w.any()]
    assert len(set(known)) >= 5  # single regions and the embedding are left out apart from each other
    assert all(first or not embedded for first, _, embedded in known)


def test_an_exposure_that_the_cache_does_not_know_has_its_brackets_regions(tmp_path: Path, data: Path) -> None:
    pairs = find_pairs(data)
    one = [pair for pair in pairs if pair.high == pairs[0].high][:1]
    lessons = RegionLessons(fill(tmp_path / "part", one), pairs, 0, ALL)
    same = [lessons.of(pair) for pair in pairs if pair.high == pairs[0].high]
    assert len(same) > 1
    assert all(scene is same[0] for scene in same)
    assert all(lessons.of(pair) is NOTHING for pair in pairs if pair.high != pairs[0].high)
    foreign = RegionLessons(fill(tmp_path / "all", pairs), pairs, 0, ALL, foreign=True)
    own = RegionLessons(fill(tmp_path / "all", pairs), pairs, 0, ALL)
    assert not torch.equal(foreign.of(pairs[0]).features, own.of(pairs[0]).features)


def test_a_cache_of_other_pictures_is_refused(tmp_path: Path, data: Path) -> None:
    others = find_pairs(brackets(tmp_path / "others", scenes=3))[-2:]
    with pytest.raises(ValueError, match="region map of"):
        RegionLessons(fill(tmp_path / "wrong", others), find_pairs(data), 0, ALL)


def test_regions_lie_where_the_picture_shows_them(data: Path, cache: Semantics) -> None:
    """Every pixel of region 1 is made white before: the thumbnail then says where it went."""
    pairs = find_pairs(data)
    samples = Samples(pairs, PLAIN, 3, regions=RegionLessons(cache, pairs, 0, ALL))
    bare = Samples(pairs, PLAIN, 3)
    for number, scene in enumerate(samples.scenes):
        inside = stretched(scene.ids, *samples.lows[number].shape[:2])[..., 0] == 1
        samples.lows[number] = np.where(inside[..., None], 255, 0).astype(np.uint8)
    for step in range(6):
        batch, without = samples.batch(step, 4), bare.batch(step, 4)
        assert batch.region_weights is not None
        assert batch.region_features is not None
        assert without.region_weights is None
        torch.testing.assert_close(batch.high, without.high)
        cells = torch.nn.functional.adaptive_avg_pool2d(batch.thumbnail[:, :1], batch.region_weights.shape[-2:])
        assert (cells[:, 0] - batch.region_weights[:, 1]).abs().mean() < 0.03
        assert batch.region_features.shape == (4, COUNT, EMBEDDING)


def test_regions_are_judged_by_their_mean_luma_small_ones_too() -> None:
    weights = region_weights(torch.tensor([[1, 1, 2, 0], [1, 1, 2, 0]]), 2, 4)[None]
    target = torch.zeros(1, 1, 16, 32)
    got = target.clone()
    got[..., 16:24] = 0.5
    assert region_exposure(got, target, weights).item() == pytest.approx(0.25, abs=1e-5)
    got[..., 0:8], got[..., 8:16] = 0.2, -0.2  # what cancels within a region is structure, not exposure
    assert region_exposure(got, target, weights).item() == pytest.approx(0.25, abs=1e-5)
    assert region_exposure(got, target, torch.zeros_like(weights)).item() == 0


def regional(data: Path, cache: Semantics, out: Path, **changes: object) -> Recipe:
    semantics = {"path": cache.folder, "regions": "true"}
    values: dict[str, object] = {
        "network": {"regions": True, "channels": [4, 6, 8], "dilations": [1, 2], "context": 6},
        "semantics": semantics,
        "options": {"augmentation": {"scale": 0.25}, "weights": {"region": 0.3}, "base_rate": 0},
        "validation": {"path": data},
    }
    return tiny_recipe(data, out, steps=4, **(values | changes))


def test_a_run_goes_on_from_one_without_regions_and_leaves_its_weights_alone(
    tmp_path: Path, data: Path, cache: Semantics
) -> None:
    network = {"channels": [4, 6, 8], "dilations": [1, 2], "context": 6}
    start = fit(tiny_recipe(data, tmp_path / "base", steps=2, network=network), show=False)
    recipe = regional(data, cache, tmp_path / "run", start=start)
    path = fit(recipe, show=False)
    before, after = open_checkpoint(start).network.state_dict(), open_checkpoint(path).network.state_dict()
    new = [name for name in after if name not in before]
    assert new
    assert all(name.startswith("regions.") for name in new)
    assert all(torch.equal(after[name], value) for name, value in before.items())
    assert any(after[name].any() for name in new if "films" in name)

    faster = {"augmentation": {"scale": 0.25}, "base_rate": 0.5}
    moved = fit(regional(data, cache, tmp_path / "moving", start=start, options=faster), show=False)
    weights = open_checkpoint(moved).network.state_dict()
    assert not torch.equal(weights["head.weight"], before["head.weight"])
    assert torch.equal(weights["encode.1.running_mean"], before["encode.1.running_mean"])

    known = Validation(recipe, None)
    shuffled = Validation(recipe.model_copy(update={"semantics": replace_regions(recipe, "shuffled")}), None)
    films = open_checkpoint(path).network
    for film in films.regions.films:
        torch.nn.init.normal_(film.weight, 0, 1)
    torch.nn.init.normal_(films.head.weight, 0, 0.3)
    assert known.scores(films) != shuffled.scores(films)

    low = find_pairs(data)[0].low
    picture = (np.random.default_rng(0).random((32, 48, 3)) * 60).astype(np.uint8)
    ignorant, informed = open_method(str(path)), open_method(str(path), cache.folder)
    assert (ignorant.semantics, informed.semantics) == ("not given", "given")
    plain = open_method(str(start))
    np.testing.assert_array_equal(ignorant(picture, low), plain(picture, low))
    misled = replace(informed, regions_of={low: find_pairs(data)[-1].low})
    assert misled.semantics == "of another scene"
    assert misled(picture, low).shape == informed(picture, low).shape == picture.shape


def replace_regions(recipe: Recipe, regions: str) -> object:
    return recipe.semantics.model_copy(update={"regions": regions})


def test_network_and_semantics_must_agree(tmp_path: Path, data: Path, cache: Semantics) -> None:
    with pytest.raises(ValueError, match="both say so"):
        fit(regional(data, cache, tmp_path / "a", network={}), show=False)
    with pytest.raises(ValueError, match="both say so"):
        fit(tiny_recipe(data, tmp_path / "b", network={"regions": True}), show=False)
