"""Calls of several threads in one run, each with its own result; and the network of the package that does it."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

from engines.bundle import load_bundle
from engines.errors import ModelError, NotFiniteError
from engines.thumbnail import Thumbnail
from engines.tone_model import ToneModel
from stream.live.batching import MOST, SharedToneModel
from stream.live.gathering import Gatherer
from stream.live.shared_models import SharedModels
from stream.settings import Settings

PATIENCE_S = 60.0


def thumbnail(seed: int, shape: tuple[int, int] = (48, 80)) -> Thumbnail:
    rng = np.random.default_rng(seed)
    y = rng.random(shape, np.float32) * np.float32(0.3)
    u, v = (rng.random((2, *shape), np.float32) - np.float32(0.5)) * np.float32(0.2)
    return Thumbnail(y, u, v, "bt709")


def wait_for(condition: Callable[[], bool]) -> None:
    end = time.monotonic() + PATIENCE_S
    while not condition():
        assert time.monotonic() < end, "it never came"
        time.sleep(0.001)


class Slow:
    """A run that can be held up, and remembers what it was given."""

    def __init__(self) -> None:
        self.given: list[list[int]] = []
        self.gate = threading.Event()
        self.gate.set()

    def __call__(self, items: Sequence[int]) -> list[int | Exception]:
        self.given.append(list(items))
        assert self.gate.wait(PATIENCE_S)
        if any(item < 0 for item in items) and len(items) > 1:
            raise RuntimeError("one of these is bad")
        if items[0] < 0:
            raise ValueError(f"{items[0]} is bad")
        return [ZeroDivisionError("zero") if item == 0 else 10 * item for item in items]


def gathered(
    first: int, others: Sequence[int], kind: Callable[[int], object], most: int = 8
) -> tuple[Slow, list[object]]:
    """``others`` come while ``first`` is being worked on. The runs, and all results or errors in the order of calls."""
    run = Slow()
    gather: Gatherer[int, int] = Gatherer(run, kind, most=most)  # type: ignore[arg-type]

    def call(item: int) -> object:
        try:
            return gather(item)
        except Exception as error:
            return error

    with ThreadPoolExecutor(1 + len(others)) as pool:
        run.gate.clear()
        try:
            calls = [pool.submit(call, first)]
            wait_for(lambda: len(run.given) == 1)
            for count, item in enumerate(others, 1):
                calls.append(pool.submit(call, item))
                wait_for(lambda: len(gather._waiting) == count)  # noqa: B023
        finally:
            run.gate.set()
        return run, [call.result(PATIENCE_S) for call in calls]


def test_calls_that_wait_go_through_together_and_each_gets_its_own():
    run, results = gathered(1, [2, 3, 4], lambda item: "same")
    assert run.given == [[1], [2, 3, 4]]
    assert results == [10, 20, 30, 40]


def test_only_calls_of_one_kind_go_together_and_the_oldest_first():
    run, results = gathered(1, [2, 3, 4, 5], lambda item: item % 2)
    assert run.given == [[1], [2, 4], [3, 5]]
    assert results == [10, 20, 30, 40, 50]


def test_no_run_has_more_than_it_may():
    run, results = gathered(1, [2, 3, 4, 5, 6], lambda item: "same", most=2)
    assert run.given == [[1], [2, 3], [4, 5], [6]]
    assert results == [10, 20, 30, 40, 50, 60]


def test_one_that_fails_takes_no_other_with_it():
    _, results = gathered(1, [2, -3, 0, 4], lambda item: "same")
    assert (results[0], results[1], results[4]) == (10, 20, 40)
    assert isinstance(results[2], ValueError)
    assert isinstance(results[3], ZeroDivisionError)


def test_a_run_that_fails_alone_leaves_the_gatherer_working():
    gather: Gatherer[int, int] = Gatherer(Slow(), lambda item: 0, most=8)
    with pytest.raises(ValueError, match="is bad"):
        gather(-1)
    assert gather(5) == 50


def test_one_thread_alone_never_waits_for_others():
    run = Slow()
    gather: Gatherer[int, int] = Gatherer(run, lambda item: 0, most=8, window_s=PATIENCE_S)
    start = time.monotonic()
    assert [gather(item) for item in (1, 2, 3)] == [10, 20, 30]
    assert time.monotonic() - start < PATIENCE_S / 2


def test_a_call_waits_for_a_thread_that_is_known_to_be_about():
    gather: Gatherer[int, int] = Gatherer(Slow(), lambda item: 0, most=2, window_s=PATIENCE_S)
    gather._callers[-1] = time.monotonic() + 3600
    with ThreadPoolExecutor(2) as pool:
        assert sorted(pool.map(gather, [1, 2])) == [10, 20]
    assert (gather.runs, gather.items) == (1, 2)


def test_no_call_waits_longer_than_batches_save():
    gather: Gatherer[int, int] = Gatherer(Slow(), lambda item: 0, most=8, window_s=PATIENCE_S)
    gather._learn(1, 0.004)
    gather._learn(2, 0.0095)
    assert gather._patience() == 0.0
    gather._learn(2, 0.0075)
    assert gather._patience() == pytest.approx(0.0005)


def test_a_stress_of_threads_gets_every_result_right():
    gather: Gatherer[int, int] = Gatherer(Slow(), lambda item: item % 3, most=4)

    def work(first: int) -> bool:
        return all(gather(item) == 10 * item for item in range(first, first + 300))

    with ThreadPoolExecutor(6) as pool:
        assert all(pool.map(work, range(1, 1801, 300)))
    assert gather.items == 1800


@pytest.mark.parametrize("name", ["curve", "sci"])
def test_grids_for_many_threads_are_those_of_one(name):
    bundle = load_bundle(name)
    alone, shared = ToneModel(bundle), SharedToneModel(bundle)
    assert shared.takes_batches == (name == "curve")
    assert (shared.card, shared.extra_inputs) == (alone.card, alone.extra_inputs)
    shapes = [(48, 80), (48, 80), (48, 80), (80, 48)]
    pictures = [thumbnail(seed, shape) for seed, shape in enumerate(shapes)]
    wanted = [alone(picture).coefficients for picture in pictures]

    def work(index: int) -> float:
        found = [shared(pictures[index]).coefficients for _ in range(10)]
        return max(float(np.abs(one - wanted[index]).max()) for one in found)

    with ThreadPoolExecutor(len(pictures)) as pool:
        assert max(pool.map(work, range(len(pictures)))) <= 1e-4
    runs, items = shared.figures
    assert items == 40
    assert runs <= 40


def test_several_thumbnails_in_one_run_get_the_grids_they_get_alone():
    bundle = load_bundle("curve")
    alone, shared = ToneModel(bundle), SharedToneModel(bundle)
    rng = np.random.default_rng(5)
    weights = rng.random((1, 17, 6, 10), np.float32)
    extra = {"region_weights": weights, "region_features": rng.normal(size=(1, 17, 256)).astype(np.float32)}
    asked = [(thumbnail(seed), extra if seed % 2 else None) for seed in range(MOST)]
    together = shared._gather._run(asked)
    for (picture, given), grid in zip(asked, together, strict=True):
        np.testing.assert_allclose(grid.coefficients, alone(picture, given).coefficients, atol=1e-4, rtol=1e-4)


def test_a_picture_that_gives_nan_fails_alone_within_its_batch():
    shared = SharedToneModel(load_bundle("curve"))
    dark = thumbnail(1)
    broken = Thumbnail(np.full_like(dark.y, np.nan), dark.u, dark.v, "bt709")
    good, bad = shared._gather._run([(dark, None), (broken, None)])
    assert isinstance(bad, NotFiniteError)
    assert not isinstance(good, Exception)
    with pytest.raises(NotFiniteError):
        shared(broken)
    with pytest.raises(ModelError, match="depth"):
        shared(dark, {"depth": np.zeros((1, 3, 4, 4), np.float32)})


def test_a_network_is_loaded_once_for_all_who_name_it_and_goes_with_the_last():
    models = SharedModels()
    first, second = models(Settings(strength=0.3)), models(Settings(strength=0.9, network_every=5))
    assert first is second
    other = models(Settings(model="sci"))
    full = models(Settings(model="sci", mode="full"))
    assert full is models(Settings(model="sci", mode="full", strength=0.2))
    assert full is not models(Settings(model="sci", mode="full", tile=0))
    assert other is not first
    assert models.loaded == 3
    del first, second, full
    assert models.loaded == 1
