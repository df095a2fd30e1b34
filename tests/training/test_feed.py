"""What recipes read: pictures of systems that see no target, or other scenes', reduced, bounded, and of one size."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from picture_trees import grey
from PIL import Image
from training_pictures import brackets, tiny_recipe
from training_steps import RECIPES

from training import batches
from training.batches import PairSampler
from training.data import LayoutError, Pair, read_picture
from training.feed import open_sampler
from training.recent import Recent
from training.recipe import Phase, Recipe, load_recipe, merged
from training.trainer import _identity, fit
from training.validation import Validation


@pytest.fixture(autouse=True)
def _one_thread() -> None:
    torch.set_num_threads(1)


def phase(**entries: Any) -> Phase:
    return Phase.model_validate({"steps": 4, "optimizer": {"learning_rate": 1e-3}, "augment": []} | entries)


def published(name: str, path: Path, **changes: Any) -> Recipe:
    """A recipe as published with its data elsewhere."""
    return load_recipe(RECIPES / f"{name}.yaml", None, merged({"data": {"path": str(path)}}, changes))


def with_data(recipe: Recipe, **changes: Any) -> Recipe:
    return recipe.model_copy(update={"data": recipe.data.model_copy(update=changes)})


@pytest.mark.parametrize("name", ["sci", "enlighten-anything", "wakeup-darkness", "zero-dce", "zero-dce-plus-plus"])
def test_systems_without_targets_read_a_flat_folder_of_dark_pictures(tmp_path: Path, name: str) -> None:
    for number in range(3):
        grey(tmp_path / "dark" / f"{number}.png", 0.1 + 0.1 * number, (48, 64))
    recipe = published(name, tmp_path / "dark", data={"layout": "unpaired"})
    sampler = open_sampler(recipe.data, recipe.seed)
    batch, drawn = sampler.batch(0, phase(batch=8, crop=32))
    assert torch.equal(batch.low, batch.high)
    assert {pair.name for pair, _ in drawn} <= {"0", "1", "2"}
    assert batch.low.min() < batch.low.max()


@pytest.mark.parametrize("name", ["sci", "enlighten-anything", "wakeup-darkness"])
def test_their_recipes_ask_for_such_a_folder(name: str) -> None:
    recipe = load_recipe(RECIPES / f"{name}.yaml")
    assert (recipe.data.layout, recipe.data.path.name) == ("unpaired", "low")


def test_a_run_on_dark_pictures_alone(tmp_path: Path) -> None:
    for number in range(2):
        grey(tmp_path / "dark" / f"{number}.png", 0.1 + 0.1 * number, (40, 40))
    recipe = with_data(
        tiny_recipe(tmp_path, tmp_path / "run", "sci", steps=1), path=tmp_path / "dark", layout="unpaired"
    )
    assert fit(recipe, show=False).is_file()


def test_zero_dce_reads_every_exposure_of_sice_reduced_and_no_label(tmp_path: Path) -> None:
    for scene in ("1", "2"):
        for exposure in (1, 2, 3):
            grey(tmp_path / scene / f"{exposure}.JPG", 0.3 * exposure, (600, 1024))
        grey(tmp_path / "Label" / f"{scene}.JPG", 0.5, (600, 1024))
    recipe = published("zero-dce", tmp_path)
    sampler = open_sampler(recipe.data, recipe.seed)
    assert [pair.name for pair in sampler.pairs] == [f"{scene}/{exposure}" for scene in "12" for exposure in "123"]
    assert sampler.picture(sampler.pairs[0], "low").shape == (300, 512, 3)
    batch, _ = sampler.batch(0, recipe.phases["curves"])
    assert batch.low.shape == (8, 3, 256, 256)
    without = published("zero-dce", tmp_path, data={"exclude": ["1/2"]})
    assert len(open_sampler(without.data, 1).pairs) == 5
    with pytest.raises(LayoutError, match=r"Label holds no folders of exposures\nlayout sice:\n  FOLDER/1/1\.JPG"):
        open_sampler(published("zero-dce", tmp_path / "Label").data, 1)


def apart(folder: Path) -> Path:
    """Three dark pictures and two bright ones of other names, sizes and scenes."""
    for number in range(3):
        grey(folder / "trainA" / f"night{number}.png", 0.1 + 0.05 * number, (40, 48))
    for number in range(2):
        grey(folder / "trainB" / f"day{number}.jpg", 0.7 + 0.2 * number, (64, 36))
    return folder


def test_enlightengan_draws_its_bright_pictures_from_a_folder_of_their_own(tmp_path: Path) -> None:
    recipe = published("enlightengan", apart(tmp_path))
    sampler = open_sampler(recipe.data, recipe.seed)
    assert [pair.name for pair in sampler.pairs] == ["night0", "night1", "night2"]
    drawn = [sampler.batch(step, phase(batch=4, crop=32))[0] for step in range(6)]
    assert max(batch.low.max().item() for batch in drawn) < 0.3
    brights = torch.stack([batch.high.mean((1, 2, 3)) for batch in drawn]).flatten()
    assert {round(value, 1) for value in brights.tolist()} == {0.7, 0.9}
    again = open_sampler(recipe.data, recipe.seed).batch(3, phase(batch=4, crop=32))[0]
    assert torch.equal(again.high, drawn[3].high)
    with pytest.raises(ValueError, match=r"day\d\.jpg is 36x64, smaller than the part of 40x40 of .*night"):
        sampler.batch(0, phase(batch=4, crop=40))


def test_what_unpaired_data_lacks_is_named_with_its_tree(tmp_path: Path) -> None:
    apart(tmp_path / "data")
    for path in (tmp_path / "data" / "trainB").iterdir():
        path.unlink()
    with pytest.raises(LayoutError, match=r"trainB holds no pictures\ndark pictures and bright ones"):
        open_sampler(published("enlightengan", tmp_path / "data").data, 1)
    (tmp_path / "data" / "trainB").rmdir()
    with pytest.raises(LayoutError, match=r"trainB is missing"):
        open_sampler(published("enlightengan", tmp_path / "data").data, 1)
    with pytest.raises(LayoutError, match=r"nowhere is not a folder[\s\S]*layout brackets[\s\S]*FOLDER/trainA/NAME"):
        open_sampler(published("enlightengan", tmp_path / "nowhere").data, 1)
    # Pairs do as well: the bright picture is then another pair's.
    small = open_sampler(published("enlightengan", brackets(tmp_path / "brackets")).data, 1)
    assert small.unpaired
    assert not small.bright


@pytest.mark.parametrize(
    ("name", "changes", "said"),
    [
        ("drbn", {"data": {"layout": "unpaired"}}, "drbn learns from targets, and layout unpaired has none"),
        ("sci", {"data": {"unpaired": True}}, "layout unpaired has none"),
        ("sci", {"validation": {"path": "x", "layout": "sice"}}, "validation compares with targets"),
        (
            "enlightengan",
            {"semantics": {"bank": "embedding", "path": "x", "sa": 1}},
            "sa and labels look at the target of every picture",
        ),
    ],
)
def test_what_needs_a_target_is_refused_where_there_is_none(name: str, changes: dict[str, Any], said: str) -> None:
    with pytest.raises(ValueError, match=said):
        load_recipe(RECIPES / f"{name}.yaml", None, changes)


def noise(path: Path, size: tuple[int, int], seed: int = 0) -> Path:
    """A picture stored without loss of what it holds, smooth enough to be reduced."""
    rng = np.random.default_rng(seed)
    path.parent.mkdir(parents=True, exist_ok=True)
    small = Image.fromarray(rng.integers(0, 255, (6, 8, 3), dtype=np.uint8))
    small.resize((size[1], size[0]), Image.Resampling.BICUBIC).save(path)
    return path


@pytest.mark.parametrize("suffix", ["png", "jpg"])
def test_large_pictures_are_reduced_on_reading_and_small_ones_are_not(tmp_path: Path, suffix: str) -> None:
    path = noise(tmp_path / f"a.{suffix}", (333, 999))
    whole, reduced = read_picture(path), read_picture(path, longest=100)
    assert reduced.shape == (33, 100, 3)
    means = whole[:330, :990].reshape(33, 10, 99, 10, 3).mean((1, 3))
    assert np.abs(reduced[:, :99].astype(float) - means)[2:-2, 2:-2].mean() < 6
    np.testing.assert_array_equal(read_picture(path, longest=999), whole)


def test_both_pictures_of_a_pair_and_validation_are_reduced_alike(tmp_path: Path) -> None:
    noise(tmp_path / "low" / "a.jpg", (333, 501))
    noise(tmp_path / "high" / "a.jpg", (333, 501))
    place = {"path": tmp_path, "longest": 64}
    recipe = with_data(tiny_recipe(tmp_path, tmp_path / "run", "sci", validation=place), longest=64)
    sampler = open_sampler(recipe.data, 1)
    assert [sampler.picture(sampler.pairs[0], side).shape for side in ("low", "high")] == [(43, 64, 3)] * 2
    assert [tuple(picture.shape) for picture in Validation(recipe, None).pictures[0]] == [(1, 3, 42, 64)] * 2


def test_runs_begun_before_there_was_a_longest_side_are_the_same_runs(tmp_path: Path) -> None:
    recipe = tiny_recipe(tmp_path, tmp_path / "run")
    assert "longest" not in _identity(recipe)["data"]
    assert _identity(with_data(recipe, longest=64))["data"]["longest"] == 64


def test_what_is_kept_has_a_bound_in_bytes_and_what_was_asked_for_last_stays() -> None:
    recent: Recent[np.ndarray] = Recent(250)
    read: list[str] = []

    def get(name: str, size: int = 100) -> None:
        def make() -> np.ndarray:
            read.append(name)
            return np.zeros(size, np.uint8)

        assert recent.get(name, make).nbytes == size

    for name in "abacab":  # b goes when c comes, because a was asked for after it; then c goes for b
        get(name)
    assert read == ["a", "b", "c", "b"]
    assert recent.bytes == 200
    get("large", 999)
    assert recent.bytes == 999
    get("large", 999)
    assert read[-2:] == ["b", "large"]


def test_a_bound_changes_what_is_read_again_but_not_what_is_drawn(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pairs = [Pair(str(n), p := grey(tmp_path / f"{n}.png", 0.1 * n, (32, 32)), p) for n in range(4)]
    wide, tight = PairSampler(pairs, 5), PairSampler(pairs, 5, limit=2 * 32 * 32 * 3)
    reads: list[Path] = []

    def counted(path: Path, longest: int | None = None) -> Any:
        reads.append(path)
        return read_picture(path, longest=longest)

    monkeypatch.setattr(batches, "read_picture", counted)
    drawn = [[sampler.batch(step, phase(batch=4))[0].low for step in range(4)] for sampler in (wide, tight)]
    assert all(torch.equal(one, other) for one, other in zip(*drawn, strict=True))
    assert len(reads) > 2 * len(pairs)
    assert tight._pictures.bytes <= tight._pictures.limit


def draw_whole(sampler: PairSampler, *augment: str) -> None:
    for step in range(8):
        sampler.batch(step, phase(batch=4, augment=augment))


def test_whole_pictures_of_several_sizes_are_named_with_what_to_set(tmp_path: Path) -> None:
    small, large = grey(tmp_path / "small.png", size=(32, 40)), grey(tmp_path / "large.png", size=(48, 40))
    mixed = PairSampler([Pair(path.stem, path, path) for path in (small, large)], 1)
    with pytest.raises(ValueError, match=r"(small|large)\.png is 40x\d\d, but .*(small|large)\.png is 40x") as told:
        draw_whole(mixed)
    assert "set `crop:` to a side, or `batch: 1`" in str(told.value)
    for step in range(4):
        mixed.batch(step, phase(batch=1))
        mixed.batch(step, phase(batch=4, crop=32))
    equal = PairSampler([Pair("a", small, small)], 1)
    assert equal.batch(0, phase(batch=4))[0].low.shape == (4, 3, 32, 40)
    with pytest.raises(ValueError, match="one of them was transposed: leave `transpose` out"):
        draw_whole(equal, "transpose")
