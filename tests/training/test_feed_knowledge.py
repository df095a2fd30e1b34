"""What a batch is told of its pictures: the dark one's own knowledge, the bright one's as target, and whose regions."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from guided_runs import DIMENSION, recipe_of
from torch import Tensor, nn
from training_pictures import brackets

from networks.embedding_bank import EmbeddingBank
from networks.skf import Knowledge, brighten
from training.feed import Feed, shuffled
from training.recipe import Recipe
from training.semantics.files import GAMMA

SCENES = 3
RELIGHTING = {"relighting": 40}


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return brackets(tmp_path_factory.mktemp("brackets"), SCENES)


@pytest.fixture(autouse=True)
def _one_thread() -> None:
    torch.set_num_threads(1)


def code(path: Path, gamma: float) -> int:
    """A number of its own, from 1, for every picture and way to brighten it."""
    exposures = ["exposure_0", "exposure_1", "exposure_2", "exposure_3", "reference"]
    picture = len(exposures) * int(path.parent.name.removeprefix("scene")) + exposures.index(path.stem)
    return 1 + 2 * picture + (gamma == GAMMA)


class Codes:
    """A cache that answers with the code of what it was asked for."""

    def embedding(self, path: Path, gamma: float = GAMMA) -> Tensor:
        return torch.full((DIMENSION, 8, 10), float(code(path, gamma)))

    def regions(self, path: Path) -> Tensor:
        return torch.full((16, 20), code(path, GAMMA), dtype=torch.uint8)


class Passing(EmbeddingBank):
    """Gives the embedding back as knowledge."""

    def from_embedding(self, embedding: Tensor, size: tuple[int, int]) -> Knowledge:
        return Knowledge((embedding,), embedding)


def feed_of(tmp_path: Path, data: Path, semantics: dict[str, Any], bank: nn.Module | None) -> Feed:
    place = {"path": data, "name": "made by the test", "licence": "CC0-1.0"}
    recipe: Recipe = recipe_of(tmp_path, "retinexnet", RELIGHTING, semantics, data=place)
    feed = Feed(recipe, bank)
    if feed.cache is not None:
        feed.cache = Codes()  # type: ignore[assignment]
    return feed


def told(knowledge: Knowledge | None) -> list[float]:
    """The one number that each sample's knowledge consists of."""
    assert knowledge is not None
    samples = knowledge.logits.flatten(1)
    torch.testing.assert_close(samples.amin(1), samples.amax(1))
    return [round(value, 3) for value in samples[:, 0].tolist()]


def test_the_dark_picture_guides_and_the_bright_one_is_the_target(tmp_path: Path, data: Path) -> None:
    feed = feed_of(tmp_path, data, {"bank": "embedding", "se": True, "sch": 1.0}, Passing(DIMENSION, 4, (4, 6, 8)))
    seen = set()
    for step in range(6):
        drawn = feed.sampler.draw(step, feed.recipe.phases["relighting"])
        batch = feed.batch(step)
        assert told(batch.knowledge) == [code(pair.low, GAMMA) for pair, _ in drawn]
        assert told(batch.target) == [code(pair.high, 1.0) for pair, _ in drawn]
        seen |= set(told(batch.target))
    assert len(seen) == SCENES
    alone = feed_of(tmp_path, data, {"bank": "embedding", "se": True}, Passing(DIMENSION, 4, (4, 6, 8)))
    assert alone.batch(0).target is None, "nobody asks for it"


def test_dropout_hides_a_share_of_the_scenes_from_the_network_alone(tmp_path: Path, data: Path) -> None:
    how = {"bank": "embedding", "se": True, "sch": 1.0, "dropout": 0.4}
    feed = feed_of(tmp_path, data, how, Passing(DIMENSION, 4, (4, 6, 8)))
    batches = [feed.batch(step) for step in range(30)]
    hidden = [value == 0 for batch in batches for value in told(batch.knowledge)]
    assert 0.2 < sum(hidden) / len(hidden) < 0.6
    assert all(told(batch.target)[0] > 0 for batch in batches)
    assert told(feed.batch(7).knowledge) == told(batches[7].knowledge), "a resumed run hides the same"


@pytest.mark.parametrize("regions", ["true", "shuffled"])
def test_regions_are_the_pictures_own_or_another_scenes(tmp_path: Path, data: Path, regions: str) -> None:
    feed = feed_of(tmp_path, data, {"path": tmp_path, "regions": regions}, None)
    for step in range(6):
        batch, drawn = feed.batch(step), feed.sampler.draw(step, feed.recipe.phases["relighting"])
        assert batch.regions is not None
        for ids, (pair, _) in zip(batch.regions, drawn, strict=True):
            source = pair if regions == "true" else shuffled(feed.sampler.pairs, pair)
            assert ids.unique().tolist() == [code(source.low, GAMMA)]
            assert (source.high == pair.high) == (regions == "true")


class Recording(nn.Module):
    """A bank that works on pictures and remembers them; its knowledge is the picture and a number of the call."""

    channels, classes = (3, 3, 3), 3

    def __init__(self) -> None:
        super().__init__()
        self.gain = nn.Parameter(torch.ones(()))
        self.seen: list[Tensor] = []

    def forward(self, image: Tensor) -> Knowledge:
        self.seen.append(image)
        return Knowledge((image * self.gain,), image * self.gain)


@pytest.mark.parametrize("sch", [0.0, 1.0])
def test_a_bank_of_pictures_sees_the_brightened_dark_one_and_the_bright_one_where_it_counts(
    tmp_path: Path, data: Path, sch: float
) -> None:
    bank = Recording()
    feed = feed_of(tmp_path, data, {"bank": "hrnet", "path": tmp_path / "weights.pth", "se": True, "sch": sch}, bank)
    batch = feed.batch(0)
    assert batch.knowledge is batch.target is None
    assert bank.seen == [], "it runs where the network runs, not where files are read"
    ready = feed.ready(batch, torch.device("cpu"))
    shown = [brighten(batch.low), batch.high][: 2 if sch else 1]
    assert len(bank.seen) == len(shown)
    assert all(torch.equal(found, wanted) for found, wanted in zip(bank.seen, shown, strict=True))
    assert ready.knowledge is not None
    assert torch.equal(ready.knowledge.logits, shown[0])
    assert not ready.knowledge.logits.requires_grad
    assert (ready.target is None) == (not sch)
    if ready.target is not None:
        assert torch.equal(ready.target.logits, batch.high)
