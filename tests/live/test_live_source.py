"""A live source over scripted connections: states, pauses, stuck readers, giving up, prompt stops."""

from __future__ import annotations

import itertools
import threading
import time
from collections.abc import Callable, Iterator
from fractions import Fraction
from pathlib import Path

import av
import pytest
from av.stream import Stream

from engines.colour import Colour
from stream.errors import (
    AuthenticationFailed,
    ConnectionFailed,
    ConnectionRefused,
    InputNotFound,
    ReadsHang,
    UnsupportedUri,
)
from stream.live.source import LiveSource, SourcePolicy
from stream.live.state import SourceEvent, SourceState
from stream.media.colour import ColourTags
from stream.media.frame import Frame, Packet
from stream.media.pictures import planes_of
from stream.media.source import VideoInfo
from stream.media.sources.connection import Connection, SourceOptions, unused_options
from stream.media.templates import detached

TIME_BASE = Fraction(1, 90000)
PROMPTLY_S = 5.0
"""What ends at once may still wait for a busy machine."""
QUICK = SourcePolicy(first_backoff_s=0.01, longest_backoff_s=0.05, stall_s=0.2)


class Scripted:
    """A connection that gives ``frames`` and then ends, raises, or blocks until it is let go."""

    def __init__(
        self,
        frames: int = 3,
        *,
        error: Exception | None = None,
        hang: threading.Event | None = None,
        width: int = 32,
        first_pts: int = 0,
        audio: list[Stream] | None = None,
        interval_s: float = 0.0,
    ) -> None:
        self.frames, self.error, self.hang = frames, error, hang
        self.width, self.first_pts, self.interval_s = width, first_pts, interval_s
        self.streams = audio or []
        self.notes: list[str] = []
        self.damaged, self.before_key_frame, self.skipped = 1, 2, 4
        self.silence_s = 0.0
        self.alive_at = time.monotonic()
        self.closed_by: threading.Thread | None = None
        self.video = VideoInfo(
            width, 16, "yuv420p", "yuv420p", "h264", TIME_BASE, None, None, None, ColourTags(), None, 0, None
        )  # fmt: skip
        self._stopped = False

    def __iter__(self) -> Iterator[Frame | Packet]:
        for index in range(self.frames):
            if self._stopped:
                return
            time.sleep(self.interval_s)
            self.alive_at = time.monotonic()
            picture = av.VideoFrame(self.width, 16, "yuv420p")
            pts = self.first_pts + index * 3600
            yield Frame(picture, planes_of(picture, Colour()), pts, TIME_BASE, index, self.alive_at, 3600)
            for stream in self.streams:
                data = av.Packet(b"sound")
                data.pts = data.dts = pts
                data.time_base = TIME_BASE
                yield Packet(data, stream)
        if self.hang is not None:
            self.hang.wait()
        if self.error is not None:
            raise self.error

    def stop(self) -> None:
        self._stopped = True

    def close(self) -> None:
        self.closed_by = threading.current_thread()


class Player:
    """Opens scripted connections one after the other; the last one again and again."""

    def __init__(self, *script: Scripted | Exception | Callable[[], Scripted]) -> None:
        self._script = list(script)
        self.opened: list[Scripted] = []
        self.attempts = 0

    def __call__(self, uri: str, options: SourceOptions) -> Connection:
        self.attempts += 1
        part = self._script.pop(0) if len(self._script) > 1 else self._script[0]
        if isinstance(part, Exception):
            raise part
        connection = part if isinstance(part, Scripted) else part()
        self.opened.append(connection)
        return connection


def source_on(player: Player, policy: SourcePolicy = QUICK) -> tuple[LiveSource, list[SourceEvent]]:
    events: list[SourceEvent] = []
    source = LiveSource("rtsp://ann:hush-hush@cam/x", policy=policy, events=events.append, open_connection=player)
    return source, events


def frames_of(source: LiveSource, count: int) -> list[Frame]:
    """So many frames, then the source is stopped."""
    found: list[Frame] = []
    for item in source:
        if isinstance(item, Frame):
            found.append(item)
            if len(found) == count:
                source.stop()
    return found


def states(events: list[SourceEvent]) -> list[str]:
    return [event.state.value for event in events]


def run_in_thread(source: LiveSource) -> threading.Thread:
    thread = threading.Thread(target=lambda: [None for _ in source], daemon=True)
    thread.start()
    return thread


def wait_until(condition: Callable[[], bool], timeout_s: float = 30.0) -> None:
    end = time.monotonic() + timeout_s
    while not condition():
        assert time.monotonic() < end, "it never came to that"
        time.sleep(0.005)


