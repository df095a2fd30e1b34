"""Segment Anything in its three published sizes, as torch modules that open published checkpoints and can be exported.

Paper: Kirillov et al., "Segment Anything" (ICCV 2023). It enhances nothing: it tells what is where to networks that
want to know. `sam_image_encoder` and `sam_mask_decoder` hold its parts; at run time it is two ONNX files.

A checkpoint is opened without running code from it (`weights_only`) and must fit exactly, name by name. The size is
read from the file. Of models with another image encoder (MobileSAM's TinyViT and others) the decoder opens, as theirs
is the same; their encoders are not built here.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor, nn

from networks.sam_image_encoder import CHANNELS, PATCH, ImageEncoder
from networks.sam_mask_decoder import MaskDecoder, PromptEncoder

SIDE = 1024
_ENCODER = "image_encoder."


@dataclass(frozen=True, slots=True)
class Variant:
    """Size of an image encoder: width of a token, blocks, heads, and which blocks attend to the whole picture."""

    width: int
    depth: int
    heads: int
    global_blocks: tuple[int, ...]

    def build(self, side: int = SIDE) -> ImageEncoder:
        return ImageEncoder(self.width, self.depth, self.heads, self.global_blocks, side)


VARIANTS = {
    "vit_b": Variant(768, 12, 12, (2, 5, 8, 11)),
    "vit_l": Variant(1024, 24, 16, (5, 11, 17, 23)),
    "vit_h": Variant(1280, 32, 16, (7, 15, 23, 31)),
}


class PromptedMasks(nn.Module):
    """Prompt encoder and mask decoder as one function with the inputs of SAM's published ONNX export.

    One embedding, B prompts of N points each: `image_embeddings` (1, 256, c, c), `point_coords` (B, N, 2) in pixels of
    the scaled picture, `point_labels` (B, N) (1 object, 0 background, 2 and 3 corners of a box, -1 no point),
    `mask_input` (1, 1, 4c, 4c) and `has_mask_input` (1,), for all prompts. `orig_im_size` (2,) is not used: scaling
    masks up is left to the caller. Gives `iou_predictions` (B, 3) and `low_res_masks` (B, 3, 4c, 4c), inside above 0.
    """

    def __init__(self, side: int = SIDE) -> None:
        super().__init__()
        self.prompt_encoder = PromptEncoder(side)
        self.mask_decoder = MaskDecoder()

    def forward(
        self,
        image_embeddings: Tensor,
        point_coords: Tensor,
        point_labels: Tensor,
        mask_input: Tensor,
        has_mask_input: Tensor,
        orig_im_size: Tensor,
    ) -> tuple[Tensor, Tensor]:
        places = self.prompt_encoder.pe_layer.of_cells(self.prompt_encoder.side // PATCH)
        image = image_embeddings + self.prompt_encoder.mask(mask_input, has_mask_input)
        prompt = self.prompt_encoder.points(point_coords, point_labels)
        iou, masks = self.mask_decoder(image, places, prompt)
        return iou, masks


@dataclass(frozen=True, slots=True)
class SAM:
    """What a checkpoint holds, in evaluation mode. `variant` is empty and `encoder` None where it is none of ours."""

    variant: str
    encoder: ImageEncoder | None
    decoder: PromptedMasks


def open_sam(path: Path) -> SAM:
    """Opens a published checkpoint. Raises `ValueError` for a file that is none, or does not fit exactly."""
    try:
        state = torch.load(path, map_location="cpu", weights_only=True, mmap=True)
    except FileNotFoundError:
        raise
    except Exception as error:
        raise ValueError(f"{path} is no checkpoint that can be opened: {error}") from error
    if not isinstance(state, Mapping) or not all(isinstance(value, Tensor) for value in state.values()):
        raise ValueError(f"{path} is no checkpoint of Segment Anything: it does not map names to tensors")
    seen = {name.removeprefix(_ENCODER): value for name, value in state.items() if name.startswith(_ENCODER)}
    rest = {name: value for name, value in state.items() if not name.startswith(_ENCODER)}
    variant = _variant(seen)
    try:
        return SAM(variant, load_encoder(seen, VARIANTS[variant]) if variant else None, load_decoder(rest))
    except RuntimeError as error:
        raise ValueError(f"{path} does not fit Segment Anything: {error}") from error


def load_encoder(state: Mapping[str, Tensor], variant: Variant, side: int = SIDE) -> ImageEncoder:
    """Raises `RuntimeError` where names or shapes differ."""
    with torch.device("meta"):
        encoder = variant.build(side)
    encoder.load_state_dict({name: value.float() for name, value in state.items()}, assign=True)
    return encoder.eval()


def load_decoder(state: Mapping[str, Tensor]) -> PromptedMasks:
    """Raises `RuntimeError` where names or shapes differ."""
    with torch.device("meta"):
        decoder = PromptedMasks()
    decoder.load_state_dict({name: value.float() for name, value in state.items()}, assign=True)
    return decoder.eval()


def example_prompts(prompts: int = 1, points: int = 2, side: int = SIDE) -> tuple[Tensor, ...]:
    """Inputs of `PromptedMasks.forward`, the right shapes and reasonable numbers: points, each followed by no point."""
    labels = torch.full((prompts, points), -1.0)
    labels[:, 0] = 1
    return (
        torch.randn(1, CHANNELS, side // PATCH, side // PATCH),
        torch.rand(prompts, points, 2) * side,
        labels,
        torch.zeros(1, 1, side // 4, side // 4),
        torch.zeros(1),
        torch.tensor([float(side), float(side)]),
    )


def _variant(state: Mapping[str, Tensor]) -> str:
    """Which size these weights of an image encoder are of; empty if of none."""
    patches = state.get("patch_embed.proj.weight")
    width = 0 if patches is None else patches.shape[0]
    return next((name for name, size in VARIANTS.items() if size.width == width), "")
