"""Both layouts are found; a wrong one is refused with the file that is wrong and the tree that is expected."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from picture_trees import brackets, save
from PIL import Image

from training.data import LayoutError, find_pairs, read_picture


def test_brackets_give_every_dark_exposure_and_its_brighter_neighbour(tmp_path: Path) -> None:
    pairs = find_pairs(brackets(tmp_path, scenes=2))
    assert [pair.name for pair in pairs] == [f"scene{s}/exposure_{e}" for s in (0, 1) for e in (0, 1)]
    assert all(pair.high.name == "reference.jpg" for pair in pairs)
    assert pairs[0].brighter == tmp_path / "scene0" / "exposure_1.jpg"
    assert 0.02 <= read_picture(pairs[0].low).mean() / 255 <= 0.25


def test_the_index_spares_reading_the_pictures(tmp_path: Path) -> None:
    brackets(tmp_path, scenes=1)
    (tmp_path / "index.json").write_text(json.dumps({"scene0": {"mean": [0.01, 0.3, 0.1, 0.5]}}))
    assert [pair.name for pair in find_pairs(tmp_path)] == ["scene0/exposure_2"]


def test_folders_of_pairs(tmp_path: Path) -> None:
    for name in ("b.png", "a.png"):
        for folder in ("low", "high"):
            save(np.zeros((8, 8, 3)), tmp_path / folder / name)
    (tmp_path / "low" / "notes.txt").write_text("not a picture")
    assert [pair.name for pair in find_pairs(tmp_path)] == ["a", "b"]


def spoil(folder: Path, how: str) -> str:
    if how == "no reference":
        (folder / "scene1" / "reference.jpg").unlink()
        return r"scene1/reference\.jpg is missing"
    if how == "gap":
        (folder / "scene1" / "exposure_1.jpg").unlink()
        return r"scene1/exposure_1\.jpg is missing"
    if how == "no exposures":
        for path in (folder / "scene1").glob("exposure_*"):
            path.unlink()
        return r"scene1 holds no exposure_0"
    if how == "short index":
        (folder / "index.json").write_text('{"scene1": {"mean": [0.1]}}')
        return r"index\.json lists 1 means for .*scene1, which holds 4"
    if how == "broken index":
        (folder / "index.json").write_text("{")
        return r"index\.json is not JSON"
    wrong = {
        "index of numbers": ("[1]", r"index\.json is no object with scenes by name"),
        "index of lists": ('{"scene1": [0.1]}', r"index\.json: scene1 is no object with the key mean"),
        "index of words": ('{"scene1": {"mean": ["dark"]}}', r"index\.json: the mean of scene1 is no list of numbers"),
    }
    if how in wrong:
        (folder / "index.json").write_text(wrong[how][0])
        return wrong[how][1]
    (folder / "scene1" / "exposure_0.jpg").write_text("text")
    return r"scene1/exposure_0\.jpg cannot be read as a picture"


@pytest.mark.parametrize(
    "how",
    [
        *("no reference", "gap", "no exposures", "no picture"),
        *("short index", "broken index", "index of numbers", "index of lists", "index of words"),
    ],
)
def test_a_wrong_bracket_is_named_and_the_tree_is_shown(tmp_path: Path, how: str) -> None:
    message = spoil(brackets(tmp_path, scenes=2), how)
    with pytest.raises(LayoutError, match=message) as raised:
        find_pairs(tmp_path)
    assert "FOLDER/SCENE/exposure_0.jpg" in str(raised.value)
    assert "FOLDER/low/NAME.png" not in str(raised.value), "the tree of the layout that was found is enough"


def test_missing_partner_empty_and_absent_folders(tmp_path: Path) -> None:
    save(np.zeros((8, 8, 3)), tmp_path / "pairs" / "low" / "a.png")
    with pytest.raises(LayoutError, match="pairs has no folder high"):
        find_pairs(tmp_path / "pairs")
    (tmp_path / "pairs" / "high").mkdir()
    with pytest.raises(LayoutError, match=r"low/a\.png has no partner .*high/a\.png"):
        find_pairs(tmp_path / "pairs")
    (tmp_path / "empty").mkdir()
    with pytest.raises(LayoutError, match="empty holds no pairs"):
        find_pairs(tmp_path / "empty")
    with pytest.raises(LayoutError, match="nowhere is not a folder"):
        find_pairs(tmp_path / "nowhere")


def test_pictures_of_16_bits_are_refused_and_not_cut_off(tmp_path: Path) -> None:
    path = tmp_path / "deep.png"
    Image.fromarray(np.full((8, 8), 4000, np.uint16)).save(path)
    with pytest.raises(LayoutError, match=r"deep\.png has more than 8 bits a sample: convert it"):
        read_picture(path)


def test_the_partner_that_is_missed_is_called_as_its_folder(tmp_path: Path) -> None:
    for folder in ("Low", "Normal"):
        (tmp_path / "Real_captured" / "Train" / folder).mkdir(parents=True)
    save(np.zeros((8, 8, 3)), tmp_path / "Real_captured" / "Train" / "Low" / "low00001.png")
    with pytest.raises(LayoutError, match=r"low00001\.png has no partner .*Normal/normal00001\.png"):
        find_pairs(tmp_path, split="train")
