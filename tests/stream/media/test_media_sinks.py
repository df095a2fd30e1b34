"""Nothing half-written is ever in the target's place, and whatever can be kept is playable."""

from __future__ import annotations

import errno
import os
from fractions import Fraction
from pathlib import Path
from typing import Any

import pytest
from media_clips import FAST, pass_through, times, write_clip, write_film

from stream import errors
from stream.media import EncoderSettings, Frame, Packet, Sink, fresh_like, open_sink, open_source, planes_of
from stream.media.pictures import fresh_picture
from stream.media.probe import probe_encoder
from stream.media.sinks import partial
from stream.stages import Stages
from stream.telemetry import Telemetry


def leftovers(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir() if path.name.startswith("."))


def feed(sink: Sink, source: Any, frames: int | None = None) -> int:
    """Writes items until ``frames`` frames are written; returns how many were."""
    count = 0
    for item in source:
        if isinstance(item, Packet):
            sink.write_packet(item)
            continue
        sink.write(item)
        count += 1
        if count == frames:
            break
    return count


def test_target_appears_only_when_complete(tmp_path: Path) -> None:
    target = tmp_path / "out.mp4"
    with open_source(write_clip(tmp_path / "in.mp4", frames=20)) as source:
        sink = open_sink(target, source, FAST)
        feed(sink, source)
        assert not target.exists()
        assert len(leftovers(tmp_path)) == 1
        assert leftovers(tmp_path)[0].endswith(".mp4")
        sink.close()
    assert len(times(target)) == 20
    assert leftovers(tmp_path) == []


def test_interrupted_run_is_playable_with_its_sound(tmp_path: Path) -> None:
    with open_source(write_film(tmp_path / "in.mp4")) as source:
        sink = open_sink(tmp_path / "out.mp4", source, EncoderSettings())
        feed(sink, source, frames=23)
        sink.close()
    assert times(tmp_path / "out.mp4") == times(tmp_path / "in.mp4")[:23]


def test_abort_leaves_nothing(tmp_path: Path) -> None:
    with open_source(write_clip(tmp_path / "in.mp4")) as source:
        sink = open_sink(tmp_path / "out.mp4", source, FAST)
        feed(sink, source, frames=5)
        sink.abort()
        sink.close()
    assert [path.name for path in tmp_path.iterdir()] == ["in.mp4"]


def test_closing_without_a_frame_leaves_nothing(tmp_path: Path) -> None:
    with open_source(write_clip(tmp_path / "in.mp4")) as source:
        open_sink(tmp_path / "out.mp4", source, FAST).close()
    assert [path.name for path in tmp_path.iterdir()] == ["in.mp4"]


def test_existing_output_needs_overwrite(tmp_path: Path) -> None:
    source_path = write_clip(tmp_path / "in.mp4")
    target = tmp_path / "out.mp4"
    target.write_bytes(b"precious")
    with open_source(source_path) as source, pytest.raises(errors.OutputExists, match="--overwrite"):
        open_sink(target, source, FAST)
    assert target.read_bytes() == b"precious"
    pass_through(source_path, target, overwrite=True)
    assert times(target) == times(source_path)


@pytest.mark.parametrize("link", ["same", "symlink", "hardlink"])
def test_output_must_not_be_the_input(tmp_path: Path, link: str) -> None:
    path = write_clip(tmp_path / "in.mp4")
    before = path.read_bytes()
    target = path if link == "same" else tmp_path / "link.mp4"
    if link == "symlink":
        target.symlink_to(path)
    elif link == "hardlink":
        os.link(path, target)
    with open_source(path) as source, pytest.raises(errors.OutputIsInput):
        open_sink(target, source, FAST, overwrite=True)
    assert path.read_bytes() == before


def test_missing_folder_is_made(tmp_path: Path) -> None:
    source = write_clip(tmp_path / "in.mp4")
    pass_through(source, tmp_path / "a" / "b" / "out.mp4")
    assert times(tmp_path / "a" / "b" / "out.mp4") == times(source)


def test_checking_a_target_makes_its_folder(tmp_path: Path) -> None:
    partial.check_target(tmp_path / "c" / "photo.png", None, overwrite=False)
    assert list((tmp_path / "c").iterdir()) == []


