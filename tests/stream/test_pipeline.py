"""Whole runs on real files: what comes out, what is counted, how runs end."""

from __future__ import annotations

import json
import threading
import time

import av
import numpy as np
import pytest
from night_clips import write_dark_clip
from pydantic import ValidationError
from tiny_bundle import write_tiny_bundle

from engines.errors import BundleError
from stream import Pipeline, Settings
from stream.errors import InputNotFound, OutputExists, OutputIsInput, StreamError
from stream.summary import to_json

pytestmark = pytest.mark.timeout(60)
FAST = {"preset": "ultrafast"}


@pytest.fixture(scope="module")
def clip(tmp_path_factory):
    return write_dark_clip(tmp_path_factory.mktemp("clips") / "dark.mp4", frames=24, sound=True)


@pytest.fixture(scope="module")
def long_clip(tmp_path_factory):
    return write_dark_clip(tmp_path_factory.mktemp("clips") / "long.mp4", frames=600, size=(320, 180))


def luma_means(path) -> list[float]:
    with av.open(str(path)) as container:
        return [float(frame.to_ndarray(format="gray").mean()) for frame in container.decode(video=0)]


def times(path) -> list[int]:
    with av.open(str(path)) as container:
        return [frame.pts * frame.time_base for frame in container.decode(video=0)]


def sound(path) -> list[bytes]:
    with av.open(str(path)) as container:
        return [bytes(packet) for packet in container.demux(audio=0) if packet.size]


def no_threads_left() -> bool:
    return not [thread for thread in threading.enumerate() if thread.name.startswith("stream-")]


def test_a_dark_clip_becomes_brighter_with_its_times_and_sound(clip, tiny_bundle, tmp_path):
    out = tmp_path / "out.mp4"
    summary = Pipeline(clip, out, model=tiny_bundle, **FAST).run()
    assert np.mean(luma_means(out)) > 1.5 * np.mean(luma_means(clip))
    assert times(out) == times(clip)
    assert sound(out) == sound(clip)
    assert (summary.frames_in, summary.frames_out, summary.dropped, summary.damaged) == (24, 24, {}, 0)
    assert (summary.exit_reason, summary.error, summary.output) == ("complete", None, str(out))
    assert summary.bundle["name"] == "tiny"
    assert summary.network_runs == 12
    assert no_threads_left()


def test_the_summary_is_json_with_every_stage(clip, tiny_bundle, tmp_path):
    summary = Pipeline(clip, tmp_path / "out.mkv", model=tiny_bundle, network_every=1, **FAST).run()
    record = json.loads(to_json([summary]))
    for stage in ("decode", "thumbnail", "network", "smooth", "apply", "enhance", "encode", "total"):
        figures = record["stages"][stage]
        assert figures["count"] == 24
        assert 0 < figures["p50_ms"] <= figures["p95_ms"] <= figures["p99_ms"]
        assert (figures["cpu_s"] is None) if stage == "total" else figures["cpu_s"] > 0
    assert record["cpu_s"] > 0
    assert record["peak_rss_mb"] > 20
    assert record["first_frame_s"] > 0
    assert len(record["bundle"]["sha256"]) == 64
    assert {"python", "av", "numpy", "numba", "onnxruntime", "libavcodec", "stream_enhance"} <= set(record["versions"])
    assert record["settings"]["preset"] == "ultrafast"
    assert isinstance(json.loads(to_json([summary, summary])), list)


def test_strength_zero_passes_decoded_planes_through_unchanged(clip):
    with av.open(str(clip)) as container:
        decoded = [frame.to_ndarray() for frame in container.decode(video=0)]
    for expected, frame in zip(decoded, Pipeline(clip, strength=0).frames(), strict=True):
        np.testing.assert_array_equal(frame.picture.to_ndarray(), expected)


def test_strength_zero_needs_no_bundle(clip, tmp_path):
    summary = Pipeline(clip, tmp_path / "out.mp4", strength=0, model="no-such-bundle", **FAST).run()
    assert summary.bundle is None
    assert summary.frames_out == 24


