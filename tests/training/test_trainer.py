"""A run learns, is seeded, and goes on after it was killed as if nothing had happened."""

from __future__ import annotations

import csv
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
import torch
import yaml
from training_pictures import brackets, tiny_recipe

from training.data import find_pairs
from training.recipe import load_recipe
from training.systems import build_network
from training.trainer import fit
from training.validation import Validation

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return brackets(tmp_path_factory.mktemp("brackets"))


@pytest.fixture(autouse=True)
def _one_thread() -> None:
    torch.set_num_threads(1)


def weights(checkpoint: Path) -> dict[str, torch.Tensor]:
    average: dict[str, torch.Tensor] = torch.load(checkpoint, weights_only=True)["average"]
    return average


def same(one: Path, two: Path) -> bool:
    first, second = weights(one), weights(two)
    return first.keys() == second.keys() and all(torch.equal(first[key], second[key]) for key in first)


@pytest.mark.parametrize("system", ["curve", "sci"])
def test_a_resumed_run_ends_like_an_unbroken_one(tmp_path: Path, data: Path, system: str) -> None:
    whole = fit(tiny_recipe(data, tmp_path / "whole", system=system), show=False)
    broken = tiny_recipe(data, tmp_path / "broken", system=system)
    fit(broken, until=3, show=False)
    part = weights(tmp_path / "broken" / "checkpoint.pt")
    assert any(not torch.equal(part[key], value) for key, value in weights(whole).items())
    assert same(fit(broken, show=False), whole)
    logs = [(tmp_path / run / "log.csv").read_text() for run in ("whole", "broken")]
    assert logs[0] == logs[1]


def test_a_killed_process_resumes_to_the_same_weights(tmp_path: Path, data: Path) -> None:
    steps = 40
    recipe = tmp_path / "tiny.yaml"
    entries = tiny_recipe(data, Path("killed"), steps=steps).model_dump(
        mode="json", exclude={"name", "start", "validation"}
    )
    recipe.write_text(yaml.safe_dump(entries))
    process = subprocess.Popen(
        [sys.executable, "-m", "training", "fit", "--threads", "1", str(recipe)], cwd=ROOT, stdout=subprocess.DEVNULL
    )
    checkpoint = tmp_path / "killed" / "checkpoint.pt"
    deadline = time.monotonic() + 120
    while not checkpoint.is_file() and time.monotonic() < deadline:
        time.sleep(0.05)
    os.kill(process.pid, signal.SIGKILL)
    process.wait()
    assert torch.load(checkpoint, weights_only=True)["step"] < steps
    resumed = fit(load_recipe(recipe), show=False)
    whole = fit(load_recipe(recipe).model_copy(update={"out": tmp_path / "whole"}), show=False)
    assert same(resumed, whole)


def test_another_seed_gives_other_weights(tmp_path: Path, data: Path) -> None:
    one = fit(tiny_recipe(data, tmp_path / "one", steps=2), show=False)
    two = fit(tiny_recipe(data, tmp_path / "two", steps=2, seed=3), show=False)
    assert not same(one, two)


def test_training_lowers_the_loss_and_writes_its_records(tmp_path: Path, data: Path) -> None:
    out = tmp_path / "run"
    fit(tiny_recipe(data, out, steps=40, validation=data, validate_every=20, save_every=20), show=False)
    with (out / "log.csv").open(newline="") as file:
        losses = [float(row["loss"]) for row in csv.DictReader(file)]
    assert len(losses) == 40
    assert sum(losses[-8:]) / 8 < sum(losses[:8]) / 8 - 0.02
    with (out / "validation.csv").open(newline="") as file:
        scores = [float(row["psnr"]) for row in csv.DictReader(file)]
    untrained = Validation(find_pairs(data)).scores(build_network(tiny_recipe(data, out)))
    assert scores[-1] > untrained["psnr"] + 1
    for picture in ("curves.png", "samples.png"):
        assert (out / picture).read_bytes().startswith(b"\x89PNG")


def test_a_folder_of_another_recipe_is_refused(tmp_path: Path, data: Path) -> None:
    fit(tiny_recipe(data, tmp_path / "run", steps=2), show=False)
    with pytest.raises(ValueError, match=r"another recipe \(learning_rate differ\)"):
        fit(tiny_recipe(data, tmp_path / "run", steps=2, learning_rate=0.5), show=False)


def test_a_run_from_another_checkpoint_is_another_run(tmp_path: Path, data: Path) -> None:
    starts = [fit(tiny_recipe(data, tmp_path / f"{n}", steps=2, seed=n), show=False) for n in (1, 2)]
    run = tiny_recipe(data, tmp_path / "run", steps=4, start=starts[0])
    fit(run, until=2, show=False)
    for other in (starts[1], None):
        with pytest.raises(ValueError, match=r"another recipe \(start differ\)"):
            fit(run.model_copy(update={"start": other}), show=False)
    moved = starts[0].rename(tmp_path / "moved.pt")
    fit(run.model_copy(update={"start": moved}), show=False)
    assert torch.load(run.out / "checkpoint.pt", weights_only=True)["step"] == 4


def test_a_recipe_with_a_wrong_entry_is_refused_by_name(tmp_path: Path) -> None:
    path = tmp_path / "bad.yaml"
    path.write_text("system: curve\ndata: x\nbatches: 3\n")
    with pytest.raises(ValueError, match=r"bad\.yaml.*steps: Field required.*batches: Extra inputs"):
        load_recipe(path)


def test_shipped_recipes_are_valid() -> None:
    recipes = sorted((ROOT / "training" / "recipes").glob("*.yaml"))
    assert {load_recipe(path).system for path in recipes} == {"curve", "sci"}
