"""SCI: sizes, ranges, the published checkpoints, and its arithmetic against a plain restatement in NumPy."""

from __future__ import annotations

from collections.abc import Callable
from itertools import pairwise
from pathlib import Path
from pickle import UnpicklingError

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from PIL import Image

from networks.checkpoint import open_checkpoint
from networks.sci import SCI, load_sci

DATA = Path(__file__).parents[3] / "shared" / "data"
PUBLISHED = DATA / "models" / "sci"
EXPOSURES = DATA / "exposures" / "val"
NAMES = ("easy", "medium", "difficult")
needs_published = pytest.mark.skipif(not PUBLISHED.is_dir(), reason=f"no published SCI checkpoints in {PUBLISHED}")


def parameters(module: torch.nn.Module) -> int:
    return sum(parameter.numel() for parameter in module.parameters())


def test_parameter_counts_are_those_of_the_paper() -> None:
    model = SCI()
    assert parameters(model.enhance) == 258
    assert parameters(model.calibrate) == 5619
    assert parameters(model) == 5877


def test_illumination_stays_in_its_range() -> None:
    torch.manual_seed(0)
    model = SCI().eval()
    for module in model.enhance.modules():
        if isinstance(module, torch.nn.Conv2d):
            torch.nn.init.normal_(module.weight, 0, 2.0)
    picture = torch.rand(2, 3, 17, 23)
    found = model.enhance(picture)
    assert found.min() >= 1e-4
    assert found.max() <= 1
    assert found.shape == picture.shape


def test_zero_last_convolution_adds_one_half() -> None:
    model = SCI().eval()
    torch.nn.init.zeros_(model.enhance.out_conv[0].weight)
    torch.nn.init.zeros_(model.enhance.out_conv[0].bias)
    picture = torch.rand(1, 3, 8, 8)
    torch.testing.assert_close(model.enhance(picture), (0.5 + picture).clamp(1e-4, 1))


def test_every_stage_divides_the_original_picture() -> None:
    torch.manual_seed(1)
    model = SCI().eval()
    picture = torch.rand(1, 3, 12, 12)
    stages = model.unroll(picture)
    assert len(stages) == 3
    torch.testing.assert_close(stages[0].result, model(picture))
    for before, stage in pairwise(stages):
        torch.testing.assert_close(stage.seen, picture + model.calibrate(before.result))
        torch.testing.assert_close(stage.result, (picture / stage.illumination).clamp(0, 1))


def plain_convolution(
    x: NDArray[np.float64], weight: NDArray[np.float64], bias: NDArray[np.float64]
) -> NDArray[np.float64]:
    height, width = x.shape[1:]
    padded = np.pad(x, ((0, 0), (1, 1), (1, 1)))
    out = np.repeat(bias[:, None], height * width, 1).reshape(-1, height, width).copy()
    for down in range(3):
        for right in range(3):
            window = padded[:, down : down + height, right : right + width]
            out += np.tensordot(weight[:, :, down, right], window, 1)
    return out


def generated() -> NDArray[np.float64]:
    """A dark picture of 8 bits like a photo: soft light from a corner, a lamp, objects with edges, noise."""
    rng = np.random.default_rng(3)
    y, x = np.mgrid[0:61, 0:83] / 60
    light = 0.02 + 0.1 * np.exp(-((x - 0.2) ** 2 + (y - 0.1) ** 2) / 0.3) + 0.9 * (np.hypot(x - 1.1, y - 0.3) < 0.05)
    objects = rng.random((3, 7, 9)).repeat(10, 1).repeat(10, 2)[:, :61, :83]
    picture = light * (0.3 + 0.7 * objects) + rng.normal(0, 0.004, (3, 61, 83))
    return np.rint(255 * picture.clip(0, 1)) / 255


def photo(scene: str) -> NDArray[np.float64]:
    """A part of the darkest exposure of a scene."""
    file = EXPOSURES / scene / "exposure_0.jpg"
    if not file.is_file():
        pytest.skip(f"no photo {file}")
    with Image.open(file) as opened:
        part = np.asarray(opened.convert("RGB"))[100:261, 90:303]
    return part.transpose(2, 0, 1) / 255


PICTURES = {
    "generated": generated,
    "scene030": lambda: photo("scene030"),
    "scene041": lambda: photo("scene041"),
}


@needs_published
@pytest.mark.parametrize("shown", PICTURES)
@pytest.mark.parametrize("name", NAMES)
def test_published_checkpoint_computes_what_the_paper_says(name: str, shown: str) -> None:
    state = torch.load(PUBLISHED / f"{name}.pt", map_location="cpu", weights_only=True)
    w = {key.removeprefix("enhance."): value.double().numpy() for key, value in state.items()}
    picture = PICTURES[shown]()
    assert picture.mean() < 0.25, "the checkpoints are for dark pictures"
    f = np.maximum(plain_convolution(picture, w["in_conv.0.weight"], w["in_conv.0.bias"]), 0)
    g = plain_convolution(f, w["conv.0.weight"], w["conv.0.bias"])
    mean, variance = w["conv.1.running_mean"], w["conv.1.running_var"]
    g = (g - mean[:, None, None]) / np.sqrt(variance[:, None, None] + 1e-5)
    f = f + np.maximum(g * w["conv.1.weight"][:, None, None] + w["conv.1.bias"][:, None, None], 0)
    h = 1 / (1 + np.exp(-plain_convolution(f, w["out_conv.0.weight"], w["out_conv.0.bias"])))
    expected = np.clip(picture / np.clip(h + picture, 1e-4, 1), 0, 1)
    with torch.no_grad():
        found = load_sci(PUBLISHED / f"{name}.pt")(torch.from_numpy(picture)[None].float())[0].numpy()
    assert np.abs(found - expected).max() <= 1e-5


@pytest.mark.parametrize("drop", ["conv.", "blocks."])
def test_both_names_of_the_shared_block_are_accepted(tmp_path: Path, drop: str) -> None:
    torch.manual_seed(4)
    model = SCI().eval()
    state = {}
    for key, value in model.state_dict().items():
        shared = key.startswith("enhance.conv.")
        if not (shared and drop == "conv."):
            state[key] = value
        if shared and drop == "conv.":
            state[key.replace("conv.", "blocks.0.", 1)] = value
    torch.save(state, tmp_path / "sci.pt")
    picture = torch.rand(1, 3, 9, 9)
    torch.testing.assert_close(load_sci(tmp_path / "sci.pt")(picture), model(picture))


def test_a_foreign_checkpoint_is_refused_by_name(tmp_path: Path) -> None:
    torch.save({"layer.weight": torch.zeros(3)}, tmp_path / "other.pt")
    with pytest.raises(ValueError, match=r"other\.pt is not an SCI checkpoint"):
        load_sci(tmp_path / "other.pt")


class Trap:
    """Runs when a file is opened as a pickle that may hold anything."""

    def __init__(self, mark: Path) -> None:
        self.mark = mark

    def __reduce__(self) -> tuple[object, ...]:
        return (Path.touch, (self.mark,))


@pytest.mark.parametrize("opened", [load_sci, open_checkpoint])
def test_a_checkpoint_cannot_run_code(tmp_path: Path, opened: Callable[[Path], object]) -> None:
    torch.save(SCI().state_dict() | {"average": Trap(tmp_path / "ran")}, tmp_path / "trap.pt")
    with pytest.raises((ValueError, UnpicklingError), match="eights"):
        opened(tmp_path / "trap.pt")
    assert not (tmp_path / "ran").exists()
