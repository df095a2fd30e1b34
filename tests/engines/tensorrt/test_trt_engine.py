"""What an engine asks of TensorRT and CUDA, against a stand-in; on a real GPU see test_trt_gpu."""

from __future__ import annotations

import threading
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

from engines.errors import DeviceError, ModelError
from engines.onnx_runtime import Tensor
from engines.tensorrt.cuda import Cuda
from engines.tensorrt.engine import LoadError, TensorRTEngine
from engines.tensorrt.flavour import Flavour
from engines.tensorrt.kernels import Kernels
from engines.tensorrt.shapes import Range
from tests.engines.tensorrt.trt_stand_in import StandInCuda, stand_in

FREE = ({"image": Range((1, 3, 8, 8), (1, 3, 16, 16), (4, 3, 32, 32))},)


def opened(cuda: StandInCuda, plan: bytes = b"good") -> TensorRTEngine:
    return TensorRTEngine(plan, Flavour("tensorrt", "10.3.0", stand_in(cuda)), cuda, FREE)  # type: ignore[arg-type]


def picture(seed: int, side: int = 16, count: int = 1) -> dict[str, np.ndarray]:
    return {"image": np.random.default_rng(seed).random((count, 3, side, side), dtype=np.float32)}


def test_it_has_the_interface_of_every_engine() -> None:
    engine = opened(StandInCuda())
    assert engine.inputs == (Tensor("image", (None, 3, None, None), "tensor(float)"),)
    assert engine.outputs == (Tensor("enhanced", (None, 3, None, None), "tensor(float)"),)
    given = picture(0)
    np.testing.assert_array_equal(engine.infer(given)["enhanced"], given["image"] * 2 + 1)


def test_a_steady_state_allocates_nothing_and_launches_one_graph_a_run() -> None:
    cuda = StandInCuda()
    engine = opened(cuda)
    engine.infer(picture(0))
    before = cuda.counts.copy()
    assert before["graph"] == 1
    for seed in range(5):
        given = picture(seed)
        np.testing.assert_array_equal(engine.infer(given)["enhanced"], given["image"] * 2 + 1)
    after = cuda.counts - before
    del after["use"]
    assert after == {"launch": 5}


def test_each_shape_has_a_context_and_a_graph_of_its_own() -> None:
    cuda = StandInCuda()
    engine = opened(cuda)
    for _ in range(2):
        for side in (8, 16, 32):
            given = picture(side, side)
            np.testing.assert_array_equal(engine.infer(given)["enhanced"], given["image"] * 2 + 1)
    assert cuda.counts["graph"] == 3
    assert cuda.counts["launch"] == 3


def test_of_many_shapes_the_oldest_give_their_memory_back() -> None:
    cuda = StandInCuda()
    engine = opened(cuda)
    for side in range(8, 33):
        engine.infer(picture(0, side))
    assert len(cuda.graphs) == 8
    assert len(cuda.memory) == 8 * 4
    engine.close()
    assert not cuda.graphs
    assert not cuda.memory
    assert cuda.counts["closed stream"] == 1


def test_lanes_have_streams_and_contexts_of_their_own_and_take_given_streams() -> None:
    cuda = StandInCuda()
    engine = opened(cuda)
    one, two = engine.new_lane(), engine.new_lane(stream=7)
    assert two.stream == 7 != one.stream
    first, second = one.prepare({"image": (1, 3, 8, 8)}), two.prepare({"image": (1, 3, 8, 8)})
    assert first.context is not second.context
    assert not set(first.addresses.values()) & set(second.addresses.values())
    two.close()
    assert cuda.counts["closed stream"] == 0


def test_memory_of_the_callers_is_used_as_it_is() -> None:
    cuda = StandInCuda()
    lane = opened(cuda).new_lane()
    given = picture(3)["image"]
    result = np.zeros_like(given)
    addresses = {"image": given.ctypes.data, "enhanced": result.ctypes.data}
    ready = lane.prepare({"image": given.shape}, addresses)
    for _ in range(3):
        result[:] = 0
        lane.launch(ready)
        np.testing.assert_array_equal(result, given * 2 + 1)
    assert not cuda.memory
    assert lane.prepare({"image": given.shape}, addresses) is ready
    lane.close()


def test_within_a_callers_recording_it_records_nothing_itself() -> None:
    cuda = StandInCuda()
    lane = opened(cuda).new_lane()
    lane.launch(lane.prepare({"image": (1, 3, 8, 8)}), record=False)
    assert cuda.counts["graph"] == 0


