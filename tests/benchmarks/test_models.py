"""docs/models.md is what the generator writes, every system stands on it, and a run merges what it measures."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from benchmarks import lively, model_costs, models_page, models_quality, report
from benchmarks.__main__ import main
from benchmarks.models import PAGE
from export.parity import TELLING, share_that_tells, synthetic_pictures
from networks.systems import GUIDED, SYSTEMS
from tests.networks.small_systems import SMALL


def test_the_page_in_the_repository_is_what_the_generator_writes() -> None:
    found = json.loads((report.RESULTS / "models.json").read_text(encoding="utf-8"))
    written = models_page.page(found, models_quality.quality(report.RESULTS))
    assert PAGE.read_text(encoding="utf-8") == written, "run: python -m benchmarks models --parts"


def test_every_system_has_a_row_measured_or_not() -> None:
    page = models_page.page({"rows": {}}, {})
    for system in SYSTEMS:
        assert f"(`{system}`) |" in page
        assert (f"(`{system}-skf`) |" in page) == (system in GUIDED)
    assert "| ISSR | ACM MM 2020 | no network here |" in page
    assert page.count("not trained here") == len(SYSTEMS) + len(GUIDED)


def test_the_best_figures_count_wherever_they_stand(tmp_path: Path) -> None:
    rows = [
        {"model": "drbn-skf (small, SE)", "psnr": 18.0, "ssim_gaussian11": 0.5},
        {"model": "drbn-skf (small, SE+SCH)", "psnr": 18.5, "ssim_gaussian11": None},
        {"model": "curve (worse)", "psnr": 5.0, "ssim_gaussian11": 0.1},
        {"model": "kind", "psnr": None},
        {"model": "kind (told)", "psnr": 30.0, "ssim_gaussian11": 0.9},
    ]
    (tmp_path / "papers").mkdir()
    table = {"name": "brackets", "gt_ratio": ["kind (told)"], "rows": rows}
    (tmp_path / "papers" / "one.json").write_text(json.dumps(table))
    figures = models_quality.quality(tmp_path)
    assert figures["drbn-skf"]["psnr"] == 18.5
    assert figures["curve"]["table"] == "card of bundle curve"
    assert "kind" not in figures, "who was told the target's brightness does not count"
    page = models_page.page({"rows": {}}, figures)
    assert "| 18.50 / – (small, SE+SCH, brackets) |" in page


def test_arms_of_an_ablation_belong_to_the_guided_forms_of_skfs_baselines_alone(tmp_path: Path) -> None:
    def row(recipe: str, arm: str, psnr: float, seeds: list[int]) -> dict[str, Any]:
        return {"recipe": recipe, "arm": arm, "steps": 9, "seeds": seeds, "psnr": psnr, "ssim_gaussian11": 0.5}

    rows = [
        row("drbn.yaml, small", "off", 17.0, [1]),
        row("drbn.yaml, small", "SE", 16.5, [1]),
        row("drbn.yaml, small", "SE+SCH", 16.0, [1, 2]),
        row("enlighten-anything.yaml", "true regions", 14.0, [1]),
    ]
    (tmp_path / "ablation-x.json").write_text(json.dumps({"against": "off", "rows": rows}))
    figures = models_quality.quality(tmp_path, bundles=tmp_path)
    assert {key: found["psnr"] for key, found in figures.items()} == {
        "drbn": 17.0,
        "drbn-skf": 16.0,
        "enlighten-anything": 14.0,
    }
    assert figures["drbn-skf"]["variant"] == "small, SE+SCH, 9 steps, 2 seeds"
    assert figures["enlighten-anything"]["variant"] == "true regions, 9 steps"


def test_only_finished_trainings_are_gathered(tmp_path: Path) -> None:
    def training(name: str, step: int, scores: str) -> None:
        (tmp_path / name).mkdir()
        recipe = {"name": f"{name}.yaml, small", "phases": {"one": {"steps": 4}, "two": {"steps": 6}}}
        torch.save({"recipe": recipe, "step": step}, tmp_path / name / "checkpoint.pt")
        (tmp_path / name / "validation.csv").write_text(f"step,psnr,ssim_gaussian\n{scores}")

    training("kind", 8, "7,12.0,0.3\n")
    with pytest.raises(ValueError, match="no training below"):
        models_quality.gathered(tmp_path)
    training("drbn-skf", 10, "4,12.0,0.3\n9,15.5,0.4\n")
    training("snr", 10, "4,12.0,0.3\n")
    assert models_quality.gathered(tmp_path)["rows"] == [
        {"model": "drbn-skf (small, 10 steps)", "psnr": 15.5, "ssim_gaussian11": 0.4}
    ]


def test_what_is_not_exported_says_so_with_the_message() -> None:
    rows = {
        "snr": {
            "free": {"error": "Unsupported: an operator"},
            "fixed": {"p99": 0.0123, "passed": True, "telling": 0.5},
        },
        "kind": {"free": {"p99": 2.5, "passed": False, "telling": 0.5}},
        "drbn": {"free": {"p99": 0.0, "passed": True}, "fixed": {"p99": 0.0, "passed": False, "telling": 0.02}},
    }
    page = models_page.page({"rows": rows}, {})
    assert "| no, see below / p99 0.012 |" in page
    assert "`snr`, free sizes, is not exported: Unsupported: an operator" in page
    assert "| differs: p99 2.5 / not tried |" in page
    assert "| not tried with such weights / nothing to compare came out |" in page


def test_a_quick_run_counts_and_keeps_what_other_runs_found(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert model_costs.KEYS[:3] == ("curve", "sci", "enlighten-anything")
    (tmp_path / "models.json").write_text(json.dumps({"rows": {"sci": {"ms_thumbnail": 7.0}}}))
    arguments = ["models", "--quick", "--parts", "count", "--results", str(tmp_path)]
    assert main(arguments) == 0
    row = json.loads((tmp_path / "models.json").read_text())["rows"]["sci"]
    assert row["ms_thumbnail"] == 7.0
    assert row["parameters"] == 258
    assert row["gmacs_600x400"] == pytest.approx(0.058, abs=5e-4)
    assert "| 258 | 0.0583 |" in (tmp_path / "models.md").read_text()
    with pytest.raises(SystemExit, match="unknown: nonesuch"):
        main(["models", "--only", "nonesuch", "--results", str(tmp_path)])


def test_skf_rows_count_the_modules_as_trained_here_and_as_released() -> None:
    found = model_costs.measured("drbn-skf", ("count",), 1, 0.0)
    assert found["parameters_released"] == 599_132
    assert 557_668 < found["parameters"] < 599_132
    assert 34.4 < found["gmacs_600x400"] < 37.0


def test_frames_that_take_too_long_are_told_by_a_tile() -> None:
    rows = {
        "kind-plus": {"ms_full": None, "ms_tile": 1500.0, "tiles": 15},
        "mirnet": {"ms_full": None},
    }
    page = models_page.page({"rows": rows}, {})
    assert "| about 22500 |" in page
    assert "| not waited for |" in page


@pytest.mark.parametrize("key", ["retinexnet", "kind", "drbn", "llflow-s", "zero-dce"])
def test_networks_are_compared_by_pictures_and_not_by_black_or_grey(key: str) -> None:
    """With the weights that they begin with, each of these agrees with nearly anything."""
    network = model_costs.built(key, SMALL.get(key, {}))
    pictures = [torch.from_numpy(picture)[None] for picture in synthetic_pictures([(48, 64)])]

    def telling() -> float:
        with torch.no_grad():
            return float(np.mean([share_that_tells(255 * network(picture).numpy()) for picture in pictures]))

    before = telling()
    lively.enliven(network, pictures[0])
    assert telling() > max(TELLING, before - 0.05)
