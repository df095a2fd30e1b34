"""The evaluation runs the shipped path, and its figures are right on pictures whose answer is known."""

from __future__ import annotations

import hashlib
import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import onnx
import pytest
import torch
from onnx import TensorProto, helper
from picture_trees import brackets, lol_v2, save
from PIL import Image

from engines.bundle import Card, TensorCard, TrainingCard, load_bundle, write_bundle
from networks.checkpoint import open_checkpoint
from networks.enlighten_anything import hashed_colours
from networks.systems import build
from training.__main__ import main
from training.data import read_picture
from training.evaluate import open_method, to_planes, to_rgb
from training.metrics import niqe


def constant_bundle(folder: Path, node: list[float]) -> Path:
    """A bundle that gives the same node everywhere, for a square picture: 24 x 24 nodes."""
    grid = np.tile(np.array(node, np.float32), (1, 24, 24, 1))
    graph = helper.make_graph(
        [helper.make_node("Identity", ["nodes"], ["grid"]), helper.make_node("Identity", ["thumbnail"], ["unused"])],
        "constant",
        [helper.make_tensor_value_info("thumbnail", TensorProto.FLOAT, [1, 3, "h", "w"])],
        [helper.make_tensor_value_info("grid", TensorProto.FLOAT, [1, 24, 24, 9])],
        [helper.make_tensor("nodes", TensorProto.FLOAT, grid.shape, grid.ravel())],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=9)
    onnx.checker.check_model(model)
    card = Card(
        "constant",
        "curve",
        "grid",
        (TensorCard("thumbnail", "1,3,h,w", "planes"),),
        (TensorCard("grid", "1,h/8,w/8,9", "nodes"),),
        0,
        TrainingCard("none", "none", "none", 0, 0),
        "CC0-1.0",
    )
    return write_bundle(folder, model.SerializeToString(), card).folder


def test_planes_and_back_keep_a_smooth_picture(tmp_path: Path) -> None:
    rows, cols = np.mgrid[0:33, 0:47] / 47
    picture = np.rint(np.stack((rows, cols, 0.5 + 0 * rows), -1) * 200 + 20).astype(np.uint8)
    back = to_rgb(to_planes(picture))
    assert back.shape == picture.shape
    assert np.abs(back.astype(int) - picture).max() <= 6
    assert np.abs(back.astype(int) - picture).mean() < 1


@pytest.fixture
def grey_pairs(tmp_path: Path) -> Path:
    """Grey pairs, the target exactly twice as bright: the input is off by its own value, a gain of two hits it."""
    for name, level in (("a", 40), ("b", 60)):
        save(np.full((48, 48, 3), level / 255), tmp_path / "pairs" / "low" / f"{name}.png")
        save(np.full((48, 48, 3), 2 * level / 255), tmp_path / "pairs" / "high" / f"{name}.png")
    return tmp_path / "pairs"


