"""Trains the arms of an ablation on the same data, steps and seeds, and reports the differences picture by picture.

An ablation is a YAML file: ``groups`` (recipes), ``arms`` (what changes in them), ``seeds`` and the arm that others are
compared ``against``. Every run has a folder under ``out``; a run that is there is not repeated, so that workers may
share the work and a stopped ablation goes on.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
import yaml
from pydantic import ValidationError

from networks.checkpoint import open_checkpoint
from training.evaluate.conditions import conditions
from training.metrics import psnr, ssim_gaussian, ssim_uniform
from training.recipe import Recipe, Strict, load_recipe, merged
from training.trainer import fit
from training.validation import Validation

METRICS = {"psnr": psnr, "ssim_gaussian11": ssim_gaussian, "ssim_uniform7": ssim_uniform}


class Ablation(Strict):
    """What a file says; entries of groups and arms other than ``recipe`` and ``variant`` are laid over the recipe.

    A group may have ``arms`` of its own, for weights that must suit its losses; they are laid over those of all groups.
    """

    title: str
    seeds: tuple[int, ...]
    against: str
    groups: dict[str, dict[str, Any]]
    arms: dict[str, dict[str, Any]]

    def recipe(self, here: Path, group: str, arm: str, seed: int, out: Path) -> Recipe:
        """The recipe of one run."""
        own = self.groups[group].get("arms", {}).get(arm, {})
        entries = merged(merged(self.groups[group], self.arms[arm]), own)
        entries.pop("arms", None)
        path, variant = here / entries.pop("recipe"), entries.pop("variant", None)
        place = (out / _folder(group, arm, seed)).resolve()
        return load_recipe(path, variant, merged(entries, {"seed": seed, "out": str(place)}))


def load_ablation(path: Path) -> Ablation:
    """Read an ablation. Raises ``ValueError`` naming the file and what is wrong."""
    try:
        found = Ablation.model_validate(yaml.safe_load(path.read_text()))
    except (OSError, yaml.YAMLError, ValidationError) as error:
        raise ValueError(f"ablation {path}: {error}") from error
    if found.against not in found.arms:
        raise ValueError(f"ablation {path}: 'against' names no arm: {found.against}")
    return found


def _folder(group: str, arm: str, seed: int) -> Path:
    return Path(group.replace(" ", "-")) / arm.replace(" ", "-") / f"seed{seed}"


def train(
    path: Path,
    out: Path,
    seeds: Sequence[int] | None = None,
    groups: Sequence[str] | None = None,
    arms: Sequence[str] | None = None,
    worker: int = 0,
    workers: int = 1,
    device: str = "cpu",
) -> None:
    """Train and score this worker's share of the runs (all, or of some seeds, groups, arms); what is done is left.

    Raises ``ValueError`` for names that the ablation lacks, and where a folder holds a run of other settings.
    """
    ablation = load_ablation(path)
    for given, known in ((groups, ablation.groups), (arms, ablation.arms)):
        if wrong := set(given or ()) - set(known):
            raise ValueError(f"{path} has no {', '.join(sorted(wrong))}; it has {', '.join(known)}")
    runs = [
        (group, arm, seed)
        for seed in seeds or ablation.seeds
        for group in groups or ablation.groups
        for arm in arms or ablation.arms
    ]
    for group, arm, seed in runs[worker::workers]:
        recipe = ablation.recipe(path.parent, group, arm, seed, out)
        target = recipe.out / "scores.json"
        done = target.is_file()
        if not done:
            print(f"{group}, {arm}, seed {seed}: {recipe.steps} steps", flush=True)
        # The scores look at the held-out pictures once, at the end. A finished run comes back from `fit` at once, which
        # refuses one of other settings.
        checkpoint = fit(recipe.model_copy(update={"validation": None}), show=False, device=device)
        if not done:
            target.write_text(json.dumps(score(recipe, checkpoint)) + "\n")


@torch.no_grad()
def score(recipe: Recipe, checkpoint: Path) -> dict[str, Any]:
    """Figures of every validation picture, 8-bit R'G'B', of a run's averaged weights."""
    opened = open_checkpoint(checkpoint, bank=recipe.semantics.path if recipe.semantics.bank == "hrnet" else None)
    validation = Validation(recipe, opened.bank)
    rows = []
    for number, (pair, (_, high)) in enumerate(zip(validation.pairs, validation.pictures, strict=True)):
        got, want = (validation.enhance(opened.network, number) * 255).round(), high * 255
        rows.append({"picture": pair.name} | {name: metric(got, want).item() for name, metric in METRICS.items()})
    return {"recipe": recipe.name, "steps": recipe.steps, "parameters": opened.parameters, "pictures": rows}


def collect(path: Path, out: Path) -> dict[str, Any]:
    """All finished runs as one JSON-ready table: means over pictures and seeds, and paired differences."""
    ablation = load_ablation(path)
    rows = []
    for group in ablation.groups:
        base = _runs(out, group, ablation.against, ablation.seeds)
        for arm in ablation.arms:
            runs = _runs(out, group, arm, ablation.seeds)
            if runs:
                rows.append({"group": group, "arm": arm} | _summary(runs, base))
    if not rows:
        raise ValueError(f"no run of {path} is finished in {out}")
    return {"title": ablation.title, "against": ablation.against, **conditions("cpu"), "rows": rows}


def _runs(out: Path, group: str, arm: str, seeds: tuple[int, ...]) -> dict[int, dict[str, Any]]:
    files = {seed: out / _folder(group, arm, seed) / "scores.json" for seed in seeds}
    return {seed: json.loads(file.read_text()) for seed, file in files.items() if file.is_file()}


def _summary(runs: dict[int, dict[str, Any]], base: dict[int, dict[str, Any]]) -> dict[str, Any]:
    first = next(iter(runs.values()))
    found: dict[str, Any] = {name: first[name] for name in ("recipe", "steps", "parameters")}
    found |= {"seeds": list(runs), "pictures": len(first["pictures"])}
    for name in METRICS:
        found[name] = float(np.mean([_mean(run, name) for run in runs.values()]))
    # Runs of one seed saw the same pictures in the same order; only such are compared.
    gains = {seed: _mean(run, "psnr") - _mean(base[seed], "psnr") for seed, run in runs.items() if seed in base}
    return found | {"psnr_gain_by_seed": gains}


def _mean(run: dict[str, Any], metric: str) -> float:
    return float(np.mean([picture[metric] for picture in run["pictures"]]))


def markdown(table: dict[str, Any]) -> str:
    """The table as a page of its own."""
    lines = [
        f"# {table['title']}",
        "",
        "| system | arm | parameters | steps | seeds | PSNR, dB | SSIM, Gaussian 11 | SSIM, uniform 7 "
        f"| dB against {table['against']}, by seed |",
        "| --- | --- | --- | --- | --- | --- | --- | --- | --- |",
    ]
    for row in table["rows"]:
        gains = ", ".join(f"{gain:+.2f}" for gain in row["psnr_gain_by_seed"].values()) or "–"
        seeds = ", ".join(str(seed) for seed in row["seeds"])
        lines.append(
            f"| {row['group']} | {row['arm']} | {row['parameters']:,} | {row['steps']} | {seeds} | {row['psnr']:.2f} | "
            f"{row['ssim_gaussian11']:.3f} | {row['ssim_uniform7']:.3f} | {gains} |"
        )
    versions = ", ".join(f"{package} {number}" for package, number in table["versions"].items())
    lines += [
        "",
        f"Means over {table['rows'][0]['pictures']} held-out pictures and the seeds, 8-bit RGB, no GT-mean. "
        f"{table['device']}, {table['date']}; {versions}",
    ]
    return "\n".join(lines) + "\n"
