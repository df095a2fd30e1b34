"""Bundles of a few weights, as real ONNX: enough to enhance, and to fail on purpose."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

from engines.bundle import Bundle, Card, TensorCard, TrainingCard, write_bundle


def tiny_grid_model(shadow_lift: float = 0.35, offset: float = 0.0) -> bytes:
    """y' = y + lift * (1 - mean luma of the cell) * sqrt(y) + offset, chroma times 1.2."""
    weights = np.zeros((9, 1, 1, 1), np.float32)
    bias = np.array([1, shadow_lift, offset, 1.2, 0, 0, 1.2, 0, 0], np.float32)
    weights[1] = -shadow_lift
    constants = {"first": [0], "second": [1], "axis": [1]}
    initialisers = [numpy_helper.from_array(np.array(value, np.int64), name) for name, value in constants.items()]
    initialisers += [numpy_helper.from_array(weights, "weights"), numpy_helper.from_array(bias, "bias")]
    nodes = [
        helper.make_node("Slice", ["thumbnail", "first", "second", "axis"], ["luma"]),
        helper.make_node("AveragePool", ["luma"], ["mean"], kernel_shape=[8, 8], strides=[8, 8]),
        helper.make_node("Conv", ["mean", "weights", "bias"], ["planar"], kernel_shape=[1, 1]),
        helper.make_node("Transpose", ["planar"], ["grid"], perm=[0, 2, 3, 1]),
    ]
    graph = helper.make_graph(
        nodes,
        "tiny",
        [helper.make_tensor_value_info("thumbnail", TensorProto.FLOAT, [1, 3, "h", "w"])],
        [helper.make_tensor_value_info("grid", TensorProto.FLOAT, [1, "rows", "cols", 9])],
        initialisers,
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=10)
    onnx.checker.check_model(model)
    return bytes(model.SerializeToString())


def write_tiny_bundle(folder: Path, **parameters: float) -> Bundle:
    """A bundle of kind ``grid`` named after its folder."""
    card = Card(
        name=folder.name,
        system="tiny",
        kind="grid",
        inputs=(TensorCard("thumbnail", "1,3,h,w", "y 0..1, u and v about -0.5..0.5"),),
        outputs=(TensorCard("grid", "1,h/8,w/8,9", "tone-curve coefficients"),),
        parameters=18,
        training=TrainingCard(data="none", data_licence="none", recipe="none", steps=0, seed=0),
        licence="Apache-2.0",
    )
    return write_bundle(folder, tiny_grid_model(**parameters), card)


NODES = {
    "root": [helper.make_node("Sqrt", ["image"], ["enhanced"])],
    "same": [helper.make_node("Identity", ["image"], ["enhanced"])],
    "nan above half": [
        helper.make_node("Sub", ["half", "image"], ["left"]),
        helper.make_node("Sqrt", ["left"], ["enhanced"]),
    ],
    "mean of all": [
        helper.make_node("GlobalAveragePool", ["image"], ["mean"]),
        helper.make_node("Sub", ["image", "image"], ["nothing"]),
        helper.make_node("Add", ["nothing", "mean"], ["enhanced"]),
    ],
    "half the size": [
        helper.make_node("AveragePool", ["image"], ["enhanced"], kernel_shape=[2, 2], strides=[2, 2]),
    ],
}


def write_picture_bundle(
    folder: Path, what: str = "root", extra: Mapping[str, Sequence[int | str]] | None = None
) -> Bundle:
    """A bundle of kind ``picture`` named after its folder; ``extra`` inputs are declared, and add their mean."""
    shapes = {"image": (1, 3, "h", "w"), **(extra or {})}
    nodes, result = list(NODES[what]), "enhanced"
    for name in extra or {}:
        nodes += [
            helper.make_node("ReduceMean", [name], [f"mean of {name}"], keepdims=0),
            helper.make_node("Add", [result, f"mean of {name}"], [f"with {name}"]),
        ]
        result = f"with {name}"
    graph = helper.make_graph(
        nodes,
        "tiny",
        [helper.make_tensor_value_info(name, TensorProto.FLOAT, shape) for name, shape in shapes.items()],
        [helper.make_tensor_value_info(result, TensorProto.FLOAT, [1, 3, None, None])],
        [numpy_helper.from_array(np.array([0.5], np.float32), "half")],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=9)
    onnx.checker.check_model(model)
    card = Card(
        name=folder.name,
        system="tiny",
        kind="picture",
        inputs=tuple(TensorCard(name, ",".join(map(str, shape)), "") for name, shape in shapes.items()),
        outputs=(TensorCard("enhanced", "1,3,h,w", "R'G'B' in 0..1"),),
        parameters=0,
        training=TrainingCard(data="none", data_licence="none", recipe="none", steps=0, seed=0),
        licence="Apache-2.0",
    )
    return write_bundle(folder, model.SerializeToString(), card)
