"""SAM's prompt encoder and mask decoder: points in a picture -> logits of three masks each, at a quarter of its size.

Paper: Kirillov et al., "Segment Anything" (ICCV 2023), appendix A. Points are random Fourier features (Tancik et al.,
NeurIPS 2020) plus what their label means. Two layers of attention go from the tokens to the picture and back; a small
network per mask token makes the weights that turn the up-scaled picture into that mask.

Faithful: layers and the names of all parameters, so that published checkpoints load. Written for export and for many
prompts: the picture's embedding is not repeated for each of them, but stays one until the prompts have changed it,
which saves work of the first layer too; no post-processing. Only the three masks for an ambiguous prompt are computed,
not the fourth one, which is for several points of one thing.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn

from networks.sam_image_encoder import CHANNELS, FeedForward, LayerNorm2d

MASKS = 4
"""Mask tokens: the first for clear prompts, the others for the whole, a part and a part of that."""
_LABELS = 4
"""Background point, point, and two corners of a box."""


class Positions(nn.Module):
    """Places in 0..1 -> 256 random Fourier features; the frequencies are part of the checkpoint."""

    positional_encoding_gaussian_matrix: Tensor

    def __init__(self) -> None:
        super().__init__()
        self.register_buffer("positional_encoding_gaussian_matrix", torch.randn(2, CHANNELS // 2))

    def forward(self, places: Tensor) -> Tensor:
        """(..., 2), x first -> (..., 256)"""
        angles = 2 * math.pi * ((2 * places - 1) @ self.positional_encoding_gaussian_matrix)
        return torch.cat([angles.sin(), angles.cos()], dim=-1)

    def of_cells(self, cells: int) -> Tensor:
        """(1, 256, cells, cells): the features of the centres of all cells."""
        frequencies = self.positional_encoding_gaussian_matrix
        centres = (torch.arange(cells, device=frequencies.device, dtype=frequencies.dtype) + 0.5) / cells
        y, x = torch.meshgrid(centres, centres, indexing="ij")
        features: Tensor = self(torch.stack([x, y], dim=-1))
        return features.permute(2, 0, 1).unsqueeze(0)


class PromptEncoder(nn.Module):
    """Points, and a mask of an earlier round, as what the decoder attends to."""

    def __init__(self, side: int) -> None:
        super().__init__()
        self.side = side
        self.pe_layer = Positions()
        self.point_embeddings = nn.ModuleList(nn.Embedding(1, CHANNELS) for _ in range(_LABELS))
        self.not_a_point_embed = nn.Embedding(1, CHANNELS)
        self.mask_downscaling = nn.Sequential(
            nn.Conv2d(1, 4, 2, stride=2),
            LayerNorm2d(4),
            nn.GELU(),
            nn.Conv2d(4, 16, 2, stride=2),
            LayerNorm2d(16),
            nn.GELU(),
            nn.Conv2d(16, CHANNELS, 1),
        )
        self.no_mask_embed = nn.Embedding(1, CHANNELS)

    def points(self, places: Tensor, labels: Tensor) -> Tensor:
        """(B, N, 2) in pixels of the scaled picture and (B, N) -> (B, N, 256). Label -1: there is no point."""
        known = (labels != -1).to(places.dtype).unsqueeze(-1)
        tokens: Tensor = self.pe_layer((places + 0.5) / self.side) * known
        tokens = tokens + self.not_a_point_embed.weight * (1 - known)
        for label, meaning in enumerate(self.point_embeddings):
            learned: Tensor = meaning.get_parameter("weight")
            tokens = tokens + learned * (labels == label).to(places.dtype).unsqueeze(-1)
        return tokens

    def mask(self, logits: Tensor, given: Tensor) -> Tensor:
        """(1, 1, 4c, 4c) and (1,), 1 or 0 for "no mask" -> (1, 256, c, c), for c cells along each side."""
        nothing = self.no_mask_embed.weight.reshape(1, CHANNELS, 1, 1)
        out: Tensor = given * self.mask_downscaling(logits) + (1 - given) * nothing
        return out


class CrossAttention(nn.Module):
    """Multi-head attention whose inner width may be smaller; batches of 1 go with any other batch."""

    HEADS = 8

    def __init__(self, inner: int) -> None:
        super().__init__()
        self.q_proj = nn.Linear(CHANNELS, inner)
        self.k_proj = nn.Linear(CHANNELS, inner)
        self.v_proj = nn.Linear(CHANNELS, inner)
        self.out_proj = nn.Linear(inner, CHANNELS)

    def forward(self, query: Tensor, key: Tensor, value: Tensor) -> Tensor:
        """(B, n, 256), (B, m, 256), (B, m, 256) -> (B, n, 256)"""
        q, k, v = self._heads(self.q_proj(query)), self._heads(self.k_proj(key)), self._heads(self.v_proj(value))
        weights = ((q @ k.transpose(-2, -1)) / math.sqrt(q.shape[-1])).softmax(dim=-1)
        out: Tensor = self.out_proj((weights @ v).transpose(1, 2).flatten(2))
        return out

    def _heads(self, tokens: Tensor) -> Tensor:
        count, places, inner = tokens.shape
        return tokens.reshape(count, places, self.HEADS, inner // self.HEADS).transpose(1, 2)


class TwoWayLayer(nn.Module):
    """Tokens among themselves, tokens to picture, feed-forward, picture to tokens; norms come after.

    The `first` layer's tokens are their own positions already, so they are not added, and its self-attention replaces.
    """

    def __init__(self, first: bool) -> None:
        super().__init__()
        self.first = first
        self.self_attn = CrossAttention(CHANNELS)
        self.norm1 = nn.LayerNorm(CHANNELS)
        self.cross_attn_token_to_image = CrossAttention(CHANNELS // 2)
        self.norm2 = nn.LayerNorm(CHANNELS)
        self.mlp = FeedForward(CHANNELS, 2048, nn.ReLU())
        self.norm3 = nn.LayerNorm(CHANNELS)
        self.norm4 = nn.LayerNorm(CHANNELS)
        self.cross_attn_image_to_token = CrossAttention(CHANNELS // 2)

    def forward(self, tokens: Tensor, image: Tensor, prompt: Tensor, places: Tensor) -> tuple[Tensor, Tensor]:
        """`prompt` and `places` are the positions of the tokens and of the cells of the picture."""
        if self.first:
            tokens = self.self_attn(tokens, tokens, tokens)
        else:
            tokens = tokens + self.self_attn(tokens + prompt, tokens + prompt, tokens)
        tokens = self.norm1(tokens)
        tokens = self.norm2(tokens + self.cross_attn_token_to_image(tokens + prompt, image + places, image))
        tokens = self.norm3(tokens + self.mlp(tokens))
        image = self.norm4(image + self.cross_attn_image_to_token(image + places, tokens + prompt, tokens))
        return tokens, image


class TwoWayTransformer(nn.Module):
    """Two layers, then once more from the tokens to the picture."""

    def __init__(self) -> None:
        super().__init__()
        self.layers = nn.ModuleList([TwoWayLayer(first=True), TwoWayLayer(first=False)])
        self.final_attn_token_to_image = CrossAttention(CHANNELS // 2)
        self.norm_final_attn = nn.LayerNorm(CHANNELS)

    def forward(self, prompt: Tensor, image: Tensor, places: Tensor) -> tuple[Tensor, Tensor]:
        """(B, n, 256), (1, cells, 256), (1, cells, 256) -> tokens (B, n, 256), picture (B, cells, 256)"""
        tokens = prompt
        for layer in self.layers:
            tokens, image = layer(tokens, image, prompt, places)
        tokens = tokens + self.final_attn_token_to_image(tokens + prompt, image + places, image)
        return self.norm_final_attn(tokens), image


class Perceptron(nn.Module):
    """Three linear layers with ReLU between them."""

    def __init__(self, outputs: int) -> None:
        super().__init__()
        self.layers = nn.ModuleList(nn.Linear(CHANNELS, width) for width in (CHANNELS, CHANNELS, outputs))

    def forward(self, token: Tensor) -> Tensor:
        first, second, last = self.layers
        out: Tensor = last(second(first(token).relu()).relu())
        return out


class MaskDecoder(nn.Module):
    """Tokens of prompts and the picture's embedding -> logits of masks and how good they are, as the model sees it."""

    def __init__(self) -> None:
        super().__init__()
        self.transformer = TwoWayTransformer()
        self.iou_token = nn.Embedding(1, CHANNELS)
        self.mask_tokens = nn.Embedding(MASKS, CHANNELS)
        self.output_upscaling = nn.Sequential(
            nn.ConvTranspose2d(CHANNELS, CHANNELS // 4, 2, stride=2),
            LayerNorm2d(CHANNELS // 4),
            nn.GELU(),
            nn.ConvTranspose2d(CHANNELS // 4, CHANNELS // 8, 2, stride=2),
            nn.GELU(),
        )
        self.output_hypernetworks_mlps = nn.ModuleList(Perceptron(CHANNELS // 8) for _ in range(MASKS))
        self.iou_prediction_head = Perceptron(MASKS)

    def forward(self, image: Tensor, places: Tensor, prompt: Tensor) -> tuple[Tensor, Tensor]:
        """(1, 256, c, c) with the mask prompt added, (1, 256, c, c), (B, n, 256) -> (B, 3), (B, 3, 4c, 4c)"""
        cells = image.shape[-1]
        own = torch.cat([self.iou_token.weight, self.mask_tokens.weight]).unsqueeze(0)
        tokens = torch.cat([own.expand(prompt.shape[0], -1, -1), prompt], dim=1)
        tokens, attended = self.transformer(tokens, image.flatten(2).transpose(1, 2), places.flatten(2).transpose(1, 2))
        upscaled = self.output_upscaling(attended.transpose(1, 2).unflatten(2, (cells, cells)))
        weights = [self.output_hypernetworks_mlps[number](tokens[:, 1 + number]) for number in range(1, MASKS)]
        masks = (torch.stack(weights, dim=1) @ upscaled.flatten(2)).unflatten(2, (4 * cells, 4 * cells))
        iou: Tensor = self.iou_prediction_head(tokens[:, 0])
        return iou[:, 1:], masks
