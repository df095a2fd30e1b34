"""A bundle that needs no training, so that the measurements can be tried on any checkout."""

from __future__ import annotations

from pathlib import Path

import onnx
import pytest
from onnx import TensorProto, helper

from engines.bundle import Card, TensorCard, TrainingCard, write_bundle


@pytest.fixture(scope="session")
def square_root_bundle(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A ``picture`` bundle that gives the square root of every channel."""
    shape = [1, 3, "height", "width"]
    graph = helper.make_graph(
        [helper.make_node("Sqrt", ["image"], ["enhanced"])],
        "square-root",
        [helper.make_tensor_value_info("image", TensorProto.FLOAT, shape)],
        [helper.make_tensor_value_info("enhanced", TensorProto.FLOAT, shape)],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=9)
    onnx.checker.check_model(model)
    card = Card(
        name="square-root",
        system="sci",
        kind="picture",
        inputs=(TensorCard("image", "1,3,h,w", "RGB 0..1"),),
        outputs=(TensorCard("enhanced", "1,3,h,w", "RGB 0..1"),),
        parameters=0,
        training=TrainingCard("none", "none", "none", 0, 0),
        licence="Apache-2.0",
    )
    folder = tmp_path_factory.mktemp("bundles") / "square-root"
    write_bundle(folder, model.SerializeToString(), card)
    return folder
