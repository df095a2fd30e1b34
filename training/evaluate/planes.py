"""RGB pictures as the planes that a video decoder gives, and back: how the shipped pass meets a photograph."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F

from engines.colour import Colour
from engines.planes import Bytes, Planes
from networks.colour import luma_weights, rgb_to_yuv, yuv_to_rgb

_PHOTO = Colour("bt601", full_range=True)


def to_planes(rgb: Bytes) -> Planes:
    """[h, w, 3] RGB as 8-bit 4:2:0 planes, as in a JPEG; odd sizes repeat the last row and column."""
    kr, kb = luma_weights("bt601", torch.zeros(()))
    yuv = rgb_to_yuv(torch.from_numpy(np.ascontiguousarray(rgb.transpose(2, 0, 1)))[None].float(), kr, kb)
    chroma = F.pad(yuv[:, 1:], (0, rgb.shape[1] % 2, 0, rgb.shape[0] % 2), mode="replicate")
    u, v = codes(F.avg_pool2d(chroma, 2)[0] + 128)
    return Planes(codes(yuv[0, 0]), u, v, _PHOTO)


def to_rgb(planes: Planes) -> Bytes:
    """The planes as RGB, chroma enlarged bilinearly."""
    kr, kb = luma_weights("bt601", torch.zeros(()))
    chroma = torch.from_numpy(np.stack((planes.u, planes.v)).astype(np.float32))[None] - 128
    full = F.interpolate(chroma, scale_factor=2, mode="bilinear", align_corners=False)
    full = full[..., : planes.height, : planes.width]
    luma = torch.from_numpy(planes.y.astype(np.float32))[None, None]
    return np.ascontiguousarray(codes(yuv_to_rgb(torch.cat((luma, full), 1), kr, kb)[0]).transpose(1, 2, 0))


def codes(values: Tensor) -> Bytes:
    """Values as 8-bit codes, rounded and clipped, as every published table has them."""
    return values.round().clamp(0, 255).byte().numpy()


def to_tensor(picture: Bytes) -> Tensor:
    """[h, w, 3] codes as [1, 3, h, w] float codes 0..255."""
    return torch.from_numpy(np.ascontiguousarray(picture.transpose(2, 0, 1)))[None].float()


def from_tensor(picture: Tensor, truncate: bool = False) -> Bytes:
    """[1, 3, h, w] in 0..1 as [h, w, 3] codes; ``truncate`` cuts them off instead, as some published code does."""
    values = picture[0].cpu() * 255
    return np.ascontiguousarray(codes(values.floor() if truncate else values).transpose(1, 2, 0))
