"""A model in fp32 -> the same with convolutions and matrix products in int8, as one ONNX file.

ONNX Runtime's quantiser writes pairs of QuantizeLinear and DequantizeLinear around them. They are symmetric, because
TensorRT takes no other: activations by tensor, weights by channel. Biases stay fp32, and everything else with them.
"""

from __future__ import annotations

import contextlib
import logging
import tempfile
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

from engines.errors import ModelError
from engines.precision.graph import onnx_package
from engines.precision.pictures import Feed

COMPUTED = ("Conv", "ConvTranspose", "MatMul", "Gemm")


def to_int8(content: bytes, calibration: Iterable[Feed], keep: Sequence[str] = ()) -> bytes:
    """Runs the model on ``calibration`` to learn the range of every tensor; nodes named in ``keep`` stay fp32.

    Raises ``ModelError`` where it has nothing to quantise or cannot be.
    """
    onnx = onnx_package()
    try:
        from onnxruntime.quantization import CalibrationDataReader, QuantFormat, QuantType, quantize_static
    except ImportError as error:
        raise ModelError(f"this ONNX Runtime has no quantiser: {error}") from error

    class Reader(CalibrationDataReader):  # type: ignore[misc]
        def __init__(self, feeds: Iterator[Feed]) -> None:
            self._feeds = feeds

        def get_next(self) -> dict[str, Any] | None:
            feed = next(self._feeds, None)
            return None if feed is None else dict(feed)

    model = onnx.shape_inference.infer_shapes(onnx.load_model_from_string(content))
    if not any(node.op_type in COMPUTED and node.name not in keep for node in model.graph.node):
        raise ModelError(f"nothing to compute in int8: the model has none of {', '.join(COMPUTED)}")
    with tempfile.TemporaryDirectory(prefix="stream-enhance-int8-") as folder, _quiet():
        before, after = Path(folder, "model.onnx"), Path(folder, "int8.onnx")
        onnx.save(model, before)
        try:
            quantize_static(
                before,
                after,
                Reader(iter(calibration)),
                quant_format=QuantFormat.QDQ,
                op_types_to_quantize=list(COMPUTED),
                per_channel=True,
                activation_type=QuantType.QInt8,
                weight_type=QuantType.QInt8,
                nodes_to_exclude=list(keep),
                extra_options={"ActivationSymmetric": True, "WeightSymmetric": True, "QuantizeBias": False},
            )
        except Exception as error:
            raise ModelError(f"the model cannot be quantised to int8: {error}") from error
        return after.read_bytes()


@contextlib.contextmanager
def _quiet() -> Iterator[None]:
    """The quantiser warns on the root logger about preparations that this project has made itself."""
    root = logging.getLogger()
    before = root.level
    root.setLevel(logging.ERROR)
    try:
        yield
    finally:
        root.setLevel(before)
