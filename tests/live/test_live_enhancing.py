"""What a live source's frames go through: state for each connection, day and night, one network and segmenter."""

from __future__ import annotations

from dataclasses import replace
from types import SimpleNamespace

import pytest
from live_fakes import FakeNetwork, frame

from engines.errors import EngineError
from stream.live import enhancing
from stream.live.enhancing import LiveEnhancer
from stream.live.gate import DWELL_S
from stream.settings import Settings
from stream.telemetry import Telemetry

pytestmark = pytest.mark.timeout(60)


def enhancer(network=None, **settings):
    network = network or FakeNetwork()
    return network, LiveEnhancer(Settings(**settings), network, Telemetry())


def at(seconds, number=0, **options):
    return replace(frame(number, **options), captured_at=seconds)


def test_dusk_fades_in_and_dawn_fades_out_and_every_night_starts_anew():
    network, enhance = enhancer(when="dark", strength=0.5)
    untouched = []
    for number in range(1500):
        now = number / 10
        night = 30 <= now < 60 or 90 <= now < 120
        given = at(now, number, luma=25 if night else 150)
        untouched.append(enhance(given) is given and enhance.night is False)
    assert len(network.made) == 2
    assert untouched[0]
    assert untouched[-1]
    assert enhance.gate.switches == 4
    for made in network.made:
        peak = made.strengths.index(max(made.strengths))
        assert max(made.strengths) == 0.5
        assert len({strength for strength in made.strengths if strength < 0.5}) > 5
        assert made.strengths[: peak + 1] == sorted(made.strengths[: peak + 1])
        assert made.strengths[-1] < 0.1
        assert 20 <= len(made.seen) / 10 <= 30 + 2 * DWELL_S


def test_a_daylight_stream_costs_no_network():
    network, enhance = enhancer(when="dark")
    for number in range(20):
        enhance(at(float(number), number, luma=160))
    assert network.made == []
    assert enhance.counts == (0, 0, 0)


def test_without_a_network_frames_are_left_alone():
    enhance = LiveEnhancer(Settings(), None, Telemetry())
    given = frame(0)
    assert enhance(given) is given


def test_side_by_side_keeps_its_size_by_day_and_where_the_network_fails():
    def fail(given):
        raise EngineError("no")

    for luma in (25, 160):
        _, enhance = enhancer(FakeNetwork(fail), when="dark", compare="side")
        assert enhance(at(0.0, luma=luma)).planes.width == 64
    assert enhance.passed_through == 0


def test_counts_go_on_over_connections():
    network, enhance = enhancer()
    for number in range(10):
        enhance(frame(number, generation=number // 2))
    assert len(network.made) == 5
    assert enhance.counts == (10, 0, 0)


def test_the_segmenter_is_kept_over_connections_and_ends_with_the_stream(monkeypatch):
    closed = []
    opened = []

    def open_semantics(settings, wanted, open_sam):
        segmenter = SimpleNamespace(runs=0)
        opened.append(SimpleNamespace(segmenter=segmenter, close=lambda: closed.append(segmenter)))
        return opened[-1], "a note"

    given = []
    network = FakeNetwork()
    make = network.enhancer
    network.enhancer = lambda settings, telemetry, semantics: (
        given.append(semantics) or make(settings, telemetry, semantics)
    )
    monkeypatch.setattr(enhancing, "open_semantics", open_semantics)
    enhance = LiveEnhancer(Settings(), network, Telemetry())
    enhance(frame(0))
    assert enhance.sam_age_s is None
    opened[0].segmenter.runs = 1
    enhance(frame(1, generation=2))
    assert enhance.sam_age_s < 60
    assert (given, closed) == ([opened[0]] * 2, [])
    enhance.change(Settings(sam_every=5))
    enhance(frame(2, generation=2))
    assert (len(opened), closed) == (2, [opened[0].segmenter])
    assert given[-1] is opened[1]
    enhance.close()
    assert closed == [each.segmenter for each in opened]
    assert enhance.notes == ["a note"]


def test_changes_of_the_gate_take_effect_with_the_next_frame():
    network, enhance = enhancer()
    enhance(at(0.0, luma=160))
    enhance.change(Settings(when="dark"))
    given = at(1.0, 1, luma=160)
    assert enhance(given) is given
    enhance.change(Settings(when="always"))
    enhance(at(2.0, 2, luma=160))
    assert [made.seen for made in network.made] == [[0], [2]]
