"""SAM's two models in miniature, as real ONNX files whose answers are known.

The encoder's embedding is the mean colour of each cell. The decoder's mask of a point is every cell that has the colour
of the cell at the point, with logits of +10 inside and far below 0 outside.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

PADDING = 0.5
"""Channel 3 of the embedding, where there is nothing but padding too."""


def write_encoder(path: Path, cells: int = 64) -> Path:
    weight = np.zeros((256, 3, 1, 1), np.float32)
    weight[:3, :, 0, 0] = np.eye(3)
    bias = np.zeros(256, np.float32)
    bias[3] = PADDING
    side = 1024 // cells
    nodes = [
        helper.make_node("AveragePool", ["input"], ["mean"], kernel_shape=[side, side], strides=[side, side]),
        helper.make_node("Conv", ["mean", "weight", "bias"], ["output"]),
    ]
    inputs = [helper.make_tensor_value_info("input", TensorProto.FLOAT, [1, 3, 1024, 1024])]
    outputs = [helper.make_tensor_value_info("output", TensorProto.FLOAT, [1, 256, cells, cells])]
    return _save(path, nodes, inputs, outputs, {"weight": weight, "bias": bias})


def write_decoder(path: Path, batch: int | str = 1, several: bool = False, iou: float = 0.95) -> Path:
    """``several`` masks: that of the point, an empty one, and everything else with a predicted IoU of 0.5."""
    constants = {
        "channels": np.array([3, 4096], np.int64),
        "one": np.array([1], np.int64),
        "zero": np.array([0], np.int64),
        "minus": np.array([-1], np.int64),
        "two": np.array([2], np.int64),
        "three": np.array([3], np.int64),
        "places": np.array([-1, 2], np.int64),
        "cell": np.float32(16),
        "strides": np.array([1, 64], np.float32),
        "grid": np.array([-1, 1, 64, 64], np.int64),
        "steep": np.float32(-1000),
        "sure": np.float32(10),
        "none": np.float32(-1000),
        "scales": np.array([1, 1, 4, 4], np.float32),
        "iou": np.array([[iou, 0.99, 0.5] if several else [iou]], np.float32),
        "tail": np.array([3 if several else 1], np.int64),
    }
    nodes = [
        helper.make_node("Slice", ["image_embeddings", "zero", "three", "one"], ["colours"]),
        helper.make_node("Reshape", ["colours", "channels"], ["flat"]),
        helper.make_node("Transpose", ["flat"], ["cells"], perm=[1, 0]),
        helper.make_node("Slice", ["point_coords", "zero", "one", "one"], ["first"]),
        helper.make_node("Reshape", ["first", "places"], ["points"]),
        helper.make_node("Div", ["points", "cell"], ["in_cells"]),
        helper.make_node("Floor", ["in_cells"], ["corner"]),
        helper.make_node("Mul", ["corner", "strides"], ["offsets"]),
        helper.make_node("ReduceSum", ["offsets", "one"], ["offset"], keepdims=0),
        helper.make_node("Cast", ["offset"], ["index"], to=TensorProto.INT64),
        helper.make_node("Gather", ["cells", "index"], ["wanted"]),
        helper.make_node("Unsqueeze", ["wanted", "one"], ["wanted_"]),
        helper.make_node("Sub", ["cells", "wanted_"], ["difference"]),
        helper.make_node("Abs", ["difference"], ["distance"]),
        helper.make_node("ReduceSum", ["distance", "two"], ["total"], keepdims=0),
        helper.make_node("Mul", ["total", "steep"], ["falling"]),
        helper.make_node("Add", ["falling", "sure"], ["logits"]),
        helper.make_node("Reshape", ["logits", "grid"], ["square"]),
        helper.make_node("Resize", ["square", "", "scales"], ["same"], mode="nearest"),
        helper.make_node("Neg", ["same"], ["rest"]),
        helper.make_node("Add", ["same", "none"], ["empty"]),
        helper.make_node("Concat", ["same", "empty", "rest"] if several else ["same"], ["low_res_masks"], axis=1),
        helper.make_node("Shape", ["wanted"], ["shape"]),
        helper.make_node("Slice", ["shape", "zero", "one"], ["count"]),
        helper.make_node("Concat", ["count", "tail"], ["iou_shape"], axis=0),
        helper.make_node("Expand", ["iou", "iou_shape"], ["iou_predictions"]),
    ]
    shapes = {
        "image_embeddings": [1, 256, 64, 64],
        "point_coords": [batch, "points", 2],
        "point_labels": [batch, "points"],
        "mask_input": [1, 1, 256, 256],
        "has_mask_input": [1],
        "orig_im_size": [2],
    }
    inputs = [helper.make_tensor_value_info(name, TensorProto.FLOAT, shape) for name, shape in shapes.items()]
    outputs = [
        helper.make_tensor_value_info("iou_predictions", TensorProto.FLOAT, [batch, None]),
        helper.make_tensor_value_info("low_res_masks", TensorProto.FLOAT, [batch, None, 256, 256]),
    ]
    return _save(path, nodes, inputs, outputs, constants)


def _save(
    path: Path,
    nodes: list[onnx.NodeProto],
    inputs: list[onnx.ValueInfoProto],
    outputs: list[onnx.ValueInfoProto],
    constants: dict[str, np.ndarray],
) -> Path:
    weights = [numpy_helper.from_array(np.asarray(value), name) for name, value in constants.items()]
    graph = helper.make_graph(nodes, "fake", inputs, outputs, weights)
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8), path)
    return path
