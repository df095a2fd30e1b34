"""Bundles survive the round trip, and every kind of damage is refused with a message that helps."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest

from engines.bundle import (
    SHIPPED,
    Card,
    PaperCard,
    TensorCard,
    TrainingCard,
    available_bundles,
    load_bundle,
    write_bundle,
)
from engines.errors import BundleError

CARD = Card(
    name="night",
    system="SCI",
    kind="picture",
    inputs=(TensorCard("image", "1,3,h,w", "RGB 0..1"),),
    outputs=(TensorCard("enhanced", "1,3,h,w", "RGB 0..1"),),
    parameters=258,
    training=TrainingCard("brackets", "CC BY-NC 4.0", "sci.yaml", 1000, 7),
    licence="Apache-2.0",
    paper=PaperCard("Toward Fast, Flexible, and Robust Low-Light Image Enhancement", "arXiv 2204.10137"),
    faithful="All layers.",
    repaired="Its colours.",
    unknown="Its schedule.",
    metrics={"psnr": 16.5},
    notes="räumlich",
    region_colours="means",
)


def test_round_trip(tmp_path: Path) -> None:
    written = write_bundle(tmp_path / "night", b"model", CARD)
    loaded = load_bundle(tmp_path / "night")
    assert loaded == written
    assert loaded.model == b"model"
    assert replace(loaded.card, sha256="") == CARD
    assert sorted(path.name for path in (tmp_path / "night").iterdir()) == ["card.json", "model.onnx"]


def test_found_by_name_in_the_user_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("STREAM_ENHANCE_BUNDLES", str(tmp_path))
    write_bundle(tmp_path / "night", b"model", CARD)
    assert available_bundles()["night"] == tmp_path / "night"
    assert load_bundle("night").card.system == "SCI"


def test_a_folder_called_like_a_known_bundle_hides_it_only_when_given_as_a_path(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("STREAM_ENHANCE_BUNDLES", str(tmp_path / "known"))
    write_bundle(tmp_path / "known" / "night", b"known", CARD)
    monkeypatch.chdir(tmp_path)
    (tmp_path / "night").mkdir()
    assert load_bundle("night").model == b"known"
    with pytest.raises(BundleError, match="no usable bundle"):
        load_bundle("./night")
    write_bundle(Path("night"), b"here", CARD)
    assert load_bundle("night").model == b"known"
    assert load_bundle("./night").model == load_bundle(Path("night")).model == b"here"
    (tmp_path / "night").rename(tmp_path / "other")
    assert load_bundle("other").model == b"here"


def test_a_folder_called_curve_leaves_the_shipped_bundle_in_reach(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "curve").mkdir()
    assert load_bundle("curve").folder == SHIPPED / "curve"


def test_unknown_name_lists_the_known_ones(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("STREAM_ENHANCE_BUNDLES", str(tmp_path))
    write_bundle(tmp_path / "night", b"model", CARD)
    with pytest.raises(BundleError, match=r"'nihgt'.*night.*\.$"):
        load_bundle("nihgt")


def test_one_changed_byte_is_refused(tmp_path: Path) -> None:
    write_bundle(tmp_path, b"model", CARD)
    (tmp_path / "model.onnx").write_bytes(b"Model")
    with pytest.raises(BundleError, match="SHA-256 differs"):
        load_bundle(tmp_path)


@pytest.mark.parametrize("missing", ["model.onnx", "card.json"])
def test_missing_file_is_named(tmp_path: Path, missing: str) -> None:
    write_bundle(tmp_path, b"model", CARD)
    (tmp_path / missing).unlink()
    with pytest.raises(BundleError, match=missing):
        load_bundle(tmp_path)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"format": 2}, "format 2"),
        ({"kind": "video"}, "kind 'video'"),
        ({"surprise": 1}, "surprise"),
        ({"inputs": [{"name": "x"}]}, "layout"),
        ({"training": None}, "cannot be read"),
        (
            {"training": {"data": "d", "data_licence": " ", "recipe": "r", "steps": 1, "seed": 1}},
            "data_licence is empty",
        ),
        ({"training": {"data": "d", "data_licence": None, "recipe": "r", "steps": 1, "seed": 1}}, "cannot be read"),
        ({"region_colours": "pretty"}, "region_colours 'pretty', known are hashed, means or none"),
    ],
)
def test_a_wrong_card_is_refused(tmp_path: Path, change: dict[str, object], message: str) -> None:
    write_bundle(tmp_path, b"model", CARD)
    card = json.loads((tmp_path / "card.json").read_text())
    (tmp_path / "card.json").write_text(json.dumps(card | change))
    with pytest.raises(BundleError, match=message):
        load_bundle(tmp_path)


def test_a_card_that_does_not_compare_itself_with_its_paper_still_loads(tmp_path: Path) -> None:
    """Cards written before ``faithful``, ``repaired``, ``unknown`` and ``region_colours`` existed."""
    write_bundle(tmp_path, b"model", CARD)
    card = json.loads((tmp_path / "card.json").read_text(encoding="utf-8"))
    for name in ("faithful", "repaired", "unknown", "region_colours"):
        assert card.pop(name) == getattr(CARD, name)
    (tmp_path / "card.json").write_text(json.dumps(card))
    loaded = load_bundle(tmp_path).card
    assert replace(loaded, sha256="") == replace(CARD, faithful="", repaired="", unknown="", region_colours="")


@pytest.mark.parametrize("name", ["curve", "sci"])
def test_shipped_weights_carry_the_licence_of_their_data(name: str) -> None:
    card = load_bundle(SHIPPED / name).card
    assert card.licence.startswith(f"{card.training.data_licence} ")


@pytest.mark.parametrize("text", ["", "{", "[]", "{}", '"card"'])
def test_a_card_that_is_no_card_is_refused(tmp_path: Path, text: str) -> None:
    write_bundle(tmp_path, b"model", CARD)
    (tmp_path / "card.json").write_text(text)
    with pytest.raises(BundleError, match="is refused"):
        load_bundle(tmp_path)
