"""What finds regions for a run: nothing of it is read before the first snapshot, and nothing damaged ever runs."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from stream.models import store
from stream.models.errors import ModelDamaged
from stream.models.store import install
from stream.segmentation import Sam, open_semantics
from stream.settings import Settings
from tests.engines.fake_sam import write_decoder, write_encoder

WANTED = ("region_weights",)
PICTURE = np.zeros((48, 64, 3), np.uint8)


@pytest.fixture(autouse=True)
def installed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A segmenter in miniature, as the only one."""
    monkeypatch.setenv("STREAM_ENHANCE_MODELS", str(tmp_path / "models"))
    write_encoder(tmp_path / "encoder.onnx")
    write_decoder(tmp_path / "decoder.onnx", batch="n", several=True)
    files = {part: tmp_path / part for part in ("encoder.onnx", "decoder.onnx")}
    return install("tiny", files, "here", "CC0-1.0").folder


def cut(installed: Path) -> None:
    model = installed / "encoder.onnx"
    model.write_bytes(model.read_bytes()[:-1])


def test_the_only_segmenter_is_used_and_not_read_while_the_run_opens(monkeypatch: pytest.MonkeyPatch) -> None:
    def read(self: store.InstalledModel) -> None:
        raise AssertionError("its files were read while the run opened")

    monkeypatch.setattr(store.InstalledModel, "verify", read)
    semantics, note = open_semantics(Settings(), WANTED)
    assert semantics is not None
    assert note == ""
    semantics.close()


def test_a_damaged_one_is_never_opened_and_says_so_at_every_snapshot(installed: Path) -> None:
    cut(installed)
    sam = Sam(store.open_model("tiny"), verified=False)
    for _ in range(2):
        with pytest.raises(ModelDamaged, match=r"encoder\.onnx is not the file its card describes"):
            sam(PICTURE)


def test_a_sound_one_is_verified_once(monkeypatch: pytest.MonkeyPatch) -> None:
    calls = []
    verify = store.InstalledModel.verify
    monkeypatch.setattr(store.InstalledModel, "verify", lambda self: (calls.append(1), verify(self))[1])
    sam = Sam(store.open_model("tiny"), verified=False)
    for _ in range(2):
        assert sam(PICTURE).ids.ndim == 2
    assert len(calls) == 1


def test_a_damaged_one_that_was_named_is_refused_at_once(installed: Path) -> None:
    cut(installed)
    with pytest.raises(ModelDamaged, match="SHA-256 differs"):
        open_semantics(Settings(sam="tiny"), WANTED)


def test_networks_without_use_for_regions_and_switches_leave_it_alone() -> None:
    assert open_semantics(Settings(), ()) == (None, "")
    assert open_semantics(Settings(sam_every="off"), WANTED) == (None, "")
    assert open_semantics(Settings(sam="off"), WANTED) == (None, "")
    semantics, note = open_semantics(Settings(sam="tiny"), ())
    assert semantics is None
    assert "has no use for regions" in note
