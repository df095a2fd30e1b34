"""Cards say what is kept of a paper, what is mended, what nobody knows, and only what is true of their own weights."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
import torch

from engines.bundle import SHIPPED, Card, TrainingCard, load_bundle
from export.__main__ import main
from export.about import SYSTEMS, about
from export.cards import make_card, training_card
from export.interfaces import Input, Interface
from export.parity import Parity
from networks.systems import GUIDED, UNTRAINED, build

TRAINING = TrainingCard("pictures made by the test", "CC0-1.0", "tiny.yaml", 1, 1)
RECIPE = {"name": "tiny.yaml", "data": {"name": "pictures made by the test", "licence": "CC0-1.0"}, "seed": 5}
CHANNELS = {"embedding": 256, "regions": 4, "depth": 3}
SILENT = {
    "curve": "Nothing.",
    "sci": "edge width of the smoothness loss",
    "enlighten-anything": "loss weights and full tables",
    "wakeup-darkness": "read off a picture",
    "retinexnet": "denoising step (BM3D) is in no published code",
    "kind": "Nothing that affects the layers.",
    "kind-plus": "9.63 M parameters",
    "drbn": "printed 2.21 M",
    "hwmnet": "disagree on the schedule",
    "snr": "query, key and value",
    "llflow-s": "scale of the initial weights",
    "llflow-l": "scale of the initial weights",
    "sllen": "All of that is this project's design",
    "lime": "parameters were not verified",
    "zero-dce": "Nothing that affects the layers.",
    "zero-dce-plus-plus": "Nothing that affects the layers.",
    "enlightengan": "How the attention map is resized",
    "mirnet": "Nothing that affects the layers.",
}
"""A part of what every card calls unknown."""


def card_of(system: str, *extra: str, **how: Any) -> Card:
    interface = Interface(Input("image", 3), "enhanced", tuple(Input(name, CHANNELS[name]) for name in extra))
    return make_card("mine", system, interface, 7, TRAINING, Parity(0, 0, 1), {}, **how)


def guided_card(system: str, **how: Any) -> Card:
    options = {"semantics": {"channels": [48, 96, 192], "classes": 32, "released": False}}
    return card_of(system, "embedding", options=options, **how)


def text_of(card: Card) -> str:
    return " ".join((card.notes, card.faithful, card.repaired, card.unknown))


@pytest.mark.parametrize("system", GUIDED)
def test_a_guided_card_says_where_the_modules_sit_and_whose_choice_that_is(system: str) -> None:
    card = guided_card(system)
    chosen_here = system in ("retinexnet", "kind", "kind-plus", "hwmnet")
    assert ("where the modules sit and how wide they are is this project's choice" in card.unknown) == chosen_here
    assert (SYSTEMS[system].attachment in card.unknown) == chosen_here
    assert (SYSTEMS[system].attachment in card.faithful) != chosen_here
    assert SYSTEMS[system].guided_unknown in card.unknown
    for part in ("faithful", "repaired", "unknown"):
        assert f"Baseline: {getattr(SYSTEMS[system], part)}" in getattr(card, part)
    assert "normalised query and key" in card.faithful
    assert "weights of the losses" in card.unknown


def test_a_plain_card_says_nothing_of_modules() -> None:
    card = card_of("kind", options={"channels": 4})
    assert "modules" not in text_of(card)
    assert "Baseline" not in text_of(card)


@pytest.mark.parametrize("system", SYSTEMS)
def test_every_card_says_where_its_paper_is_silent(system: str) -> None:
    assert SILENT[system] in card_of(system).unknown


@pytest.mark.parametrize("name", ["curve", "sci"])
def test_shipped_cards_say_what_is_known_today(name: str) -> None:
    card = load_bundle(SHIPPED / name).card
    known = about(card.system)
    assert (card.faithful, card.repaired, card.unknown) == (known.faithful, known.repaired, known.unknown)


@pytest.mark.parametrize("options", [{"channels": 8, "reduction": 4}, {"channels": 8, "reduction": 1}, {}])
def test_the_card_of_a_checkpoint_names_its_own_reduction_or_none(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, options: dict[str, int]
) -> None:
    system = "zero-dce-plus-plus"
    made = build(system, options)
    state = {"system": system, "options": options, "bank": None, "recipe": RECIPE, "step": 7}
    torch.save(state | {"average": made.state_dict()}, tmp_path / "checkpoint.pt")
    monkeypatch.setattr("export.__main__.to_onnx", lambda *_: b"model")  # exporting takes seconds
    monkeypatch.setattr("export.__main__.compare", lambda *_, **__: Parity(0.0, 0.0, 1))
    assert main([str(tmp_path / "checkpoint.pt"), "--system", system, "-o", str(tmp_path / "mine")]) == 0
    card = load_bundle(tmp_path / "mine").card
    assert re.findall(r"reduction (\d+)", text_of(card)) == ([str(options["reduction"])] if options else [])
    assert ("Built with channels 8, reduction" in card.notes) == bool(options)
    assert not re.search(r"\b(12|twelfth)\b", text_of(card).replace("opset 18, IR 9", ""))


@pytest.mark.parametrize("system", [name for name in SYSTEMS if name not in ("sci", "wakeup-darkness")])
def test_sizes_are_told_as_the_published_networks(system: str) -> None:
    """SCI's and Wakeup-Darkness's networks have one size; all others may be built smaller than their papers'."""
    texts = [about(system), about(system, guided=True)] if system in GUIDED else [about(system)]
    figures = re.compile(r"\d[\d .]*( M)? (parameters|channels|steps|maps)|\b(heads|eight|twelfth)\b|\d M\b")
    own = re.compile(r"publish|printed?\b|tables print|default|two heads\.|eight iterations", re.IGNORECASE)
    for known in texts:
        for sentence in re.split(r"(?<=\.) ", " ".join((known.note, known.faithful, known.repaired, known.unknown))):
            assert not figures.search(sentence) or own.search(sentence), sentence


