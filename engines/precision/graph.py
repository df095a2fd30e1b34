"""ONNX graphs as the precision rules see them: who makes a value, who reads it, of what type it is.

The package ``onnx`` is needed where a model is converted, not where one runs; it is loaded when first asked for.
"""

from __future__ import annotations

from collections import defaultdict
from types import ModuleType
from typing import Any

from engines.errors import ModelError


def onnx_package() -> ModuleType:
    """The package ``onnx``. Raises ``ModelError`` with the command that installs it."""
    try:
        import onnx
        import onnx.inliner
        import onnx.shape_inference
    except ImportError as error:
        raise ModelError(
            "changing a model's precision needs the package onnx: pip install 'stream-enhance[tensorrt-rtx]' (or: "
            "pip install onnx). Precision fp32 works without it"
        ) from error
    return onnx


class Graph:
    """A model opened for changes: functions inlined, float constants as initializers, types of all values known."""

    def __init__(self, content: bytes) -> None:
        """Raises ``ModelError`` for what is no model."""
        self.onnx = onnx_package()
        try:
            model = self.onnx.load_model_from_string(content)
            if model.functions:
                model = self.onnx.inliner.inline_local_functions(model)
            _constants_to_initializers(model.graph, self.onnx)
            self.model = self.onnx.shape_inference.infer_shapes(model, strict_mode=True)
        except Exception as error:
            raise ModelError(f"this is no ONNX model whose precision can be changed: {error}") from error
        self.nodes: list[Any] = list(self.model.graph.node)
        self.opset = next((o.version for o in self.model.opset_import if o.domain in ("", "ai.onnx")), 1)
        graph = self.model.graph
        self.initializers = {tensor.name: tensor for tensor in graph.initializer}
        self.types = {name: tensor.data_type for name, tensor in self.initializers.items()}
        for value in (*graph.input, *graph.value_info, *graph.output):
            self.types[value.name] = value.type.tensor_type.elem_type
        self.makers = {name: node for node in self.nodes for name in node.output if name}
        self.readers: dict[str, list[Any]] = defaultdict(list)
        for node in self.nodes:
            for name in node.input:
                self.readers[name].append(node)

    def is_float(self, name: str) -> bool:
        """Whether a value holds 32-bit floating-point numbers."""
        return bool(name) and self.types.get(name) == self.onnx.TensorProto.FLOAT

    def captured(self) -> set[str]:
        """Names that graphs within nodes (loops, branches) read from outside."""
        return {name for node in self.nodes for name in _read_inside(node, self.onnx)}

    def has_inner_graph(self, node: Any) -> bool:
        """Whether the node is a loop or a branch."""
        return any(attribute.type == self.onnx.AttributeProto.GRAPH for attribute in node.attribute)


def _constants_to_initializers(graph: Any, onnx: Any) -> None:
    """Constant nodes that hold a tensor become initializers, which can be stored in both precisions."""
    kept = []
    for node in graph.node:
        value = next((a for a in node.attribute if a.name == "value"), None)
        if node.op_type != "Constant" or node.domain not in ("", "ai.onnx") or value is None:
            kept.append(node)
            continue
        tensor = onnx.TensorProto()
        tensor.CopyFrom(value.t)
        tensor.name = node.output[0]
        graph.initializer.append(tensor)
    del graph.node[:]
    graph.node.extend(kept)


def _read_inside(node: Any, onnx: Any) -> set[str]:
    found: set[str] = set()
    for attribute in node.attribute:
        if attribute.type == onnx.AttributeProto.GRAPH:
            for inner in attribute.g.node:
                found |= {*inner.input} | _read_inside(inner, onnx)
            found |= {value.name for value in attribute.g.output}
    return found
