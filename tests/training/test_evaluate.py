"""The evaluation runs the shipped path, and its figures are right on pictures whose answer is known."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper
from training_pictures import brackets, save

from engines.bundle import Card, TensorCard, TrainingCard, write_bundle
from training.__main__ import main
from training.data import read_picture
from training.evaluate import open_method, to_planes, to_rgb


def constant_bundle(folder: Path, node: list[float]) -> Path:
    """A bundle that gives the same node everywhere, for a square picture: 24 x 24 nodes."""
    grid = np.tile(np.array(node, np.float32), (1, 24, 24, 1))
    graph = helper.make_graph(
        [helper.make_node("Identity", ["nodes"], ["grid"]), helper.make_node("Identity", ["thumbnail"], ["unused"])],
        "constant",
        [helper.make_tensor_value_info("thumbnail", TensorProto.FLOAT, [1, 3, "h", "w"])],
        [helper.make_tensor_value_info("grid", TensorProto.FLOAT, [1, 24, 24, 9])],
        [helper.make_tensor("nodes", TensorProto.FLOAT, grid.shape, grid.ravel())],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=9)
    onnx.checker.check_model(model)
    card = Card(
        "constant",
        "curve",
        "grid",
        (TensorCard("thumbnail", "1,3,h,w", "planes"),),
        (TensorCard("grid", "1,h/8,w/8,9", "nodes"),),
        0,
        TrainingCard("none", "none", "none", 0, 0),
        "CC0-1.0",
    )
    return write_bundle(folder, model.SerializeToString(), card).folder


def test_planes_and_back_keep_a_smooth_picture(tmp_path: Path) -> None:
    rows, cols = np.mgrid[0:33, 0:47] / 47
    picture = np.rint(np.stack((rows, cols, 0.5 + 0 * rows), -1) * 200 + 20).astype(np.uint8)
    back = to_rgb(to_planes(picture))
    assert back.shape == picture.shape
    assert np.abs(back.astype(int) - picture).max() <= 6
    assert np.abs(back.astype(int) - picture).mean() < 1


def test_figures_of_pictures_whose_answer_is_known(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    # Grey pairs, the target exactly twice as bright: the input is off by its own value, a gain of two hits the target.
    for name, level in (("a", 40), ("b", 60)):
        save(np.full((48, 48, 3), level / 255), tmp_path / "pairs" / "low" / f"{name}.png")
        save(np.full((48, 48, 3), 2 * level / 255), tmp_path / "pairs" / "high" / f"{name}.png")
    bundle = constant_bundle(tmp_path / "twice", [2, 0, 0.004, 1, 0, 0, 1, 0, 0])
    table = tmp_path / "table.json"
    arguments = [
        "--model",
        "input",
        "--model",
        f"gain={bundle}",
        "--data",
        str(tmp_path / "pairs"),
        "--json",
        str(table),
    ]
    assert main(["evaluate", *arguments]) == 0
    written = json.loads(table.read_text())
    assert written["pairs"] == 2
    by_name = {row["model"]: row for row in written["rows"]}
    expected = [20 * np.log10(255 / level) for level in (40, 60)]
    assert by_name["input"]["psnr"] == pytest.approx(np.mean(expected), abs=1e-3)
    assert by_name["input"]["psnr_worst"] == pytest.approx(min(expected), abs=1e-3)
    assert by_name["gain"]["psnr"] == pytest.approx(48.13, abs=0.01)
    assert "48.13" in capsys.readouterr().out


def test_the_shipped_path_applies_the_grid_of_the_bundle(tmp_path: Path) -> None:
    picture = read_picture(brackets(tmp_path / "data", scenes=1) / "scene0" / "exposure_0.jpg")[:64, :64]
    bundle = constant_bundle(tmp_path / "lift", [0.5, 0.3, 0.02, 1, 0, 0, 1, 0, 0])
    done = open_method(str(bundle))(picture)
    grey = picture @ np.array([0.299, 0.587, 0.114]) / 255
    expected = 0.5 * grey + 0.3 * np.sqrt(grey) + 0.02
    assert np.abs(done @ np.array([0.299, 0.587, 0.114]) / 255 - expected).mean() < 0.01


def test_errors_are_one_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["evaluate", "--model", "no-such-bundle", "--data", str(tmp_path)]) == 1
    assert "error: " in capsys.readouterr().err
    assert main(["fit", str(tmp_path / "absent.yaml")]) == 1
    assert "absent.yaml cannot be read" in capsys.readouterr().err
