"""Which engine runs a bundle: named, or measured once and remembered."""

from __future__ import annotations

import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from engines import fastest
from engines.bundle import Bundle, load_bundle
from engines.choose import ENGINES, open_engine
from engines.errors import DeviceError, ModelError
from engines.fastest import Choice, choose, known, measure, refusals
from engines.onnx_runtime import Tensor
from engines.picture_network import PictureNetwork
from engines.tone_model import ToneModel


@pytest.fixture(autouse=True)
def own_cache(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("STREAM_ENHANCE_CACHE", str(tmp_path / "cache"))


@pytest.fixture
def sci() -> Bundle:
    return load_bundle("sci")


class Fake:
    """An engine that takes some time and adds something to what it is given."""

    device = "fake"
    inputs = (Tensor("image", (1, 3, None, None), "tensor(float)"),)
    outputs = (Tensor("enhanced", (1, 3, None, None), "tensor(float)"),)

    def __init__(self, seconds: float = 0.0, added: float = 0.0) -> None:
        self.seconds, self.added = seconds, added

    def infer(self, arrays: Mapping[str, Any]) -> dict[str, Any]:
        time.sleep(self.seconds)
        return {"enhanced": arrays["image"] + np.float32(self.added)}


def test_the_fastest_that_agrees_is_taken(sci: Bundle) -> None:
    def failing() -> Fake:
        raise DeviceError("no such thing here")

    found = measure(
        sci,
        {
            "onnxruntime": lambda: Fake(0.2),
            "openvino": lambda: Fake(0.0),
            "cuda": lambda: Fake(0.0, added=0.5),
            "ort-tensorrt": failing,
            "ort-openvino": lambda: Fake(0.0, added=float("nan")),
        },
    )
    assert found.engine == "openvino"
    assert set(found.milliseconds) == {"onnxruntime", "openvino"}
    assert "differs" in found.refused["cuda"]
    assert "no such thing" in found.refused["ort-tensorrt"]
    assert "NaN" in found.refused["ort-openvino"]
    assert "taken" in found.line("openvino")
    assert "taken" not in found.line("onnxruntime")
    assert "differs" in found.line("cuda")


def test_a_tie_stays_with_onnx_runtime(sci: Bundle) -> None:
    assert measure(sci, {"onnxruntime": lambda: Fake(0.05), "openvino": lambda: Fake(0.05)}).engine == "onnxruntime"


def test_it_is_measured_once_for_machine_model_and_threads(sci: Bundle, monkeypatch: pytest.MonkeyPatch) -> None:
    measured: list[str] = []

    def counted(bundle: Bundle, openers: Mapping[str, Any]) -> Choice:
        measured.append(bundle.card.name)
        return Choice("onnxruntime", {"onnxruntime": 1.0})

    monkeypatch.setattr(fastest, "measure", counted)
    assert (known(sci).engine, known(sci).line("onnxruntime")) == ("", "ready, not measured yet")
    first, second = choose(sci), choose(sci)
    assert known(sci).engine == first.engine
    assert measured == ["sci"]
    assert (first.engine, dict(first.milliseconds)) == (second.engine, dict(second.milliseconds))
    assert second.refused
    choose(sci, threads=2)
    choose(load_bundle("zero-dce-plus-plus"))
    choose(sci, again=True)
    assert measured == ["sci", "sci", "zero-dce-plus-plus", "sci"]
    monkeypatch.setattr(fastest, "_processor", lambda: "another processor")
    choose(sci)
    assert len(measured) == 5


@pytest.mark.parametrize("content", ["", "nonsense", "[]", '{"x": 1}'])
def test_a_damaged_memory_is_measured_anew(sci: Bundle, content: str, tmp_path: Path) -> None:
    path = tmp_path / "cache" / "engines.json"
    path.parent.mkdir()
    path.write_text(content)
    assert choose(sci).engine in ENGINES
    assert choose(sci).engine in ENGINES


def test_what_cannot_be_used_says_why(sci: Bundle) -> None:
    found = refusals(sci)
    assert "onnxruntime" not in found
    assert all(len(why) > 10 for why in found.values())


def test_models_take_an_engines_name_for_a_device(sci: Bundle) -> None:
    picture = np.random.default_rng(0).random((3, 20, 30), dtype=np.float32)
    one, two = PictureNetwork(sci)(picture), PictureNetwork(sci, device="auto")(picture)
    assert np.abs(one - two).max() * 255 < 1
    with pytest.raises(DeviceError, match="unknown engine"):
        ToneModel(sci, device="nothing")


def test_names_open_what_they_say(sci: Bundle) -> None:
    assert open_engine(sci, "onnxruntime").device == open_engine(sci, "cpu").device == "cpu"
    with pytest.raises(DeviceError, match="unknown engine 'nothing'; known are auto"):
        open_engine(sci, "nothing")
    with pytest.raises(ValueError, match="precision is"):
        choose(sci, precision="fp8")  # type: ignore[arg-type]


@pytest.mark.parametrize("name", ["curve", "sci"])
def test_openvino_does_what_onnx_runtime_does(name: str) -> None:
    pytest.importorskip("openvino", reason="pip install 'stream-enhance[openvino]'")
    from engines.precision.agreement import LIMITS, compare
    from engines.precision.pictures import feeds

    bundle = load_bundle(name)
    reference, engine = open_engine(bundle), open_engine(bundle, "openvino")
    assert [tensor.name for tensor in engine.inputs] == [tensor.name for tensor in reference.inputs]
    shapes = {reference.inputs[0].name: (1, 3, 64, 96)}
    if len(reference.inputs) > 1:
        shapes |= {"region_weights": (1, 17, 8, 12), "region_features": (1, 17, 256)}
    found = compare(reference.infer, engine.infer, feeds([shapes], name == "curve"), name == "curve")
    assert found.passes(LIMITS["fp32"]), found
    with pytest.raises(ModelError, match="failed on"):
        engine.infer({"image": np.zeros((1, 5, 8, 8), np.float32)})
