"""Percentiles against exact ones, and the bookkeeping of frames."""

from __future__ import annotations

import time

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from stream.telemetry import LatencyHistogram, RecentLatency, RecentRate, Telemetry, peak_rss_mb


@given(
    st.lists(st.floats(2e-6, 500.0), min_size=1, max_size=300),
    st.sampled_from([0.0, 0.5, 0.95, 0.99, 1.0]),
)
def test_quantiles_are_within_three_percent_of_the_exact_ones(durations, share):
    histogram = LatencyHistogram()
    for seconds in durations:
        histogram.add(seconds)
    exact = float(np.quantile(durations, share, method="inverted_cdf"))
    assert histogram.quantile(share) == pytest.approx(exact, rel=0.03)
    assert histogram.count == len(durations)
    assert histogram.total == pytest.approx(sum(durations))


def test_durations_outside_the_bins_count_in_the_outermost_ones():
    histogram = LatencyHistogram()
    for seconds in (0.0, 1e-9, 1e9):
        histogram.add(seconds)
    assert histogram.count == 3
    assert histogram.quantile(0.5) < 2e-6
    assert histogram.quantile(1.0) > 900


def test_an_empty_histogram_has_no_latency():
    assert LatencyHistogram().quantile(0.5) == 0.0


def test_frames_are_accounted_for_at_every_moment():
    telemetry = Telemetry()
    for _ in range(10):
        telemetry.frame_in()
    for _ in range(6):
        telemetry.frame_out()
    telemetry.drop("stale", 3)
    telemetry.drop("queue_full")
    stats = telemetry.snapshot()
    assert (stats.frames_in, stats.frames_out, stats.dropped) == (10, 6, {"stale": 3, "queue_full": 1})
    assert stats.in_flight == telemetry.in_flight == 0


def test_the_clock_stops_at_the_end():
    telemetry = Telemetry()
    telemetry.end()
    first = telemetry.snapshot().elapsed_s
    assert telemetry.snapshot().elapsed_s == first


def test_a_stage_reports_its_percentiles_in_milliseconds():
    telemetry = Telemetry()
    for milliseconds in range(1, 101):
        telemetry.stage("encode").latency.add(milliseconds / 1e3)
    figures = telemetry.snapshot().stages["encode"]
    assert figures.count == 100
    assert figures.mean_ms == pytest.approx(50.5)
    assert figures.p50_ms == pytest.approx(50, rel=0.03)
    assert figures.p99_ms == pytest.approx(99, rel=0.03)


def test_the_cpu_time_of_a_stage_is_what_its_thread_burnt():
    telemetry = Telemetry()
    for _ in range(2):
        with telemetry.stage("busy").measure():
            until = time.thread_time() + 0.02
            while time.thread_time() < until:
                pass
    with telemetry.stage("idle").measure():
        time.sleep(0.05)
    telemetry.stage("total").latency.add(0.1)
    stages = telemetry.snapshot().stages
    assert 0.04 <= stages["busy"].cpu_s < 0.06
    assert 0 <= stages["idle"].cpu_s < 0.02
    assert stages["total"].cpu_s is None


def test_peak_memory_is_that_of_a_python_process():
    assert 10 < peak_rss_mb() < 100_000


class Clock:
    now = 100.0

    def __call__(self) -> float:
        return self.now


@given(st.lists(st.floats(1e-6, 900), min_size=1, max_size=60), st.floats(1e-6, 900))
def test_how_many_were_shorter_is_right_to_within_a_bin(durations, limit):
    histogram = LatencyHistogram()
    for duration in durations:
        histogram.add(duration)
    below = histogram.below(limit)
    assert sum(duration < limit / 1.06 for duration in durations) <= below
    assert below <= sum(duration < limit * 1.06 for duration in durations)
    both = LatencyHistogram.of(histogram, histogram)
    assert (both.count, both.below(limit)) == (2 * len(durations), 2 * below)
    assert both.quantile(0.5) == histogram.quantile(0.5)


def test_recent_latencies_forget_what_is_long_ago():
    clock = Clock()
    recent = RecentLatency(30.0, clock)
    assert recent.quantile(0.5) == 0.0
    for _ in range(100):
        recent.add(5.0)
    assert recent.quantile(0.5) == pytest.approx(5.0, rel=0.03)
    for _ in range(3):
        clock.now += 31
        recent.add(0.01)
    assert recent.quantile(0.99) == pytest.approx(0.01, rel=0.03)


def test_recent_rates_follow_what_happens_now():
    clock = Clock()
    rate = RecentRate(5.0, clock)
    for _ in range(500):
        clock.now += 0.04
        rate.add()
    assert rate.value() == pytest.approx(25, abs=0.5)
    clock.now += 2.5
    assert rate.value() == pytest.approx(12.5, abs=0.5)
    clock.now += 100
    assert rate.value() == 0
