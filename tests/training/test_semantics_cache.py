"""The semantics cache: by content, complete or absent, resumed and repaired, and never made from the target."""

from __future__ import annotations

import hashlib
import shutil
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from training_pictures import brackets, save

from engines.sam.image_encoder import ImageEncoder
from tests.engines.fake_sam import write_decoder, write_encoder
from training.__main__ import main
from training.data import find_pairs, read_picture
from training.semantics import Semantics, fill_cache, load_bank
from training.semantics.files import write_embedding


@pytest.fixture
def models(tmp_path: Path) -> tuple[Path, Path]:
    torch.set_num_threads(1)
    return write_encoder(tmp_path / "encoder.onnx"), write_decoder(tmp_path / "decoder.onnx")


def sha(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def fill(data: Path, cache: Path, models: tuple[Path, Path]) -> tuple[int, int]:
    done = fill_cache(find_pairs(data), cache, *models, progress=False)
    return done.embeddings, done.regions


def files(folder: Path) -> list[str]:
    return sorted(str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file())


def test_names_and_contents(tmp_path: Path, models: tuple[Path, Path]) -> None:
    data, cache = brackets(tmp_path / "data", scenes=1), tmp_path / "cache"
    assert fill(data, cache, models) == (3, 2)
    encoder, decoder = (sha(path)[:12] for path in models)
    lows = [data / "scene0" / f"exposure_{n}.jpg" for n in (0, 1)]
    reference = data / "scene0" / "reference.jpg"
    regions = f"{encoder}-{decoder}-g045-n12-i0.8-s0.7-o0.7-a0.001-0.9-m255"
    expected = [f"{encoder}-g045/{sha(low)}.npy" for low in lows] + [f"{regions}/{sha(low)}.png" for low in lows]
    assert files(cache) == sorted([*expected, f"{encoder}-g100/{sha(reference)}.npy"])

    bright = np.rint(255 * (read_picture(lows[0]) / 255).clip(1e-4, 1) ** 0.45).astype(np.uint8)
    direct = ImageEncoder(models[0]).encode(bright).embedding
    stored = np.load(cache / f"{encoder}-g045" / f"{sha(lows[0])}.npy")
    assert stored.dtype == np.float16
    np.testing.assert_array_equal(stored, direct.astype(np.float16))

    semantics = Semantics(cache)
    assert semantics.embedding(lows[0]).dtype == torch.float32
    np.testing.assert_array_equal(semantics.embedding(lows[0]).numpy(), stored.astype(np.float32))
    plain = ImageEncoder(models[0]).encode(read_picture(reference)).embedding
    np.testing.assert_array_equal(semantics.embedding(reference, 1.0).half().numpy(), plain.astype(np.float16))
    ids = semantics.regions(lows[0])
    assert ids.shape == (205, 256)
    assert ids.dtype == torch.uint8
    assert ids.max() >= 4


def test_what_is_there_is_not_computed_again(
    tmp_path: Path, models: tuple[Path, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    data, cache = brackets(tmp_path / "data", scenes=2), tmp_path / "cache"
    fill(data, cache, models)
    before = files(cache)
    moved = data.rename(tmp_path / "elsewhere")
    (moved / "scene0").rename(moved / "renamed")

    def refuse(*_: object) -> None:
        raise AssertionError("the encoder was opened")

    monkeypatch.setattr("training.semantics.precompute.ImageEncoder", refuse)
    assert fill(moved, cache, models) == (0, 0)
    assert files(cache) == before


def test_a_run_that_was_stopped_goes_on(
    tmp_path: Path, models: tuple[Path, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    data, cache = brackets(tmp_path / "data", scenes=2), tmp_path / "cache"
    encode, left = ImageEncoder.encode, [3]

    def stopped(self: ImageEncoder, picture: np.ndarray) -> object:
        left[0] -= 1
        if left[0] < 0:
            raise KeyboardInterrupt
        return encode(self, picture)

    with monkeypatch.context() as patch:
        patch.setattr(ImageEncoder, "encode", stopped)
        with pytest.raises(KeyboardInterrupt):
            fill(data, cache, models)
    assert fill(data, cache, models) == (3, 1)


@pytest.mark.parametrize("size", [(80, 64), (64, 64)])
def test_regions_are_the_same_whether_the_embedding_was_there_or_not(
    tmp_path: Path, models: tuple[Path, Path], size: tuple[int, int]
) -> None:
    rng = np.random.default_rng(0)
    for side in ("low", "high"):
        (tmp_path / "data" / side).mkdir(parents=True)
        picture = Image.fromarray(rng.integers(0, 255, (4, 4, 3), dtype=np.uint8))
        picture.resize(size, Image.Resampling.NEAREST).save(tmp_path / "data" / side / "a.png")
    pairs, low = find_pairs(tmp_path / "data"), tmp_path / "data" / "low" / "a.png"
    fill(tmp_path / "data", tmp_path / "at once", models)
    assert fill_cache(pairs, tmp_path / "later", models[0], progress=False).embeddings == 2
    assert fill(tmp_path / "data", tmp_path / "later", models) == (0, 1)
    regions = Semantics(tmp_path / "at once").regions(low)
    assert len(regions.unique()) > 4
    torch.testing.assert_close(regions, Semantics(tmp_path / "later").regions(low))


def test_a_write_that_fails_leaves_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(file: object, array: np.ndarray) -> None:
        file.write(b"half")  # type: ignore[attr-defined]
        raise OSError("no space left")

    monkeypatch.setattr(np, "save", full)
    with pytest.raises(OSError, match="no space"):
        write_embedding(tmp_path / "folder" / "name.npy", np.zeros((256, 2, 2), np.float16))
    assert files(tmp_path) == []


@pytest.mark.parametrize("damage", ["truncated", "text", "empty", "other shape", "not finite"])
def test_damaged_files_are_named_and_computed_again(tmp_path: Path, models: tuple[Path, Path], damage: str) -> None:
    data, cache = brackets(tmp_path / "data", scenes=1), tmp_path / "cache"
    fill(data, cache, models)
    low = data / "scene0" / "exposure_0.jpg"
    broken = list(cache.rglob(f"{sha(low)}.*"))
    assert len(broken) == 2
    good = {path: path.read_bytes() for path in broken}
    for path, content in good.items():
        if damage in ("other shape", "not finite"):
            shape = (256, 3, 3) if damage == "other shape" else (256, 52, 64)
            value = np.zeros(shape) if damage == "other shape" else np.full(shape, np.nan)
            if path.suffix == ".npy":
                np.save(path, value.astype(np.float16))
            else:
                Image.new("L", (5, 5)).save(path) if damage == "other shape" else Image.new("RGB", (256, 205)).save(
                    path
                )
        else:
            path.write_bytes({"truncated": content[: len(content) // 2], "text": b"?" * 99, "empty": b""}[damage])
    if damage != "other shape":
        with pytest.raises(ValueError, match=r"exposure_0.jpg is damaged .*\.npy.*python -m training semantics"):
            Semantics(cache).embedding(low)
        with pytest.raises(ValueError, match=r"exposure_0.jpg is damaged .*\.png"):
            Semantics(cache).regions(low)
    assert fill(data, cache, models) == (1, 1)
    assert {path: path.read_bytes() for path in broken} == good


def test_the_target_decides_nothing_about_regions(tmp_path: Path, models: tuple[Path, Path]) -> None:
    data = brackets(tmp_path / "data", scenes=1)
    fill(data, tmp_path / "one", models)
    Image.new("RGB", (80, 64), (200, 10, 10)).save(data / "scene0" / "reference.jpg")
    fill(data, tmp_path / "two", models)
    low = data / "scene0" / "exposure_1.jpg"
    torch.testing.assert_close(Semantics(tmp_path / "one").regions(low), Semantics(tmp_path / "two").regions(low))


def test_what_is_missing_is_said(tmp_path: Path, models: tuple[Path, Path]) -> None:
    data, cache = brackets(tmp_path / "data", scenes=1), tmp_path / "cache"
    low = data / "scene0" / "exposure_0.jpg"
    with pytest.raises(ValueError, match="not a folder"):
        Semantics(cache).embedding(low)
    fill_cache(find_pairs(data), cache, models[0], progress=False)
    with pytest.raises(ValueError, match="holds no regions; run `python -m training semantics"):
        Semantics(cache).regions(low)
    bright = data / "scene0" / "exposure_3.jpg"
    with pytest.raises(ValueError, match=r"exposure_3.jpg is not in the cache"):
        Semantics(cache).embedding(bright)
    other = "0" * 12
    shutil.copytree(cache / f"{sha(models[0])[:12]}-g045", cache / f"{other}-g045")
    with pytest.raises(ValueError, match="several models"):
        Semantics(cache).embedding(low)
    assert Semantics(cache, encoder=other).embedding(low).shape == (256, 52, 64)


def test_the_command_fills_the_cache_and_fits_the_bank_once(
    tmp_path: Path, models: tuple[Path, Path], capsys: pytest.CaptureFixture[str]
) -> None:
    data, cache = brackets(tmp_path / "data", scenes=2), tmp_path / "cache"
    command = ["semantics", str(data), "--encoder", str(models[0]), "--decoder", str(models[1]), "--cache", str(cache)]
    assert main(command) == 0
    assert "6 embeddings and 4 region maps computed" in capsys.readouterr().out
    bank = load_bank(cache)
    assert (bank.classes, bank.channels) == (32, (48, 96, 192))
    embedding = Semantics(cache).embedding(data / "scene0" / "exposure_0.jpg")
    knowledge = bank.from_embedding(embedding[None], (64, 80))
    assert len(knowledge.classes.unique()) > 3
    assert knowledge.features[0][:, :3].std() == pytest.approx(1, abs=0.7)
    before = (cache / "bank.pt").read_bytes()
    assert main(command) == 0
    assert "was there and is kept" in capsys.readouterr().out
    assert (cache / "bank.pt").read_bytes() == before
    assert main([*command[:3], str(tmp_path / "none.onnx"), *command[4:]]) == 1
    assert "none.onnx" in capsys.readouterr().err


def test_the_command_prepares_splits_and_pictures_without_targets(
    tmp_path: Path, models: tuple[Path, Path], capsys: pytest.CaptureFixture[str]
) -> None:
    cache, flat = tmp_path / "cache", tmp_path / "MEF"
    for number, path in enumerate(("LOL/our485/low", "LOL/our485/high", "LOL/eval15/low", "LOL/eval15/high", "MEF")):
        save(np.full((24, 32, 3), 0.1 + 0.1 * number), tmp_path / path / "1.png")
    more = ["--encoder", str(models[0]), "--decoder", str(models[1]), "--cache", str(cache)]
    assert main(["semantics", str(tmp_path / "LOL"), *more]) == 1
    assert "LOL has the splits train and test: say which" in capsys.readouterr().err
    assert main(["semantics", str(tmp_path / "LOL"), "--layout", "lol", "--split", "train", *more]) == 0
    assert "2 embeddings and 1 region maps" in capsys.readouterr().out
    semantics = Semantics(cache)
    with pytest.raises(ValueError, match="not in the cache"):
        semantics.regions(tmp_path / "LOL" / "eval15" / "low" / "1.png")
    for layout in (["--layout", "unpaired"], []):
        assert main(["semantics", str(flat), *layout, *more]) == 0
        computed = "1 embeddings and 1 region maps" if layout else "0 embeddings and 0 region maps"
        assert computed in capsys.readouterr().out
    assert semantics.regions(flat / "1.png").shape == (192, 256)
    with pytest.raises(ValueError, match="not in the cache"):
        semantics.embedding(flat / "1.png", 1.0)


def test_a_file_that_is_no_bank_is_named(tmp_path: Path) -> None:
    (tmp_path / "bank.pt").write_bytes(b"nothing")
    with pytest.raises(ValueError, match=r"bank.pt is no embedding bank"):
        load_bank(tmp_path)
    with pytest.raises(FileNotFoundError):
        load_bank(tmp_path / "absent.pt")
