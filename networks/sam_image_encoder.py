"""SAM's image encoder: a plain vision transformer with windows, and a neck of two convolutions.

Paper: Kirillov et al., "Segment Anything" (ICCV 2023); the transformer is that of Li et al., "Exploring Plain Vision
Transformer Backbones for Object Detection" (ECCV 2022). Patches of 16x16 pixels become tokens with a learned absolute
position; most blocks attend within windows of 14x14 tokens, four to the whole picture; attention adds decomposed
relative positions, one table for rows and one for columns.

Faithful: layers, widths and the names of all parameters, so that published checkpoints load. Written for export: the
side of the picture is fixed, nothing depends on data, and relative positions are matrix products (no einsum). Not kept:
tables of another size are not interpolated, which published checkpoints do not need.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F

PATCH = 16
CHANNELS = 256
"""Channels of the embedding."""


class LayerNorm2d(nn.Module):
    """Layer norm over the channels of (N, C, H, W), at each place."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.ones(channels))
        self.bias = nn.Parameter(torch.zeros(channels))

    def forward(self, feature: Tensor) -> Tensor:
        last = feature.permute(0, 2, 3, 1)
        return F.layer_norm(last, last.shape[-1:], self.weight, self.bias, eps=1e-6).permute(0, 3, 1, 2)


class Attention(nn.Module):
    """Multi-head attention among `side` x `side` tokens, with relative positions from unscaled queries."""

    def __init__(self, width: int, heads: int, side: int) -> None:
        super().__init__()
        self.heads, self.side = heads, side
        self.qkv = nn.Linear(width, 3 * width)
        self.proj = nn.Linear(width, width)
        self.rel_pos_h = nn.Parameter(torch.zeros(2 * side - 1, width // heads))
        self.rel_pos_w = nn.Parameter(torch.zeros(2 * side - 1, width // heads))

    def forward(self, tokens: Tensor) -> Tensor:
        """(N, side, side, width) -> the same shape."""
        count, side, _, width = tokens.shape
        parts = self.qkv(tokens).reshape(count, side * side, 3, self.heads, width // self.heads)
        query, key, value = parts.permute(2, 0, 3, 1, 4).unbind(0)
        places = query.reshape(count, self.heads, side, side, -1)
        rows = places @ self._between(self.rel_pos_h)  # (N, heads, y, x, y of the key)
        columns = (places.transpose(2, 3) @ self._between(self.rel_pos_w)).transpose(2, 3)
        similar = (query * (width // self.heads) ** -0.5) @ key.transpose(-2, -1)
        similar = similar.reshape(count, self.heads, side, side, side, side)
        similar = similar + rows.unsqueeze(-1) + columns.unsqueeze(-2)
        weights = similar.reshape(count, self.heads, side * side, side * side).softmax(dim=-1)
        out = (weights @ value).transpose(1, 2).reshape(count, side, side, width)
        projected: Tensor = self.proj(out)
        return projected

    def _between(self, table: Tensor) -> Tensor:
        """(side, channels, side): for each position of the query, what it is multiplied by for each of the key."""
        position = torch.arange(self.side, device=table.device)
        return table[position[:, None] - position[None, :] + self.side - 1].transpose(1, 2)


class FeedForward(nn.Module):
    """Two linear layers with `between` them."""

    def __init__(self, width: int, hidden: int, between: nn.Module) -> None:
        super().__init__()
        self.lin1 = nn.Linear(width, hidden)
        self.lin2 = nn.Linear(hidden, width)
        self.between = between

    def forward(self, tokens: Tensor) -> Tensor:
        out: Tensor = self.lin2(self.between(self.lin1(tokens)))
        return out


class Block(nn.Module):
    """Pre-norm attention and feed-forward; `window` tokens along each side, or 0 for all of the picture."""

    def __init__(self, width: int, heads: int, cells: int, window: int) -> None:
        super().__init__()
        self.window = window
        self.norm1 = nn.LayerNorm(width, eps=1e-6)
        self.attn = Attention(width, heads, window or cells)
        self.norm2 = nn.LayerNorm(width, eps=1e-6)
        self.mlp = FeedForward(width, 4 * width, nn.GELU())

    def forward(self, tokens: Tensor) -> Tensor:
        normal = self.norm1(tokens)
        tokens = tokens + (self._in_windows(normal) if self.window else self.attn(normal))
        out: Tensor = tokens + self.mlp(self.norm2(tokens))
        return out

    def _in_windows(self, tokens: Tensor) -> Tensor:
        """Attention in each window; zeros fill up the last ones, and are attended to as published."""
        count, cells, _, width = tokens.shape
        along = -(-cells // self.window)
        side = along * self.window
        padded = F.pad(tokens, (0, 0, 0, side - cells, 0, side - cells))
        split = padded.reshape(count, along, self.window, along, self.window, width).transpose(2, 3)
        attended: Tensor = self.attn(split.reshape(-1, self.window, self.window, width))
        joined = attended.reshape(count, along, along, self.window, self.window, width).transpose(2, 3)
        return joined.reshape(count, side, side, width)[:, :cells, :cells]


class PatchEmbedding(nn.Module):
    """Pixels -> tokens (N, cells, cells, width)."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.proj = nn.Conv2d(3, width, PATCH, stride=PATCH)

    def forward(self, picture: Tensor) -> Tensor:
        out: Tensor = self.proj(picture).permute(0, 2, 3, 1)
        return out


class ImageEncoder(nn.Module):
    """(N, 3, side, side) normalised as SAM does it -> (N, 256, side / 16, side / 16)."""

    def __init__(
        self,
        width: int,
        depth: int,
        heads: int,
        global_blocks: tuple[int, ...],
        side: int = 1024,
        window: int = 14,
    ) -> None:
        super().__init__()
        cells = side // PATCH
        self.side = side
        self.patch_embed = PatchEmbedding(width)
        self.pos_embed = nn.Parameter(torch.zeros(1, cells, cells, width))
        self.blocks = nn.ModuleList(
            Block(width, heads, cells, 0 if number in global_blocks else window) for number in range(depth)
        )
        self.neck = nn.Sequential(
            nn.Conv2d(width, CHANNELS, 1, bias=False),
            LayerNorm2d(CHANNELS),
            nn.Conv2d(CHANNELS, CHANNELS, 3, padding=1, bias=False),
            LayerNorm2d(CHANNELS),
        )

    def forward(self, picture: Tensor) -> Tensor:
        tokens = self.patch_embed(picture) + self.pos_embed
        for block in self.blocks:
            tokens = block(tokens)
        embedding: Tensor = self.neck(tokens.permute(0, 3, 1, 2))
        return embedding
