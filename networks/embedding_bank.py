"""A knowledge bank over one dense embedding, such as that of a SAM image encoder (Kirillov et al., ICCV 2023).

SKF needs features at several scales and a class map; an image encoder gives one feature map (N, D, h, w) and no
classes. This project's own bridge (not in the SKF paper): the classes are `classes` directions of the embedding,
found by spherical k-means over training pictures, and the class map is the cosine to them; the features are the
embedding projected on its principal components and resized to 1/4, 1/8 and 1/16. `fit` finds both, once; they are
buffers, so a saved bank is complete and takes no gradient.

An embedding vector of zeros means "not known": it counts as the mean embedding, so that features there are 0 and no
class is more likely than another. A network that is guided by the bank so runs without an encoder too.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from networks.padding import at_scale
from networks.skf import Knowledge


class EmbeddingBank(nn.Module):
    """`bank(image)` when an encoder is given, `bank.from_embedding(embedding, size)` for embeddings made beforehand.

    `encoder`: picture (N, 3, H, W) -> embedding (N, dimension, h, w) of the whole picture, padding cropped off.
    `channels`: finest first; `sharpness` scales the cosines to logits.
    """

    mean: Tensor
    basis: Tensor
    prototypes: Tensor

    def __init__(
        self,
        dimension: int = 256,
        classes: int = 32,
        channels: tuple[int, ...] = (48, 96, 192),
        encoder: nn.Module | None = None,
        sharpness: float = 20.0,
    ) -> None:
        super().__init__()
        if max(channels) > dimension:
            raise ValueError(f"cannot take {max(channels)} components of an embedding of {dimension} channels")
        self.channels = channels
        self.classes = classes
        self.sharpness = sharpness
        self.encoder = encoder
        self.register_buffer("mean", torch.zeros(dimension))
        self.register_buffer("basis", torch.eye(dimension)[:, : max(channels)].clone())
        self.register_buffer("prototypes", F.normalize(torch.randn(classes, dimension), dim=1))
        self.requires_grad_(False)
        self.eval()

    def train(self, mode: bool = True) -> EmbeddingBank:
        """A bank never leaves evaluation mode."""
        super().train(False)
        return self

    def saved(self) -> dict[str, Any]:
        """Arguments and weights (without the encoder), to be kept in a file and given to `restored`."""
        arguments = {
            "dimension": len(self.mean),
            "classes": self.classes,
            "channels": self.channels,
            "sharpness": self.sharpness,
        }
        names = ("mean", "basis", "prototypes")
        return {"arguments": arguments, "state": {name: getattr(self, name).clone() for name in names}}

    @classmethod
    def restored(cls, saved: Mapping[str, Any]) -> EmbeddingBank:
        """The bank that `saved` described."""
        arguments = saved["arguments"]
        bank = cls(**arguments | {"channels": tuple(arguments["channels"])})
        bank.load_state_dict(saved["state"])
        return bank

    @torch.no_grad()
    def fit(self, embeddings: Tensor, rounds: int = 20, seed: int = 0) -> None:
        """Find components and classes from embeddings (N, D, h, w) of training pictures.

        Components are scaled to unit variance, so that all features start at the same order of magnitude. An empty
        class is re-seeded with the vector that is worst represented.
        """
        vectors = embeddings.movedim(1, -1).flatten(0, -2)
        if len(vectors) < self.classes:
            raise ValueError(f"{len(vectors)} embedding vectors are too few for {self.classes} classes")
        self.mean.copy_(vectors.mean(dim=0))
        centred = vectors - self.mean
        values, directions = torch.linalg.eigh(centred.T @ centred / len(vectors))
        count = self.basis.shape[1]
        strongest = directions.flip(1)[:, :count]
        self.basis.copy_(strongest * torch.rsqrt(values.flip(0)[:count].clamp_min(1e-6)))

        units = F.normalize(centred, dim=1)
        generator = torch.Generator().manual_seed(seed)
        centres = units[torch.randperm(len(units), generator=generator)[: self.classes].to(units.device)]
        for _ in range(rounds):
            similarity, member = (units @ centres.T).max(dim=1)
            sums = torch.zeros_like(centres).index_add_(0, member, units)
            empty = torch.bincount(member, minlength=self.classes) == 0
            sums[empty] = units[similarity.argsort()[: int(empty.sum())]]
            centres = F.normalize(sums, dim=1)
        self.prototypes.copy_(centres)

    def from_embedding(self, embedding: Tensor, size: tuple[int, int]) -> Knowledge:
        """Embedding (N, D, h, w) of a picture of `size` (H, W) -> its knowledge; zero vectors are not known."""
        height, width = size
        known = (embedding != 0).any(dim=1, keepdim=True)
        centred = torch.where(known, embedding - self.mean[:, None, None], 0.0)
        components = torch.einsum("ndhw,dc->nchw", centred, self.basis)
        features = tuple(
            F.interpolate(
                components[:, :channels],
                size=(at_scale(height, 4 * 2**level), at_scale(width, 4 * 2**level)),
                mode="bilinear",
                align_corners=False,
            )
            for level, channels in enumerate(self.channels)
        )
        cosine = torch.einsum("ndhw,kd->nkhw", F.normalize(centred, dim=1), self.prototypes)
        logits = F.interpolate(self.sharpness * cosine, size=size, mode="bilinear", align_corners=False)
        return Knowledge(features, logits)

    def forward(self, image: Tensor) -> Knowledge:
        if self.encoder is None:
            raise ValueError("this bank has no encoder: use from_embedding with embeddings computed beforehand")
        return self.from_embedding(self.encoder(image), (image.shape[-2], image.shape[-1]))
