"""Reads the weights of SAM's decoder back out of its published ONNX export, so that it can be exported for batches.

Ready pairs of ONNX files have a decoder that answers one prompt per call. Its weights are all in the file, partly under
other names: linear layers are transposed and nameless, but their biases keep their names; layer norms over channels
became products and sums; the tokens were joined.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import onnx
import torch
from onnx import numpy_helper
from torch import Tensor

from networks.sam_image_encoder import CHANNELS
from networks.sam_mask_decoder import MASKS

_ROOTS = ("prompt_encoder.", "mask_decoder.")
_NORMS = {"mask_downscaling": "prompt_encoder.", "output_upscaling": "mask_decoder."}


def decoder_state(path: Path) -> dict[str, Tensor]:
    """The state of `networks.sam.PromptedMasks`, with whatever else was found under its names; not checked for gaps.

    Raises `ValueError` for a file that is no ONNX model.
    """
    try:
        graph = onnx.load(path).graph
    except FileNotFoundError:
        raise
    except Exception as error:
        raise ValueError(f"{path} is no ONNX model: {error}") from error
    arrays = {weight.name: numpy_helper.to_array(weight) for weight in graph.initializer}
    state = {name.removeprefix("model."): array for name, array in arrays.items()}
    state = {name: array for name, array in state.items() if name.startswith(_ROOTS)}
    for name, array in (*_linear(graph, arrays), *_norms(graph, arrays), *_tokens(graph, arrays)):
        state[name] = array
    return {name: torch.from_numpy(array.copy()) for name, array in state.items()}


def _linear(graph: onnx.GraphProto, arrays: dict[str, np.ndarray]) -> Iterator[tuple[str, np.ndarray]]:
    """Products with a nameless matrix, to whose result a named bias is added."""
    products = {node.output[0]: node for node in graph.node if node.op_type == "MatMul" and node.input[1] in arrays}
    for node in graph.node:
        if node.op_type != "Add":
            continue
        product = next((products[name] for name in node.input if name in products), None)
        bias = next((name for name in node.input if name in arrays and name.endswith(".bias")), None)
        if product is not None and bias is not None:
            yield f"{bias.removeprefix('model.').removesuffix('.bias')}.weight", arrays[product.input[1]].T


def _norms(graph: onnx.GraphProto, arrays: dict[str, np.ndarray]) -> Iterator[tuple[str, np.ndarray]]:
    """Products and sums [c, 1, 1] in nodes such as `/output_upscaling/output_upscaling.1/Mul`."""
    for node in graph.node:
        part = next((name for name in _NORMS if f"/{name}/" in node.name), None)
        given = next((arrays[name] for name in node.input if name in arrays and arrays[name].ndim == 3), None)
        if part and given is not None and node.op_type in ("Mul", "Add"):
            layer = node.name.split("/")[-2]
            yield f"{_NORMS[part]}{layer}.{'weight' if node.op_type == 'Mul' else 'bias'}", given.ravel()


def _tokens(graph: onnx.GraphProto, arrays: dict[str, np.ndarray]) -> Iterator[tuple[str, np.ndarray]]:
    """What is learned and belongs to no layer, by its shape."""
    for node in graph.node:
        for given in (arrays[name] for name in node.input if name in arrays):
            if given.shape == (1, 1 + MASKS, CHANNELS):
                yield "mask_decoder.iou_token.weight", given[0, :1]
                yield "mask_decoder.mask_tokens.weight", given[0, 1:]
            elif node.op_type == "Mul" and given.shape == (1, CHANNELS, 1, 1):
                yield "prompt_encoder.no_mask_embed.weight", given.reshape(1, CHANNELS)
