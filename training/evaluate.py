"""Measures models on held-out pairs the way they ship: 8-bit 4:2:0 planes, thumbnail, ONNX Runtime, grid, fused pass.

A model is ``input`` (nothing done), a bundle (folder or name; driven through the grid), ``full:BUNDLE`` (a bundle of
kind ``picture`` run on the whole picture instead), or a published SCI checkpoint (run on the whole picture).
"""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from rich.console import Console
from rich.progress import track
from rich.table import Table
from torch import Tensor
from torch.nn import functional as F

from engines.bundle import load_bundle
from engines.colour import Colour
from engines.curve.cpu import apply
from engines.onnx_runtime import open_engine
from engines.planes import Planes
from engines.thumbnail import sample
from engines.tone_model import ToneModel
from networks.checkpoint import open_checkpoint
from networks.colour import luma_weights, rgb_to_yuv, yuv_to_rgb
from training.data import Pair, read_picture
from training.metrics import gt_mean, psnr, ssim_gaussian, ssim_uniform

Bytes = NDArray[np.uint8]
Method = Callable[[Bytes], Bytes]
_PHOTO = Colour("bt601", full_range=True)


def to_planes(rgb: Bytes) -> Planes:
    """[h, w, 3] RGB as 8-bit 4:2:0 planes, as in a JPEG; odd sizes repeat the last row and column."""
    kr, kb = luma_weights("bt601", torch.zeros(()))
    yuv = rgb_to_yuv(torch.from_numpy(np.ascontiguousarray(rgb.transpose(2, 0, 1)))[None].float(), kr, kb)
    chroma = F.pad(yuv[:, 1:], (0, rgb.shape[1] % 2, 0, rgb.shape[0] % 2), mode="replicate")
    u, v = _codes(F.avg_pool2d(chroma, 2)[0] + 128)
    return Planes(_codes(yuv[0, 0]), u, v, _PHOTO)


def to_rgb(planes: Planes) -> Bytes:
    """The planes as RGB, chroma enlarged bilinearly."""
    kr, kb = luma_weights("bt601", torch.zeros(()))
    chroma = torch.from_numpy(np.stack((planes.u, planes.v)).astype(np.float32))[None] - 128
    full = F.interpolate(chroma, scale_factor=2, mode="bilinear", align_corners=False)
    full = full[..., : planes.height, : planes.width]
    luma = torch.from_numpy(planes.y.astype(np.float32))[None, None]
    return np.ascontiguousarray(_codes(yuv_to_rgb(torch.cat((luma, full), 1), kr, kb)[0]).transpose(1, 2, 0))


def _codes(values: Tensor) -> Bytes:
    return values.round().clamp(0, 255).byte().numpy()


def open_method(model: str) -> Method:
    """The function from a dark to a bright RGB picture that ``model`` names."""
    if model == "input":
        return lambda picture: picture
    if Path(model).is_file():
        network = open_checkpoint(Path(model), "sci").network

        def published(picture: Bytes) -> Bytes:
            with torch.no_grad():
                return _from_tensor(network(_to_tensor(picture)))

        return published
    if model.startswith("full:"):
        engine = open_engine(load_bundle(model.removeprefix("full:")), "cpu", 1)

        def whole(picture: Bytes) -> Bytes:
            results = engine.infer({engine.inputs[0].name: _to_tensor(picture).numpy()})
            return _from_tensor(torch.from_numpy(results[engine.outputs[0].name]))

        return whole
    tone = ToneModel(load_bundle(model))

    def shipped(picture: Bytes) -> Bytes:
        planes = to_planes(picture)
        done = Planes(np.empty_like(planes.y), np.empty_like(planes.u), np.empty_like(planes.v), planes.colour)
        apply(planes, tone(sample(planes)), done)
        return to_rgb(done)

    return shipped


def _to_tensor(picture: Bytes) -> Tensor:
    return torch.from_numpy(np.ascontiguousarray(picture.transpose(2, 0, 1)))[None].float() / 255


def _from_tensor(picture: Tensor) -> Bytes:
    return np.ascontiguousarray(_codes(picture[0] * 255).transpose(1, 2, 0))


def measure(method: Method, pairs: Sequence[Pair], label: str = "", show: bool = False) -> dict[str, float]:
    """Mean figures over all pairs, and the worst PSNR. ``gt_mean``: scaled to the reference's mean first."""
    rows = []
    for pair in track(pairs, label, disable=not show):
        want = _to_tensor(read_picture(pair.high)) * 255
        got = _to_tensor(method(read_picture(pair.low))) * 255
        levelled = gt_mean(got, want).round()
        rows.append(
            {
                f"{name}{suffix}": metric(picture, want).item()
                for suffix, picture in (("", got), ("_gt_mean", levelled))
                for name, metric in (
                    ("psnr", psnr),
                    ("ssim_gaussian11", ssim_gaussian),
                    ("ssim_uniform7", ssim_uniform),
                )
            }
        )
    table = {name: float(np.mean([row[name] for row in rows])) for name in rows[0]}
    return table | {"psnr_worst": min(row["psnr"] for row in rows)}


def evaluate(models: Sequence[str], pairs: Sequence[Pair], name: str, show: bool = True) -> dict[str, Any]:
    """Figures of all models as one JSON-ready table."""
    rows: list[dict[str, Any]] = []
    for model in models:
        label, _, place = model.rpartition("=")
        label = label or (model if model == "input" or model.startswith("full:") else Path(place).stem)
        rows.append({"model": label} | measure(open_method(place), pairs, label, show))
    return {"name": name, "pairs": len(pairs), "rows": rows}


def print_table(table: dict[str, Any]) -> None:
    """The table for people."""
    shown = Table(title=f"{table['name']}: {table['pairs']} pairs, 8-bit RGB, means (GT-mean needs the reference)")
    names = [name for name in table["rows"][0] if name != "model"]
    for heading in ("model", *names):
        shown.add_column(heading.replace("_", " "))
    for row in table["rows"]:
        figures = [f"{row[name]:.2f}" if name.startswith("psnr") else f"{row[name]:.3f}" for name in names]
        shown.add_row(row["model"], *figures)
    Console().print(shown)


def write_json(table: dict[str, Any], path: Path) -> None:
    """The table for programs."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(table, indent=2) + "\n")
