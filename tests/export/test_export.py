"""Exported bundles: parity with the network, free sizes, honest cards, and refusal of what differs or is unknown."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import onnx
import onnxruntime as ort
import pytest
import torch

from engines.bundle import load_bundle
from export.__main__ import main
from export.interfaces import CURVE, interface_of
from export.onnx_model import to_onnx
from export.parity import compare, synthetic_pictures
from networks.curve import CurveNet
from networks.sci import load_sci
from networks.systems import Inference, build

PUBLISHED = Path(__file__).parents[3] / "shared" / "data" / "models" / "sci" / "medium.pt"
RECIPE = {"name": "tiny.yaml", "data": {"name": "pictures made by the test", "licence": "CC0-1.0"}, "seed": 5}


def network(system: str) -> torch.nn.Module:
    """A network whose every part does something, normalisation statistics included."""
    torch.manual_seed(6)
    made: torch.nn.Module = CurveNet() if system == "curve" else Inference(system, build(system))
    for module in made.modules():
        if isinstance(module, torch.nn.BatchNorm2d):
            torch.nn.init.uniform_(module.running_mean, -0.1, 0.1)
            torch.nn.init.uniform_(module.running_var, 0.5, 2)
    if isinstance(made, CurveNet):
        torch.nn.init.normal_(made.head.weight, 0, 0.01)
    return made.eval()


@pytest.fixture(scope="module")
def curve_onnx() -> bytes:
    """Exporting takes seconds: once for all tests."""
    return to_onnx(network("curve"), CURVE)


@pytest.fixture(scope="module", params=["curve", "sci"])
def exported(request: pytest.FixtureRequest, curve_onnx: bytes) -> tuple[str, torch.nn.Module, bytes]:
    made = network(request.param)
    return request.param, made, curve_onnx if request.param == "curve" else to_onnx(made, interface_of(made))


def test_parity_is_below_a_code_on_every_thumbnail_shape(exported: tuple[str, torch.nn.Module, bytes]) -> None:
    _, made, model = exported
    parity = compare(made, model, interface_of(made), list(synthetic_pictures()))
    assert parity.p99 <= 0.5
    assert parity.worst <= 1
    assert parity.pictures == 15


def test_the_comparison_sees_another_network(exported: tuple[str, torch.nn.Module, bytes]) -> None:
    _, made, model = exported
    with torch.no_grad():
        for parameter in made.parameters():
            parameter.add_(0.05)
        parity = compare(made, model, interface_of(made), list(synthetic_pictures()))
        for parameter in made.parameters():
            parameter.sub_(0.05)
    assert parity.p99 > 1


def test_height_and_width_are_free(exported: tuple[str, torch.nn.Module, bytes]) -> None:
    system, made, model = exported
    session = ort.InferenceSession(model, providers=["CPUExecutionProvider"])
    for height, width in ((16, 24), (144, 256), (200, 104)):
        given = np.full((1, 3, height, width), 0.2, np.float32)
        (result,) = session.run(None, {interface_of(made).picture.name: given})
        assert result.shape == ((1, height // 8, width // 8, 9) if system == "curve" else (1, 3, height, width))


def test_one_plain_file_that_old_runtimes_read(exported: tuple[str, torch.nn.Module, bytes]) -> None:
    model = onnx.load_from_string(exported[2])
    assert model.ir_version <= 9
    assert [entry.version for entry in model.opset_import if entry.domain == ""] == [18]
    assert not any(node.op_type == "BatchNormalization" for node in model.graph.node)
    assert not any(node.metadata_props for node in model.graph.node)
    assert b".py" not in exported[2]


@pytest.fixture
def checkpoint(tmp_path: Path) -> Path:
    path = tmp_path / "checkpoint.pt"
    state = {"system": "curve", "options": {}, "bank": None, "recipe": RECIPE, "step": 7}
    torch.save(state | {"average": network("curve").state_dict()}, path)
    return path


def test_the_command_writes_a_bundle_whose_card_tells_the_truth(
    tmp_path: Path, checkpoint: Path, curve_onnx: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("export.__main__.to_onnx", lambda *_: curve_onnx)
    metrics = tmp_path / "metrics.json"
    metrics.write_text(
        json.dumps({"name": "val", "rows": [{"model": "mine", "psnr": 20.5}, {"model": "x", "psnr": 1.0}]})
    )
    folder = tmp_path / "mine"
    arguments = ["-o", str(folder), "--metrics", str(metrics), "--note", "Leaves a cast."]
    assert main([str(checkpoint), "--system", "curve", *arguments]) == 0
    card = load_bundle(folder).card
    assert (card.name, card.system, card.kind) == ("mine", "curve", "grid")
    assert (card.training.steps, card.training.seed, card.training.recipe) == (7, 5, "tiny.yaml")
    assert card.training.data == "pictures made by the test"
    assert card.licence.startswith("CC0-1.0")
    assert card.parameters == sum(parameter.numel() for parameter in CurveNet().parameters())
    assert card.metrics["val_psnr"] == 20.5
    assert "Leaves a cast." in card.notes
    assert card.metrics["parity_p99_codes"] <= 1


def test_a_model_that_differs_is_not_written(
    tmp_path: Path,
    checkpoint: Path,
    curve_onnx: bytes,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setattr("export.__main__.to_onnx", lambda *_: curve_onnx)
    state = torch.load(checkpoint, weights_only=True)
    state["average"]["head.bias"] += 0.1
    torch.save(state, checkpoint)
    assert main([str(checkpoint), "--system", "curve", "-o", str(tmp_path / "bad")]) == 1
    assert "Nothing was written" in capsys.readouterr().err
    assert not (tmp_path / "bad").exists()


def test_wrong_checkpoints_are_named(tmp_path: Path, checkpoint: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main([str(checkpoint), "--system", "sci", "-o", str(tmp_path / "b")]) == 1
    assert "holds weights of curve, not of sci" in capsys.readouterr().err
    (tmp_path / "text.pt").write_text("hello")
    assert main([str(tmp_path / "text.pt"), "--system", "sci", "-o", str(tmp_path / "b")]) == 1
    assert "text.pt is no checkpoint" in capsys.readouterr().err


@pytest.mark.skipif(not PUBLISHED.is_file(), reason=f"no published SCI checkpoint {PUBLISHED}")
def test_a_published_checkpoint_needs_its_data_named(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    arguments = [str(PUBLISHED), "--system", "sci", "-o", str(tmp_path / "medium")]
    assert main(arguments) == 1
    assert "--data-name" in capsys.readouterr().err
    assert main([*arguments, "--data-name", "LOL and LSRW", "--data-licence", "MIT"]) == 0
    bundle = load_bundle(tmp_path / "medium")
    assert (bundle.card.kind, bundle.card.parameters) == ("picture", 258)
    picture = np.random.default_rng(0).random((1, 3, 20, 30), dtype=np.float32)
    (found,) = ort.InferenceSession(bundle.model).run(None, {"image": picture})
    with torch.no_grad():
        expected = load_sci(PUBLISHED)(torch.from_numpy(picture)).numpy()
    assert np.abs(found - expected).max() < 1e-5