def test_the_end_of_a_stream_is_a_disconnect() -> None:
    source, events = source_on(Player(lambda: Scripted(3)))
    found = frames_of(source, 8)
    assert [frame.generation for frame in found] == [1, 1, 1, 2, 2, 2, 3, 3]
    assert [frame.seq for frame in found] == list(range(8))
    assert all(later.pts > earlier.pts for earlier, later in itertools.pairwise(found))
    assert {frame.time_base for frame in found} == {TIME_BASE}
    assert all(frame.picture.pts == frame.pts and frame.picture.time_base == TIME_BASE for frame in found)
    assert states(events) == [
        "streaming", "reconnecting", "streaming", "reconnecting", "streaming", "stopped",
    ]  # fmt: skip
    assert (source.generation, source.reconnects, source.damaged, source.lost_before_key_frame) == (3, 2, 3, 6)
    assert source.state is SourceState.STOPPED
    assert "ended" in source.last_error
    assert "hush" not in source.last_error + source.uri + repr(events)


def test_times_go_on_over_connections_whose_clocks_have_nothing_in_common() -> None:
    player = Player(Scripted(3, first_pts=1 << 32), Scripted(3, first_pts=0), Scripted(3, first_pts=-(10**9)))
    found = frames_of(source_on(player)[0], 9)
    origin = found[0].captured_at
    for frame in found:
        assert frame.time == pytest.approx(frame.captured_at - origin, abs=1.0)


def test_failed_attempts_are_told_with_their_pause() -> None:
    refused = ConnectionRefused("rtsp://***@cam/x: nothing listens there")
    source, events = source_on(Player(refused, refused, Scripted(1)))
    frames_of(source, 1)
    assert states(events) == ["reconnecting", "reconnecting", "streaming", "stopped"]
    first, second, third, _ = events
    assert (first.previous, first.attempt, second.previous, second.attempt) == (
        SourceState.CONNECTING, 1, SourceState.RECONNECTING, 2,
    )  # fmt: skip
    assert "nothing listens" in first.error
    assert first.retry_in_s == pytest.approx(0.01, rel=0.3)
    assert second.retry_in_s == pytest.approx(0.02, rel=0.3)
    assert (third.generation, third.error, third.retry_in_s) == (1, "", None)


def test_pauses_are_short_again_after_good_health() -> None:
    refused = ConnectionRefused("nothing listens there")
    policy = SourcePolicy(first_backoff_s=0.01, longest_backoff_s=60.0, jitter=0.0, healthy_s=0.1, stall_s=60.0)
    player = Player(refused, refused, refused, Scripted(20, interval_s=0.02), Scripted(1))
    source, events = source_on(player, policy)
    frames_of(source, 21)
    pauses = [event.retry_in_s for event in events if event.retry_in_s is not None]
    assert pauses == pytest.approx([0.01, 0.02, 0.04, 0.01])


@pytest.mark.parametrize("jitter", [0.0, 0.2])
def test_pauses_are_spread_as_the_policy_says(jitter: float) -> None:
    refused = [ConnectionRefused("nothing listens there") for _ in range(6)]
    policy = SourcePolicy(first_backoff_s=0.001, longest_backoff_s=1.0, jitter=jitter)
    source, events = source_on(Player(*refused, Scripted(1)), policy)
    frames_of(source, 1)
    pauses = [event.retry_in_s for event in events if event.retry_in_s is not None]
    off = [abs(pause / (0.001 * 2**number) - 1.0) for number, pause in enumerate(pauses)]
    assert len(off) == 6
    assert max(off) <= jitter + 1e-9
    assert max(off) >= jitter / 100


def test_a_wrong_password_waits_long_at_once() -> None:
    policy = SourcePolicy(first_backoff_s=0.01, longest_backoff_s=20.0, jitter=0.0)
    source, events = source_on(Player(AuthenticationFailed("no")), policy)
    thread = run_in_thread(source)
    wait_until(lambda: bool(events))
    assert events[0].retry_in_s == 20.0
    source.stop()
    thread.join(PROMPTLY_S)
    assert not thread.is_alive()


def test_faults_of_libraries_count_as_lost_connections_and_show_no_secret() -> None:
    fault = RuntimeError("what about rtsp://ann:hush-hush@cam/x?")
    source, _ = source_on(Player(Scripted(1, error=fault), Scripted(1)))
    assert [frame.generation for frame in frames_of(source, 2)] == [1, 2]
    assert "RuntimeError" in source.last_error
    assert "hush" not in source.last_error


