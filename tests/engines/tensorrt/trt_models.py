"""Small ONNX models with what precision rules and parsers must get right."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper


def model(
    nodes: Sequence[onnx.NodeProto],
    constants: dict[str, NDArray[Any]] | None = None,
    shape: Sequence[int | str] = (1, 3, "h", "w"),
    result: Sequence[int | str] = (1, 3, "h", "w"),
    opset: int = 18,
) -> bytes:
    """``image`` -> ``enhanced``, float32."""
    graph = helper.make_graph(
        list(nodes),
        "small",
        [helper.make_tensor_value_info("image", TensorProto.FLOAT, shape)],
        [helper.make_tensor_value_info("enhanced", TensorProto.FLOAT, result)],
        [numpy_helper.from_array(np.asarray(value), name) for name, value in (constants or {}).items()],
    )
    made = helper.make_model(graph, opset_imports=[helper.make_opsetid("", opset)], ir_version=9)
    return bytes(made.SerializeToString())


def convolved(seed: int = 0, scale: float = 0.3) -> bytes:
    """Two convolutions with a ReLU between them and a sigmoid behind."""
    rng = np.random.default_rng(seed)
    weights = {
        "w1": (rng.standard_normal((8, 3, 3, 3)) * scale).astype(np.float32),
        "b1": rng.standard_normal(8).astype(np.float32),
        "w2": (rng.standard_normal((3, 8, 3, 3)) * scale).astype(np.float32),
    }
    nodes = [
        helper.make_node("Conv", ["image", "w1", "b1"], ["a"], "first", pads=[1, 1, 1, 1]),
        helper.make_node("Relu", ["a"], ["b"], "relu"),
        helper.make_node("Conv", ["b", "w2"], ["c"], "second", pads=[1, 1, 1, 1]),
        helper.make_node("Sigmoid", ["c"], ["enhanced"], "sigmoid"),
    ]
    return model(nodes, weights)


def normalised(gain: float = 1.0) -> bytes:
    """A convolution, then a layer normalisation in pieces over channels, as exporters write it, and a convolution."""
    rng = np.random.default_rng(1)
    constants = {
        "w1": (rng.standard_normal((16, 3, 1, 1)) * gain).astype(np.float32),
        "w2": (rng.standard_normal((3, 16, 1, 1)) * 0.1).astype(np.float32),
        "eps": np.array(1e-6, np.float32),
        "axes": np.array([1], np.int64),
    }
    nodes = [
        helper.make_node("Conv", ["image", "w1"], ["x"], "conv in"),
        helper.make_node("ReduceMean", ["x", "axes"], ["mean"], "mean", keepdims=1),
        helper.make_node("Sub", ["x", "mean"], ["d"], "centred"),
        helper.make_node("Mul", ["d", "d"], ["dd"], "squared"),
        helper.make_node("ReduceMean", ["dd", "axes"], ["var"], "variance", keepdims=1),
        helper.make_node("Add", ["var", "eps"], ["safe"], "safe"),
        helper.make_node("Sqrt", ["safe"], ["root"], "root"),
        helper.make_node("Div", ["d", "root"], ["y"], "normed"),
        helper.make_node("Conv", ["y", "w2"], ["z"], "conv out"),
        helper.make_node("Sigmoid", ["z"], ["enhanced"], "sigmoid"),
    ]
    return model(nodes, constants)


def in_full(content: bytes) -> set[str]:
    """Names of the nodes whose first result is fp32."""
    made = onnx.shape_inference.infer_shapes(onnx.load_model_from_string(content))
    types = {v.name: v.type.tensor_type.elem_type for v in (*made.graph.value_info, *made.graph.output)}
    return {node.name for node in made.graph.node if types.get(node.output[0]) == TensorProto.FLOAT}


def run(content: bytes, feed: dict[str, NDArray[Any]]) -> dict[str, NDArray[Any]]:
    """All results by ONNX's own evaluator, which computes every operator in the type that the file states."""
    from onnx.reference import ReferenceEvaluator

    made = onnx.load_model_from_string(content)
    with np.errstate(all="ignore"):
        results = ReferenceEvaluator(made).run(None, feed)
    return dict(zip((value.name for value in made.graph.output), results, strict=True))
