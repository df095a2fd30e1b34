"""LLFlow's training: likelihood, the start from the first batch, decay of the encoder alone, and SKF without SA."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from guided_runs import moved, recipe_of, start, state_of

from networks.llflow_flow import ActNorm
from networks.systems import Inference
from training.systems.llflow import LLFlowSystem
from training.trainer import Run

SEMANTICS = {"bank": "embedding", "se": True, "sch": 1.0}
NETWORK: dict[str, Any] = {"network": {"channels": 10, "blocks": 1, "stacked": [0], "steps": 1}}
WAYS = pytest.mark.parametrize("semantics", [None, SEMANTICS], ids=["plain", "guided"])


@pytest.mark.parametrize(
    ("system", "semantics"), [("llflow-s", None), ("llflow-s", SEMANTICS), ("llflow-l", SEMANTICS)]
)
@pytest.mark.slow
def test_it_learns_one_pair_by_heart(tmp_path: Path, system: str, semantics: dict[str, Any] | None) -> None:
    run, batch = start(recipe_of(tmp_path, system, {"likelihood": 12}, semantics, 1e-3, average=0.0, **NETWORK))
    before = state_of(run.system.network)
    shown = [run.step(batch, step) for step in range(12)]
    assert shown[-1]["bits"] < shown[0]["bits"] - 2.0
    assert moved(before, run.system.network) == set(before)
    added = {name for name in shown[0] if not name.startswith("gradient_")} - {"bits", "loss_network"}
    assert added == ({"sch", "sch_colours"} if semantics else set())
    if semantics is None:
        network = run.system.network.eval()
        assert torch.equal(Inference(system, network)(batch.low), network(batch.low).enhanced)


def test_norms_start_from_the_first_batch_and_the_average_starts_after_that(tmp_path: Path) -> None:
    run, batch = start(recipe_of(tmp_path, "llflow-s", {"likelihood": 4}, None, average=0.9, **NETWORK))
    run.step(batch, 0)
    for network in (run.system.network, run.average.module):
        norms = [module for module in network.modules() if isinstance(module, ActNorm)]
        assert all(bool(norm.initialised) for norm in norms)
        assert sum(norm.log_scale.abs().mean().item() > 0.05 for norm in norms) > len(norms) / 2
    for of_run, of_average in zip(run.system.network.parameters(), run.average.module.parameters(), strict=True):
        torch.testing.assert_close(of_run, of_average)
    run.step(batch, 1)
    flow, average = run.system.network.flow, run.average.module.flow
    assert not torch.equal(flow.levels[0].steps[0].conv.weight, average.levels[0].steps[0].conv.weight)


def test_a_resumed_run_does_not_initialise_again(tmp_path: Path) -> None:
    recipe = recipe_of(tmp_path, "llflow-s", {"likelihood": 4}, None, **NETWORK)
    whole, batch = start(recipe)
    for step in range(4):
        whole.step(batch, step)
    broken, _ = start(recipe)
    for step in range(2):
        broken.step(batch, step)
    broken.save(tmp_path / "checkpoint.pt", 2)
    resumed = Run(recipe, torch.device("cpu"))
    assert resumed.resume(tmp_path / "checkpoint.pt") == 2
    for step in (2, 3):
        resumed.step(batch, step)
    for name, value in whole.system.network.state_dict().items():
        assert torch.equal(resumed.system.network.state_dict()[name], value), name


@WAYS
def test_only_the_encoder_decays(tmp_path: Path, semantics: dict[str, Any] | None) -> None:
    recipe = recipe_of(tmp_path, "llflow-s", {"likelihood": 1}, semantics, **NETWORK)
    phase = recipe.phases["likelihood"]
    decaying = phase.optimizer.model_copy(update={"weight_decay": 1e-5})
    run, _ = start(recipe)
    optimizer = run.system.optimizers("likelihood", phase.model_copy(update={"optimizer": decaying}))["network"]
    encoder, others = optimizer.param_groups
    assert encoder["weight_decay"] == 1e-5
    assert others["weight_decay"] == 0
    assert {id(p) for p in encoder["params"]} == {id(p) for p in run.system.network.encoder.parameters()}
    assert {id(p) for p in encoder["params"] + others["params"]} == {id(p) for p in run.system.network.parameters()}


def test_the_prior_is_switched_in_a_share_of_the_steps(tmp_path: Path) -> None:
    """Where it is the bright picture's own colour map, the head that predicts one learns nothing."""
    run, batch = start(recipe_of(tmp_path, "llflow-s", {"likelihood": 8}, None, options={"of_target": 0.5}, **NETWORK))
    system = run.system
    assert isinstance(system, LLFlowSystem)
    head, found = system.network.encoder.colours.weight, {}
    for share in (0.0, 0.5, 1.0):
        system.options = system.options.model_copy(update={"of_target": share})
        learnt = 0
        for step in range(6):
            torch.manual_seed(step)
            ((_, terms),) = system.updates(batch, step, "likelihood")
            (gradient,) = torch.autograd.grad(terms["bits"], head, allow_unused=True)
            learnt += gradient is not None and bool(gradient.any())
        found[share] = learnt
    assert found[0.0] == 6
    assert 0 < found[0.5] < 6
    assert found[1.0] == 0


def test_sch_moves_the_latent_and_the_colour_map(tmp_path: Path) -> None:
    run, batch = start(recipe_of(tmp_path, "llflow-s", {"likelihood": 2}, SEMANTICS, **NETWORK))
    run.step(batch, 0)
    system = run.system
    assert isinstance(system, LLFlowSystem)
    ((_, terms),) = system.updates(batch, 1, "likelihood")
    torch.testing.assert_close(terms["sch"], terms["sch_colours"])
    list(system.updates(batch, 0, "likelihood"))
    assert set(system.figures) == {"gradient_own", "gradient_sch"}
    weights = {
        "sch": system.network.flow.levels[0].steps[0].conv.weight,
        "sch_colours": system.network.encoder.colours.weight,
    }
    for name, weight in weights.items():
        (gradient,) = torch.autograd.grad(terms[name], weight, retain_graph=True, allow_unused=True)
        assert gradient is not None
        assert bool(gradient.any()), name


def test_what_it_cannot_do_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="no SA loss"):
        start(recipe_of(tmp_path, "llflow-s", {"likelihood": 1}, {**SEMANTICS, "sa": 0.1}, **NETWORK))
    recipe = recipe_of(tmp_path, "llflow-s", {"likelihood": 1}, None, **NETWORK)
    phases = {"likelihood": recipe.phases["likelihood"].model_copy(update={"crop": 36})}
    with pytest.raises(ValueError, match="multiple of 8 pixels, not 36"):
        start(recipe.model_copy(update={"phases": phases}))