def test_a_frozen_source_is_stalled_then_replaced_and_its_reader_closes_itself() -> None:
    frozen = threading.Event()
    stuck = Scripted(2, hang=frozen)
    source, events = source_on(Player(stuck, Scripted(2)))
    found = frames_of(source, 4)
    assert [frame.generation for frame in found] == [1, 1, 2, 2]
    assert states(events)[:4] == ["streaming", "stalled", "reconnecting", "streaming"]
    assert source.stalls == 1
    assert "no video" in events[2].error
    assert source.stuck_readers == 1
    assert stuck.closed_by is None, "nobody else may close what a thread is reading"
    frozen.set()
    wait_until(lambda: stuck.closed_by is not None and source.stuck_readers == 0)
    assert stuck.closed_by is not threading.current_thread()


def test_a_stalled_source_that_wakes_up_streams_on() -> None:
    frozen = threading.Event()

    class Sleepy(Scripted):
        def __iter__(self) -> Iterator[Frame | Packet]:
            yield from super().__iter__()
            self.frames, self.hang, self.first_pts = 2, None, 90000
            yield from super().__iter__()

    policy = SourcePolicy(stall_s=0.2, first_backoff_s=0.01)
    source, events = source_on(Player(Sleepy(2, hang=frozen)), policy)
    source.events = lambda event: (events.append(event), frozen.set() if event.state is SourceState.STALLED else None)
    assert {frame.generation for frame in frames_of(source, 4)} == {1}
    assert states(events) == ["streaming", "stalled", "streaming", "stopped"]


def test_at_most_a_few_readers_are_stuck() -> None:
    hang = threading.Event()
    made: list[Scripted] = []

    def stuck() -> Scripted:
        made.append(Scripted(1, hang=hang))
        return made[-1]

    policy = SourcePolicy(first_backoff_s=0.001, longest_backoff_s=0.001, stall_s=0.05)
    source, _ = source_on(Player(stuck), policy)
    thread = run_in_thread(source)
    wait_until(lambda: source.stuck_readers == 4)
    time.sleep(0.6)
    assert len(made) == 4, "nothing new is opened"
    hang.set()
    wait_until(lambda: len(made) > 4)
    source.stop()
    thread.join(PROMPTLY_S)
    assert not thread.is_alive()
    wait_until(lambda: source.stuck_readers == 0)


def test_reads_that_hang_for_good_end_the_source_with_an_error() -> None:
    hang = threading.Event()
    policy = SourcePolicy(first_backoff_s=0.001, longest_backoff_s=0.001, stall_s=0.05, hang_s=0.3)
    source, events = source_on(Player(lambda: Scripted(1, hang=hang)), policy)
    with pytest.raises(ReadsHang, match=r"4 reads hang.*Restart the process") as failure:
        list(source)
    assert (source.state, states(events)[-1]) == (SourceState.FAILED, "failed")
    assert "4 reads hang" in events[-1].error
    assert failure.value.hanging()
    hang.set()
    wait_until(lambda: not failure.value.hanging())


@pytest.mark.parametrize("where", ["connecting", "reading", "stalled", "pausing"])
def test_stop_is_prompt(where: str) -> None:
    hang = threading.Event()

    def never_open() -> Scripted:
        hang.wait()
        raise ConnectionFailed("late")

    script: dict[str, Player] = {
        "connecting": Player(never_open),
        "reading": Player(Scripted(1, hang=hang)),
        "stalled": Player(Scripted(1, hang=hang)),
        "pausing": Player(ConnectionFailed("no")),
    }
    stall_s = {"stalled": 0.05}.get(where, 60.0)
    policy = SourcePolicy(first_backoff_s=60.0, longest_backoff_s=60.0, stall_s=stall_s)
    source, events = source_on(script[where], policy)
    thread = run_in_thread(source)
    wait_until(lambda: script[where].attempts == 1 and (where == "connecting" or bool(events)))
    begun = time.monotonic()
    source.stop()
    thread.join(30)
    assert time.monotonic() - begun < PROMPTLY_S
    assert source.state is SourceState.STOPPED
    hang.set()
    wait_until(lambda: source.stuck_readers == 0)


def test_stop_is_prompt_while_frames_flow_and_before_the_first_step() -> None:
    source, _ = source_on(Player(lambda: Scripted(10**9, interval_s=0.001)))
    thread = run_in_thread(source)
    wait_until(lambda: source.generation == 1)
    source.stop()
    thread.join(PROMPTLY_S)
    assert not thread.is_alive()
    wait_until(lambda: source.stuck_readers == 0)
    never = LiveSource("rtsp://cam/x", open_connection=Player(Scripted(1)))
    never.stop()
    assert list(never) == []
    assert never.state is SourceState.STOPPED


