"""Each measurement runs from end to end with ``--quick`` and leaves what the documentation is written from."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from benchmarks import report
from benchmarks.__main__ import main
from benchmarks.clips import FPS, TINY
from benchmarks.quality import gamma_to_mean
from benchmarks.readme import BEGIN, END


@pytest.fixture(scope="module")
def results(tmp_path_factory: pytest.TempPathFactory, square_root_bundle: Path) -> Path:
    """Results of ``throughput --quick`` and ``quality`` on three made-up pairs."""
    folder, data = tmp_path_factory.mktemp("results"), tmp_path_factory.mktemp("data")
    rng = np.random.default_rng(1)
    for kind in ("low", "high"):
        (data / kind).mkdir()
    for index in range(3):
        high = np.clip(rng.normal(128, 30, (24, 24, 3)).repeat(4, 0).repeat(4, 1), 0, 255)
        Image.fromarray(high.astype(np.uint8)).save(data / "high" / f"{index}.png")
        Image.fromarray((high**2 / 255).astype(np.uint8)).save(data / "low" / f"{index}.png")
    bundles = ["--bundle", str(square_root_bundle), "--sci", str(square_root_bundle), "--results", str(folder)]
    assert main(["throughput", "--quick", *bundles]) == 0
    assert main(["quality", "--data", str(data), "--checkpoints", str(data), *bundles]) == 0
    return folder


def test_throughput_reports_both_ratios_all_rows_and_plots(results: Path) -> None:
    found = json.loads((results / "throughput.json").read_text())
    names = [row["name"] for row in found["rows"]]
    assert names[:3] == ["codec only", "codec only, same pictures", "enhanced"]
    assert {"dark", "same_pictures"} <= set(found["ratio"])
    assert all(row["cpu_ms_per_frame"] > 0 for row in found["rows"])
    assert {"machine", "versions", "conditions"} <= set(found)
    assert {row["threads"] for row in found["passes"]["fused_pass"]} == {1, 2}
    assert (results / "throughput.png").stat().st_size > 5000
    assert (results / "throughput-sizes.png").stat().st_size > 5000


def test_stages_times_each_part_that_works_in_time(tmp_path: Path, square_root_bundle: Path) -> None:
    assert main(["stages", "--quick", "--bundle", str(square_root_bundle), "--results", str(tmp_path)]) == 0
    rows = json.loads((tmp_path / "stages.json").read_text())["rows"]
    timed = {(row["stage"], row["motion"]): row for row in rows}
    for stage in ("smoothing", "flow", "propagation", f"pass with denoiser, {TINY.name}"):
        for motion in ("none", "pan"):
            assert 0 < timed[stage, motion]["p50_ms"] <= timed[stage, motion]["p99_ms"]
    for motion in ("none", "pan"):
        assert timed["flow + propagation", motion]["p50_ms"] > timed["flow", motion]["p5_ms"]


def test_quality_measures_what_is_known(results: Path) -> None:
    found = json.loads((results / "quality.json").read_text())
    rows = {row["name"]: row for row in found["rows"]}
    assert found["pairs"] == 3
    assert rows["SCI ours, full size"]["psnr"] > 40, "the square root undoes the square"
    assert rows["curve"]["psnr"] > rows["input"]["psnr"] + 5, "and so does the grid that was fitted to it, nearly"
    assert rows["curve"]["psnr_worst"] == min(pair["psnr"] for pair in rows["curve"]["pairs"].values())


def test_the_readme_gets_the_figures_between_its_markers(results: Path, tmp_path: Path) -> None:
    readme = tmp_path / "README.md"
    readme.write_text(f"above\n{BEGIN}\nold\n{END}\nbelow\n")
    assert main(["readme", "--results", str(results), "--readme", str(readme)]) == 0
    text = readme.read_text()
    assert text.startswith("above\n")
    assert text.endswith("below\n")
    assert "old" not in text
    ratio = json.loads((results / "throughput.json").read_text())["ratio"]
    assert f"{ratio['same_pictures']:.3f}" in text
    assert f"{ratio['dark']:.3f}" in text


def test_a_readme_without_markers_is_left_alone(results: Path, tmp_path: Path) -> None:
    readme = tmp_path / "README.md"
    readme.write_text("no markers")
    with pytest.raises(SystemExit, match="lacks the markers"):
        main(["readme", "--results", str(results), "--readme", str(readme)])
    assert readme.read_text() == "no markers"


def test_missing_data_is_said_with_what_to_pass(tmp_path: Path) -> None:
    with pytest.raises(SystemExit, match="--data"):
        main(["quality", "--data", str(tmp_path / "none"), "--results", str(tmp_path)])


def test_gamma_to_mean_reaches_the_mean() -> None:
    dark = np.random.default_rng(2).integers(0, 64, (64, 64, 3)).astype(np.uint8)
    assert gamma_to_mean(dark).mean() / 255 == pytest.approx(0.42, abs=0.01)


def test_memory_is_watched_over_a_file_that_repeats_itself(tmp_path: Path, square_root_bundle: Path) -> None:
    assert main(["memory", "--quick", "--bundle", str(square_root_bundle), "--results", str(tmp_path)]) == 0
    found = json.loads((tmp_path / "memory.json").read_text())
    assert found["short"]["frames"] == TINY.frames
    assert found["long"]["frames"] >= 0.1 * 60 * FPS
    assert 50 < found["short"]["peak_mb"] < 2000
    assert (tmp_path / "memory.png").exists()


@pytest.mark.slow
def test_startup_stamps_the_way_to_the_first_frame(tmp_path: Path, square_root_bundle: Path) -> None:
    assert main(["startup", "--quick", "--bundle", str(square_root_bundle), "--results", str(tmp_path)]) == 0
    found = json.loads((tmp_path / "startup.json").read_text())
    for start in found["warm"] + found["cold"]:
        assert 0 < start["interpreter"] < start["imports"] < start["first frame"]
    assert found["warm_median_s"] < found["cold_median_s"]


def test_a_table_shows_few_digits_and_dashes_for_nothing() -> None:
    assert report.table(["", "a", "b"], [("x", 1.234, None), ("y", 123.4, 3)]) == (
        "|  | a | b |\n| --- | ---: | ---: |\n| x | 1.23 | - |\n| y | 123 | 3 |"
    )
