"""A run learns, is seeded, and goes on after it was killed as if nothing had happened."""

from __future__ import annotations

import csv
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import torch
import yaml
from training_pictures import brackets, tiny_recipe
from training_steps import open_run, pictures

from training.batches import PairBatch
from training.recipe import Phase, Recipe, Schedule, Semantics, load_recipe
from training.systems import TRAINED, open_system
from training.systems.base import System, make_optimizer
from training.trainer import Run, fit
from training.validation import Validation

ROOT = Path(__file__).parents[2]


TINY_BANDS = {"bands": {"steps": 2, "batch": 2, "crop": 48, "optimizer": {"learning_rate": 1e-3}}}


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
    steps = 12
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
    fit(tiny_recipe(data, out, steps=40, validation={"path": data}, validate_every=20, save_every=20), show=False)
    with (out / "log.csv").open(newline="") as file:
        losses = [float(row["loss_network"]) for row in csv.DictReader(file)]
    assert len(losses) == 40
    assert sum(losses[-8:]) / 8 < sum(losses[:8]) / 8 - 0.02
    with (out / "validation.csv").open(newline="") as file:
        scores = [float(row["psnr"]) for row in csv.DictReader(file)]
    recipe = tiny_recipe(data, out, validation={"path": data})
    untrained = Validation(recipe, None).scores(open_system(recipe).network)
    assert scores[-1] > untrained["psnr"] + 1
    for picture in ("curves.png", "samples.png"):
        assert (out / picture).read_bytes().startswith(b"\x89PNG")


def test_a_folder_of_another_recipe_is_refused(tmp_path: Path, data: Path) -> None:
    fit(tiny_recipe(data, tmp_path / "run", steps=2), show=False)
    with pytest.raises(ValueError, match=r"another recipe \(average differ\)"):
        fit(tiny_recipe(data, tmp_path / "run", steps=2, average=0.9), show=False)


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
    path.write_text("system: curve\nout: x\nbatches: 3\n")
    with pytest.raises(ValueError, match=r"bad\.yaml.*phases: Field required.*batches: Extra inputs"):
        load_recipe(path)


def test_every_shipped_recipe_and_its_small_variant_open_a_system() -> None:
    for path in sorted((ROOT / "training" / "recipes").glob("*.yaml")):
        whole = load_recipe(path)
        assert whole.system in TRAINED
        if "\nsmall:" in path.read_text():
            small = load_recipe(path, "small")
            assert small.steps < whole.steps
            assert small.out != whole.out, "the variants' checkpoints must not meet in one folder"
            # Neither the weights that it starts from nor its bank need to be here.
            open_system(small.model_copy(update={"start": None, "semantics": Semantics()}))


def test_changes_are_laid_over_a_recipe(tmp_path: Path) -> None:
    path = ROOT / "training" / "recipes" / "sci.yaml"
    changed = load_recipe(path, "small", {"phases": {"cascade": {"steps": 7}}, "seed": 9})
    assert (changed.phases["cascade"].steps, changed.phases["cascade"].crop, changed.seed) == (7, 128, 9)
    assert changed.name == "sci.yaml, small"
    with pytest.raises(ValueError, match=r"has no variant 'tiny'"):
        load_recipe(path, "tiny")


def test_options_are_checked_by_name(tmp_path: Path, data: Path) -> None:
    with pytest.raises(ValueError, match=r"tiny\.yaml: options\.smoothness"):
        open_system(tiny_recipe(data, tmp_path, system="sci", options={"smoothness": 3}))
    with pytest.raises(ValueError, match=r"'lime' cannot be trained"):
        open_system(tiny_recipe(data, tmp_path, system="lime"))


class TwoHalves(System):
    """Two optimisers a step, two phases: as a generator and its discriminator are trained."""

    def __init__(self, recipe: Recipe, network_options: dict[str, Any]) -> None:
        super().__init__(recipe, network_options)
        self.helpers["judge"] = torch.nn.Conv2d(3, 1, 3)
        self.seen: list[tuple[str, int, str]] = []

    def optimizers(self, name: str, phase: Phase) -> dict[str, torch.optim.Optimizer]:
        judge = make_optimizer(self.helpers["judge"].parameters(), phase.optimizer, rate=0.5)
        return super().optimizers(name, phase) | {"judge": judge}

    def updates(self, batch: PairBatch, step: int, phase: str) -> Iterator[tuple[str, dict[str, torch.Tensor]]]:
        result = self.network(batch.low)
        before = [p.detach().clone() for p in self.network.parameters()]
        self.seen.append((phase, step, "network"))
        yield "network", {"l1": (result - batch.high).abs().mean()}
        moved = any(not torch.equal(a, b) for a, b in zip(before, self.network.parameters(), strict=True))
        self.seen.append((phase, step, "judge after a moved network" if moved else "judge"))
        if phase == "both":
            yield "judge", {"real": (self.helpers["judge"](batch.high) - 1).square().mean()}


