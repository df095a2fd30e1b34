"""KinD may be told the light ratio by the target, as in its published test; every table then says so."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from picture_trees import save

from networks.checkpoint import open_checkpoint
from networks.systems import build
from training.__main__ import main
from training.data import read_picture
from training.evaluate import open_method

SIZE = (35, 50)


@pytest.fixture
def kind(tmp_path: Path) -> Path:
    """A small KinD whose result depends on the ratio."""
    torch.set_num_threads(1)
    torch.manual_seed(2)
    network = build("kind", {"channels": 4})
    for name, parameter in network.named_parameters():
        if "adjust" in name or "illumination" in name:
            parameter.data.normal_(0, 0.4)
    state = {"system": "kind", "options": {"channels": 4}, "bank": None, "recipe": None, "step": 1}
    torch.save(state | {"average": network.state_dict()}, tmp_path / "kind.pt")
    return tmp_path / "kind.pt"


@pytest.fixture
def pairs(tmp_path: Path) -> Path:
    rng = np.random.default_rng(4)
    picture = rng.random((*SIZE, 3))
    save(0.1 * picture, tmp_path / "pairs" / "low" / "a.png")
    save(picture, tmp_path / "pairs" / "high" / "a.png")
    return tmp_path / "pairs"


def tensor(path: Path) -> torch.Tensor:
    return torch.from_numpy(read_picture(path).copy()).permute(2, 0, 1)[None].float() / 255


def evaluated(out: Path, *arguments: str) -> tuple[dict[str, Any], str]:
    assert main(["evaluate", *arguments, "-o", str(out)]) == 0
    return json.loads((out / "table.json").read_text()), (out / "table.md").read_text().splitlines()[0]


def test_the_ratio_is_the_mean_of_illuminations_one_over_the_other(kind: Path, pairs: Path) -> None:
    low, high = pairs / "low" / "a.png", pairs / "high" / "a.png"
    network: Any = open_checkpoint(kind).network
    with torch.no_grad():
        dark, bright = (network(tensor(path)).illumination for path in (low, high))
        ratio = (bright / (dark + 1e-4)).mean().item()
        expected = network(tensor(low), ratio=ratio).enhanced
    model = open_method(str(kind), gt_ratio=True)
    found = model(read_picture(low), low, read_picture(high))
    np.testing.assert_array_equal(found, (expected[0] * 255).round().byte().permute(1, 2, 0).numpy())
    assert (found != model(read_picture(low), low)).any(), "without a target it is the network's own ratio"
    plain = open_method(str(kind))
    np.testing.assert_array_equal(
        plain(read_picture(low), low, read_picture(high)), model(read_picture(low), low), "off by default"
    )


def test_every_table_says_who_was_told(tmp_path: Path, kind: Path, pairs: Path) -> None:
    arguments = ["--model", "input", str(kind), "--data", str(pairs)]
    plain, title = evaluated(tmp_path / "plain", *arguments)
    assert plain["gt_ratio"] == []
    assert "ratio" not in title
    told, title = evaluated(tmp_path / "told", *arguments, "--gt-ratio")
    assert told["gt_ratio"] == ["kind"]
    assert title.endswith("without GT-mean, with KinD's light ratio from the ground truth: kind")
    assert told["rows"][0]["psnr"] == plain["rows"][0]["psnr"]
    assert told["rows"][1]["psnr"] != plain["rows"][1]["psnr"]


def test_where_it_means_nothing_it_is_refused(
    tmp_path: Path, kind: Path, pairs: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    arguments = ["evaluate", "--gt-ratio", "-o", str(tmp_path / "out")]
    assert main([*arguments, "--model", "input", "--data", str(pairs)]) == 1
    assert "none of the models is one" in capsys.readouterr().err
    assert main([*arguments, "--model", str(kind), "--data", str(pairs / "low")]) == 1
    assert "has none" in capsys.readouterr().err
    save(np.zeros((40, 50, 3)), pairs / "high" / "a.png")
    assert main([*arguments, "--model", str(kind), "--data", str(pairs)]) == 1
    assert "a.png" in capsys.readouterr().err
