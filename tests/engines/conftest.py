"""Tiny models as real ONNX files, so that the run-time half is tested against what it will really open."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import onnx
import pytest
from onnx import TensorProto, helper

from engines.bundle import Bundle, Card, Kind, TensorCard, TrainingCard, write_bundle

BundleMaker = Callable[..., Bundle]


def _model(nodes: list[onnx.NodeProto], kind: Kind, constants: dict[str, list[float]]) -> bytes:
    names = ("thumbnail", "grid") if kind == "grid" else ("image", "enhanced")
    shapes = ([1, 3, "h", "w"], [1, "rows", "cols", 9] if kind == "grid" else [1, 3, "h", "w"])
    values = [
        helper.make_tensor_value_info(name, TensorProto.FLOAT, shape) for name, shape in zip(names, shapes, strict=True)
    ]
    weights = [helper.make_tensor(name, TensorProto.FLOAT, [len(v)], v) for name, v in constants.items()]
    graph = helper.make_graph(nodes, "tiny", values[:1], values[1:], weights)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    onnx.checker.check_model(model)
    return bytes(model.SerializeToString())


@pytest.fixture
def make_bundle(tmp_path: Path) -> BundleMaker:
    """``make_bundle(name, kind, nodes, constants)`` writes a bundle into a temporary folder."""

    def make(
        name: str,
        kind: Kind = "picture",
        nodes: list[onnx.NodeProto] | None = None,
        constants: dict[str, list[float]] | None = None,
    ) -> Bundle:
        inner = nodes or [helper.make_node("Identity", ["image"], ["enhanced"])]
        source, result = ("thumbnail", "grid") if kind == "grid" else ("image", "enhanced")
        card = Card(
            name=name,
            system=name,
            kind=kind,
            inputs=(TensorCard(source, "1,3,h,w", "0..1"),),
            outputs=(TensorCard(result, "", ""),),
            parameters=0,
            training=TrainingCard("none", "none", "none", 0, 0),
            licence="Apache-2.0",
        )
        return write_bundle(tmp_path / name, _model(inner, kind, constants or {}), card)

    return make


@pytest.fixture
def gamma_bundle(make_bundle: BundleMaker) -> Bundle:
    """Brightens every channel by a gamma of 0.5."""
    return make_bundle("gamma", nodes=[helper.make_node("Sqrt", ["image"], ["enhanced"])])


@pytest.fixture
def gain_bundle(make_bundle: BundleMaker) -> Bundle:
    """Doubles every channel."""
    return make_bundle(
        "gain", nodes=[helper.make_node("Mul", ["image", "two"], ["enhanced"])], constants={"two": [2.0]}
    )