def test_frames_are_given_out_one_by_one(clip, tiny_bundle):
    pipeline = Pipeline(clip, model=tiny_bundle)
    pictures = [frame.picture.to_ndarray(format="rgb24") for frame in pipeline.frames()]
    assert len(pictures) == 24
    assert pictures[0].shape == (90, 160, 3)
    stats = pipeline.stats()
    assert (stats.frames_in, stats.frames_out, stats.in_flight) == (24, 24, 0)
    assert no_threads_left()


def test_frames_write_nothing(clip, tiny_bundle):
    before = set(clip.parent.iterdir())
    list(Pipeline(clip, model=tiny_bundle).frames())
    assert set(clip.parent.iterdir()) == before


def test_leaving_the_loop_closes_everything(long_clip, tiny_bundle):
    pipeline = Pipeline(long_clip, model=tiny_bundle)
    for frame in pipeline.frames():
        if frame.seq == 3:
            break
    deadline = time.monotonic() + 10
    while not no_threads_left():
        assert time.monotonic() < deadline, "threads are left"
        time.sleep(0.01)
    stats = pipeline.stats()
    assert stats.frames_out == 4
    assert stats.frames_in == 4 + sum(stats.dropped.values())


def test_stop_keeps_a_playable_file(long_clip, tiny_bundle, tmp_path):
    out = tmp_path / "out.mp4"
    pipeline = Pipeline(long_clip, out, model=tiny_bundle, preset="medium")
    pipeline.start()
    while pipeline.stats().frames_out < 5:
        assert not pipeline.join(0.005)
    pipeline.stop()
    summary = pipeline.wait()
    assert summary.exit_reason == "interrupted"
    assert any("stopped early" in note for note in summary.notes)
    assert 5 <= len(luma_means(out)) == summary.frames_out < 600
    assert no_threads_left()


def test_abort_leaves_nothing(long_clip, tiny_bundle, tmp_path):
    pipeline = Pipeline(long_clip, tmp_path / "out.mp4", model=tiny_bundle)
    pipeline.start()
    while pipeline.stats().frames_out < 2:
        assert not pipeline.join(0.005)
    pipeline.abort()
    pipeline.wait()
    assert list(tmp_path.iterdir()) == []


def test_a_with_block_stops_where_it_is_left(long_clip, tiny_bundle, tmp_path):
    out = tmp_path / "out.mp4"
    with Pipeline(long_clip, out, model=tiny_bundle, preset="medium") as pipeline:
        pipeline.start()
        while pipeline.stats().frames_out < 2:
            time.sleep(0.005)
    assert no_threads_left()
    assert 0 < len(luma_means(out)) < 600


def test_a_stop_before_the_start_writes_nothing(clip, tiny_bundle, tmp_path):
    pipeline = Pipeline(clip, tmp_path / "out.mp4", model=tiny_bundle)
    pipeline.stop()
    assert pipeline.run().frames_out == 0
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("compare", ["split", "side"])
def test_comparisons_are_written(clip, tiny_bundle, tmp_path, compare):
    out = tmp_path / "out.mp4"
    Pipeline(clip, out, model=tiny_bundle, compare=compare, **FAST).run()
    with av.open(str(out)) as container:
        pictures = [frame.to_ndarray(format="gray") for frame in container.decode(video=0)]
    assert len(pictures) == 24
    assert pictures[0].shape == (90, 320 if compare == "side" else 160)
    half = pictures[0].shape[1] // 2
    left, right = pictures[9][20:, : half - 4], pictures[9][20:, half + 4 :]
    assert right.mean() > left.mean() + 10


def test_a_network_without_numbers_leaves_the_clip_whole_and_says_so(clip, tmp_path):
    bundle = write_tiny_bundle(tmp_path / "nan", offset=float("nan"))
    summary = Pipeline(clip, tmp_path / "out.mp4", model=bundle.folder, **FAST).run()
    assert (summary.frames_out, summary.network_failures, summary.network_runs) == (24, 24, 0)
    assert any("24 times" in note for note in summary.notes)


