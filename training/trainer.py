"""The training loop: seeded, resumable, with a moving average of the weights as its result.

A run lives in one folder: ``checkpoint.pt`` (everything needed to go on), ``log.csv``, ``validation.csv``, the curves
as PNG and a sheet of samples. Starting it again continues where the last checkpoint was written and, with the same
number of threads, ends with the same weights as an unbroken run.
"""

from __future__ import annotations

import hashlib
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import torch
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn
from torch import nn
from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn

from training.data import find_pairs
from training.logbook import Logbook, draw_curves
from training.recipe import Recipe
from training.samples import Samples
from training.systems import build_network, build_optimizer, learning_rate, network_loss
from training.validation import Validation

CHECKPOINT = "checkpoint.pt"


def fit(recipe: Recipe, until: int | None = None, show: bool = True) -> Path:
    """Train to ``recipe.steps`` (or stop early at step ``until``, to be resumed) and return the checkpoint.

    Raises ``ValueError`` when the folder holds a checkpoint of another recipe.
    """
    recipe.out.mkdir(parents=True, exist_ok=True)
    checkpoint = recipe.out / CHECKPOINT
    network = build_network(recipe)
    optimizer = build_optimizer(network, recipe)
    average = AveragedModel(network, multi_avg_fn=get_ema_multi_avg_fn(recipe.average), use_buffers=True)  # type: ignore[no-untyped-call]
    identity = _identity(recipe)
    first = _resume(checkpoint, identity, network, average, optimizer)
    last = min(recipe.steps, recipe.steps if until is None else until)
    if first >= last:
        return checkpoint
    samples = Samples(find_pairs(recipe.data, brightest=recipe.brightest), recipe.augmentation, recipe.seed)
    validation = Validation(find_pairs(recipe.validation)) if recipe.validation else None
    losses = Logbook(recipe.out / "log.csv", first)
    scores = Logbook(recipe.out / "validation.csv", first)
    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeRemainingColumn(),
        TextColumn("{task.fields[note]}"),
    )
    with ThreadPoolExecutor(1) as ahead, Progress(*columns, disable=not show) as progress:
        task = progress.add_task(recipe.system, total=recipe.steps, completed=first, note="")
        coming = ahead.submit(samples.batch, first, recipe.batch)
        for step in range(first, last):
            batch = coming.result()
            if step + 1 < last:
                coming = ahead.submit(samples.batch, step + 1, recipe.batch)
            for group in optimizer.param_groups:
                group["lr"] = learning_rate(recipe, step)
            network.train()
            # What dropout draws must not depend on where the run was interrupted.
            torch.manual_seed(recipe.seed * 1_000_003 + step)
            terms = network_loss(network, batch, recipe)
            total = torch.stack(list(terms.values())).sum()
            if not torch.isfinite(total):
                raise RuntimeError(
                    f"the loss is not finite at step {step}; the last checkpoint in {recipe.out} is kept"
                )
            optimizer.zero_grad(set_to_none=True)
            total.backward()  # type: ignore[no-untyped-call]
            nn.utils.clip_grad_norm_(network.parameters(), recipe.clip)
            optimizer.step()
            average.update_parameters(network)
            losses.add(step, {"loss": total.item()} | {name: term.item() for name, term in terms.items()})
            progress.update(task, advance=1, note=f"loss {total.item():.4f}")
            done = step + 1
            if validation and (done % recipe.validate_every == 0 or done == recipe.steps):
                scores.add(step, validation.scores(average.module))
                validation.sheet(average.module, recipe.out / "samples.png")
            if done % recipe.save_every == 0 or done == last:
                losses.write()
                scores.write()
                _save(checkpoint, identity, network, average, optimizer, done)
                draw_curves(recipe.out / "log.csv", recipe.out / "validation.csv", recipe.out / "curves.png")
    return checkpoint


def _identity(recipe: Recipe) -> dict[str, Any]:
    """What must be equal for a run to be the same run: all but where things lie and how often they are looked at."""
    places = {"out", "data", "start", "validation", "validate_every", "save_every"}
    identity = recipe.model_dump(mode="json", exclude=places)
    if recipe.start is not None:  # the weights that it holds count, not where it lies
        identity["start"] = hashlib.sha256(recipe.start.read_bytes()).hexdigest()
    return identity


def _save(
    path: Path,
    identity: dict[str, Any],
    network: nn.Module,
    average: AveragedModel,
    optimizer: torch.optim.Optimizer,
    step: int,
) -> None:
    state = {
        "system": identity["system"],
        "recipe": identity,
        "step": step,
        "network": network.state_dict(),
        "average": average.module.state_dict(),
        "averaged": average.n_averaged,
        "optimizer": optimizer.state_dict(),
    }
    part = path.with_suffix(".part")
    torch.save(state, part)
    part.replace(path)


def _resume(
    path: Path,
    identity: dict[str, Any],
    network: nn.Module,
    average: AveragedModel,
    optimizer: torch.optim.Optimizer,
) -> int:
    if not path.is_file():
        return 0
    state = torch.load(path, map_location="cpu", weights_only=True)
    saved: dict[str, Any] = state["recipe"]
    if saved != identity:
        changed = sorted(key for key in saved.keys() | identity.keys() if saved.get(key) != identity.get(key))
        raise ValueError(f"{path} belongs to another recipe ({', '.join(changed)} differ): choose another `out`")
    network.load_state_dict(state["network"])
    average.module.load_state_dict(state["average"])
    average.n_averaged.copy_(state["averaged"])
    optimizer.load_state_dict(state["optimizer"])
    return int(state["step"])