def test_folder_that_cannot_be_written(tmp_path: Path) -> None:
    source_path = write_clip(tmp_path / "in.mp4")
    with open_source(source_path) as source, pytest.raises(errors.OutputNotWritable, match="is a folder"):
        open_sink(tmp_path, source, FAST)


@pytest.mark.parametrize("below", ["out.mp4", "deep/er/out.mp4"])
def test_file_where_a_folder_should_be(tmp_path: Path, below: str) -> None:
    (tmp_path / "tall.mp4").write_text("precious")
    source_path = write_clip(tmp_path / "in.mp4")
    told = pytest.raises(errors.OutputNotWritable, match=r"tall\.mp4 is a file, not a folder")
    with open_source(source_path) as source, told:
        open_sink(tmp_path / "tall.mp4" / below, source, FAST)
    assert (tmp_path / "tall.mp4").read_text() == "precious"


@pytest.mark.parametrize("call", ["open", "mkdir"])
def test_folder_without_permission(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, call: str) -> None:
    """The refusal is put in, so that it is met by the super-user too."""
    source_path = write_clip(tmp_path / "in.mp4")
    real = getattr(os, call)

    def refuse(path: Any, *rest: Any, **named: Any) -> Any:
        if "locked" in str(path):
            raise PermissionError(errno.EACCES, "Permission denied", str(path))
        return real(path, *rest, **named)

    if call == "open":
        (tmp_path / "locked").mkdir()
    with open_source(source_path) as source:
        monkeypatch.setattr(os, call, refuse)
        with pytest.raises(errors.OutputNotWritable, match=r"cannot write into .*locked: Permission denied.*-o"):
            open_sink(tmp_path / "locked" / "out.mp4", source, FAST)
    monkeypatch.undo()
    assert sorted(path.name for path in tmp_path.rglob("*")) == ["in.mp4", *["locked"] * (call == "open")]


class Disk:
    """A disk with ``size`` bytes: ``os.write`` and ``os.posix_fallocate`` on it fail as the kernel lets them fail."""

    def __init__(self, size: int) -> None:
        self.size, self.written, self.set_aside = size, 0, 0
        self._write, self._close = os.write, os.close
        self._reserve: int | None = None

    def write(self, file: int, data: Any) -> int:
        room = self.size - self.written - self.set_aside
        if room <= 0:
            raise OSError(errno.ENOSPC, "No space left on device")
        done = self._write(file, data[:room])  # the last write before the end is a short one
        self.written += done
        return done

    def allocate(self, file: int, offset: int, size: int) -> None:
        if size > self.size - self.written:
            raise OSError(errno.ENOSPC, "No space left on device")
        self.set_aside, self._reserve = size, file

    def close(self, file: int) -> None:
        if file == self._reserve:
            self.set_aside, self._reserve = 0, None
        self._close(file)


def small_disk(monkeypatch: pytest.MonkeyPatch, size: int) -> None:
    disk = Disk(size)
    monkeypatch.setattr(partial.os, "write", disk.write)
    monkeypatch.setattr(partial.os, "posix_fallocate", disk.allocate)
    monkeypatch.setattr(partial.os, "close", disk.close)


