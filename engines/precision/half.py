"""A model in fp32 -> the same in fp16, with islands of fp32, as one ONNX file that every engine reads alike.

TensorRT 11 and TensorRT-RTX have no switch for fp16: they compute in the types that the file states, and so does
TensorRT 10 when it is asked to. Inputs and outputs stay fp32, so that nobody who calls the model needs to know.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from engines.errors import ModelError
from engines.precision.graph import Graph
from engines.precision.islands import LARGEST, islands

_MOVING = {"Reshape", "Transpose", "Concat", "Slice", "Gather", "GatherElements", "GatherND", "Squeeze", "Unsqueeze"}
_MOVING |= {"Identity", "Expand", "Pad", "Split", "Tile", "Flatten", "DepthToSpace", "SpaceToDepth", "Where"}
_MOVING |= {"MaxPool", "Relu", "ReduceMax", "ReduceMin"}
"""Operators that compute nothing that fp16 could spoil: they go on in the precision in which their data come."""
_SUFFIX = "__fp16"


def to_half(content: bytes) -> bytes:
    """Raises ``ModelError`` where the result would be no valid model."""
    graph = Graph(content)
    onnx = graph.onnx
    _Conversion(graph).run()
    try:
        checked = onnx.shape_inference.infer_shapes(graph.model, strict_mode=True)
        onnx.checker.check_model(checked, full_check=True)
    except Exception as error:
        raise ModelError(f"the model cannot be turned into fp16: {error}") from error
    return bytes(graph.model.SerializeToString())


class _Conversion:
    """Values keep their name in fp32; their fp16 twin has a suffix. Each is made once, when first asked for."""

    def __init__(self, graph: Graph) -> None:
        self._graph = graph
        self._onnx = graph.onnx
        self._full = islands(graph)
        self._made: list[Any] = []
        self._constants: list[Any] = []
        given = {value.name for value in graph.model.graph.input} | set(graph.initializers)
        self._have = set(given)

    def run(self) -> None:
        graph = self._graph.model.graph
        for node in self._graph.nodes:
            if self._wants_half(node):
                self._half(node)
            else:
                self._whole(node)
        for value in graph.output:
            self._in_full(value.name)
        for name in self._graph.captured():
            self._in_full(name)
        del graph.node[:]
        graph.node.extend(self._sorted())
        graph.initializer.extend(self._constants)
        _drop_unread(graph, self._graph.captured())
        del graph.value_info[:]

    def _wants_half(self, node: Any) -> bool:
        if id(node) in self._full or node.domain not in ("", "ai.onnx") or not self._variables(node):
            return False
        floats = [name for name in node.input if self._graph.is_float(name)]
        if not floats:
            return False
        if node.op_type in _MOVING:
            computed = [name for name in floats if name in self._graph.makers]
            return not computed or any(name + _SUFFIX in self._have for name in computed)
        return True

    def _variables(self, node: Any) -> set[str]:
        """Type variables of the operator that may be fp16 and are so in a value that it reads."""
        try:
            schema = self._onnx.defs.get_schema(node.op_type, self._graph.opset, "")
        except self._onnx.defs.SchemaError:
            return set()
        allowed = {c.type_param_str for c in schema.type_constraints if "tensor(float16)" in c.allowed_type_strs}
        return allowed & {
            _formal(schema.inputs, index).type_str
            for index, name in enumerate(node.input)
            if self._graph.is_float(name)
        }

    def _half(self, node: Any) -> None:
        schema = self._onnx.defs.get_schema(node.op_type, self._graph.opset, "")
        variables = self._variables(node)
        copy = self._onnx.NodeProto()
        copy.CopyFrom(node)
        for index, name in enumerate(node.input):
            if self._graph.is_float(name) and _formal(schema.inputs, index).type_str in variables:
                copy.input[index] = self._in_half(name)
            elif name:
                self._in_full(name)
        for index, name in enumerate(node.output):
            if self._graph.is_float(name) and _formal(schema.outputs, index).type_str in variables:
                copy.output[index] = name + _SUFFIX
        if node.op_type == "Clip":
            self._bounded(copy)
        self._add(copy)

    def _bounded(self, clip: Any) -> None:
        """A bound that is left out means the largest number of fp32 to TensorRT, which is infinity in fp16."""
        clip.input.extend([""] * (3 - len(clip.input)))
        for index, bound in ((1, -LARGEST), (2, LARGEST)):
            if not clip.input[index]:
                name = f"bound {bound:.0f}{_SUFFIX}"
                if name not in self._have:
                    self._constants.append(self._onnx.numpy_helper.from_array(np.array(bound, np.float16), name))
                    self._have.add(name)
                clip.input[index] = name

    def _whole(self, node: Any) -> None:
        copy = self._onnx.NodeProto()
        copy.CopyFrom(node)
        for index, name in enumerate(node.input):
            if node.op_type in ("Shape", "Size") and name not in self._have and name + _SUFFIX in self._have:
                copy.input[index] = name + _SUFFIX
            elif name:
                self._in_full(name)
        self._add(copy)

    def _add(self, node: Any) -> None:
        self._made.append(node)
        self._have |= set(node.output)

    def _in_half(self, name: str) -> str:
        twin = name + _SUFFIX
        if twin in self._have:
            return twin
        if name in self._graph.initializers:
            values = self._onnx.numpy_helper.to_array(self._graph.initializers[name])
            self._constants.append(self._onnx.numpy_helper.from_array(values.astype(np.float16), twin))
            self._have.add(twin)
            return twin
        self._add(self._cast(name, twin, self._onnx.TensorProto.FLOAT16))
        return twin

    def _in_full(self, name: str) -> None:
        """Makes the value in fp32 where only its twin exists; whatever was not made here comes from outside."""
        if name not in self._have and name + _SUFFIX in self._have:
            self._add(self._cast(name + _SUFFIX, name, self._onnx.TensorProto.FLOAT))

    def _cast(self, source: str, target: str, to: int) -> Any:
        return self._onnx.helper.make_node("Cast", [source], [target], name=f"to {target}", to=to)

    def _sorted(self) -> list[Any]:
        """Casts that inner graphs need were made last: they go before whoever reads them."""
        placed: list[Any] = []
        have = {value.name for value in self._graph.model.graph.input} | set(self._graph.initializers)
        have |= {tensor.name for tensor in self._constants} | {""}
        waiting = list(self._made)
        inner = {id(node): self._needs(node) for node in waiting}
        while waiting:
            ready = [node for node in waiting if {*node.input} | inner[id(node)] <= have]
            if not ready:
                raise ModelError("the model's nodes cannot be put in order")
            for node in waiting:
                if {*node.input} | inner[id(node)] <= have:
                    placed.append(node)
                    have |= set(node.output)
            done = {id(node) for node in placed}
            waiting = [node for node in waiting if id(node) not in done]
        return placed

    def _needs(self, node: Any) -> set[str]:
        """What graphs within the node read from outside."""
        if not self._graph.has_inner_graph(node):
            return set()
        known = set(self._have)
        return {name for name in self._graph.captured() if name in known}


def _formal(formals: Any, index: int) -> Any:
    """The formal parameter of a position; the last one stands for all further ones."""
    return formals[min(index, len(formals) - 1)]


def _drop_unread(graph: Any, captured: set[str]) -> None:
    """Weights of which only the other precision is read need not travel."""
    read = {name for node in graph.node for name in node.input} | captured | {value.name for value in graph.output}
    kept = [tensor for tensor in graph.initializer if tensor.name in read]
    del graph.initializer[:]
    graph.initializer.extend(kept)