def test_phases_and_several_optimisers_resume_alike(
    tmp_path: Path, data: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(TRAINED, "sci", TwoHalves)
    phase = {"batch": 2, "crop": 32, "optimizer": {"learning_rate": 1e-2}, "augment": ["flip_h", "flip_v", "transpose"]}
    phases = {"alone": phase | {"steps": 3}, "both": phase | {"steps": 4}}
    whole = fit(tiny_recipe(data, tmp_path / "whole", system="sci", phases=phases), show=False)
    broken = tiny_recipe(data, tmp_path / "broken", system="sci", phases=phases)
    for until in (2, 3, 5):
        fit(broken, until=until, show=False)
    assert same(fit(broken, show=False), whole)
    one, two = (torch.load(tmp_path / run / "checkpoint.pt", weights_only=True) for run in ("whole", "broken"))
    assert all(torch.equal(value, two["helpers"][key]) for key, value in one["helpers"].items())
    with (tmp_path / "whole" / "log.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert [bool(row["loss_judge"]) for row in rows] == [False] * 3 + [True] * 4


def test_an_update_sees_the_weights_that_the_one_before_moved(
    tmp_path: Path, data: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(TRAINED, "sci", TwoHalves)
    recipe = tiny_recipe(data, tmp_path / "run", system="sci", steps=2)
    run = Run(recipe, torch.device("cpu"))
    feed = run.system.feed(None)
    judge = run.system.helpers["judge"]
    assert isinstance(judge, torch.nn.Conv2d)
    before = judge.weight.detach().clone()
    run.step(feed.batch(0), 0)
    assert isinstance(run.system, TwoHalves)
    assert run.system.seen == [("all", 0, "network"), ("all", 0, "judge after a moved network")]
    assert torch.equal(judge.weight, before), "phase 'all' does not train the judge"


def test_the_average_remembers_the_statistics_of_norms_too() -> None:
    """The exported network is the average; with the latest statistics its norms would belong to other weights."""
    run = open_run("sci", average=0.5)
    live = run.system.network.get_buffer("enhance.conv.1.running_mean")
    expected = torch.zeros(0)
    for step in range(4):
        run.step(pictures(seed=step), step)
        expected = live.clone() if step == 0 else 0.5 * expected + 0.5 * live
    average = run.average.module.get_buffer("enhance.conv.1.running_mean")
    torch.testing.assert_close(average, expected)
    assert (average - live).abs().max() > 1e-4


@pytest.mark.parametrize("clip", [None, 1e-3, 1e3])
def test_gradients_are_clipped_update_by_update(monkeypatch: pytest.MonkeyPatch, clip: float | None) -> None:
    monkeypatch.setitem(TRAINED, "sci", TwoHalves)
    phase = {"steps": 4, "batch": 2, "optimizer": {"learning_rate": 1e-3}}
    free, run = (open_run("sci", phases={"all": {"steps": 0}, "both": phase | {"clip": c}}) for c in (None, clip))
    for made in (free, run):
        made.step(pictures(), 0)
    for part in ("network", "helpers"):
        norms = []
        for made in (free, run):
            found = [p.grad.norm() for p in getattr(made.system, part).parameters() if p.grad is not None]
            norms.append(torch.stack(found).norm().item())
        assert norms[0] > 0.01
        # The judge sees no weights of the network, so that its gradient is the same whatever was clipped before.
        assert norms[1] == pytest.approx(norms[0] if clip != 1e-3 else 1e-3, rel=1e-3)


def test_the_schedule_follows_the_recipe() -> None:
    steps = Schedule(kind="steps", at=(0.5, 0.75), by=0.5)
    assert [steps.factor(step, 100) for step in (0, 49, 50, 75)] == [1, 1, 0.5, 0.25]
    cosine = Schedule(kind="cosine", warm_up=9, floor=0.01)
    assert cosine.factor(0, 1000) == pytest.approx(0.1)
    assert cosine.factor(1000, 1000) == pytest.approx(0.01)
    assert Schedule(kind="linear").factor(75, 100) == pytest.approx(0.25)
    assert Schedule().factor(7, 10) == 1


def test_files_of_options_lie_beside_the_recipe_and_do_not_tell_runs_apart(tmp_path: Path, data: Path) -> None:
    entries = tiny_recipe(data, tmp_path / "run", system="sci").model_dump(mode="json", exclude={"name"})
    path = tmp_path / "named.yaml"
    path.write_text(yaml.safe_dump(entries | {"options": {"vgg16": "weights.pth"}}))
    assert load_recipe(path).options["vgg16"] == str(tmp_path / "weights.pth")


def test_a_step_in_half_precision_has_about_the_same_losses(tmp_path: Path, data: Path) -> None:
    recipe = tiny_recipe(data, tmp_path, system="drbn", network={"width": 8}, phases=TINY_BANDS)
    shown = []
    for kind in (None, torch.bfloat16):
        run = Run(recipe, torch.device("cpu"))
        run.type = kind  # as on a GPU, which chooses it by the recipe's precision
        shown.append(run.step(run.system.feed(None).batch(0), 0))
    assert shown[1]["loss_network"] == pytest.approx(shown[0]["loss_network"], abs=0.03)
    assert shown[1] != shown[0]


def test_a_gpu_that_is_not_there_is_told(tmp_path: Path, data: Path) -> None:
    if torch.cuda.is_available():
        pytest.skip("this machine has a GPU")
    with pytest.raises(ValueError, match=r"finds no GPU; use --device cpu"):
        fit(tiny_recipe(data, tmp_path), device="cuda", show=False)
    assert not (tmp_path / "checkpoint.pt").exists()


@pytest.mark.gpu
@pytest.mark.parametrize("precision", ["fp32", "bf16", "fp16"])
def test_every_precision_trains_on_a_gpu(tmp_path: Path, data: Path, precision: str) -> None:
    recipe = tiny_recipe(
        data,
        tmp_path,
        system="drbn",
        network={"width": 8},
        phases=TINY_BANDS,
        precision=precision,
        validation={"path": data},
    )
    fit(recipe, device="cuda", show=False)
    assert torch.load(tmp_path / "checkpoint.pt", weights_only=True)["step"] == 2
