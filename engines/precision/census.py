"""How much of a model is computed in which precision, counted over what costs: convolutions and matrix products."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import Literal, get_args

from engines.errors import ModelError
from engines.precision.graph import Graph

Precision = Literal["fp32", "fp16", "int8"]
PRECISIONS: tuple[Precision, ...] = get_args(Precision)
HEAVY = frozenset({"Conv", "ConvTranspose", "MatMul", "Gemm", "Einsum"})


@dataclass(frozen=True, slots=True)
class Census:
    """Numbers of convolutions and matrix products by precision."""

    fp32: int = 0
    fp16: int = 0
    int8: int = 0

    @property
    def total(self) -> int:
        return self.fp32 + self.fp16 + self.int8

    def share(self, precision: Precision) -> float:
        """0..1 of all; 1 of a model that has none."""
        return float(getattr(self, precision)) / self.total if self.total else 1.0

    def __str__(self) -> str:
        return ", ".join(f"{getattr(self, name)} in {name}" for name in PRECISIONS if getattr(self, name)) or "none"


def count(content: bytes) -> Census:
    """What the file states. Raises ``ModelError`` without the package ``onnx``."""
    graph = Graph(content)
    found: Counter[str] = Counter()
    for node in graph.nodes:
        if node.op_type not in HEAVY:
            continue
        makers = [graph.makers.get(name) for name in node.input[:2]]
        if all(maker is not None and maker.op_type == "DequantizeLinear" for maker in makers):
            found["int8"] += 1
        elif graph.types.get(node.output[0]) == graph.onnx.TensorProto.FLOAT16:
            found["fp16"] += 1
        else:
            found["fp32"] += 1
    return Census(found["fp32"], found["fp16"], found["int8"])


def require(stated: Census, built: Census, what: str) -> None:
    """Raises ``ModelError`` where less of what was built is in fp16 or int8 than the file states: a silent loss."""
    for precision in ("fp16", "int8"):
        if getattr(built, precision) < getattr(stated, precision):
            raise ModelError(
                f"{what} computes {built}, but the model states {stated}: precision was lost on the way. "
                "It is not installed; build with --precision fp32, or report it with the versions of `doctor`"
            )
