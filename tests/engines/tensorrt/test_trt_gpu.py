"""On a real GPU: pytest -m gpu. Written against the documented interface; had not been run when it was written."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from engines.bundle import load_bundle
from engines.choose import open_engine
from engines.precision.agreement import LIMITS, compare
from engines.tensorrt.cuda import open_cuda
from engines.tensorrt.flavour import survey
from engines.tensorrt.prepare import Wish, open_tensorrt
from engines.tensorrt.stated import seen

pytestmark = [pytest.mark.gpu, pytest.mark.timeout(1200)]
FLAVOURS = [flavour for flavour in survey().values() if not isinstance(flavour, str)]


@pytest.fixture(autouse=True)
def own_cache(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("STREAM_ENHANCE_CACHE", str(tmp_path / "cache"))


@pytest.mark.parametrize("flavour", FLAVOURS, ids=str)
@pytest.mark.parametrize("precision", ["fp32", "fp16"])
@pytest.mark.parametrize("name", ["curve", "sci", "zero-dce-plus-plus"])
def test_engines_agree_with_onnx_runtime_and_lanes_with_each_other(flavour: Any, precision: Any, name: str) -> None:
    bundle = load_bundle(name)
    wish = Wish(bundle, flavour, precision)
    engine = open_tensorrt(wish)
    grid = bundle.card.kind == "grid"
    for _ in range(2):  # the second time through recorded graphs
        found = compare(open_engine(bundle).infer, engine.infer, seen(bundle, wish.profiles()), grid)
        assert found.passes(LIMITS[precision]), found
    lanes = [engine.new_lane() for _ in range(3)]
    for _, feed in seen(bundle, wish.profiles()[:1]):
        results = [next(iter(lane.infer(feed).values())) for lane in lanes]
        assert all(np.array_equal(results[0], other) for other in results[1:])
    for lane in lanes:
        lane.close()
    engine.close()


@pytest.mark.parametrize("flavour", FLAVOURS, ids=str)
def test_a_given_stream_and_memory_of_the_callers_are_used(flavour: Any) -> None:
    bundle, cuda = load_bundle("sci"), open_cuda()
    engine = open_tensorrt(Wish(bundle, flavour, "fp32"))
    stream = cuda.new_stream()
    lane = engine.new_lane(stream)
    picture = np.random.default_rng(0).random((1, 3, 144, 256), dtype=np.float32)
    result = np.empty_like(picture)
    device = {name: cuda.allocate(picture.nbytes) for name in ("image", "enhanced")}
    try:
        ready = lane.prepare({"image": picture.shape}, device)
        for _ in range(3):
            cuda.upload(device["image"], picture.ctypes.data, picture.nbytes, stream)
            lane.launch(ready)
            cuda.download(result.ctypes.data, device["enhanced"], result.nbytes, stream)
            cuda.wait(stream)
            expected = open_engine(bundle).infer({"image": picture})["enhanced"]
            assert np.abs(result - expected).max() * 255 < 1
    finally:
        lane.close()
        for address in device.values():
            cuda.free(address)
        cuda.close_stream(stream)
