"""Published data sets are found in the trees they come in; what is wrong with a copy is named with its file."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from picture_trees import brackets, grey, lol, lol_480, lol_v2, save
from PIL import Image

from training.data import (
    LAYOUTS,
    LayoutError,
    OverlapError,
    find_dark,
    find_labelled,
    find_layout,
    find_pairs,
    find_pictures,
    read_labels,
    refuse_overlap,
)
from training.data.overlap import lol_parts


def names(folder: Path, **options: object) -> list[str]:
    return [pair.name for pair in find_pairs(folder, **options)]  # type: ignore[arg-type]


def test_lol_by_split_with_and_without_the_reported_pairs(tmp_path: Path) -> None:
    lol(tmp_path)
    assert names(tmp_path, split="train") == ["111", "2", "5", "735", "79"]
    assert names(tmp_path, split="test") == ["1", "22"]
    assert names(tmp_path, split="train", exclude=["reported"]) == ["2", "5"]
    assert names(tmp_path, split="test", exclude=["reported"]) == ["1", "22"]
    assert names(tmp_path, split="train", exclude=[2, "79"]) == ["111", "5", "735"]
    assert names(tmp_path / "our485") == ["111", "2", "5", "735", "79"]
    with pytest.raises(LayoutError, match="no pair 999 to exclude"):
        find_pairs(tmp_path, split="train", exclude=[999])
    with pytest.raises(LayoutError, match="no pair reported to exclude"):
        find_pairs(tmp_path, split="train", exclude=["reported", "2"])
    alone = find_dark(tmp_path / "our485" / "low", exclude=["reported"])
    assert len(alone) == 5, "where nothing was reported nothing is left out"


def test_lol_v2_real_pairs_by_number_across_the_prefix(tmp_path: Path) -> None:
    lol_v2(tmp_path, synthetic=False)
    (pair,) = find_pairs(tmp_path, split="test")
    assert (pair.low.name, pair.high.name) == ("low00690.png", "normal00690.png")
    assert names(tmp_path, split="train") == ["low00001", "low00002"]
    # The folder of the data set itself, and one level further down, do as well.
    assert names(tmp_path / "Real_captured", split="train") == ["low00001", "low00002"]
    assert names(tmp_path / "Real_captured" / "Test") == ["low00690"]


def test_lol_v2_holds_two_data_sets_that_must_be_told_apart(tmp_path: Path) -> None:
    lol_v2(tmp_path)
    with pytest.raises(LayoutError, match=r"several data sets.*lol-v2-real, lol-v2-synthetic"):
        find_pairs(tmp_path, split="train")
    assert names(tmp_path, split="train", layout="lol-v2-synthetic") == ["r0a1t", "r0b2t"]
    # A name that merely begins like the prefix is its own partner.
    assert names(tmp_path, split="test", layout="lol-v2-synthetic") == ["lowland7t"]
    assert names(tmp_path, split="test", layout="lol-v2-real") == ["low00690"]


def test_lol_as_enlighten_anything_splits_it(tmp_path: Path) -> None:
    lol_480(tmp_path)
    assert names(tmp_path, split="train") == ["2", "5"]
    assert names(tmp_path, split="val") == names(tmp_path / "val5") == ["7"]
    assert names(tmp_path, split="test") == ["1"]
    with pytest.raises(LayoutError, match=r"splits train, val and test: say which\nlayout lol-480:\n.*train480"):
        find_pairs(tmp_path)
    with pytest.raises(LayoutError, match="no split val; layout lol has train and test"):
        find_pairs(lol(tmp_path / "lol"), split="val")
    with pytest.raises(OverlapError, match="shares scenes with lol"):
        refuse_overlap("mine", "LOL-v2-real", "lol-480")


def test_every_layout_is_found_from_its_tree(tmp_path: Path) -> None:
    trees = {
        "lol": lol(tmp_path / "a"),
        "lol-480": lol_480(tmp_path / "f"),
        "lol-v2-real": lol_v2(tmp_path / "b", synthetic=False),
        "lol-v2-synthetic": lol_v2(tmp_path / "c", real=False),
        "pairs": tmp_path / "d",
        "brackets": brackets(tmp_path / "e"),
    }
    for part in ("LOW", "High"):
        grey(tmp_path / "d" / part / "x.JPG")
    assert trees.keys() == LAYOUTS.keys()
    for name, folder in trees.items():
        assert find_layout(folder).name == name
        assert find_pairs(folder, split="train")


def test_a_split_must_be_named_where_there_are_two(tmp_path: Path) -> None:
    with pytest.raises(LayoutError, match=r"splits train and test: say which\nlayout lol:\n.*our485"):
        find_pairs(lol(tmp_path))
    with pytest.raises(LayoutError, match="no layout is called lol2; known are lol, lol-480, lol-v2-real"):
        find_pairs(tmp_path, layout="lol2")


@pytest.mark.parametrize("gone", ["our485/low/5.png", "our485/high/5.png"])
def test_a_picture_without_partner_is_named_on_either_side(tmp_path: Path, gone: str) -> None:
    (lol(tmp_path) / gone).unlink()
    left = gone.replace("low", "high") if "low" in gone else gone.replace("high", "low")
    with pytest.raises(LayoutError, match=rf"{left} has no .*partner") as raised:
        find_pairs(tmp_path, split="train")
    assert "FOLDER/our485/{low,high}/NAME.png" in str(raised.value)


def test_missing_folders_and_sizes_that_differ_are_named(tmp_path: Path) -> None:
    lol_v2(tmp_path, synthetic=False)
    grey(tmp_path / "Real_captured" / "Train" / "Normal" / "normal00002.png", size=(8, 10))
    with pytest.raises(LayoutError, match=r"low00002\.png is 12x8, but .*normal00002\.png is 10x8"):
        find_pairs(tmp_path, split="train")
    lol(tmp_path / "lol")
    for path in sorted((tmp_path / "lol" / "eval15").rglob("*"), reverse=True):
        path.rmdir() if path.is_dir() else path.unlink()
    with pytest.raises(LayoutError, match=r"eval15 has no folder low\nlayout lol"):
        find_pairs(tmp_path / "lol", split="test")
    (tmp_path / "lol" / "eval15").rmdir()
    with pytest.raises(LayoutError, match=r"eval15 is missing\nlayout lol"):
        find_pairs(tmp_path / "lol", split="test")


def test_brackets_of_different_size_are_named(tmp_path: Path) -> None:
    brackets(tmp_path)
    grey(tmp_path / "scene1" / "reference.jpg", size=(10, 10))
    with pytest.raises(LayoutError, match=r"scene1/exposure_0\.jpg is 80x64, but .*reference\.jpg is 10x10"):
        find_pairs(tmp_path)


def test_unpaired_sets_are_flat_folders_of_pictures_of_any_name(tmp_path: Path) -> None:
    for name in ("01.BMP", "a b.JPG", "cave.png", "Ä.jpeg"):
        grey(tmp_path / "DICM" / name)
    (tmp_path / "DICM" / "Thumbs.db").write_bytes(b"no picture")
    (tmp_path / "DICM" / "._01.bmp").write_bytes(b"no picture")
    assert [path.name for path in find_pictures(tmp_path / "DICM")] == ["01.BMP", "a b.JPG", "cave.png", "Ä.jpeg"]
    with pytest.raises(LayoutError, match=r"holds no pictures; its folders DICM do"):
        find_pictures(tmp_path)
    with pytest.raises(LayoutError, match="DICM holds no pairs"):
        find_pairs(tmp_path / "DICM")
    (tmp_path / "DICM" / "broken.png").write_text("text")
    with pytest.raises(LayoutError, match=r"broken\.png cannot be read as a picture.*\nexpected pictures without"):
        find_pictures(tmp_path / "DICM")


def label(path: Path, ids: np.ndarray) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(ids.astype(np.uint8)).save(path)


def test_labelled_pictures_and_what_can_be_wrong_with_them(tmp_path: Path) -> None:
    ids = np.arange(8 * 12).reshape(8, 12) % 3
    ids[0, 0] = 255
    for name in ("b", "a"):
        grey(tmp_path / "images" / f"{name}.jpg")
        label(tmp_path / "labels" / f"{name}.png", ids)
    found = find_labelled(tmp_path)
    assert [one.name for one in found] == ["a", "b"]
    read = read_labels(found[0].labels, 3)
    assert read.dtype == np.int64
    np.testing.assert_array_equal(read, ids)
    with pytest.raises(LayoutError, match=r"a\.png holds the class 2, but there are only 2 classes"):
        read_labels(found[0].labels, 2)
    save(np.zeros((8, 12, 3)), tmp_path / "labels" / "b.png")
    with pytest.raises(LayoutError, match=r"b\.png has 3 channels"):
        read_labels(tmp_path / "labels" / "b.png", 3)
    label(tmp_path / "labels" / "b.png", ids[:4])
    with pytest.raises(LayoutError, match=r"b\.jpg is 12x8, but .*b\.png is 12x4"):
        find_labelled(tmp_path)
    (tmp_path / "labels" / "b.png").unlink()
    with pytest.raises(LayoutError, match=r"b\.jpg has no labels .*labels/b\.png\nexpected\n"):
        find_labelled(tmp_path)
    (tmp_path / "images" / "b.jpg").rename(tmp_path / "images" / "c.jpg")
    label(tmp_path / "labels" / "c.png", ids)
    label(tmp_path / "labels" / "d.png", ids)
    with pytest.raises(LayoutError, match=r"d\.png has no picture"):
        find_labelled(tmp_path)
    with pytest.raises(LayoutError, match=r"images is missing"):
        find_labelled(tmp_path / "labels")


@pytest.mark.parametrize(
    ("words", "parts"),
    [
        ("LOL (v1), our485", {"lol"}),
        ("LOL", {"lol"}),
        ("lol_v2_real, 689 pairs", {"lol-v2-real"}),
        ("LOL-v2 Real_captured", {"lol-v2-real"}),
        ("LOLv2", {"lol-v2-real"}),
        ("LOL v2 synthetic", set()),
        ("LOL and LOL-v2-real", {"lol", "lol-v2-real"}),
        ("VE-LOL-L", set()),
        ("SICE part 1 exposure brackets", set()),
        ("lollipops", set()),
    ],
)
def test_what_a_card_says_about_lol(words: str, parts: set[str]) -> None:
    assert lol_parts(words) == parts


def test_training_on_one_lol_and_measuring_on_the_other_is_refused() -> None:
    with pytest.raises(OverlapError, match="mine was trained on LOL, our485, which shares scenes with lol-v2-real"):
        refuse_overlap("mine", "LOL, our485", "lol-v2-real")
    with pytest.raises(OverlapError, match="shares scenes with lol"):
        refuse_overlap("mine", "LOL-v2-real", "lol")
    refuse_overlap("mine", "LOL, our485", "lol")
    refuse_overlap("mine", "LOL, our485", "lol-v2-synthetic")
    refuse_overlap("mine", "SICE part 1", "lol-v2-real")