def test_an_engine_that_cannot_be_recorded_runs_plainly() -> None:
    cuda = StandInCuda()
    cuda.capturable = False
    engine = opened(cuda)
    for seed in range(3):
        given = picture(seed)
        np.testing.assert_array_equal(engine.infer(given)["enhanced"], given["image"] * 2 + 1)
    assert cuda.counts["execute"] == 3


def test_full_memory_gives_back_what_was_taken() -> None:
    cuda = StandInCuda(room=3 * 16 * 16 * 4)
    engine = opened(cuda)
    engine.infer(picture(0))
    kept = len(cuda.memory)
    with pytest.raises(DeviceError, match="full"):
        engine.infer(picture(0, 32))
    assert len(cuda.memory) == kept
    engine.infer(picture(1))


def test_a_foreign_plan_is_refused_with_the_reason() -> None:
    with pytest.raises(LoadError, match="magicTag"):
        opened(StandInCuda(), b"foreign")


@pytest.mark.parametrize(
    "given",
    [{}, {"other": np.zeros((1, 3, 8, 8), np.float32)}, {"image": np.zeros((1, 3, 8, 8))}],
)
def test_other_names_and_types_are_refused(given: dict[str, np.ndarray]) -> None:
    with pytest.raises(ModelError, match="takes image float32"):
        opened(StandInCuda()).infer(given)


def test_shapes_that_it_was_not_built_for_are_refused() -> None:
    with pytest.raises(ModelError, match="not built for"):
        opened(StandInCuda()).infer(picture(0, 64))


def test_every_run_makes_the_device_current_in_its_thread() -> None:
    cuda = StandInCuda()
    engine = opened(cuda)
    engine.infer(picture(0))
    before = cuda.counts["use"]
    thread = threading.Thread(target=engine.infer, args=(picture(1),))
    thread.start()
    thread.join(60)
    assert cuda.counts["use"] > before


class Compiled:
    """What TensorRT-RTX compiled, as it serialises it: takes back only what is its own."""

    def __init__(self) -> None:
        self.content = b""

    def deserialize(self, blob: bytes) -> bool:
        self.content = blob if blob.startswith(b"rtx") else b""
        return bool(self.content)

    def serialize(self) -> bytes:
        return self.content


def test_compiled_kernels_are_kept_and_foreign_ones_are_written_anew(tmp_path: Path) -> None:
    caches: list[Compiled] = []

    def config() -> SimpleNamespace:
        caches.append(Compiled())
        return SimpleNamespace(create_runtime_cache=lambda: caches[-1], set_runtime_cache=lambda cache: None)

    given: list[object] = []
    engine = SimpleNamespace(create_runtime_config=config, create_execution_context=given.append)
    strategies = SimpleNamespace(DynamicShapesKernelSpecializationStrategy=SimpleNamespace(EAGER=1))
    rtx, path = Flavour("tensorrt-rtx", "1.7.1", strategies), tmp_path / "x.kernels"
    kernels = Kernels(rtx, engine, path)
    kernels.keep()
    assert not path.exists()
    caches[-1].content = b"rtx one"
    kernels.keep()
    assert path.read_bytes() == b"rtx one"
    kernels.new_context()
    assert given[-1].dynamic_shapes_kernel_specialization_strategy == 1  # type: ignore[attr-defined]
    Kernels(rtx, engine, path)
    assert caches[-1].content == b"rtx one"
    path.write_bytes(b"foreign")
    again = Kernels(rtx, engine, path)
    caches[-1].content = b"rtx two, longer"
    again.keep()
    assert path.read_bytes() == b"rtx two, longer"
    assert list(tmp_path.iterdir()) == [path]


def test_full_tensorrt_keeps_no_kernels(tmp_path: Path) -> None:
    engine = SimpleNamespace(create_execution_context=lambda: "context")
    kernels = Kernels(Flavour("tensorrt", "10.3.0", None), engine, tmp_path / "x.kernels")
    assert kernels.new_context() == "context"
    kernels.keep()
    assert not list(tmp_path.iterdir())


class Library:
    """A driver's library in which every call ends with ``code``, but for those that tell what went wrong."""

    def __init__(self, code: int) -> None:
        self.code = code

    def __getattr__(self, name: str) -> object:
        return lambda *_: 1 if name == "cuGetErrorString" else self.code


@pytest.mark.parametrize(("code", "words"), [(2, "memory is full"), (700, "a new process"), (999, "CUDA error 999")])
def test_what_the_driver_says_becomes_words(code: int, words: str) -> None:
    with pytest.raises(DeviceError, match=words):
        Cuda(Library(code))