def test_what_a_network_was_built_with_is_listed_but_not_what_only_training_uses() -> None:
    built = {"layout": "repaired", "channels": 24, "heads": 2, "stages": 3, "calibrator": True}
    assert "Built with layout repaired, channels 24, heads 2." in card_of("enlighten-anything", options=built).notes
    assert (
        "Built with widths 32/32/64, blocks 1." in card_of("sllen", options={"widths": (32, 32, 64), "blocks": 1}).notes
    )
    released = {"width": 8, "semantics": {"channels": [48, 96, 192], "classes": 59, "released": True}}
    assert "Built with width 8, modules of SKF as released." in card_of("drbn", options=released).notes
    assert "Built with" not in card_of("sci", options={"stages": 2}).notes


@pytest.mark.parametrize(
    ("name", "recipe", "told"),
    [
        ("embedding", {"semantics": {"dropout": 0.25}}, "trained for that too, 25% of the samples"),
        ("embedding", {"semantics": {"dropout": 0.0}}, "never trained without; expect less"),
        ("embedding", {"semantics": {}, "options": {"unknown": 0.5}}, "never trained without; expect less"),
        ("regions", {"semantics": {"regions": "true"}, "options": {"unknown": 0.1}}, "that too, 10% of the samples"),
        ("regions", {"semantics": {"regions": "true", "dropout": 0.5}, "options": {}}, "never trained without; expect"),
        ("regions", {"semantics": {"regions": "shuffled"}}, "expect less; trained on regions of other pictures"),
        ("regions", {"semantics": {"regions": "none"}, "options": {"unknown": 0.1}}, "in training it never was"),
        ("depth", {"semantics": {"regions": "true"}, "options": {"unknown": 0.1}}, "in training it never was"),
        ("embedding", None, "nobody says whether it was trained for that too"),
    ],
)
def test_a_card_says_what_the_network_does_where_an_input_is_not_known(
    name: str, recipe: dict[str, Any] | None, told: str
) -> None:
    system = "drbn" if name == "embedding" else "wakeup-darkness"
    (extra,) = card_of(system, name, recipe=recipe).inputs[1:]
    assert "zeros = not known: " in extra.normalisation
    assert extra.normalisation.partition("zeros = not known: ")[2].find(told) >= 0


@pytest.mark.parametrize("licence", ["", "  "])
def test_weights_of_unlicensed_data_get_no_card(licence: str) -> None:
    with pytest.raises(ValueError, match="data_licence is empty"):
        training_card(RECIPE | {"data": {"name": "pictures", "licence": licence}}, 1)


@pytest.mark.parametrize(("options", "said"), [({}, "hashed"), ({"colours": "means"}, "means")])
def test_the_card_says_how_regions_were_painted(options: dict[str, str], said: str) -> None:
    recipe = RECIPE | {"options": options}
    assert card_of("enlighten-anything", "regions", recipe=recipe).region_colours == said
    assert card_of("enlighten-anything", "regions").region_colours == "", "published weights do not say"
    assert card_of("drbn", recipe=recipe).region_colours == "", "no regions, no colours"


def test_without_weights_no_checkpoint_is_needed_and_the_card_promises_no_training(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["--system", "drbn", "-o", str(tmp_path / "drbn")]) == 1
    assert "drbn must be trained: name a checkpoint; only lime needs none" in capsys.readouterr().err
    assert main(["--system", "lime", "-o", str(tmp_path / "lime")]) == 1
    assert "needs a fixed size, as --size 288x512 gives" in capsys.readouterr().err
    monkeypatch.setattr("export.__main__.to_onnx", lambda *_: b"model")  # exporting takes seconds
    monkeypatch.setattr("export.__main__.compare", lambda *_, **__: Parity(0.0, 0.0, 1))
    assert main(["--system", "lime", "--size", "36x64", "-o", str(tmp_path / "lime")]) == 0
    card = load_bundle(tmp_path / "lime").card
    assert (card.parameters, card.training.data, card.training.steps) == (0, "none: nothing is learned", 0)
    assert card.licence.startswith("Apache-2.0")
    assert card.inputs[0].layout == "1,3,36,64"


def test_only_what_has_no_parameters_needs_no_training() -> None:
    with torch.device("meta"):
        bare = [name for name in SYSTEMS if not list(build(name).parameters())]
    assert tuple(bare) == UNTRAINED