def test_figures_of_pictures_whose_answer_is_known(
    tmp_path: Path, grey_pairs: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    bundle = constant_bundle(tmp_path / "twice", [2, 0, 0.004, 1, 0, 0, 1, 0, 0])
    out = tmp_path / "out"
    # Several models after one --model, and --model again.
    arguments = ["--model", "input", f"gain={bundle}", "--model", f"again={bundle}"]
    assert main(["evaluate", *arguments, "--data", str(grey_pairs), "-o", str(out)]) == 0
    written = json.loads((out / "table.json").read_text())
    assert (written["pictures"], written["paired"], written["gt_mean"], written["name"]) == (2, True, None, "pairs")
    assert written["device"].startswith("cpu")
    assert written["versions"]["torch"] == torch.__version__
    by_name = {row["model"]: row for row in written["rows"]}
    assert list(by_name) == ["input", "gain", "again"]
    expected = [20 * np.log10(255 / level) for level in (40, 60)]
    assert by_name["input"]["psnr"] == pytest.approx(np.mean(expected), abs=1e-3)
    assert by_name["input"]["psnr_worst"] == pytest.approx(min(expected), abs=1e-3)
    assert by_name["gain"]["psnr"] == pytest.approx(48.13, abs=0.01)
    assert by_name["gain"]["psnr_y"] == pytest.approx(48.13, abs=0.01)
    assert by_name["gain"]["semantics"] == "takes none"
    assert {key for key in by_name["gain"] if key not in ("model", "semantics")} == written["metrics"].keys()
    assert "48.13" in capsys.readouterr().out
    page = (out / "table.md").read_text()
    assert page.startswith("# pairs: 2 pairs, 8-bit RGB, means, without GT-mean\n")
    assert "| gain | 48.13 |" in page
    assert "- ssim uniform7: ssim_uniform7_rgb: 7x7 uniform window" in page


def test_files_are_written_where_nobody_says_where_and_it_is_told(
    tmp_path: Path, grey_pairs: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    assert main(["evaluate", "--model", "input", "--data", str(grey_pairs)]) == 0
    assert "table.md, table.json and sheet.png are in out/evaluate" in capsys.readouterr().out
    written = {path.name for path in (tmp_path / "out" / "evaluate").iterdir()}
    assert written == {"table.md", "table.json", "sheet.png"}


def test_gt_mean_is_a_switch_that_the_table_tells(tmp_path: Path, grey_pairs: Path) -> None:
    for kind, said in (("grey", "(grey over grey)"), ("llflow", "LLFlow")):
        out = tmp_path / kind
        arguments = ["evaluate", "--model", "input", "--data", str(grey_pairs), "--gt-mean", kind, "-o", str(out)]
        assert main(arguments) == 0
        written = json.loads((out / "table.json").read_text())
        (row,) = written["rows"]
        # Grey pictures of one level are their targets once they have the targets' mean.
        assert row["psnr_gt_mean"] == float("inf")
        assert row["ssim_uniform7_gt_mean"] == pytest.approx(1)
        assert row["psnr"] < 20
        assert said in written["gt_mean"]
        assert "with GT-mean: every result scaled" in (out / "table.md").read_text().splitlines()[0]


def test_the_sheet_shows_input_results_and_target_in_a_row_each(tmp_path: Path, grey_pairs: Path) -> None:
    bundle = constant_bundle(tmp_path / "twice", [2, 0, 0.004, 1, 0, 0, 1, 0, 0])
    out = tmp_path / "out"
    arguments = ["evaluate", "--model", "input", f"gain={bundle}", "--data", str(grey_pairs), "-o", str(out)]
    assert main(arguments) == 0
    sheet = read_picture(out / "sheet.png")
    height, width = sheet.shape[0] // 2, sheet.shape[1] // 3
    centres = sheet[height // 2 :: height, width // 2 :: width, 0].astype(int)
    np.testing.assert_allclose(centres, [[40, 81, 80], [60, 121, 120]], atol=1)
    strip = sheet[:18, :width]
    assert strip.min() < 100, "there is a label above each picture"


def test_without_targets_there_is_niqe_only(tmp_path: Path) -> None:
    rng = np.random.default_rng(5)
    for name in ("one.BMP", "two.JPG"):
        save(
            np.kron(rng.random((30, 40, 3)), np.ones((8, 8, 1))) * 0.5 + rng.random((240, 320, 3)) * 0.3,
            tmp_path / name,
        )
    save(np.zeros((240, 320, 3)), tmp_path / "black.png")
    out = tmp_path / "out"
    assert main(["evaluate", "--model", "input", "--data", str(tmp_path), "-o", str(out)]) == 0
    written = json.loads((out / "table.json").read_text())
    assert (written["pictures"], written["paired"]) == (3, False)
    assert list(written["metrics"]) == ["niqe"]
    assert written["rows"][0]["niqe"] == pytest.approx(
        np.mean([niqe(read_picture(tmp_path / name)) for name in ("one.BMP", "two.JPG")])
    )
    assert "input: NIQE over 2 of 3 pictures" in (out / "table.md").read_text()
    assert read_picture(out / "sheet.png").shape[1] == 260


def test_missing_weights_of_lpips_are_told_and_the_column_is_left_out(tmp_path: Path, grey_pairs: Path) -> None:
    out, nowhere = tmp_path / "out", tmp_path / "weights"
    arguments = ["--model", "input", "--data", str(grey_pairs), "--lpips", str(nowhere), "-o", str(out)]
    assert main(["evaluate", *arguments]) == 0
    page = (out / "table.md").read_text()
    assert "alexnet-owt-7be5be79.pth" in page
    assert str(nowhere) in page
    assert not [key for key in json.loads((out / "table.json").read_text())["metrics"] if "lpips" in key]


@pytest.fixture
def guided(tmp_path: Path) -> Path:
    """A checkpoint of Enlighten Anything, which takes regions, with heads that make something of them."""
    torch.manual_seed(0)
    network = build("enlighten-anything", {"stages": 1})
    for parameter in network.parameters():
        parameter.data.normal_(0, 0.2)
    recipe = {"data": {"name": "LOL (v1), our485", "licence": "unknown"}, "name": "tiny.yaml", "seed": 0}
    state = {"system": "enlighten-anything", "options": {"stages": 1}, "bank": None, "recipe": recipe, "step": 1}
    torch.save(state | {"average": network.state_dict()}, tmp_path / "guided.pt")
    return tmp_path / "guided.pt"


def test_semantics_reach_the_network_that_takes_them_and_the_table_says_so(tmp_path: Path, guided: Path) -> None:
    low = save_noise(tmp_path / "pairs" / "low" / "a.png", 1)
    save_noise(tmp_path / "pairs" / "high" / "a.png", 2)
    cache = tmp_path / "cache" / ("0" * 12 + "-" + "1" * 12 + "-g045-x")
    cache.mkdir(parents=True)
    ids = np.kron(np.array([[1, 0], [2, 3]], np.uint8), np.ones((16, 16), np.uint8))
    Image.fromarray(ids).save(cache / f"{hashlib.sha256(low.read_bytes()).hexdigest()}.png")
    arguments = ["evaluate", "--model", str(guided), "--data", str(tmp_path / "pairs")]
    rows = []
    for extra in ([], ["--semantics", str(cache.parent)]):
        assert main([*arguments, *extra, "-o", str(tmp_path / "out")]) == 0
        rows.append(json.loads((tmp_path / "out" / "table.json").read_text())["rows"][0])
    assert [row["semantics"] for row in rows] == ["not given", "given"]
    assert rows[0]["psnr"] != rows[1]["psnr"]
    # What the table measured is what the network gives for these regions.
    network = open_checkpoint(guided).inference()
    inside = torch.from_numpy(ids > 0)[None, None].float()
    regions = torch.cat((hashed_colours(torch.from_numpy(ids.astype(np.int64))[None]) * inside, inside), 1)
    with torch.no_grad():
        expected = network(torch.from_numpy(read_picture(low).copy()).permute(2, 0, 1)[None] / 255, regions)
    found = open_method(str(guided), cache.parent)(read_picture(low), low)
    np.testing.assert_array_equal(found, (expected[0] * 255).round().clamp(0, 255).byte().permute(1, 2, 0).numpy())


def test_a_picture_that_the_cache_lacks_is_named(
    tmp_path: Path, guided: Path, grey_pairs: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "cache" / ("0" * 12 + "-" + "1" * 12 + "-g045-x")).mkdir(parents=True)
    arguments = ["--model", str(guided), "--data", str(grey_pairs), "--semantics", str(tmp_path / "cache")]
    assert main(["evaluate", *arguments]) == 1
    assert "low/a.png is not in the cache" in capsys.readouterr().err


def save_noise(path: Path, seed: int) -> Path:
    save(np.random.default_rng(seed).random((32, 32, 3)) * 0.4, path)
    return path


def test_what_was_trained_on_one_lol_is_not_measured_on_the_other(
    tmp_path: Path, guided: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    lol_v2(tmp_path / "data", size=(24, 32))
    real = ["--layout", "lol-v2-real"]
    arguments = ["evaluate", "--model", str(guided), "--data"]
    assert main([*arguments, str(tmp_path / "data"), *real]) == 1
    assert "guided was trained on LOL (v1), our485, which shares scenes with lol-v2-real" in capsys.readouterr().err
    assert main([*arguments, str(tmp_path / "data" / "Real_captured" / "Test")]) == 1
    assert "shares scenes" in capsys.readouterr().err
    out = ["-o", str(tmp_path / "out")]
    assert main([*arguments, str(tmp_path / "data"), "--layout", "lol-v2-synthetic", *out]) == 0


def test_a_checkpoint_of_curve_goes_through_the_grid(tmp_path: Path) -> None:
    torch.manual_seed(1)
    network = build("curve")
    state = {"system": "curve", "options": {}, "bank": None, "recipe": None, "step": 0}
    torch.save(state | {"average": network.state_dict()}, tmp_path / "curve.pt")
    picture = read_picture(save_noise(tmp_path / "x.png", 3))
    done = open_method(str(tmp_path / "curve.pt"))(picture)
    assert done.shape == picture.shape
    assert not np.array_equal(done, picture)


def test_a_bundle_runs_on_the_whole_picture_at_its_own_size(tmp_path: Path) -> None:
    picture = read_picture(save_noise(tmp_path / "x.png", 3))[:31, :27]
    done = open_method("full:sci")(picture)
    assert done.shape == picture.shape
    assert done.mean() > picture.mean() * 1.2


def test_lime_is_measured_by_its_name(tmp_path: Path) -> None:
    picture = read_picture(save_noise(tmp_path / "a.png", 3))
    given = torch.from_numpy(picture.copy()).permute(2, 0, 1)[None] / 255
    with torch.no_grad():
        expected = build("lime")(given).enhanced
    found = open_method("lime")(picture)
    np.testing.assert_array_equal(found, (expected[0] * 255).round().clamp(0, 255).byte().permute(1, 2, 0).numpy())


def test_truncation_is_a_switch_that_the_table_tells(tmp_path: Path, grey_pairs: Path) -> None:
    picture = read_picture(save_noise(tmp_path / "a.png", 3))
    cut, rounded = (open_method("full:sci", truncate=truncate)(picture).astype(int) for truncate in (True, False))
    assert set(np.unique(rounded - cut)) == {0, 1}
    options = ["--model", "full:sci", "--data", str(grey_pairs), "-o", str(tmp_path / "out")]
    assert main(["evaluate", *options, "--truncate"]) == 0
    assert "cut off to 8 bits" in (tmp_path / "out" / "table.md").read_text()
    assert main(["evaluate", *options]) == 0
    assert "cut off" not in (tmp_path / "out" / "table.md").read_text()


def test_one_name_for_two_models_is_refused(
    tmp_path: Path, grey_pairs: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["evaluate", "--model", "sci", "curve=sci", "curve", "--data", str(grey_pairs)]) == 1
    assert "two models are called curve: name one of them" in capsys.readouterr().err


def test_the_shipped_path_applies_the_grid_of_the_bundle(tmp_path: Path) -> None:
    picture = read_picture(brackets(tmp_path / "data", scenes=1) / "scene0" / "exposure_0.jpg")[:64, :64]
    bundle = constant_bundle(tmp_path / "lift", [0.5, 0.3, 0.02, 1, 0, 0, 1, 0, 0])
    done = open_method(str(bundle))(picture)
    grey = picture @ np.array([0.299, 0.587, 0.114]) / 255
    expected = 0.5 * grey + 0.3 * np.sqrt(grey) + 0.02
    assert np.abs(done @ np.array([0.299, 0.587, 0.114]) / 255 - expected).mean() < 0.01


def test_regions_are_painted_as_the_card_of_a_bundle_says(tmp_path: Path) -> None:
    silent = load_bundle(constant_bundle(tmp_path / "silent", [1, 0, 0, 1, 0, 0, 1, 0, 0]))
    told = write_bundle(tmp_path / "told", silent.model, replace(silent.card, region_colours="means"))
    assert [open_method(str(bundle.folder)).colours for bundle in (silent, told)] == ["hashed", "means"]


def test_errors_are_one_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["evaluate", "--model", "no-such-bundle", "--data", str(tmp_path)]) == 1
    assert "error: " in capsys.readouterr().err
    assert main(["fit", str(tmp_path / "absent.yaml")]) == 1
    assert "absent.yaml cannot be read" in capsys.readouterr().err
