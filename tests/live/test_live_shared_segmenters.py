"""One segmenter for all streams: opened once, in turns that are fair, and nobody pays for what another one does."""

from __future__ import annotations

import gc
import threading
from collections import Counter
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import pytest
from live_clients import until

from engines.errors import ModelError
from stream.live.configuration import read_configuration
from stream.live.log import EventLog
from stream.live.service import Service
from stream.live.shared_segmenters import SharedSegmenters
from stream.models.card import FileCard, ModelCard
from stream.models.store import InstalledModel, install
from stream.vision import sam_regions
from stream.vision.regions import Segmentation
from tests.engines.fake_sam import write_decoder, write_encoder

PICTURE = np.zeros((9, 16, 3), np.uint8)
LIMIT_S = 60.0
FOUND = Segmentation(np.ones((9, 16), np.uint8), None)


def model(sha: str = "a") -> InstalledModel:
    return InstalledModel(Path("somewhere"), ModelCard("some", "here", "CC0-1.0", {"encoder.onnx": FileCard(1, sha)}))


class FakeSam:
    """Sessions that are told what happens with each picture, by its first pixel: 1 fails, 2 waits until ``go``."""

    opened: ClassVar[list[FakeSam]] = []

    def __init__(self, model: InstalledModel, *, verified: bool) -> None:
        self.busy = self.most_busy = 0
        self.served: list[int] = []
        self.go, self.inside = threading.Event(), threading.Event()
        self.stopped = False
        FakeSam.opened.append(self)

    def __call__(self, rgb: Any) -> Segmentation:
        self.busy += 1
        self.most_busy = max(self.most_busy, self.busy)
        try:
            kind, who = int(rgb[0, 0, 0]), int(rgb[0, 0, 1])
            self.served.append(who)
            if kind == 1:
                raise RuntimeError("this picture is bad")
            if kind == 2:
                self.inside.set()
                assert self.go.wait(LIMIT_S)
                if self.stopped:
                    raise ModelError("stopped")
            return FOUND
        finally:
            self.busy -= 1

    def stop(self) -> None:
        self.stopped = True
        self.go.set()


@pytest.fixture(autouse=True)
def nothing_opened() -> None:
    FakeSam.opened = []


def picture(kind: int = 0, who: int = 0) -> Any:
    rgb = PICTURE.copy()
    rgb[0, 0, :2] = kind, who
    return rgb


class Asking(threading.Thread):
    """A stream that asks ``times`` times, one picture after the other."""

    def __init__(self, segment: Any, rgb: Any, times: int = 1) -> None:
        super().__init__(daemon=True)
        self.segment, self.rgb, self.times = segment, rgb, times
        self.found = 0
        self.errors: list[Exception] = []
        self.start()

    def run(self) -> None:
        for _ in range(self.times):
            try:
                self.segment(self.rgb)
                self.found += 1
            except Exception as error:
                self.errors.append(error)

    def finished(self) -> Asking:
        self.join(LIMIT_S)
        assert not self.is_alive()
        return self


def test_streams_of_one_model_share_its_sessions_as_long_as_one_of_them_is_there() -> None:
    shared = SharedSegmenters(FakeSam)
    streams = [shared(model(), verified=False) for _ in range(3)]
    other = shared(model("b"), verified=False)
    assert (len(FakeSam.opened), shared.loaded) == (2, 2)
    del streams, other
    gc.collect()
    assert shared.loaded == 0
    assert shared(model(), verified=False)(PICTURE) is FOUND
    assert len(FakeSam.opened) == 3


def test_who_asks_all_the_time_does_not_keep_others_waiting() -> None:
    shared = SharedSegmenters(FakeSam)
    streams = [shared(model(), verified=False) for _ in range(4)]
    sam = FakeSam.opened[0]
    first = Asking(streams[0], picture(2, 0))
    assert sam.inside.wait(LIMIT_S)
    asking = [Asking(segment, picture(0, who), times=50) for who, segment in enumerate(streams)]
    sam.go.set()
    assert [each.finished().found for each in (first, *asking)] == [1, 50, 50, 50, 50]
    assert sam.most_busy == 1
    turns = sam.served[1:]
    for start in range(0, 120, 8):
        assert max(Counter(turns[start : start + 8]).values()) <= 3, turns


def test_a_picture_that_fails_is_the_matter_of_its_stream_alone() -> None:
    shared = SharedSegmenters(FakeSam)
    bad = Asking(shared(model(), verified=False), picture(1), times=20)
    good = Asking(shared(model(), verified=False), picture(0), times=20)
    assert good.finished().found == 20
    assert [str(error) for error in bad.finished().errors] == ["this picture is bad"] * 20


def test_stop_ends_the_call_of_its_stream_working_or_waiting_and_of_no_other() -> None:
    shared = SharedSegmenters(FakeSam)
    works, waits, stays = (shared(model(), verified=False) for _ in range(3))
    sam = FakeSam.opened[0]
    working = Asking(works, picture(2))
    assert sam.inside.wait(LIMIT_S)
    waiting = Asking(waits, picture())
    staying = Asking(stays, picture())
    waits.stop()
    assert "stopped" in str(waiting.finished().errors)
    assert not sam.stopped, "another one is in the sessions"
    assert working.is_alive()
    assert staying.is_alive()
    works.stop()
    assert "stopped" in str(working.finished().errors)
    assert staying.finished().found == 1
    Asking(works, picture()).finished()
    assert sam.served == [0, 0], "who was stopped is not served any more"


def test_one_that_hangs_in_the_sessions_is_left_there_and_others_go_on() -> None:
    shared = SharedSegmenters(FakeSam, stuck_s=0.2)
    hangs, goes_on = (shared(model(), verified=False) for _ in range(2))
    stuck = Asking(hangs, picture(2))
    assert FakeSam.opened[0].inside.wait(LIMIT_S)
    assert Asking(goes_on, picture(), times=3).finished().found == 3
    assert [len(sam.served) for sam in FakeSam.opened] == [1, 3]
    FakeSam.opened[0].go.set()
    stuck.finished()
    assert Asking(hangs, picture()).finished().found == 1
    assert len(FakeSam.opened[1].served) == 4


def test_a_service_opens_one_segmenter_for_all_its_streams(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("STREAM_ENHANCE_MODELS", str(tmp_path / "models"))
    write_encoder(tmp_path / "encoder.onnx")
    write_decoder(tmp_path / "decoder.onnx", batch="n", several=True)
    install("tiny", {part: tmp_path / part for part in ("encoder.onnx", "decoder.onnx")}, "here", "CC0-1.0")
    opened: list[object] = []
    open_sam = sam_regions.open_sam
    monkeypatch.setattr(sam_regions, "open_sam", lambda *files: (opened.append(files), open_sam(*files))[1])
    file = tmp_path / "streams.yaml"
    source = "{source: 'testsrc:size=320x180,fps=10', outputs: 'null:', sam: tiny, sam_every: 2}"
    file.write_text(f"streams:\n  a: {source}\n  b: {source}\n  c: {source}\n")
    service = Service(read_configuration(file), EventLog())
    service.start()
    try:

        def runs() -> list[int]:
            stats = [stream.stats() for stream in service.streams]
            return [each.sam.runs if each and each.sam else 0 for each in stats]

        until(lambda: min(runs()) >= 2, "every stream has had two turns")
        assert len(opened) == 1
    finally:
        service.stop()
        assert service.join(LIMIT_S)
