"""Torch network to one ONNX file: free or fixed sizes, batch normalisation folded, no traces of the machine."""

from __future__ import annotations

import logging
from typing import Any

import onnx
import torch
from torch import nn

from export.interfaces import Interface, random_inputs
from networks.llflow import LLFlow
from networks.systems import Inference

OPSET = 18
IR_VERSION = 9
"""Loads in ONNX Runtime 1.20 and later."""
LARGEST = 2**31 - 1
"""Bytes that one ONNX file can hold."""
LARGEST_BATCH = 1024


def to_onnx(network: nn.Module, interface: Interface, size: tuple[int, int] | None = None) -> bytes:
    """Export a network in evaluation mode: with free height and width of every input, or for one picture of ``size``.

    With free sizes and where the interface says so, any number of pictures goes through at once.

    Raises ``ValueError`` for a size that the network does not take, and what torch raises for what it cannot export.
    """
    interface.check(size)
    network.eval()
    for module in network.modules():
        if isinstance(module, LLFlow):
            module.freeze()  # ONNX has no matrix inverse
    if size is not None:
        given, dimensions = random_inputs(interface, size), None
    else:
        # Of no meaning but for tracing: sides that no network pads, and other ones for every further input.
        multiple = interface.picture.multiple
        extra = {part.name: (5 + 2 * index, 6 + 2 * index) for index, part in enumerate(interface.extra)}
        given = random_inputs(interface, (max(48, 16 * multiple), max(80, 24 * multiple)), extra)
        if interface.batched:  # torch takes a side of 1 for a constant
            given = tuple(torch.cat((one, one)) for one in given)
        dimensions = _free(interface, isinstance(network, Inference))
    program = traced(network, given, [part.name for part in interface.inputs], [interface.result], dimensions)
    model = program.model_proto
    strip(model)
    model.ir_version = IR_VERSION
    if model.ByteSize() > LARGEST:
        raise ValueError(f"the model has {model.ByteSize() / 1e9:.1f} GB, one ONNX file holds at most 2")
    onnx.checker.check_model(model, full_check=True)
    content: bytes = model.SerializeToString()
    return content


def traced(
    network: nn.Module,
    given: tuple[torch.Tensor, ...],
    inputs: list[str],
    outputs: list[str],
    free: tuple[Any, ...] | None,
) -> Any:
    """What torch's exporter makes of a network for example inputs; ``free`` names the sides that are free."""
    # The exporter reports optional packages that it did not find; none of them matters here.
    logging.getLogger("torch.onnx").setLevel(logging.ERROR)
    program = torch.onnx.export(
        network,
        given,
        dynamo=True,
        opset_version=OPSET,
        input_names=inputs,
        output_names=outputs,
        dynamic_shapes=free,
        verbose=False,
    )
    if program is None:
        raise RuntimeError("torch did not export the network")
    return program


def _free(interface: Interface, starred: bool) -> tuple[Any, ...]:
    """Names of free dimensions, in the shape of the arguments of ``forward``; maps of cells share the picture's.

    ``starred``: the network takes its further inputs as ``*extra``.
    """
    free: list[dict[int, Any]] = []
    shared: list[Any] = []
    batch = {0: torch.export.Dim("batch", min=1, max=LARGEST_BATCH)} if interface.batched else {}
    for part in interface.inputs:
        if part.length or part.cell:
            free.append(batch | {2 + axis: cells for axis, cells in enumerate(shared) if part.cell})
            continue
        beginning = "" if part is interface.picture else f"{part.name}_"
        free.append(dict(batch))
        for axis, side in ((2, "height"), (3, "width")):
            cells = torch.export.Dim(
                beginning + (side if part.multiple == 1 else f"{side}_cells"), min=1 if beginning else 2, max=8192
            )
            free[-1][axis] = cells if part.multiple == 1 else part.multiple * cells
            if part is interface.picture:
                shared.append(cells)
    picture, *extra = free
    return (picture, tuple(extra)) if extra and starred else (picture, *extra)


def strip(model: Any) -> None:
    """Remove stack traces and file names that the exporter writes beside every node, in graphs within graphs too."""
    _strip_part(model.graph)
    for function in model.functions:
        _strip_part(function)
    del model.metadata_props[:]
    model.doc_string = ""


def _strip_part(part: Any) -> None:
    values = [part, *part.node, *part.value_info]
    values += [*part.initializer, *part.input, *part.output] if isinstance(part, onnx.GraphProto) else []
    for value in values:
        del value.metadata_props[:]
        value.doc_string = ""
    for node in part.node:
        for attribute in node.attribute:
            if attribute.type == onnx.AttributeProto.GRAPH:
                _strip_part(attribute.g)
