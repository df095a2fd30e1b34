"""The training loop: seeded, resumable, with a moving average of the weights as its result.

A run lives in one folder: ``checkpoint.pt`` (everything needed to go on), ``log.csv``, ``validation.csv``, the curves
as PNG and a sheet of samples. Starting it again continues where the last checkpoint was written and, with the same
number of threads, ends with the same weights as an unbroken run.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import torch
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn
from torch import Tensor, nn
from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn

from networks.checkpoint import saved_bank
from training.feed import open_bank
from training.logbook import Logbook, draw_curves
from training.recipe import OPTION_PATHS, Recipe
from training.systems import network_options, open_system
from training.validation import Validation

CHECKPOINT = "checkpoint.pt"
_TYPES = {"bf16": torch.bfloat16, "fp16": torch.float16}


class Run:
    """Everything that changes while a recipe is trained, as it is saved."""

    def __init__(self, recipe: Recipe, device: torch.device) -> None:
        self.recipe = recipe
        self.device = device
        self.bank = open_bank(recipe.semantics)
        self.system = open_system(recipe, self.bank)
        self.system.network.to(device)
        self.system.helpers.to(device)
        if self.bank is not None and recipe.semantics.bank == "hrnet":
            self.bank.to(device)
        self.average = AveragedModel(
            self.system.network,
            multi_avg_fn=get_ema_multi_avg_fn(recipe.average),  # type: ignore[no-untyped-call]
            use_buffers=True,
        )
        self.type = _TYPES.get(recipe.precision) if device.type == "cuda" else None
        self.scaler = torch.amp.GradScaler(device.type, enabled=self.type is torch.float16)
        self.optimizers: dict[str, torch.optim.Optimizer] = {}
        self.phase = ""
        self.identity = _identity(recipe)

    def enter(self, phase: str) -> None:
        """Fresh optimisers when a phase begins."""
        if phase != self.phase:
            self.phase = phase
            self.optimizers = self.system.optimizers(phase, self.recipe.phases[phase])

    def step(self, batch: Any, step: int) -> dict[str, float]:
        """One training step; the loss terms by name. Raises ``RuntimeError`` when a loss is not finite."""
        name, phase, within = self.recipe.at(step)
        self.enter(name)
        factor = phase.schedule.factor(within, phase.steps)
        for optimizer in self.optimizers.values():
            for group in optimizer.param_groups:
                group["lr"] = group.setdefault("initial_lr", group["lr"]) * factor
        self.system.network.train()
        self.system.helpers.train()
        # What dropout draws must not depend on where the run was interrupted.
        torch.manual_seed(self.recipe.seed * 1_000_003 + step)
        shown: dict[str, float] = {}
        self.system.figures.clear()
        updates = self.system.updates(batch, within, name)
        while (update := self._next(updates)) is not None:
            chosen, terms = update
            optimizer = self.optimizers[chosen]
            total = torch.stack(list(terms.values())).sum()
            if not torch.isfinite(total):
                found = ", ".join(f"{term} {value.item():.3g}" for term, value in terms.items())
                raise RuntimeError(
                    f"the loss is not finite at step {step} ({found}); the last checkpoint in {self.recipe.out} is kept"
                )
            optimizer.zero_grad(set_to_none=True)
            self.scaler.scale(total).backward()  # type: ignore[no-untyped-call]
            if phase.clip is not None:
                self.scaler.unscale_(optimizer)
                nn.utils.clip_grad_norm_([p for group in optimizer.param_groups for p in group["params"]], phase.clip)
            self.scaler.step(optimizer)
            shown |= {term: value.item() for term, value in terms.items()} | {f"loss_{chosen}": total.item()}
        if shown:  # a step may be without an update, and a scaler that saw none refuses
            self.scaler.update()
        self.average.update_parameters(self.system.network)
        return shown | self.system.figures

    def _next(self, updates: Any) -> tuple[str, dict[str, Tensor]] | None:
        """The next update's losses, computed in the run's precision."""
        with torch.autocast(self.device.type, self.type, enabled=self.type is not None):
            found: tuple[str, dict[str, Tensor]] | None = next(updates, None)
        return found

    def save(self, path: Path, step: int) -> None:
        """Write everything that is needed to go on, in one piece."""
        state = {
            "system": self.recipe.system,
            "options": network_options(self.recipe, self.bank),
            "bank": saved_bank(self.bank) if self.recipe.semantics.se else None,
            "recipe": self.identity,
            "step": step,
            "phase": self.phase,
            "network": self.system.network.state_dict(),
            "average": self.average.module.state_dict(),
            "averaged": self.average.n_averaged,
            "helpers": self.system.helpers.state_dict(),
            "optimizers": {name: optimizer.state_dict() for name, optimizer in self.optimizers.items()},
            "scaler": self.scaler.state_dict(),
        }
        part = path.with_suffix(".part")
        torch.save(state, part)
        part.replace(path)

    def resume(self, path: Path) -> int:
        """Go on from a checkpoint of the same recipe; the next step, 0 where there is none."""
        if not path.is_file():
            return 0
        state = torch.load(path, map_location=self.device, weights_only=True)
        saved: Mapping[str, Any] = state["recipe"]
        if saved != self.identity:
            changed = sorted(k for k in saved.keys() | self.identity.keys() if saved.get(k) != self.identity.get(k))
            raise ValueError(f"{path} belongs to another recipe ({', '.join(changed)} differ): choose another `out`")
        self.system.network.load_state_dict(state["network"])
        self.system.helpers.load_state_dict(state["helpers"])
        self.average.module.load_state_dict(state["average"])
        self.average.n_averaged.copy_(state["averaged"])
        self.enter(state["phase"])
        for name, optimizer in self.optimizers.items():
            optimizer.load_state_dict(state["optimizers"][name])
        self.scaler.load_state_dict(state["scaler"])
        return int(state["step"])


def fit(recipe: Recipe, until: int | None = None, show: bool = True, device: str = "cpu") -> Path:
    """Train to ``recipe.steps`` (or stop early at step ``until``, to be resumed) and return the checkpoint.

    Raises ``ValueError`` when the folder holds a checkpoint of another recipe.
    """
    if device.startswith("cuda") and not torch.cuda.is_available():
        raise ValueError(f"device {device} cannot be used: this torch finds no GPU; use --device cpu")
    recipe.out.mkdir(parents=True, exist_ok=True)
    checkpoint = recipe.out / CHECKPOINT
    run = Run(recipe, torch.device(device))
    first = run.resume(checkpoint)
    last = min(recipe.steps, recipe.steps if until is None else until)
    if first >= last:
        return checkpoint
    feed = run.system.feed(run.bank)
    validation = Validation(recipe, run.bank) if recipe.validation else None
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
        coming = ahead.submit(feed.batch, first)
        for step in range(first, last):
            batch = coming.result()
            if step + 1 < last:
                coming = ahead.submit(feed.batch, step + 1)
            terms = run.step(feed.ready(batch, run.device), step)
            losses.add(step, terms)
            note = ", ".join(f"{name} {value:.4g}" for name, value in terms.items() if name.startswith("loss_"))
            progress.update(task, advance=1, note=note)
            done = step + 1
            if validation and (done % recipe.validate_every == 0 or done == recipe.steps):
                scores.add(step, validation.scores(run.average.module))
                validation.sheet(run.average.module, recipe.out / "samples.png")
            if done % recipe.save_every == 0 or done == last:
                losses.write()
                scores.write()
                run.save(checkpoint, done)
                draw_curves(recipe.out / "log.csv", recipe.out / "validation.csv", recipe.out / "curves.png")
    return checkpoint


def _identity(recipe: Recipe) -> dict[str, Any]:
    """What must be equal for a run to be the same run: all but where things lie and how often they are looked at."""
    places = {"out": True, "start": True, "validation": True, "validate_every": True, "save_every": True}
    apart = places | {"data": {"path"}, "semantics": {"path"}}
    recipe = recipe.model_copy(
        update={"options": {name: value for name, value in recipe.options.items() if name not in OPTION_PATHS}}
    )
    identity = recipe.model_dump(mode="json", exclude=apart)
    if recipe.start is not None:  # the weights that it holds count, not where it lies
        identity["start"] = hashlib.sha256(recipe.start.read_bytes()).hexdigest()
    return identity
