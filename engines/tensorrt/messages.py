"""What TensorRT says, for people: its log kept for errors, and the parser's errors with what to do about them."""

from __future__ import annotations

import logging
from typing import Any

from engines.tensorrt.flavour import Flavour

_log = logging.getLogger(__name__)
_MOST = 5

_ADVICE = {
    "UNSUPPORTED_NODE": "TensorRT has no such operator: run this model with --engine onnxruntime",
    "UNSUPPORTED_NODE_ATTR": "it knows the operator, not with these attributes: run it with --engine onnxruntime",
    "UNSUPPORTED_NODE_DATATYPE": "it does not compute this operator in this type: build with --precision fp32",
    "UNSUPPORTED_NODE_INPUT": "it wants an input of the operator to be constant: export for one size (--size HxW)",
    "UNSUPPORTED_NODE_SHAPE": "it does not take these shapes: export for one size (--size HxW)",
    "UNSUPPORTED_NODE_DYNAMIC": "it does not compute this with free sizes: export for one size (--size HxW)",
    "UNSUPPORTED_GRAPH": "it cannot run a graph of this structure: export for one size (--size HxW)",
    "INVALID_NODE": "the types or shapes there do not fit: export for one size (--size HxW), or build with fp32",
    "INVALID_GRAPH": "the file is damaged: fetch or export the bundle again",
    "MODEL_DESERIALIZE_FAILED": "the file is no ONNX model, or damaged: fetch or export the bundle again",
    "MEM_ALLOC_FAILED": "memory ran out: close other programs, or take a smaller model",
}
_SHAPE_TENSOR = "a size is computed from the data there: export for one size (--size HxW), or cut post-processing out"


def parser_errors(parser: Any) -> str:
    """All errors of a parser: the node, its operator, what is wrong and what to do; never empty."""
    lines = [_told(parser.get_error(index)) for index in range(min(parser.num_errors, _MOST))]
    if parser.num_errors > _MOST:
        lines.append(f"and {parser.num_errors - _MOST} more")
    return "; ".join(dict.fromkeys(lines)) or "the parser refused the model and gave no reason: is it ONNX at all?"


def _told(error: Any) -> str:
    code = getattr(error.code(), "name", str(error.code()))
    text = " ".join(str(error.desc()).split())[:300]
    name, operator = str(error.node_name() or ""), str(error.node_operator() or "")
    where = f"node '{name or error.node()}'" + (f" ({operator})" if operator else "") if error.node() >= 0 else "model"
    if "plugin not found" in text.lower():  # what has no importer is taken for a plug-in
        code = "UNSUPPORTED_NODE"
    shape_tensor = "shape tensor" in text.lower() or "shape input" in text.lower()
    advice = _SHAPE_TENSOR if shape_tensor else _ADVICE.get(code, "run this model with --engine onnxruntime")
    return f"{where}: {text} [{code}]. What to do: {advice}"


class Log:
    """Takes TensorRT's messages: errors are kept, everything goes on to ``logging``. Keep it as long as its users."""

    def __init__(self, flavour: Flavour) -> None:
        self.errors: list[str] = []
        severity = flavour.module.ILogger.Severity
        levels = {
            severity.INTERNAL_ERROR: logging.ERROR,
            severity.ERROR: logging.ERROR,
            severity.WARNING: logging.INFO,
            severity.INFO: logging.DEBUG,
        }
        errors = self.errors
        base = flavour.module.ILogger

        class Logger(base):  # type: ignore[misc, valid-type]
            def __init__(self) -> None:
                base.__init__(self)

            def log(self, level: Any, message: str) -> None:
                if levels.get(level) == logging.ERROR:
                    errors.append(" ".join(message.split())[:400])
                # What failed is raised with these messages in it, so the log need not shout as well.
                _log.log(min(levels.get(level, 5), logging.INFO), "%s", message)

        self.logger = Logger()

    def last(self, most: int = 3) -> str:
        """The last errors in one line; empty if there were none."""
        return "; ".join(dict.fromkeys(self.errors[-most:]))