def test_a_consumer_that_takes_its_time_is_not_taken_for_a_stall() -> None:
    source, events = source_on(Player(lambda: Scripted(10**9, interval_s=0.01)))
    for number, _ in enumerate(source):
        time.sleep(0.5 if number == 3 else 0.0)
        if number == 20:
            source.stop()
    assert source.stalls == 0
    assert states(events) == ["streaming", "stopped"]


def test_it_fails_only_when_a_limit_was_given() -> None:
    policy = SourcePolicy(first_backoff_s=0.01, longest_backoff_s=0.02, give_up_after_s=0.3)
    source, events = source_on(Player(Scripted(2), ConnectionRefused("nothing listens there")), policy)
    with pytest.raises(ConnectionFailed, match="nothing listens there"):
        list(source)
    assert source.generation == 1
    assert source.state is SourceState.FAILED
    assert states(events)[-1] == "failed"
    assert events[-1].error


def test_giving_up_does_not_wait_for_an_attempt_that_hangs() -> None:
    hang = threading.Event()

    def never_open() -> Scripted:
        hang.wait()
        raise ConnectionFailed("late")

    source, _ = source_on(Player(never_open), SourcePolicy(give_up_after_s=0.3))
    with pytest.raises(ConnectionFailed, match="no picture for"):
        list(source)
    hang.set()
    wait_until(lambda: source.stuck_readers == 0)


def test_what_is_known_of_the_video_follows_its_changes() -> None:
    source, _ = source_on(Player(Scripted(2, width=32), Scripted(2, width=64)))
    assert source.video is None
    widths = []
    for item in source:
        assert isinstance(item, Frame)
        assert source.video is not None
        widths.append((item.picture.width, source.video.width))
        if len(widths) == 4:
            source.stop()
    assert widths == [(32, 32), (32, 32), (64, 64), (64, 64)]
    assert source.video.time_base == TIME_BASE


def aac() -> list[Stream]:
    """The template of a sound track, as a connection has it."""
    with av.open("/dev/null", "w", format="adts") as container:
        stream = container.add_stream("aac", rate=48000)
        stream.time_base = TIME_BASE
        return detached([stream])


def test_sound_keeps_its_track_and_its_distance_to_the_pictures() -> None:
    in_real_time = {"interval_s": 0.04}
    first = Scripted(3, first_pts=10**9, audio=aac(), **in_real_time)
    player = Player(first, lambda: Scripted(3, first_pts=0, audio=aac(), **in_real_time))
    source, _ = source_on(player)
    pictures: list[Frame] = []
    sounds: list[Packet] = []
    for item in source:
        if isinstance(item, Frame):
            pictures.append(item)
        else:
            sounds.append(item)
        if source.generation > 1 and len(sounds) >= 6:
            source.stop()
    assert len({id(sound.stream) for sound in sounds}) == 1
    assert source.streams == [sounds[0].stream]
    times = [sound.data.dts for sound in sounds]
    assert times == sorted(set(times))
    shown = [picture.pts for picture in pictures]
    assert all(min(abs(sound.data.pts - pts) for pts in shown) < 200 for sound in sounds)


def test_what_cannot_work_is_refused_at_once() -> None:
    for uri, error in (
        ("gopher://cam/x", UnsupportedUri),
        ("clip.mp4", UnsupportedUri),
        ("live:/no/such/file.mp4", InputNotFound),
    ):
        with pytest.raises(error):
            LiveSource(uri)


@pytest.mark.parametrize(
    ("scheme", "options", "unused"),
    [
        ("live", {"loop": "0", "nonsense": "1"}, ["nonsense"]),
        ("gst", {"fps": "25"}, ["fps"]),
        ("csi", {"fps": "25", "size": "640x360", "x": "y"}, ["x"]),
        ("rtsp", {"whatever": "1"}, []),
    ],
)
def test_options_that_mean_nothing_are_found(scheme: str, options: dict[str, str], unused: list[str]) -> None:
    assert unused_options(f"{scheme}:x", options) == unused


def test_an_option_that_means_nothing_is_told(tmp_path: Path) -> None:
    clip = tmp_path / "a.mp4"
    clip.touch()
    source = LiveSource(f"live:{clip}", SourceOptions(options={"nonsense": "1"}))
    assert source.notes == ["the source option nonsense means nothing to live: and was passed over"]
