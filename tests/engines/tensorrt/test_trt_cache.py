"""The cache of engines: found again by everything that they depend on, whole or not at all, shared by processes."""

from __future__ import annotations

import errno
import json
import multiprocessing
import os
import time
from dataclasses import fields, replace
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from engines.tensorrt.cache import EngineCache, Key, Made, cache_folder
from engines.tensorrt.lock import CacheError, LockTimeout, is_held, locked

KEY = Key("a" * 64, "fp16", "fp16 1", "p" * 64, "tensorrt-rtx", "1.7.1", "any", "{}")
PLAN = bytes(range(256)) * 40


def never() -> Made:
    raise AssertionError("it was to be found and not made")


def test_what_was_made_is_found_again_with_its_notes(tmp_path: Path) -> None:
    made = EngineCache(tmp_path).obtain(KEY, lambda: Made(PLAN, {"bundle": "curve"}))
    entry, plan = EngineCache(tmp_path).obtain(KEY, never)
    assert plan == PLAN == made[1]
    assert entry.notes == {"bundle": "curve"}
    assert [e.key for e in EngineCache(tmp_path).entries()] == [KEY]


@pytest.mark.parametrize("name", [f.name for f in fields(Key)])
def test_every_part_of_the_key_counts(tmp_path: Path, name: str) -> None:
    cache = EngineCache(tmp_path)
    cache.obtain(KEY, lambda: Made(PLAN))
    other = replace(KEY, **{name: "other"})
    assert other.digest != KEY.digest
    assert cache.get(other) is None


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(cut=st.integers(0, 12_000))
def test_a_file_that_was_cut_short_anywhere_is_built_again(tmp_path: Path, cut: int) -> None:
    cache = EngineCache(tmp_path)
    entry, _ = cache.obtain(KEY, lambda: Made(PLAN))
    whole = entry.path.read_bytes()
    entry.path.write_bytes(whole[: min(cut, len(whole) - 1)])
    assert cache.get(KEY) is None
    assert not entry.path.exists()
    assert cache.obtain(KEY, lambda: Made(PLAN))[1] == PLAN


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(at=st.integers(0, 20_000), by=st.integers(1, 255))
def test_an_altered_byte_anywhere_is_noticed_or_is_no_part_of_the_engine(tmp_path: Path, at: int, by: int) -> None:
    cache = EngineCache(tmp_path)
    entry, _ = cache.obtain(KEY, lambda: Made(PLAN, {"note": "x"}))
    content = bytearray(entry.path.read_bytes())
    content[at % len(content)] ^= by
    entry.path.write_bytes(content)
    found = cache.get(KEY)
    assert found is None or (found[1] == PLAN and found[0].key == KEY)


