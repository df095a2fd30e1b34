"""What the arguments mean: inputs, outputs, folders, and names that would collide."""

from __future__ import annotations

from pathlib import Path

import pytest

from stream.errors import InputNotFound, UnsupportedContainer, WrongOutputs
from stream.jobs import Job, LiveJob, live_job, plan
from stream.media import default_output
from stream.media.uri import is_live


@pytest.fixture
def night(tmp_path, monkeypatch) -> Path:
    """A folder with clips, a photo, something else, and an earlier result; its parent is the current folder."""
    monkeypatch.chdir(tmp_path)
    folder = tmp_path / "night"
    folder.mkdir()
    for name in ("b.mp4", "a.avi", "a.mpg", "photo.png", "notes.txt", "b.enhanced.mp4", ".hidden.mp4"):
        (folder / name).touch()
    return Path("night")


def pairs(jobs: list[Job]) -> dict[str, str]:
    return {job.source.name: str(job.target) for job in jobs}


def test_one_input_goes_beside_itself(night):
    assert plan(["night/b.mp4"], ()) == [Job(night / "b.mp4", night / "b.enhanced.mp4", False)]


def test_two_names_are_an_input_and_its_output(night):
    assert plan(["night/b.mp4", "out.mkv"], ()) == [Job(night / "b.mp4", Path("out.mkv"), False)]


@pytest.mark.parametrize("folder", ["out/", "out", "night"])
def test_an_output_without_extension_is_a_folder(night, folder):
    assert pairs(plan(["night/b.mp4", folder], ())) == {"b.mp4": str(Path(folder) / "b.enhanced.mp4")}


def test_a_folder_gives_its_clips_and_photos_without_earlier_results_or_collisions(night):
    suffix = default_output(Path("a.avi")).suffix
    assert pairs(plan(["night"], ["out"])) == {
        "a.avi": f"out/a.enhanced{suffix}",
        "a.mpg": f"out/a.mpg.enhanced{suffix}",
        "b.mp4": "out/b.enhanced.mp4",
        "photo.png": "out/photo.enhanced.png",
    }


def test_a_folder_without_an_output_keeps_results_beside_the_inputs(night):
    assert pairs(plan(["night"], ()))["b.mp4"] == "night/b.enhanced.mp4"


def test_a_pattern_gives_what_it_matches(night):
    assert list(pairs(plan(["night/*.mp4"], ["out"]))) == ["b.mp4"]


def test_several_inputs_with_a_folder(night):
    jobs = plan(["night/b.mp4", "night/a.avi"], ["out"])
    assert [job.one_of_many for job in jobs] == [True, True]


def test_three_names_are_three_inputs(night):
    assert len(plan(["night/b.mp4", "night/a.avi", "night/a.mpg"], ())) == 3


def test_many_inputs_do_not_fit_into_one_file(night):
    with pytest.raises(UnsupportedContainer, match="there are 4 inputs"):
        plan(["night"], ["out.mp4"])


def test_an_empty_folder_and_an_empty_pattern_are_said_to_be_empty(tmp_path):
    for name in (str(tmp_path), str(tmp_path / "*.mp4")):
        with pytest.raises(InputNotFound):
            plan([name], ())


def test_only_jobs_of_many_are_skipped_and_only_without_overwriting(tmp_path):
    target = tmp_path / "out.mp4"
    assert not Job(tmp_path, target, True).done_before(overwrite=False)
    target.touch()
    assert Job(tmp_path, target, True).done_before(overwrite=False)
    assert not Job(tmp_path, target, True).done_before(overwrite=True)
    assert not Job(tmp_path, target, False).done_before(overwrite=False)


@pytest.mark.parametrize(
    "uri",
    ["rtsp://u:p@host/x", "RTSPS://h", "http://h/clip.mp4", "srt://h:1", "udp://@:5", "csi:0", "gst:videotestsrc",
     "testsrc:", "live:clip.mp4", "v4l2:/dev/video1", "/dev/video0"],
)  # fmt: skip
def test_sources_that_go_on_by_themselves_are_live(uri):
    assert is_live(uri)


@pytest.mark.parametrize("name", ["clip.mp4", "night/", "file:clip.mp4", "ftp://h/x", "/dev/shm/clip.mp4", "a:b.mp4"])
def test_files_are_not_live(name):
    assert not is_live(name)


def test_a_file_named_like_a_live_source_is_a_file(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    Path("live:clip.mp4").touch()
    assert not is_live("live:clip.mp4")


def test_a_live_source_goes_to_its_outputs(night):
    assert live_job(["rtsp://a/1", "out.mp4"], ()) == LiveJob("rtsp://a/1", ("out.mp4",))
    assert live_job(["rtsp://a/1"], ("b", "null:")) == LiveJob("rtsp://a/1", ("b", "null:"))
    assert live_job(["night/b.mp4", "out.mkv"], ()) is None


def test_a_live_job_hides_passwords():
    assert "secret" not in repr(LiveJob("rtsp://user:secret@a/1", ("rtsp://u:secret@b/1",)))


@pytest.mark.parametrize("names", [["rtsp://a/1"], ["rtsp://u:secret@a/1"]])
def test_a_live_source_without_output_is_refused_without_its_password(names):
    with pytest.raises(WrongOutputs) as refused:
        live_job(names, ())
    assert "-o" in str(refused.value)
    assert "secret" not in str(refused.value)
