"""Picture-to-picture networks of a few nodes, as real ONNX: what they give is known at every pixel."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

from engines.bundle import Bundle, Card, Kind, TensorCard, TrainingCard, write_bundle

Side = int | str
EMBEDDING = {"embedding": (1, 256, "eh", "ew")}
REGIONS = {"regions": (1, 4, "rh", "rw")}
DEPTH = {"depth": (1, 3, "dh", "dw")}


def write_picture_bundle(
    folder: Path,
    nodes: Sequence[onnx.NodeProto],
    constants: Mapping[str, np.ndarray] | None = None,
    extra: Mapping[str, Sequence[Side]] | None = None,
    sides: tuple[Side, Side] = ("h", "w"),
    kind: Kind = "picture",
) -> Bundle:
    """A network from ``image`` and the ``extra`` inputs to ``enhanced``, for pictures with such sides."""
    shapes = {"image": (1, 3, *sides), **(extra or {})}
    given = [helper.make_tensor_value_info(name, TensorProto.FLOAT, shape) for name, shape in shapes.items()]
    result = helper.make_tensor_value_info("enhanced", TensorProto.FLOAT, [1, 3, None, None])
    weights = [numpy_helper.from_array(value, name) for name, value in (constants or {}).items()]
    graph = helper.make_graph(list(nodes), "tiny", given, [result], weights)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=9)
    onnx.checker.check_model(model)
    card = Card(
        name=folder.name,
        system="tiny",
        kind=kind,
        inputs=tuple(TensorCard(name, ",".join(map(str, shape)), "") for name, shape in shapes.items()),
        outputs=(TensorCard("enhanced", "1,3,h,w", "0..1"),),
        parameters=0,
        training=TrainingCard("none", "none", "none", 0, 0),
        licence="Apache-2.0",
    )
    return write_bundle(folder, model.SerializeToString(), card)


def identity(folder: Path, **options) -> Bundle:
    return write_picture_bundle(folder, [helper.make_node("Identity", ["image"], ["enhanced"])], **options)


def gamma(folder: Path, **options) -> Bundle:
    """The square root of every value: pointwise, and very visible in the dark."""
    return write_picture_bundle(folder, [helper.make_node("Sqrt", ["image"], ["enhanced"])], **options)


def box(folder: Path, radius: int, **options) -> Bundle:
    """The mean of (2 radius + 1)^2 pixels of each channel; zeros beyond the edge, as convolutions have it."""
    side = 2 * radius + 1
    kernel = np.full((3, 1, side, side), 1 / side**2, np.float32)
    node = helper.make_node(
        "Conv", ["image", "kernel"], ["enhanced"], kernel_shape=[side, side], pads=[radius] * 4, group=3
    )
    return write_picture_bundle(folder, [node], {"kernel": kernel}, **options)


def global_mean(folder: Path) -> Bundle:
    """Every pixel becomes the mean of all that the network was given at once."""
    nodes = [
        helper.make_node("GlobalAveragePool", ["image"], ["mean"]),
        helper.make_node("Mul", ["image", "zero"], ["nothing"]),
        helper.make_node("Add", ["nothing", "mean"], ["enhanced"]),
    ]
    return write_picture_bundle(folder, nodes, {"zero": np.zeros(1, np.float32)})


def painted(folder: Path, extra: Mapping[str, Sequence[Side]], kind: Kind = "picture") -> Bundle:
    """The picture plus the first three channels of the extra input, spread over it with sharp-edged cells."""
    (name,) = extra
    nodes = [
        helper.make_node("Slice", [name, "zero", "three", "one"], ["colours"]),
        helper.make_node("Shape", ["image"], ["size"]),
        helper.make_node("Resize", ["colours", "", "", "size"], ["spread"], mode="nearest"),
        helper.make_node("Add", ["image", "spread"], ["enhanced"]),
    ]
    constants = {key: np.array([number], np.int64) for key, number in (("zero", 0), ("one", 1), ("three", 3))}
    return write_picture_bundle(folder, nodes, constants, extra, kind=kind)


def broken(folder: Path) -> Bundle:
    """NaN where a value is above 0.9, else the picture."""
    nodes = [
        helper.make_node("Sub", ["limit", "image"], ["left"]),
        helper.make_node("Sqrt", ["left"], ["root"]),
        helper.make_node("Mul", ["root", "root"], ["square"]),
        helper.make_node("Sub", ["limit", "square"], ["enhanced"]),
    ]
    return write_picture_bundle(folder, nodes, {"limit": np.array([0.9], np.float32)})