@pytest.mark.parametrize(
    "content", [b"", b"nonsense", b"ftrt" + bytes(5000), b"stream-enhance engine 1\n" + b"\xff" * 50]
)
def test_foreign_files_are_never_loaded(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / f"{KEY.digest}.engine"
    path.write_bytes(content)
    cache = EngineCache(tmp_path)
    assert cache.entries() == []
    assert cache.unsound() == [path]
    assert cache.get(KEY) is None
    assert cache.obtain(KEY, lambda: Made(PLAN))[1] == PLAN


def test_an_engine_under_the_name_of_another_is_not_loaded(tmp_path: Path) -> None:
    """A cache copied from another machine, say, and renamed."""
    cache, other = EngineCache(tmp_path), replace(KEY, device="another GPU")
    entry, _ = cache.obtain(other, lambda: Made(PLAN))
    entry.path.rename(tmp_path / f"{KEY.digest}.engine")
    assert cache.get(KEY) is None


def test_too_small_a_plan_is_no_engine(tmp_path: Path) -> None:
    cache = EngineCache(tmp_path)
    cache.obtain(KEY, lambda: Made(b"short"))
    assert cache.get(KEY) is None


def test_what_fails_is_not_installed_and_the_next_one_tries_again(tmp_path: Path) -> None:
    cache = EngineCache(tmp_path)

    def failing() -> Made:
        raise RuntimeError("its check failed")

    with pytest.raises(RuntimeError, match="its check failed"):
        cache.obtain(KEY, failing)
    assert cache.entries() == []
    assert not list(tmp_path.glob("*.part"))
    assert cache.obtain(KEY, lambda: Made(PLAN))[1] == PLAN


def test_a_full_disk_and_a_folder_that_is_none_are_said_in_words(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(CacheError, match="STREAM_ENHANCE_CACHE"):
        EngineCache(tmp_path / "file").obtain(KEY, lambda: Made(PLAN))

    def full(_: int) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(CacheError, match="No space left"):
        EngineCache(tmp_path).obtain(KEY, lambda: Made(PLAN))
    assert not list(tmp_path.glob("*.part"))
    assert EngineCache(tmp_path).entries() == []


def test_the_least_recently_used_go_first_and_the_new_one_stays(tmp_path: Path) -> None:
    cache = EngineCache(tmp_path, limit=3 * 11_500)
    keys = [replace(KEY, model=str(number)) for number in range(5)]
    for number, key in enumerate(keys[:3]):
        entry, _ = cache.obtain(key, lambda: Made(PLAN))
        os.utime(entry.path, (1000 + number, 1000 + number))
    assert cache.get(keys[0])  # used just now
    cache.obtain(keys[3], lambda: Made(PLAN))
    assert [cache.get(key) is not None for key in keys[:4]] == [True, False, True, True]
    cache.obtain(keys[4], lambda: Made(bytes(200_000)))
    assert [entry.key for entry in cache.entries()] == [keys[4]]


def test_clear_takes_everything_but_what_is_being_built(tmp_path: Path) -> None:
    cache = EngineCache(tmp_path)
    cache.obtain(KEY, lambda: Made(PLAN))
    cache.kernels(KEY).write_bytes(bytes(10))
    (tmp_path / "left.1.part").write_bytes(bytes(10))
    at_work = tmp_path / "busy.2.part"
    at_work.write_bytes(bytes(10))
    with locked(tmp_path / "busy.lock"):
        count, size = cache.clear()
    assert count == 3
    assert size > len(PLAN)
    assert at_work.exists()
    assert cache.entries() == []


def test_the_folder_is_named_by_the_environment(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("STREAM_ENHANCE_CACHE", str(tmp_path))
    assert cache_folder() == tmp_path
    monkeypatch.delenv("STREAM_ENHANCE_CACHE")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "x"))
    assert cache_folder() == tmp_path / "x" / "stream-enhance"


def _build(folder: Path, ready: Path, number: int) -> None:
    """One of several processes that want the same engine; writes down whether it was the one that built."""
    while not ready.exists():
        time.sleep(0.01)

    def make() -> Made:
        (folder / f"built-by-{number}").touch()
        time.sleep(0.5)
        return Made(PLAN, {"by": number})

    entry, plan = EngineCache(folder / "cache").obtain(KEY, make)
    (folder / f"got-{number}").write_text(json.dumps([entry.notes["by"], plan == PLAN]))


def _die(folder: Path) -> None:
    def make() -> Made:
        (folder / "cache" / f"{KEY.digest}.1.part").write_bytes(bytes(100))
        os._exit(9)

    EngineCache(folder / "cache").obtain(KEY, make)


def test_of_two_processes_one_builds_and_both_get_it(tmp_path: Path) -> None:
    spawn = multiprocessing.get_context("spawn")
    ready = tmp_path / "ready"
    workers = [spawn.Process(target=_build, args=(tmp_path, ready, number)) for number in range(2)]
    try:
        for worker in workers:
            worker.start()
        ready.touch()
        for worker in workers:
            worker.join(120)
        assert [worker.exitcode for worker in workers] == [0, 0]
    finally:
        for worker in workers:
            worker.kill()
    builders = list(tmp_path.glob("built-by-*"))
    assert len(builders) == 1
    by = int(builders[0].name[-1])
    assert [json.loads((tmp_path / f"got-{number}").read_text()) for number in range(2)] == [[by, True]] * 2


def test_who_dies_while_building_blocks_nobody_and_leaves_nothing(tmp_path: Path) -> None:
    worker = multiprocessing.get_context("spawn").Process(target=_die, args=(tmp_path,))
    worker.start()
    worker.join(120)
    assert worker.exitcode == 9
    cache = EngineCache(tmp_path / "cache")
    assert cache.obtain(KEY, lambda: Made(PLAN), timeout_s=30)[1] == PLAN
    assert not list((tmp_path / "cache").glob("*.part"))


def test_a_lock_that_is_held_is_waited_for_only_so_long(tmp_path: Path) -> None:
    path = tmp_path / "x.lock"
    assert not is_held(path)
    with locked(path):
        assert is_held(path)
        with pytest.raises(LockTimeout, match="another process"), locked(path, timeout_s=0.1):
            pass
    assert not is_held(path)
    with locked(path, timeout_s=0.1):
        pass
