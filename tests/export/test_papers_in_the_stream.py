"""A bundle of every system of the papers runs in the shipped command, on a clip, in both modes.

The default run takes one that needs semantics, without any to be had; `pytest -m slow` takes all systems.
"""

from __future__ import annotations

import json
from pathlib import Path

import av
import numpy as np
import pytest
import torch
from test_export_papers import PICTURES, network, small_bank
from typer.testing import CliRunner

from engines.bundle import TrainingCard, write_bundle
from export.cards import make_card
from export.interfaces import interface_of
from export.onnx_model import to_onnx
from export.parity import Parity
from networks.systems import GUIDED
from stream.cli import app

FRAMES = 4


def dark_clip(path: Path) -> Path:
    """Frames of 98x58, a dark ramp that moves."""
    with av.open(str(path), "w") as container:
        stream = container.add_stream("libx264", rate=10)
        stream.width, stream.height, stream.pix_fmt = 98, 58, "yuv420p"
        ramp = np.linspace(4, 60, 98, dtype=np.uint8)[None, :, None].repeat(58, 0).repeat(3, 2)
        for number in range(FRAMES):
            container.mux(stream.encode(av.VideoFrame.from_ndarray(np.roll(ramp, number, 1), "rgb24")))
        container.mux(stream.encode())
    return path


def light(path: Path) -> float:
    with av.open(str(path)) as container:
        return float(np.mean([frame.to_ndarray(format="gray").mean() for frame in container.decode(video=0)]))


def runs_in_both_modes(
    system: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, size: tuple[int, int] | None = None
) -> None:
    torch.set_num_threads(1)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("STREAM_ENHANCE_BUNDLES", str(tmp_path / "bundles"))
    options = {"steps": 5} if system == "lime" else None
    made = network(system, small_bank() if system in GUIDED else None, options)
    interface = interface_of(made)
    training = TrainingCard("nothing, fresh weights", "CC0-1.0", "none", 0, 0)
    card = make_card(system, system, interface, 1, training, Parity(0.0, 0.0, 1), {}, size=size)
    write_bundle(tmp_path / "bundles" / f"fresh-{system}", to_onnx(made, interface, size), card)
    clip = dark_clip(tmp_path / "dark.mp4")
    for mode in ("fused", "full"):
        output = tmp_path / f"{mode}.mp4"
        arguments = [str(clip), str(output), "--model", f"fresh-{system}", "--mode", mode, "--json", f"{mode}.json"]
        result = CliRunner().invoke(app, arguments)
        assert result.exit_code == 0, result.output
        summary = json.loads((tmp_path / f"{mode}.json").read_text())
        assert (summary["mode"], summary["frames_out"]) == (mode, FRAMES)
        assert light(output) != pytest.approx(light(clip), abs=0.2), "the network changed nothing"


def test_a_network_that_takes_regions_runs_without_a_segmenter(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    runs_in_both_modes("enlighten-anything", tmp_path, monkeypatch)


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_lime_which_takes_one_size_runs_on_clips_of_any_size(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Full mode cuts the picture into tiles of that size, fused mode makes its thumbnail that large."""
    runs_in_both_modes("lime", tmp_path, monkeypatch, size=(36, 64))


@pytest.mark.slow
@pytest.mark.timeout(900)
@pytest.mark.parametrize("system", PICTURES)
def test_every_system_runs(system: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    runs_in_both_modes(system, tmp_path, monkeypatch)