@pytest.mark.skipif(not hasattr(os, "posix_fallocate"), reason="this system cannot set disk space aside")
@pytest.mark.parametrize("name", ["out.mp4", "out.mkv"])
def test_full_disk_keeps_a_playable_first_part(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    source_path = write_film(tmp_path / "in.mp4", seconds=8)
    small_disk(monkeypatch, (16 << 20) + 64 * 200 + 60_000)
    with open_source(source_path) as source:
        sink = open_sink(tmp_path / name, source, EncoderSettings(crf=1, preset="ultrafast"))
        with pytest.raises(errors.DiskFull, match=r"disk is full.*holds the first part.*playable.*--overwrite"):
            feed(sink, source)
        sink.abort()
        sink.close()
    monkeypatch.undo()
    kept = times(tmp_path / name)
    assert 20 < len(kept) < 200
    assert kept == times(source_path)[: len(kept)]
    assert sink.frames == len(kept)
    assert leftovers(tmp_path) == []


@pytest.mark.skipif(not hasattr(os, "posix_fallocate"), reason="this system cannot set disk space aside")
@pytest.mark.parametrize("preset", ["ultrafast", "veryfast"])
def test_full_disk_counts_as_out_what_the_file_holds(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, preset: str
) -> None:
    source_path = write_film(tmp_path / "in.mp4", seconds=8)
    small_disk(monkeypatch, (16 << 20) + 64 * 200 + 60_000)
    telemetry = Telemetry()
    with open_source(source_path) as source:
        sink = open_sink(tmp_path / "out.mp4", source, EncoderSettings(crf=1, preset=preset))
        stages = Stages(source, lambda frame: frame, sink, telemetry)
        stages.start()
        assert stages.wait(60)
    monkeypatch.undo()
    stats = telemetry.snapshot()
    kept = len(times(tmp_path / "out.mp4"))
    assert 20 < kept < 200
    assert isinstance(stages.error, errors.DiskFull)
    assert f"holds the first part, {kept} frames," in str(stages.error)
    assert stats.frames_out == kept
    assert stats.frames_in == kept + stats.dropped["failed"]


def test_an_output_that_is_gone_counts_no_frames(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(file: int, data: Any) -> int:
        raise OSError(errno.EIO, "Input/output error")

    telemetry = Telemetry()
    with open_source(write_clip(tmp_path / "in.mp4", frames=50)) as source:
        stages = Stages(source, lambda frame: frame, open_sink(tmp_path / "out.mp4", source, FAST), telemetry)
        monkeypatch.setattr(partial.os, "write", broken)
        stages.start()
        assert stages.wait(60)
    monkeypatch.undo()
    stats = telemetry.snapshot()
    assert not (tmp_path / "out.mp4").exists()
    assert (stats.frames_out, stats.dropped) == (0, {"failed": stats.frames_in})


@pytest.mark.skipif(not hasattr(os, "posix_fallocate"), reason="this system cannot set disk space aside")
def test_no_room_at_all_is_said_at_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    source_path = write_clip(tmp_path / "in.mp4")
    small_disk(monkeypatch, 1000)
    with open_source(source_path) as source, pytest.raises(errors.DiskFull, match="Nothing was written"):
        open_sink(tmp_path / "out.mp4", source, FAST)
    monkeypatch.undo()
    assert [path.name for path in tmp_path.iterdir()] == ["in.mp4"]


def test_device_error_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    source_path = write_clip(tmp_path / "in.mp4", frames=50)

    def broken(file: int, data: Any) -> int:
        raise OSError(errno.EIO, "Input/output error")

    with open_source(source_path) as source:
        sink = open_sink(tmp_path / "out.mp4", source, FAST)
        monkeypatch.setattr(partial.os, "write", broken)
        with pytest.raises(errors.OutputNotWritable, match="Input/output error"):
            feed(sink, source)
    monkeypatch.undo()
    assert [path.name for path in tmp_path.iterdir()] == ["in.mp4"]


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        (EncoderSettings(codec="nonsense"), "no encoder named 'nonsense'"),
        (EncoderSettings(codec="aac"), "does not encode video"),
        (EncoderSettings(preset="warp"), "no preset 'warp'"),
        (EncoderSettings(codec="mpeg4", crf=20), "does not know the option 'crf'"),
        (EncoderSettings(options={"nonsense": "1"}), "does not know the option 'nonsense'"),
        (EncoderSettings(codec="h264_v4l2m2m"), "h264_v4l2m2m"),
        (EncoderSettings(crf=60), r"libx264 has no --crf 60: its scale runs from 0 \(best\) to 51"),
        (EncoderSettings(codec="libx265", crf=52), "from 0 to 51"),
        (EncoderSettings(codec="libvpx-vp9", crf=64), "from 0 to 63"),
        (EncoderSettings(codec="libsvtav1", crf=-1), "from 0 to 63"),
        (EncoderSettings(codec="mjpeg"), "mjpeg does not take this kind of video"),
    ],
)
def test_wrong_encoder_settings_are_said_before_the_run(tmp_path: Path, settings: EncoderSettings, words: str) -> None:
    if settings.codec.startswith("h264_") and probe_encoder(settings.codec).available:
        pytest.skip(f"{settings.codec} works on this machine")
    with open_source(write_clip(tmp_path / "in.mp4")) as source:
        with pytest.raises(errors.EncoderUnavailable, match=words) as caught:
            open_sink(tmp_path / "out.mp4", source, settings)
        assert caught.value.exit_code == 2
    assert [path.name for path in tmp_path.iterdir()] == ["in.mp4"]


