"""Torch network to one ONNX file: free height and width, batch normalisation folded, no traces of the machine."""

from __future__ import annotations

import logging
from dataclasses import dataclass
from typing import Any

import onnx
import torch
from torch import nn

OPSET = 18
IR_VERSION = 9
"""Loads in ONNX Runtime 1.20 and later."""


@dataclass(frozen=True, slots=True)
class Interface:
    """Name of the input and the output, and the multiple that height and width of the input must be of."""

    given: str
    result: str
    multiple: int


INTERFACES = {"curve": Interface("thumbnail", "grid", 8), "sci": Interface("image", "enhanced", 1)}


def to_onnx(network: nn.Module, interface: Interface) -> bytes:
    """Export a network in evaluation mode whose input is [1, 3, h, w]."""
    network.eval()
    dimensions: dict[int, Any] = {}
    for axis, name in ((2, "height"), (3, "width")):
        free = torch.export.Dim(name if interface.multiple == 1 else f"{name}_cells", min=2, max=8192)
        dimensions[axis] = free if interface.multiple == 1 else interface.multiple * free
    # The exporter reports optional packages that it did not find; none of them matters here.
    logging.getLogger("torch.onnx").setLevel(logging.ERROR)
    program = torch.onnx.export(
        network,
        (torch.rand(1, 3, 16 * interface.multiple, 24 * interface.multiple),),
        dynamo=True,
        opset_version=OPSET,
        input_names=[interface.given],
        output_names=[interface.result],
        dynamic_shapes=(dimensions,),
        verbose=False,
    )
    if program is None:
        raise RuntimeError("torch did not export the network")
    model = program.model_proto
    _strip(model)
    model.ir_version = IR_VERSION
    onnx.checker.check_model(model, full_check=True)
    content: bytes = model.SerializeToString()
    return content


def _strip(model: onnx.ModelProto) -> None:
    """Remove stack traces and file names that the exporter writes beside every node."""
    graph = model.graph
    for part in (model, graph, *graph.node, *graph.value_info, *graph.input, *graph.output, *graph.initializer):
        del part.metadata_props[:]
        part.doc_string = ""
