"""What SKF adds to a system: the terms that the recipe names, the discriminator's own update, and nothing else."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import Any

import pytest
import torch
from guided_runs import GUIDED, moved, recipe_of, start, state_of

from networks import checkpoint
from networks.hrnet import HRNetV2
from networks.skf import Knowledge
from training import feed
from training.losses.sch import sch_loss
from training.recipe import Semantics
from training.systems import open_system
from training.systems.retinexnet import RetinexNetSystem
from training.systems.skf import MEASURE_EVERY, PASCAL_CONTEXT, class_count
from training.trainer import Run

RELIGHTING = {"relighting": 4}
SMALL: dict[str, Any] = {"network": {"channels": 12}, "options": {"skf": {"discriminator_channels": 4, "radius": 1}}}


@pytest.mark.parametrize(
    ("semantics", "terms"),
    [
        (None, set()),
        ({"bank": "embedding", "se": True}, set()),
        ({"bank": "embedding", "sch": 1.0}, {"sch"}),
        ({"bank": "embedding", "sa": 0.1}, {"sa_global", "sa_local", "judge_global", "judge_local"}),
        (GUIDED, {"sch", "sa_global", "sa_local", "judge_global", "judge_local"}),
    ],
)
def test_only_the_losses_that_the_recipe_names_act_and_are_logged(
    tmp_path: Path, semantics: dict[str, Any] | None, terms: set[str]
) -> None:
    run, batch = start(recipe_of(tmp_path, "retinexnet", RELIGHTING, semantics, **SMALL))
    shown = run.step(batch, 0)
    own = {"reconstruction", "smooth", "loss_network"}
    assert {name for name in shown if name != "loss_discriminator" and "gradient" not in name} - own == terms
    assert ("loss_discriminator" in shown) == bool(terms & {"judge_global"})
    assert bool(run.system.helpers) == bool(terms & {"sa_global"})


def test_the_discriminator_learns_in_every_step_and_the_enhancer_does_not_move_with_it(tmp_path: Path) -> None:
    run, batch = start(recipe_of(tmp_path, "retinexnet", RELIGHTING, GUIDED, **SMALL))
    judge = run.system.helpers["discriminator"]
    before = state_of(judge)
    run.step(batch, 0)
    assert moved(before, judge) == set(before)
    run.enter("relighting")
    updates = run.system.updates(batch, 1, "relighting")
    assert [name for name, _ in updates] == ["network", "discriminator"]


def test_the_terms_are_the_losses_times_their_weights(tmp_path: Path) -> None:
    semantics = {**GUIDED, "sch": 7.0, "sa": 3.0}
    run, batch = start(recipe_of(tmp_path, "retinexnet", RELIGHTING, semantics, **SMALL))
    system = run.system
    assert isinstance(system, RetinexNetSystem)
    enhanced = (batch.low * 3).clamp(0, 1)
    (_, terms), *_ = system.guided({}, enhanced, batch, 0)
    assert batch.target is not None
    wanted = 7 * sch_loss(enhanced, batch.high, batch.target.classes, 4, radius=1)
    torch.testing.assert_close(terms["sch"], wanted)
    once = {name: term.item() for name, term in terms.items()}
    system.semantics = system.semantics.model_copy(update={"sa": 6.0})
    (_, twice), *_ = system.guided({}, enhanced, batch, 0)
    assert twice["sa_global"].item() == pytest.approx(2 * once["sa_global"], rel=0.05)  # batch norm saw one pass more


def test_the_class_map_is_the_bright_pictures_unless_the_dark_ones_are_asked_for(tmp_path: Path) -> None:
    found = []
    for chosen in ("bright", "dark"):
        changes = {**SMALL, "options": {"skf": {"class_map": chosen, "radius": 0}}}
        semantics = {"bank": "embedding", "sch": 1.0}
        run, batch = start(recipe_of(tmp_path, "retinexnet", RELIGHTING, semantics, **changes))
        assert isinstance(run.system, RetinexNetSystem)
        (_, terms), *_ = run.system.guided({}, batch.low, batch, 0)
        known = batch.target if chosen == "bright" else batch.knowledge
        assert known is not None
        torch.testing.assert_close(terms["sch"], sch_loss(batch.low, batch.high, known.classes, 4, radius=0))
        found.append(terms["sch"].item())
    assert found[0] != found[1]


class Quadrants(torch.nn.Module):
    """A bank that works on pictures: four classes by how bright and how red a pixel is; it counts its calls."""

    channels, classes = (4, 6, 8), 4

    def __init__(self) -> None:
        super().__init__()
        self.seen: list[torch.Tensor] = []

    def forward(self, image: torch.Tensor) -> Knowledge:
        self.seen.append(image)
        ids = (image.mean(1) > 0.4).long() + 2 * (image[:, 0] > image[:, 1]).long()
        return Knowledge((), torch.nn.functional.one_hot(ids, 4).movedim(-1, 1).float())


def test_the_class_map_can_be_that_of_the_enhanced_picture_without_gradient(tmp_path: Path) -> None:
    changes = {**SMALL, "options": {"skf": {"class_map": "output", "radius": 0, "discriminator_channels": 4}}}
    recipe = recipe_of(tmp_path, "retinexnet", RELIGHTING, {"bank": "embedding", "sch": 1.0, "sa": 0.1}, **changes)
    bank = Quadrants()
    system = open_system(recipe, bank)
    assert isinstance(system, RetinexNetSystem)
    _, batch = start(recipe_of(tmp_path, "retinexnet", RELIGHTING, None, **SMALL))
    enhanced = (3 * batch.low).clamp(0, 1).requires_grad_()
    (_, terms), *_ = system.guided({}, enhanced, batch, 0)
    assert [torch.equal(seen, enhanced) for seen in bank.seen] == [True]
    assert not bank.seen[0].requires_grad
    classes = bank(enhanced.detach()).classes
    torch.testing.assert_close(terms["sch"], sch_loss(enhanced, batch.high, classes, 4, radius=0))


def test_a_class_map_of_the_output_needs_a_bank_that_works_on_pictures(tmp_path: Path) -> None:
    changes = {**SMALL, "options": {"skf": {"class_map": "output"}}}
    with pytest.raises(ValueError, match="output needs a bank that works on pictures"):
        start(recipe_of(tmp_path, "retinexnet", RELIGHTING, {"bank": "embedding", "sch": 1.0}, **changes))
    flow = {"network": {"channels": 8, "blocks": 2, "stacked": [1], "steps": 1}, "options": changes["options"]}
    with pytest.raises(ValueError, match="llflow-s makes no picture in training"):
        start(recipe_of(tmp_path, "llflow-s", {"likelihood": 2}, {"bank": "embedding", "sch": 1.0}, **flow))


def test_the_hrnet_is_fed_as_the_recipe_says_and_a_checkpoint_remembers(monkeypatch: pytest.MonkeyPatch) -> None:
    fed = []
    for room in (feed, checkpoint):
        monkeypatch.setattr(room, "HRNetV2", partial(HRNetV2, 4, 5))
        monkeypatch.setattr(room, "load_pascal_context", lambda path, bank: fed.append(bank) or bank)
    for normalise in (True, False):
        how = Semantics(bank="hrnet", path=Path("weights.pth"), se=True, normalise=normalise)
        bank = feed.open_bank(how)
        assert isinstance(bank, HRNetV2)
        assert bool(bank.mean.any()) == normalise
        monkeypatch.setattr(checkpoint, "HRNetV2", HRNetV2)
        saved = checkpoint.saved_bank(bank)
        monkeypatch.setattr(checkpoint, "HRNetV2", partial(HRNetV2, 4, 5))
        restored = checkpoint._open_bank(saved, Path("weights.pth"), Path("checkpoint.pt"))
        assert restored is fed[-1]
        assert torch.equal(restored.mean, bank.mean)
    assert len(fed) == 4


def test_feeding_is_told_apart_only_where_it_is_not_the_usual_one() -> None:
    usual, other = (Semantics(bank="hrnet", path=Path("weights.pth"), normalise=given) for given in (True, False))
    assert "normalise" not in usual.model_dump(mode="json")
    assert other.model_dump(mode="json", exclude={"path"})["normalise"] is False
    assert Semantics.model_validate(other.model_dump()) == other
    with pytest.raises(ValueError, match="of bank hrnet alone"):
        Semantics(bank="embedding", path=Path("cache"), normalise=False)


def test_the_log_says_now_and_then_how_much_each_loss_pulls(tmp_path: Path) -> None:
    """Norms of the gradients in the weights that move, of what is added after it was weighted."""
    semantics = {**GUIDED, "sch": 7.0, "sch_every": 2}
    run, batch = start(recipe_of(tmp_path, "retinexnet", RELIGHTING, semantics, **SMALL))
    network = run.system.network
    torch.nn.init.constant_(
        next(p for name, p in network.named_parameters() if name.endswith("relight.tail.bias")), 0.5
    )
    figures = run.system.figures
    (_, terms), *_ = run.system.updates(batch, 0, "relighting")
    assert set(figures) == {"gradient_own", "gradient_sch", "gradient_sa"}
    for part, names in {"own": ["reconstruction", "smooth"], "sch": ["sch"], "sa": ["sa_global", "sa_local"]}.items():
        network.zero_grad()
        torch.stack([terms[name] for name in names]).sum().backward(retain_graph=True)
        squares = [p.grad.square().sum() for p in network.parameters() if p.grad is not None]
        assert figures[f"gradient_{part}"] == pytest.approx(torch.stack(squares).sum().sqrt().item(), rel=1e-4)
        assert figures[f"gradient_{part}"] > 0
    shown = [run.step(batch, step) for step in range(2)]
    assert ["gradient_sch" in found for found in shown] == [True, False]
    assert not any(name.startswith("gradient") for name in run.step(batch, 3))
    measured = []
    for step in (2, MEASURE_EVERY, 2 * MEASURE_EVERY):
        figures.clear()
        list(run.system.updates(batch, step, "relighting"))
        measured.append(bool(figures))
    assert measured == [False, False, True]


def test_sch_can_act_in_every_nth_step_only(tmp_path: Path) -> None:
    semantics = {"bank": "embedding", "sch": 1.0, "sch_every": 3}
    run, batch = start(recipe_of(tmp_path, "retinexnet", {"relighting": 7}, semantics, **SMALL))
    assert ["sch" in run.step(batch, step) for step in range(7)] == [True, False, False, True, False, False, True]


def test_the_discriminators_rate_is_a_multiple_of_the_generators(tmp_path: Path) -> None:
    semantics = {**GUIDED, "discriminator_rate": 0.25}
    run, batch = start(recipe_of(tmp_path, "retinexnet", RELIGHTING, semantics, **SMALL))
    run.step(batch, 0)
    rates = {name: optimizer.param_groups[0]["lr"] for name, optimizer in run.optimizers.items()}
    assert rates == pytest.approx({"network": 1e-3, "discriminator": 2.5e-4})


def test_the_discriminator_outlives_a_checkpoint(tmp_path: Path) -> None:
    recipe = recipe_of(tmp_path, "retinexnet", RELIGHTING, GUIDED, **SMALL)
    run, batch = start(recipe)
    for step in range(2):
        run.step(batch, step)
    run.save(tmp_path / "checkpoint.pt", 2)
    other = Run(recipe, torch.device("cpu"))
    assert other.resume(tmp_path / "checkpoint.pt") == 2
    for name, value in run.system.helpers.state_dict().items():
        assert torch.equal(value, other.system.helpers.state_dict()[name])
    assert run.step(batch, 2) == other.step(batch, 2)


def test_a_batch_without_classes_and_weights_of_another_bank_are_refused(tmp_path: Path) -> None:
    run, batch = start(recipe_of(tmp_path, "retinexnet", RELIGHTING, {"bank": "embedding", "sch": 1.0}, **SMALL))
    with pytest.raises(ValueError, match="class map of the bright pictures"):
        list(run.system.updates(type(batch)(batch.low, batch.high), 0, "relighting"))
    changes = {**SMALL, "options": {"skf": {"class_weights": [1.0, 2.0]}}}
    run, batch = start(recipe_of(tmp_path, "retinexnet", RELIGHTING, {"bank": "embedding", "sch": 1.0}, **changes))
    with pytest.raises(ValueError, match="2 entries, the bank 4 classes"):
        run.step(batch, 0)


def test_the_number_of_classes_is_the_banks(tmp_path: Path) -> None:
    assert class_count(recipe_of(tmp_path, "retinexnet", RELIGHTING, GUIDED).semantics) == 4
    hrnet = {"bank": "hrnet", "sa": 0.1}
    assert class_count(recipe_of(tmp_path, "retinexnet", RELIGHTING, hrnet).semantics) == PASCAL_CONTEXT
