"""What Prometheus reads: every figure of a stream, under names and labels that its own parser understands."""

from __future__ import annotations

import math
from dataclasses import replace

from hypothesis import given, settings
from hypothesis import strategies as st
from live_service_fakes import FakeStream, FakeView, stats
from prometheus_client.parser import text_string_to_metric_families

from stream.live.metrics import BOUNDS_S, PREFIX, cumulative, exposition
from stream.live.outputs.output import OutputState
from stream.live.state import SourceState
from stream.live.summary import RunState
from stream.telemetry import LatencyHistogram


def scraped(*streams: FakeStream) -> dict[tuple[str, frozenset[tuple[str, str]]], float]:
    """Every sample of the page by name, without the prefix, and labels."""
    page = exposition(FakeView(*streams))()
    found: dict[tuple[str, frozenset[tuple[str, str]]], float] = {}
    for family in text_string_to_metric_families(page):
        for sample in family.samples:
            key = sample.name.removeprefix(PREFIX), frozenset(sample.labels.items())
            assert key not in found, f"{key} twice"
            found[key] = sample.value
    return found


def value(page: dict, name: str, **labels: str) -> float:
    return page[name, frozenset(labels.items())]


def test_every_figure_of_a_stream_is_there():
    page = scraped(FakeStream(stats()))
    for name, wanted in {
        "frames_received_total": 110,
        "frames_written_total": 100,
        "frames_in_flight": 1,
        "notice_frames_total": 12,
        "frames_per_second_in": 25,
        "frames_per_second_out": 24.5,
        "source_reconnects_total": 1,
        "source_stalls_total": 3,
        "source_damaged_pictures_total": 4,
        "source_packets_before_key_frame_total": 5,
        "picture_width_pixels": 1280,
        "picture_height_pixels": 720,
        "network_runs_total": 50,
        "network_failures_total": 1,
        "frames_passed_through_total": 2,
        "scene_cuts_total": 3,
        "sam_age_seconds": 1.5,
        "sam_runs_total": 9,
        "sam_failures_total": 1,
        "sam_cpu_seconds_total": 4.5,
        "gate_night": 1,
        "gate_brightness": 0.125,
        "stage_restarts_total": 1,
        "stuck_threads": 0,
        "stream_restarts_total": 0,
    }.items():
        assert value(page, name, stream="door") == wanted, name
    assert value(page, "frames_dropped_total", stream="door", cause="stale") == 7
    assert value(page, "frames_dropped_total", stream="door", cause="queue_full") == 2
    publisher = {"stream": "door", "output": "rtsp://***@server/door"}
    assert value(page, "output_frames_offered_total", **publisher) == 100
    assert value(page, "output_frames_written_total", **publisher) == 90
    assert value(page, "output_frames_in_flight", **publisher) == 4
    assert value(page, "output_reconnects_total", **publisher) == 2
    assert value(page, "output_frames_dropped_total", **publisher, cause="queue_full") == 6


def test_frames_that_came_in_are_all_accounted_for_in_the_page():
    page = scraped(FakeStream(stats()))
    dropped = sum(found for (name, _), found in page.items() if name == "frames_dropped_total")
    written, flying = (value(page, name, stream="door") for name in ("frames_written_total", "frames_in_flight"))
    assert value(page, "frames_received_total", stream="door") == written + dropped + flying


def test_a_state_is_one_of_all_and_the_others_are_0():
    page = scraped(FakeStream(stats(), state="away"))
    for name, states, current, more in (
        ("stream_state", [*RunState], "away", {}),
        ("source_state", [*SourceState], "streaming", {}),
        ("output_state", [*OutputState], "failed", {"output": "door.mkv"}),
    ):
        found = {state.value: value(page, name, stream="door", state=state.value, **more) for state in states}
        assert found == {state.value: float(state.value == current) for state in states}


def test_the_process_tells_of_itself():
    page = scraped()
    assert value(page, "process_resident_memory_bytes") > 1e6
    assert value(page, "process_open_fds") > 0
    assert value(page, "threads") >= 1
    assert value(page, "streams") == 0
    assert value(page, "healthy") == 1


def test_a_stream_that_has_not_begun_has_a_state_and_no_figures():
    page = scraped(FakeStream(None, state="starting"), FakeStream(stats("yard"), name="yard"))
    assert value(page, "stream_state", stream="door", state="starting") == 1
    assert ("frames_received_total", frozenset({("stream", "door")})) not in page
    assert value(page, "frames_received_total", stream="yard") == 110


def test_what_is_not_known_is_left_out():
    page = scraped(FakeStream(stats(night=None, brightness=None, sam_age_s=None, sam=None)))
    assert not {name for name, _ in page} & {"gate_night", "gate_brightness", "sam_age_seconds", "sam_runs_total"}


def test_labels_hold_no_credentials_and_equal_outputs_are_one():
    output = stats().outputs[0]
    odd = [replace(output, uri=f"rtsp://me:{password}@server/door") for password in ("hunter2x", "s3cret//@")]
    view = FakeView(FakeStream(stats(outputs=tuple(odd))))
    page = exposition(view)()
    assert "hunter2x" not in page
    assert "s3cret" not in page
    assert 'output="rtsp://***@server/door"' in page
    scraped(*view.streams)


@settings(deadline=None)
@given(st.lists(st.floats(1e-7, 1e4), max_size=40))
def test_buckets_count_all_that_was_shorter_and_the_last_everything(durations):
    histogram = LatencyHistogram()
    for seconds in durations:
        histogram.add(seconds)
    buckets, total = cumulative(histogram)
    assert [bound for bound, _ in buckets] == [*map(repr, BOUNDS_S), "+Inf"]
    counts = [count for _, count in buckets]
    assert counts == sorted(counts)
    assert counts[-1] == len(durations)
    assert math.isclose(total, sum(durations), abs_tol=1e-9)
    for bound, count in zip(BOUNDS_S, counts, strict=False):
        assert sum(d < bound / 1.06 for d in durations) <= count <= sum(d <= bound * 1.06 for d in durations)


def test_latencies_are_histograms_of_each_stage():
    stream = FakeStream(stats())
    stream.histograms["enhance"] = LatencyHistogram()
    for seconds in (0.003, 0.012, 0.3):
        stream.histograms["enhance"].add(seconds)
    page = scraped(stream)
    labels = {"stream": "door", "stage": "enhance"}
    assert value(page, "stage_seconds_count", **labels) == 3
    assert value(page, "stage_seconds_bucket", **labels, le="0.02") == 2
    assert value(page, "stage_seconds_bucket", **labels, le="+Inf") == 3
    assert math.isclose(value(page, "stage_seconds_sum", **labels), 0.315)
