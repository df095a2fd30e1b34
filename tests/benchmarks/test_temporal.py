"""Clips made by hand through methods whose faults are known; and the command from end to end."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from night_scenes import EMPTY, clip_by_hand

from benchmarks import report
from benchmarks.__main__ import main
from benchmarks.machine import ffmpeg_binary
from benchmarks.night import NightClip
from benchmarks.temporal import PAGE, goals, ours, pages, peers
from benchmarks.temporal.frames import as_frame, frames_of, from_rgb, luma_codes, rgb_luma, to_rgb
from benchmarks.temporal.light import lamp_change, objects_seen
from benchmarks.temporal.measure import in_step, measured
from benchmarks.temporal.operators import fitted_operator, grid_operator
from benchmarks.temporal.outcome import NotAvailable, Outcome
from benchmarks.temporal.peers import as_it_is, best_grid
from benchmarks.temporal.regions import InStep, by_size, shuffled, true_regions
from benchmarks.temporal.scores import Truth, scores
from engines.curve import cpu
from engines.curve.grid import CurveGrid
from stream.vision.regions import Regions, Segmentation


def perfect(clip: NightClip) -> Outcome:
    """Shows the truth, by an operator that never changes."""
    planes = [from_rgb(picture, EMPTY) for picture in clip.clean]
    return Outcome(planes=planes, operators=[lambda planes: 6 * luma_codes(planes)] * len(clip))


def with_luma(outcome: Outcome, change: dict[int, int]) -> Outcome:
    """Luma of some frames moved by so many codes of 255."""
    for t, codes in change.items():
        moved = np.clip(outcome.planes[t].y.astype(int) + round(codes * 219 / 255), 16, 235)
        outcome.planes[t].y[:] = moved.astype(np.uint8)
    return outcome


def test_the_truth_itself_has_no_fault() -> None:
    clip = clip_by_hand(50, cuts=(25,), enters=10)
    found = scores(Truth(clip), perfect(clip))
    assert found["psnr"] > 45
    assert found["ssim"] > 0.99
    assert found["curve_jitter"] == found["curve_jitter_p99"] == 0
    assert found["static_residual"] == 0
    assert found["excess_warping"] == pytest.approx(0, abs=0.6)
    assert found["background_change"] == pytest.approx(0, abs=0.4)
    assert found["cut_frames"] == found["cut_frames_tone"] == 0
    assert found["ghost"] == pytest.approx(0, abs=0.01)
    assert found["mabd_mse"] < 1e-6
    assert found["flicker_rms"] == pytest.approx(found["flicker_rms_truth"], rel=0.1)
    assert found["j"] is None
    assert not found["operator_fitted"]
    assert len(found["series"]["psnr"]) == 50


def test_noise_as_it_is_has_a_residual_of_one() -> None:
    clip = clip_by_hand(40)
    found = scores(Truth(clip), peers.as_it_is(clip))
    assert found["static_residual"] == pytest.approx(1)
    assert found["background_change"] is None
    assert found["cut_frames"] is None
    assert found["excess_warping"] > 1


def test_flicker_pumping_and_ghosts_are_seen() -> None:
    clip = clip_by_hand(60, cuts=(40,), enters=10)
    best = scores(Truth(clip), perfect(clip))
    pumped = scores(Truth(clip), with_luma(perfect(clip), dict.fromkeys(range(12, 40), -7)))
    assert pumped["background_change"] == pytest.approx(7, abs=0.5)
    assert pumped["background_change_worst_tile"] >= pumped["background_change"] - 0.1
    hunting = with_luma(perfect(clip), {t: round(12 * np.sin(2 * np.pi * 5 * t / 25)) for t in range(60)})
    assert scores(Truth(clip), hunting)["flicker_rms"] > 5 * best["flicker_rms"]
    ghost = perfect(clip)
    for t in (40, 41, 42):
        ghost.planes[t].y[:] = (0.5 * ghost.planes[t].y + 0.5 * ghost.planes[39].y).astype(np.uint8)
    found = scores(Truth(clip), ghost)
    assert found["cut_frames"] == found["cut_frames_tone"] == 3
    assert found["ghost"] == pytest.approx(0.5, abs=0.05)


def test_masks_are_judged_at_their_own_size_and_by_identity() -> None:
    clip = clip_by_hand(30, enters=5)
    outcome = perfect(clip)
    outcome.regions = [7 * mask[::2, ::2] for mask in clip.masks]
    outcome.regions[5] = np.zeros((1, 1), np.uint8)  # not known yet
    found = scores(Truth(clip), outcome)
    assert found["j"] == pytest.approx(24 / 25, abs=0.01)
    outcome.regions = [np.zeros((1, 1), np.uint8)] * 30
    assert scores(Truth(clip), outcome)["j"] is None


def test_operators_map_any_frame_as_their_own_was_mapped() -> None:
    clip = clip_by_hand(3)
    grid = CurveGrid.identity(18, 32)
    bright = CurveGrid(np.array(grid.coefficients) * np.float32([4, 1, 1, 1, 1, 1, 1, 1, 1]))
    shown = as_frame(EMPTY, 0, 25).planes
    cpu.apply(clip.dark[0], bright, shown)
    np.testing.assert_allclose(grid_operator(bright)(clip.dark[0]), luma_codes(shown), atol=0.8)
    fitted = fitted_operator(clip.dark[0], shown)
    assert np.abs(fitted(clip.dark[1]) - grid_operator(bright)(clip.dark[1])).mean() < 1


def test_pictures_go_to_planes_and_back() -> None:
    clip = clip_by_hand(2)
    assert np.abs(to_rgb(from_rgb(clip.clean[0], EMPTY)).astype(int) - clip.clean[0]).max() <= 2
    frames = list(frames_of(clip))
    assert [frame.seq for frame in frames] == [0, 1]
    assert frames[1].time == pytest.approx(1 / 25)
    np.testing.assert_array_equal(frames[1].planes.y, clip.dark[1].y)


def test_gamma_says_what_it_does() -> None:
    clip = clip_by_hand(2)
    made = peers.gamma(clip)
    assert np.abs(made.operators[0](clip.dark[0]) - luma_codes(made.planes[0])).mean() < 2
    assert luma_codes(made.planes[0]).mean() > 2 * luma_codes(clip.dark[0]).mean()


@pytest.mark.skipif(ffmpeg_binary() is None, reason="no ffmpeg on this machine")
def test_filters_of_ffmpeg_reach_the_usual_mean_and_say_what_they_do() -> None:
    clip = clip_by_hand(6)
    made = peers.filtered("null")(clip)
    assert len(made.planes) == 6
    assert np.abs(made.operators[0](clip.dark[3]) - luma_codes(made.planes[3])).mean() < 1.5
    assert luma_codes(made.planes[0]).mean() / 255 == pytest.approx(0.42, abs=0.02)
    with pytest.raises(NotAvailable, match="ffmpeg"):
        peers.through_ffmpeg(clip.dark, 25, "nonesuch")


def test_without_ffmpeg_the_row_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(peers, "ffmpeg_binary", lambda: None)
    row = measured(Truth(clip_by_hand(3)), peers.filtered("hqdn3d"), {}, "hqdn3d")
    assert row == {"not_available": "there is no ffmpeg on this machine"}


class _Enhancer:
    """Doubles luma, and shows every region that it was told of a frame later."""

    cuts, network_runs, network_failures = 3, 0, 0

    def __init__(
        self,
        predict: Any,
        *,
        threads: int,
        telemetry: Any,
        network_every: int,
        semantics: Any = None,
        colours: str = "",
    ) -> None:
        self.semantics, self.regions = semantics, None
        self.grid = CurveGrid(np.float32(2) * CurveGrid.identity(18, 32).coefficients)

    def close(self) -> None:
        pass

    def __call__(self, frame: Any) -> Any:
        if self.semantics is not None:
            found = self.semantics.segmenter.take()
            if found is not None:
                self.regions = Regions(found[1].ids, *(np.zeros(17, np.float32) for _ in range(3)))
            self.semantics.segmenter.offer(frame.seq, to_rgb(frame.planes))
        shown = as_frame(frame.planes, frame.seq, 25)
        cpu.apply(frame.planes, self.grid, shown.planes)
        return shown


def test_the_product_without_regions_is_judged(monkeypatch: pytest.MonkeyPatch, square_root_bundle: Path) -> None:
    monkeypatch.setattr(ours, "Enhancer", _Enhancer)
    clip = clip_by_hand(12, enters=4)
    found = scores(Truth(clip), ours.ours(str(square_root_bundle), {"network_every": 2})(clip))
    assert found["curve_jitter"] == 0
    assert found["counts"] == {"cuts": 3, "network_runs": 0, "network_failures": 0}
    assert found["ms_p50"] > 0
    assert found["j"] is None


def test_the_grid_that_is_fitted_to_the_truth_beats_the_input() -> None:
    clip = clip_by_hand(6, enters=3)
    truth = Truth(clip)
    assert scores(truth, best_grid(clip))["psnr"] > scores(truth, as_it_is(clip))["psnr"] + 3


def test_lamps_and_objects_are_measured_where_they_are() -> None:
    clip = clip_by_hand(6, enters=3)
    luma = np.stack([rgb_luma(picture) for picture in clip.clean])
    given = np.stack([luma_codes(planes) for planes in clip.dark])
    luma += np.arange(luma.shape[2]) % 7
    assert objects_seen(clip, luma, luma) == pytest.approx((1, 1))
    assert objects_seen(clip, luma / 2, luma) == pytest.approx((0.5, 0.5))
    assert lamp_change(clip, given + 7, given) in (None, pytest.approx(7))
    lamp = replace(clip, quiet=[replace(planes, y=np.full_like(planes.y, 235)) for planes in clip.dark])
    assert lamp_change(lamp, given + 7, given) == pytest.approx(7)


def test_regions_of_the_product_are_judged(monkeypatch: pytest.MonkeyPatch, square_root_bundle: Path) -> None:
    """True ones that are a frame late: of a square that moves by 2 of its 24 pixels, 22 / 26 are right."""
    pytest.importorskip("stream.vision.semantics")
    monkeypatch.setattr(ours, "Enhancer", _Enhancer)
    clip = clip_by_hand(24, enters=4)
    method = ours.ours(str(square_root_bundle), {"network_every": 2}, in_step(true_regions), 15)
    found = scores(Truth(clip), method(clip))
    assert found["j"] == pytest.approx(19 / 20 * 22 / 26, abs=0.01)
    assert found["counts"]["segmenter_runs"] == 24


def test_true_regions_are_those_of_the_frame_that_is_shown() -> None:
    clip = clip_by_hand(12, enters=4)
    look = true_regions(clip)
    assert not look(3, clip.clean[3]).ids.any()
    np.testing.assert_array_equal(look(6, clip.clean[6]).ids, clip.masks[6])
    ids = np.repeat(np.uint8([[0, 9, 0, 4, 4, 4, 200, 200]]), 2, 0)
    np.testing.assert_array_equal(by_size(ids)[0], [0, 3, 0, 1, 1, 1, 2, 2])


def test_a_segmenter_in_step_answers_with_the_next_frame() -> None:
    seen: list[int] = []

    def look(frame: int, rgb: np.ndarray) -> Segmentation:
        seen.append(frame)
        return Segmentation(rgb[..., 0])

    segmenter = InStep(look)
    assert segmenter.take() is None
    segmenter.offer(70, np.stack([np.eye(2, dtype=np.uint8)] * 3, 2))
    found = segmenter.take()
    assert found is not None
    assert found[0] == 70
    assert found[1].ids.max() == 1
    assert segmenter.take() is None
    segmenter.offer(72, np.zeros((2, 2, 3), np.uint8))
    assert seen == [0, 2]


def test_shuffled_regions_keep_their_shapes_but_not_their_places() -> None:
    clip = clip_by_hand(12, enters=4)
    embedding = np.random.default_rng(1).normal(size=(256, 4, 8)).astype(np.float32)

    def shown(seed: int) -> Segmentation:
        eyes = shuffled(lambda clip: lambda frame, _: Segmentation(clip.masks[frame], embedding), seed)
        return eyes(clip)(6, clip.clean[6])

    moved = shown(1)
    assert np.count_nonzero(moved.ids) == np.count_nonzero(clip.masks[6])
    assert (moved.ids != clip.masks[6]).any()
    assert moved.embedding is not None
    np.testing.assert_array_equal(np.sort(moved.embedding, axis=None), np.sort(embedding, axis=None))
    np.testing.assert_array_equal(moved.ids, shown(1).ids)
    assert (shown(2).ids != moved.ids).any()


def test_the_command_leaves_figures_pictures_and_a_page(tmp_path: Path, square_root_bundle: Path) -> None:
    bundles = ["--bundle", str(square_root_bundle), "--sci", str(square_root_bundle)]
    asked = ["--methods", "input", "sci", "ema", "regions", "--scenario", "enter", "--results", str(tmp_path)]
    assert main(["temporal", "--quick", "--uncompressed", *asked, *bundles]) == 0
    found = json.loads((tmp_path / "temporal.json").read_text())
    rows = {row["method"]: row for row in found["rows"].values()}
    assert list(rows) == ["input", "sci", "ema", "regions"]
    assert rows["sci"]["psnr"] > rows["input"]["psnr"] + 2
    assert "--sam" in rows["regions"]["not_available"]
    assert rows["input"]["curve_jitter"] == 0
    assert "thumbnail" in rows["ema"]["stages_ms"]
    page = (tmp_path / "temporal.md").read_text()
    assert page == pages.page(found)
    assert f"| `input` | {rows['input']['psnr']:.2f} |" in page
    assert "`regions` was not run" in page
    made = sorted(path.name.split("-seed1-texture")[-1] for path in tmp_path.glob("temporal-enter-*"))
    assert made == ["-sheet.png", ".mp4", "temporal-enter-mid.png"]


def test_an_unknown_scenario_is_said(tmp_path: Path) -> None:
    with pytest.raises(SystemExit, match="nonesuch"):
        main(["temporal", "--quick", "--scenario", "nonesuch", "--results", str(tmp_path)])


def test_tables_are_means_over_seeds_and_mark_estimates() -> None:
    row = {"scenario": "pan", "level": "mid", "size": [64, 36], "frames": 9, "fps": 25, "encoded": True}
    figures = {key: None for key, _, _ in (*pages._COLUMNS, *pages._REGION_COLUMNS)}
    measured_row = (
        row | figures | {"method": "clahe", "operator_fitted": True, "curve_jitter": 0.5, "flicker_rms_truth": None}
    )
    rows = {"1": measured_row | {"psnr": 20.0}, "2": measured_row | {"psnr": 21.0}}
    page = pages.page({"rows": rows | {"3": row | {"method": "sci", "not_available": "it is not here"}}})
    assert "## pan, mid: 64x36, 9 frames, 25 a second, H.264" in page
    assert "| `clahe` (2 seeds) | 20.50 | ~0.50 |" in page
    assert "`sci` was not run: it is not here." in page


def test_goals_are_read_from_the_rows() -> None:
    rows = {
        "sci": {"psnr": 14.0},
        "ema": {"psnr": 20.0, "excess_warping": 3.0},
        "denoise": {"psnr": 24.5, "ssim": 0.7, "excess_warping": 3.5, "curve_jitter": None},
    }
    lines = goals.table({"pan": rows, "cuts": {"denoise": {"psnr": 20.0, "cut_frames_tone": 1}}}).splitlines()[2:]
    assert lines == [
        "| PSNR, dB (pan) | `denoise` | >= 24 | 24.50 | yes |",
        "| SSIM (pan) | `denoise` | >= 0.75 | 0.700 | **no** |",
        "| PSNR over SCI per frame, dB (pan) | `denoise` | >= 4 | 10.50 | yes |",
        "| excess warping error over that without denoising, codes (pan) | `denoise` | <= 0 | 0.50 | **no** |",
        "| cut response, frames, of 8x8 means (cuts) | `denoise` | <= 1 | 1 | yes |",
    ]
    assert goals.table({"pan": {"sci": {"psnr": 14.0}}}) == ""


def test_the_page_in_the_repository_is_what_the_generator_writes() -> None:
    results = report.RESULTS / "temporal.json"
    if not results.is_file():
        pytest.skip("nothing was measured yet")
    found = json.loads(results.read_text(encoding="utf-8"))
    assert PAGE.read_text(encoding="utf-8") == pages.page(found), "run: python -m benchmarks temporal"