def test_settings_and_options_combine(clip, tmp_path):
    settings = Settings(strength=0.5, crf=30)
    pipeline = Pipeline(clip, tmp_path / "out.mp4", settings=settings, strength=0.25)
    assert (pipeline.settings.strength, pipeline.settings.crf) == (0.25, 30)
    with pytest.raises(ValidationError):
        Pipeline(clip, strength=3)


def test_without_an_output_the_result_goes_beside_the_input(clip):
    assert Pipeline(clip).output == clip.with_name("dark.enhanced.mp4")


@pytest.mark.parametrize(
    ("source", "target", "error"),
    [
        ("missing.mp4", "out.mp4", InputNotFound),
        ("dark.mp4", "dark.mp4", OutputIsInput),
        ("dark.mp4", "taken.mp4", OutputExists),
    ],
)
def test_what_cannot_be_opened_is_refused_before_anything_is_written(
    clip, tiny_bundle, tmp_path, source, target, error
):
    (tmp_path / "dark.mp4").write_bytes(clip.read_bytes())
    (tmp_path / "taken.mp4").write_text("mine")
    with pytest.raises(error):
        Pipeline(tmp_path / source, tmp_path / target, model=tiny_bundle).run()
    assert (tmp_path / "taken.mp4").read_text() == "mine"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["dark.mp4", "taken.mp4"]


def test_an_unknown_bundle_is_refused_with_advice(clip, tmp_path):
    with pytest.raises(BundleError, match="no bundle 'no-such-bundle'"):
        Pipeline(clip, tmp_path / "out.mp4", model="no-such-bundle").run()
    assert list(tmp_path.iterdir()) == []


def test_a_sink_that_fails_on_the_way_surfaces_as_itself_and_leaves_nothing(
    long_clip, tiny_bundle, tmp_path, monkeypatch
):
    from stream.media.sinks.file import FileSink

    write = FileSink.write

    def failing(self, frame):
        if frame.seq == 20:
            raise StreamError("the disk went away")
        write(self, frame)

    monkeypatch.setattr(FileSink, "write", failing)
    with pytest.raises(StreamError, match="the disk went away"):
        Pipeline(long_clip, tmp_path / "out.mp4", model=tiny_bundle).run()
    assert list(tmp_path.iterdir()) == []
    assert no_threads_left()


def test_a_source_that_fails_on_the_way_keeps_what_was_done(clip, tiny_bundle, tmp_path, monkeypatch):
    from stream.media.sources.file import FileSource

    items = FileSource.__iter__

    def failing(self):
        for number, item in enumerate(items(self)):
            if number == 10:
                raise StreamError("the cable was pulled")
            yield item

    monkeypatch.setattr(FileSource, "__iter__", failing)
    pipeline = Pipeline(clip, tmp_path / "out.mp4", model=tiny_bundle, **FAST)
    with pytest.raises(StreamError, match="the cable was pulled"):
        pipeline.run()
    summary = pipeline.summary()
    assert (summary.exit_reason, summary.error) == ("failed", "the cable was pulled.")
    assert len(luma_means(tmp_path / "out.mp4")) == summary.frames_out > 0


def test_a_failed_overwrite_keeps_the_old_file_and_does_not_claim_it(clip, tiny_bundle, tmp_path, monkeypatch):
    from stream.media.sinks.file import FileSink

    def failing(self, frame):
        raise StreamError("no")

    monkeypatch.setattr(FileSink, "write", failing)
    out = tmp_path / "out.mp4"
    out.write_text("mine")
    pipeline = Pipeline(clip, out, model=tiny_bundle, overwrite=True)
    with pytest.raises(StreamError):
        pipeline.run()
    assert out.read_text() == "mine"
    assert pipeline.summary().output is None


def test_a_pipeline_runs_once(clip, tmp_path):
    pipeline = Pipeline(clip, tmp_path / "out.mp4", strength=0, **FAST)
    with pytest.raises(RuntimeError, match="not started"):
        pipeline.wait()
    pipeline.run()
    with pytest.raises(RuntimeError, match="once"):
        pipeline.run()