def test_encoder_probe_gives_reasons() -> None:
    assert probe_encoder("libx264").available
    nonsense = probe_encoder("nonsense")
    assert (nonsense.available, nonsense.reason) == (False, "not in this build of FFmpeg")
    impatient = probe_encoder("libx264", timeout=0.001)
    assert "no answer" in impatient.reason


@pytest.mark.parametrize(("codec", "name"), [("libx265", "hevc"), ("libsvtav1", "av1"), ("mpeg4", "mpeg4")])
def test_other_encoders(tmp_path: Path, codec: str, name: str) -> None:
    source = write_clip(tmp_path / "in.mp4", pts=[0, 700, 1024, 3000, 3001])
    preset = {"libx265": "ultrafast", "libsvtav1": "12"}.get(codec)
    pass_through(source, tmp_path / "out.mp4", EncoderSettings(codec=codec, preset=preset))
    assert times(tmp_path / "out.mp4") == times(source)
    with open_source(tmp_path / "out.mp4") as written:
        assert name in written.video.codec
        if codec == "libx265":
            assert written.stream.codec_context.codec_tag == "hvc1"


def test_containers_that_cannot_hold_video(tmp_path: Path) -> None:
    with open_source(write_clip(tmp_path / "in.mp4")) as source:
        for name in ("out.wav", "out", "out.png"):
            with pytest.raises(errors.UnsupportedContainer, match=r"\.mp4"):
                open_sink(tmp_path / name, source, FAST)


@pytest.mark.parametrize(
    ("codec", "name", "advice"),
    [("libvpx", "out.mp4", ".mkv"), ("libvpx-vp9", "out.mov", ".mkv"), ("png", "out.mkv", "libx264")],
)
def test_encoder_and_container_that_do_not_go_together(tmp_path: Path, codec: str, name: str, advice: str) -> None:
    told = pytest.raises(errors.UnsupportedContainer, match=f"cannot hold video of the encoder {codec}.*{advice}")
    with open_source(write_clip(tmp_path / "in.mp4")) as source, told:
        open_sink(tmp_path / name, source, EncoderSettings(codec=codec))
    assert [path.name for path in tmp_path.iterdir()] == ["in.mp4"]


def test_null_sink_counts(tmp_path: Path) -> None:
    with open_source(write_film(tmp_path / "in.mp4")) as source:
        sink = open_sink("null:", source)
        assert feed(sink, source) == sink.frames == 50
        sink.close()


def test_bigger_pictures_than_the_source_are_fine(tmp_path: Path) -> None:
    with open_source(write_clip(tmp_path / "in.mp4", frames=3)) as source:
        sink = open_sink(tmp_path / "out.mp4", source, FAST)
        for item in source:
            assert isinstance(item, Frame)
            wide = fresh_picture(item.picture, width=128)
            planes = planes_of(wide, item.planes.colour)
            planes.y[:], planes.u[:], planes.v[:] = 90, 128, 128
            sink.write(item.with_picture(wide, planes))
        sink.close()
    with open_source(tmp_path / "out.mp4") as written:
        assert (written.video.width, written.video.height) == (128, 48)


def test_memory_stays_flat(tmp_path: Path) -> None:
    psutil = pytest.importorskip("psutil")
    source_path = write_clip(tmp_path / "in.mp4", frames=400, size=(640, 360), options={"preset": "ultrafast"})
    process = psutil.Process()
    sizes = []
    with open_source(source_path) as source:
        sink = open_sink(tmp_path / "out.mp4", source, FAST)
        for item in source:
            if isinstance(item, Frame):
                fresh = fresh_like(item)
                fresh.planes.y[:] = item.planes.y
                sink.write(fresh)
                sizes.append(process.memory_info().rss)
        sink.close()
    assert sizes[-1] - sizes[150] < 20e6, "a leaked picture a frame would be 86 MB"


def test_stills_of_one_frame_become_a_film_of_one_frame(tmp_path: Path) -> None:
    photo = write_clip(tmp_path / "photo.png", codec="png", pixel_format="rgb24", frames=1, time_base=Fraction(1, 25))
    pass_through(photo, tmp_path / "out.mp4")
    assert len(times(tmp_path / "out.mp4")) == 1
