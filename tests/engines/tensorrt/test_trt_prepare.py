"""From a bundle to an installed engine: what fails a check is not installed; and the commands around it."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from typer.testing import CliRunner

from engines.bundle import Bundle, Card, TensorCard, load_bundle
from engines.errors import DeviceError, ModelError
from engines.precision.agreement import Agreement
from engines.precision.census import Census
from engines.tensorrt import prepare as preparing
from engines.tensorrt import stated as stating
from engines.tensorrt.build import BuildOptions
from engines.tensorrt.cache import EngineCache
from engines.tensorrt.cuda import Gpu
from engines.tensorrt.engine import LoadError
from engines.tensorrt.flavour import Flavour
from engines.tensorrt.prepare import UNCHECKED, Wish, choose_flavour, key_of, open_tensorrt, prepare
from tests.engines.tensorrt.trt_models import convolved

GPU = Gpu(0, "a GPU", "8.9", "13.0")


@pytest.fixture
def small() -> Bundle:
    """A picture model that does not ship, for 32x40 only, so that checks are quick."""
    card = load_bundle("sci").card
    sizes = TensorCard("image", "1,3,32,40", "R'G'B' in 0..1")
    return Bundle(Path("small"), replace(card, name="small", inputs=(sizes,)), convolved(scale=0.1))


@pytest.fixture(autouse=True)
def own_cache(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("STREAM_ENHANCE_CACHE", str(tmp_path / "cache"))


@pytest.mark.parametrize("precision", ["fp32", "fp16", "int8"])
def test_it_is_built_once_and_says_what_was_checked(rtx: Flavour, small: Bundle, precision: Any) -> None:
    wish = Wish(small, rtx, precision, gpu=None)
    told: list[float] = []
    entry, plan = prepare(wish, report=lambda share, _: told.append(share) is None)
    assert told
    again, same = prepare(wish, report=lambda *_: pytest.fail("built twice"))
    assert (again.path, same) == (entry.path, plan)
    assert entry.notes["parsed"] == ("1 in fp32, 1 in int8" if precision == "int8" else f"2 in {precision}")
    assert entry.notes["engine against ONNX Runtime"] == UNCHECKED
    assert ("p99" in entry.notes["file against fp32"]) == (precision != "fp32")


def test_a_file_that_differs_is_not_built(rtx: Flavour, small: Bundle, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(stating, "check", lambda *_: Agreement(9.0, 50.0, 15))
    with pytest.raises(ModelError, match=r"p99 9\.00.*Nothing was installed.*--precision fp32"):
        prepare(Wish(small, rtx, "fp16", gpu=None))
    assert EngineCache().entries() == []


def test_lost_precision_is_not_installed(rtx: Flavour, small: Bundle, monkeypatch: pytest.MonkeyPatch) -> None:
    real = preparing.build

    def losing(*given: Any) -> Any:
        return replace(real(*given), census=Census(fp32=2))

    monkeypatch.setattr(preparing, "build", losing)
    with pytest.raises(ModelError, match="precision was lost"):
        prepare(Wish(small, rtx, "fp16", gpu=None))
    assert EngineCache().entries() == []


def test_int8_depends_on_its_calibration(rtx: Flavour, small: Bundle) -> None:
    wish = Wish(small, rtx, "int8", gpu=None)
    other = replace(wish, calibration=[np.zeros((3, 32, 40), np.float32)])
    assert key_of(wish, None) != key_of(other, None)
    assert key_of(replace(wish, precision="fp16"), None) == key_of(replace(other, precision="fp16"), None)


def test_keys_know_the_gpu_where_engines_are_for_one(small: Bundle) -> None:
    full = Wish(small, Flavour("tensorrt", "10.3.0", None), "fp16")
    rtx = Wish(small, Flavour("tensorrt-rtx", "1.7.1", None), "fp16")
    assert key_of(full, GPU) != key_of(full, replace(GPU, driver="12.9"))
    assert key_of(full, GPU) != key_of(full, replace(GPU, capability="9.0"))
    assert key_of(rtx, GPU) == key_of(rtx, None)
    assert key_of(rtx, None) != key_of(replace(rtx, options=BuildOptions(level=1)), None)
    several = replace(rtx, bundle=load_bundle("curve"))
    assert key_of(several, None) != key_of(replace(several, batch=2), None)


def test_full_tensorrt_without_a_gpu_is_refused_before_anything_is_done(small: Bundle) -> None:
    with pytest.raises(DeviceError, match="only where an NVIDIA GPU"):
        prepare(Wish(small, Flavour("tensorrt", "10.3.0", None), gpu=None))


class Loaded:
    """An engine on a GPU that is not here: answers as the model does, or otherwise as it is told."""

    wrong = False
    refuse: list[bytes] = []  # noqa: RUF012  (of the class on purpose: counts over all)
    layers = Census(fp16=2)

    def __init__(self, plan: bytes, *_: object) -> None:
        if Loaded.refuse:
            Loaded.refuse.pop()
            raise LoadError("for another GPU")
        self.plan = plan

    def inspect(self) -> Census:
        return Loaded.layers

    def infer(self, feed: Any) -> dict[str, Any]:
        from engines.onnx_runtime import open_engine

        card = load_bundle("sci").card
        result = open_engine(Bundle(Path("x"), card, convolved(scale=0.1))).infer(feed)["enhanced"]
        return {"enhanced": np.full_like(result, np.nan) if Loaded.wrong else result}

    def close(self) -> None:
        pass


@pytest.fixture
def with_gpu(monkeypatch: pytest.MonkeyPatch) -> type[Loaded]:
    monkeypatch.setattr(preparing, "find_gpu", lambda number: GPU)
    monkeypatch.setattr(preparing, "open_cuda", lambda number: SimpleNamespace(gpu=GPU))
    monkeypatch.setattr(preparing, "TensorRTEngine", Loaded)
    Loaded.wrong, Loaded.refuse, Loaded.layers = False, [], Census(fp16=2)
    return Loaded


def test_on_a_gpu_the_engine_is_checked_before_it_is_installed(
    rtx: Flavour, small: Bundle, with_gpu: type[Loaded]
) -> None:
    with_gpu.wrong = True
    with pytest.raises(ModelError, match="NaN or infinity on dark scene"):
        prepare(Wish(small, rtx))
    assert EngineCache().entries() == []
    with_gpu.wrong, with_gpu.layers = False, Census(fp32=3)
    with pytest.raises(ModelError, match="nothing in fp16"):
        prepare(Wish(small, rtx))
    assert EngineCache().entries() == []
    with_gpu.layers = Census(fp16=1)
    entry, _ = prepare(Wish(small, rtx))
    assert entry.notes["checked on"] == str(GPU)
    assert "p99" in entry.notes["engine against ONNX Runtime"]


def test_an_unchecked_engine_is_checked_when_it_is_first_opened(
    rtx: Flavour, small: Bundle, with_gpu: type[Loaded]
) -> None:
    prepare(Wish(small, rtx, gpu=None))
    with_gpu.wrong = True
    with pytest.raises(ModelError, match="NaN"):
        open_tensorrt(Wish(small, rtx))
    assert EngineCache().entries() == []
    with_gpu.wrong = False
    prepare(Wish(small, rtx, gpu=None))
    open_tensorrt(Wish(small, rtx))
    assert EngineCache().entries()[0].notes["checked on"] == str(GPU)


def test_an_engine_that_cannot_be_loaded_is_built_again_once(
    rtx: Flavour, small: Bundle, with_gpu: type[Loaded]
) -> None:
    prepare(Wish(small, rtx))
    told: list[float] = []
    with_gpu.refuse = [b""]
    open_tensorrt(Wish(small, rtx), report=lambda share, _: told.append(share) is None)
    assert told
    with_gpu.refuse = [b"", b""]
    with pytest.raises(LoadError):
        open_tensorrt(Wish(small, rtx))


def test_the_flavour_is_the_named_one_or_what_is_here(rtx: Flavour) -> None:
    assert choose_flavour("tensorrt-rtx") == rtx
    assert choose_flavour(None, gpu=None) == rtx


def run(*words: str) -> tuple[int, str, str]:
    from stream.engines_cli import app

    done = CliRunner().invoke(app, list(words))
    return done.exit_code, done.stdout, done.stderr


def test_commands_build_list_and_clear(rtx: Flavour) -> None:
    code, out, err = run("build", "sci", "--device", "any")
    assert code == 0, err
    assert "3 in fp16" in out
    assert UNCHECKED in out
    code, out, _ = run("cache", "ls")
    assert code == 0
    assert "sci" in out
    assert "1 engines" in out
    broken = next(EngineCache().folder.glob("*.engine"))
    broken.write_bytes(b"nonsense")
    assert "no engine of this version" in run("cache")[1]
    assert "1 files deleted" in run("cache", "clear")[1]
    assert "0 engines" in run("cache", "ls")[1]


@pytest.mark.parametrize(
    ("words", "code", "said"),
    [
        (("build", "sci", "--precision", "fp8"), 2, "--precision is fp32, fp16, int8"),
        (("build", "sci", "--engine", "other"), 2, "--engine is auto"),
        (("build", "sci", "--device", "the big one"), 2, "--device is"),
        (("build", "sci", "--calibration", "."), 2, "for --precision int8"),
        (("build", "nothing-of-this-name"), 1, "no bundle"),
    ],
)
def test_commands_refuse_in_one_line(rtx: Flavour, words: tuple[str, ...], code: int, said: str) -> None:
    found = run(*words)
    assert found[0] == code
    assert said in found[2]
    assert found[2].startswith("error: ")
    assert found[2].count("\n") == 1


def test_photos_for_calibration_become_usual_thumbnails(tmp_path: Path) -> None:
    from stream.engines_cli import _pictures
    from stream.media.photos import write_photo

    rng = np.random.default_rng(0)
    for name, size in (("wide.png", (90, 160)), ("tall.png", (200, 120)), ("square.png", (100, 110))):
        write_photo(tmp_path / name, rng.integers(0, 60, (*size, 3), dtype=np.uint8))
    shapes = {picture.shape for picture in _pictures(tmp_path)}
    assert shapes == {(3, 144, 256), (3, 256, 144), (3, 192, 192)}


def test_cards_for_one_size_only_are_understood(small: Bundle) -> None:
    assert isinstance(small.card, Card)
    assert len(Wish(small, Flavour("tensorrt-rtx", "1", None)).profiles()) == 1
