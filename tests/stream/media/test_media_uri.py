"""Which files an argument means, and where results go."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stream import errors
from stream.media import default_output, expand_inputs
from stream.media.sinks.partial import partial_name
from stream.media.uri import local_path


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    names = ["b.mp4", "a.MOV", "c.jpg", "notes.txt", ".hidden.mp4", "b.enhanced.mp4", ".b.partial-12ab34.mp4", "d.webm"]
    for name in names:
        (tmp_path / name).touch()
    (tmp_path / "sub").mkdir()
    (tmp_path / "sub" / "deep.mp4").touch()
    return tmp_path


def names(paths: list[Path]) -> list[str]:
    return [path.name for path in paths]


def test_a_folder_means_its_clips_and_photos(folder: Path) -> None:
    assert names(expand_inputs([str(folder)])) == ["a.MOV", "b.mp4", "c.jpg", "d.webm"]


def test_patterns_pass_over_our_own_outputs(folder: Path) -> None:
    assert names(expand_inputs([f"{folder}/*.mp4"])) == ["b.mp4"]
    assert names(expand_inputs([f"{folder}/*"])) == ["a.MOV", "b.mp4", "c.jpg", "d.webm", "notes.txt"]


def test_a_named_file_is_taken_whatever_its_name(folder: Path) -> None:
    named = [str(folder / "b.enhanced.mp4"), str(folder / "notes.txt"), str(folder / "b.enhanced.mp4")]
    assert names(expand_inputs(named)) == ["b.enhanced.mp4", "notes.txt"]


def test_brackets_in_an_existing_name_are_no_pattern(folder: Path) -> None:
    (folder / "[night].mp4").touch()
    assert names(expand_inputs([str(folder / "[night].mp4")])) == ["[night].mp4"]


def test_nothing_found_is_an_error(folder: Path) -> None:
    with pytest.raises(errors.InputNotFound, match="nothing matches"):
        expand_inputs([f"{folder}/*.avi"])
    (folder / "empty").mkdir()
    with pytest.raises(errors.InputNotFound, match="holds no videos"):
        expand_inputs([str(folder / "empty")])


@pytest.mark.parametrize(
    ("name", "result"),
    [
        ("clip.mp4", "clip.enhanced.mp4"),
        ("clip.MOV", "clip.enhanced.MOV"),
        ("a.b.mkv", "a.b.enhanced.mkv"),
        ("clip.avi", "clip.enhanced.mp4"),
        ("clip.mpg", "clip.enhanced.mp4"),
        ("clip.webm", "clip.enhanced.mkv"),
        ("photo.JPG", "photo.enhanced.JPG"),
    ],
)
def test_default_output(name: str, result: str) -> None:
    assert default_output(Path("/night") / name) == Path("/night") / result
    assert default_output(Path("/night") / name, Path("out")) == Path("out") / result


def test_schemes(tmp_path: Path) -> None:
    assert local_path("file:///tmp/a%20b.mp4") == Path("/tmp/a b.mp4")
    with pytest.raises(errors.UnsupportedUri, match="no address that can be read or written"):
        local_path("ftp://host/x")
    for uri in ("rtsp://host/x", "https://host/x.mp4", "csi:0", "gst:videotestsrc", "srt://host"):
        with pytest.raises(errors.UnsupportedUri, match="is a live address"):
            local_path(uri)


def test_a_colon_in_an_existing_name_is_no_scheme(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    Path("take:2.mp4").touch()
    assert local_path("take:2.mp4") == Path("take:2.mp4")


@given(st.text(st.characters(codec="utf-8", exclude_characters="/\x00"), min_size=1, max_size=40))
def test_partial_names_are_hidden_beside_the_target_and_unique(stem: str) -> None:
    target = Path("/some/folder") / f"x{stem}.mp4"
    first, second = partial_name(target), partial_name(target)
    assert first.parent == target.parent
    assert first.name.startswith(".")
    assert first.suffix == ".mp4"
    assert first != second


def test_errors_are_one_line() -> None:
    error = errors.DiskFull("the disk\nis full", kept="Nothing was kept.", do="Free some space")
    assert str(error) == "the disk is full. Nothing was kept. Free some space."
    assert (error.exit_code, errors.OutputExists("x").exit_code) == (1, 2)
