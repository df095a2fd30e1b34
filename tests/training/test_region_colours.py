"""Regions painted with the mean colours of the brightened picture: alike in training, validation and evaluation."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import torch
from PIL import Image
from torch import Tensor
from training_steps import open_run, pictures

from networks.enlighten_anything import hashed_colours
from networks.skf import brighten
from training.data import Pair
from training.evaluate.models import Model
from training.extras import colours_of, extra_inputs, painted
from training.validation import Validation


@dataclass
class Cache:
    """Two regions beside nothing, coarser than the picture."""

    ids: Tensor

    def regions(self, picture: Path) -> Tensor:
        return self.ids


IDS = torch.tensor([[0, 5, 5], [0, 9, 9]], dtype=torch.uint8)


@pytest.fixture
def dark(tmp_path: Path) -> Path:
    torch.set_num_threads(1)
    picture = (60 * torch.rand(8, 12, 3, generator=torch.Generator().manual_seed(1))).byte()
    Image.fromarray(picture.numpy()).save(tmp_path / "dark.png")
    return tmp_path / "dark.png"


def expected(dark: Path) -> Tensor:
    """The map, written out: a mean over each region's pixels, a fourth channel that is 1 in regions."""
    picture = torch.frombuffer(bytearray(Image.open(dark).tobytes()), dtype=torch.uint8).view(8, 12, 3)
    bright = (picture.float() / 255).clamp(1e-4, 1) ** 0.45
    found = torch.zeros(1, 4, 8, 12)
    for rows in (slice(0, 4), slice(4, 8)):
        found[0, :3, rows, 4:] = bright[rows, 4:].mean((0, 1))[:, None, None]
    found[0, 3, :, 4:] = 1
    return found


def test_means_are_of_the_brightened_picture_and_nothing_is_zero(dark: Path) -> None:
    cache: Any = Cache(IDS)
    (found,) = extra_inputs(("regions",), cache, dark, colours="means")
    torch.testing.assert_close(found, expected(dark))
    (hashed,) = extra_inputs(("regions",), cache, dark)
    assert hashed.shape == (1, 4, 2, 3)
    torch.testing.assert_close(hashed[:, :3], hashed_colours(IDS[None]) * (IDS > 0))


@pytest.mark.parametrize(
    ("recipe", "colours"),
    [
        (None, "hashed"),
        ({}, "hashed"),
        ({"options": {"unknown": 0.1}}, "hashed"),
        ({"options": {"colours": "means"}}, "means"),
    ],
)
def test_colours_are_found_from_a_recipe(recipe: dict[str, Any] | None, colours: str) -> None:
    assert colours_of(recipe) == colours


@pytest.mark.parametrize("colours", ["hashed", "means"])
def test_training_and_the_form_that_ships_see_the_same_map(colours: str) -> None:
    batch = pictures(count=2, size=16)
    assert batch.regions is not None
    batch.regions[:, :4] = 0
    run = open_run("enlighten-anything", options={"colours": colours})
    seen = []
    run.system.network.enhance.register_forward_pre_hook(lambda _, inputs: seen.append(inputs[1]))
    next(run.system.updates(batch, 0, "all"))
    regions = painted(batch.regions, batch.low if colours == "means" else None)
    inside = regions[:, 3:]
    shipped = torch.cat((torch.where(inside > 0, regions[:, :3], 0.5), inside), 1)
    torch.testing.assert_close(seen[0], shipped)
    first = batch.regions[0] == batch.regions[0, -1, -1]
    mean = brighten(batch.low[0])[:, first].mean(1)
    assert torch.allclose(seen[0][0, :3, -1, -1], mean) == (colours == "means")


def test_validation_and_evaluation_paint_as_the_recipe_says(dark: Path) -> None:
    recipe = open_run("enlighten-anything", options={"colours": "means"}, validation={"path": "none"}).recipe
    seen: list[Tensor] = []
    validation = object.__new__(Validation)
    validation.recipe, validation.bank, validation.cache = recipe, None, Cache(IDS)  # type: ignore[assignment]
    validation.pairs = [Pair("dark", dark, dark)]
    validation.pictures = [(torch.rand(1, 3, 8, 12), torch.rand(1, 3, 8, 12))]
    network = open_run("enlighten-anything").system.network
    network.enhance.register_forward_pre_hook(lambda _, inputs: seen.append(inputs[1]))
    validation.enhance(network, 0)
    inside = expected(dark)[:, 3:]
    torch.testing.assert_close(seen[0][:, 3:], inside)
    torch.testing.assert_close(seen[0][:, :3] * inside, expected(dark)[:, :3])

    given: list[Any] = []
    cache: Any = Cache(IDS)
    model = Model(lambda picture, extra: given.append(extra) or picture, ("regions",), cache, colours="means")
    model(torch.zeros(8, 12, 3).byte().numpy(), dark)
    torch.testing.assert_close(torch.from_numpy(given[0]["regions"]), expected(dark))


def test_the_published_layout_has_hashed_colours_alone() -> None:
    with pytest.raises(ValueError, match="published layout paints regions in hashed colours"):
        open_run("enlighten-anything", network={"layout": "published"}, options={"colours": "means"})
    with pytest.raises(ValueError, match=r"options\.colours"):
        open_run("enlighten-anything", options={"colours": "pretty"})
