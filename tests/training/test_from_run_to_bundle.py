"""A run of the trainer becomes a bundle that the run-time half opens, with and without semantics."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from training_pictures import brackets, tiny_recipe

from engines import enhance_picture
from engines.bundle import load_bundle
from export.__main__ import main
from networks.checkpoint import open_checkpoint
from networks.drbn import Recomposition
from training.data import find_pairs
from training.semantics.bank import fit_bank, save_bank
from training.semantics.cache import Semantics
from training.semantics.files import digest, write_embedding
from training.trainer import fit


@pytest.fixture(autouse=True)
def _one_thread() -> None:
    torch.set_num_threads(1)


def cache_of(data: Path, folder: Path) -> Path:
    """A cache with random embeddings of all pictures and a bank fitted on them, as `training semantics` leaves it."""
    rng = np.random.default_rng(0)
    pairs = find_pairs(data)
    for name, paths in (("g045", {pair.low for pair in pairs}), ("g100", {pair.high for pair in pairs})):
        for path in paths:
            embedding = rng.normal(size=(256, 4, 5)).astype(np.float16)
            write_embedding(folder / f"{'0' * 12}-{name}" / f"{digest(path)}.npy", embedding)
    bank = fit_bank(Semantics(folder), sorted({pair.low for pair in pairs}), classes=5, channels=(8, 12, 16))
    save_bank(bank, folder / "bank.pt")
    return folder


@pytest.mark.parametrize("guided", [False, True])
def test_a_run_is_exported_and_enhances(tmp_path: Path, guided: bool) -> None:
    data = brackets(tmp_path / "brackets")
    changes: dict[str, object] = {"network": {"channels": 8}}
    phase = {
        "steps": 2,
        "batch": 2,
        "crop": 48,
        "optimizer": {"learning_rate": 1e-3},
        "augment": ["flip_h", "transpose"],
    }
    if guided:
        path = cache_of(data, tmp_path / "cache")
        changes["semantics"] = {"bank": "embedding", "path": path, "se": True, "sch": 1.0, "sa": 0.1, "dropout": 0.2}
        changes["options"] = {"skf": {"discriminator_channels": 4}}
        changes["validation"] = {"path": data}
    phases = {"decomposition": phase, "relighting": phase}
    recipe = tiny_recipe(data, tmp_path / "run", system="retinexnet", phases=phases, **changes)
    checkpoint = fit(recipe, show=False)
    folder = tmp_path / "tiny-retinexnet"
    assert main([str(checkpoint), "--system", "retinexnet", "-o", str(folder)]) == 0
    card = load_bundle(folder).card
    assert (card.training.recipe, card.training.steps) == ("tiny.yaml", 4)
    assert [tensor.name for tensor in card.inputs] == (["image", "embedding"] if guided else ["image"])
    dark = np.asarray(Image.open(find_pairs(data)[0].low))
    for mode in ("fused", "full"):
        bright = enhance_picture(dark, folder, mode=mode)
        assert bright.shape == dark.shape
        assert not np.array_equal(bright, dark)


def drbn_run(tmp_path: Path, phases: tuple[str, ...]) -> Path:
    """A checkpoint of a DRBN of width 4 after a step of every phase."""
    data = brackets(tmp_path / "brackets")
    phase = {"steps": 1, "batch": 1, "crop": 44, "optimizer": {"learning_rate": 1e-2}}
    options = {"features": 0.0, "critic_channels": 4, "skf": {"discriminator_channels": 4}}
    recipe = tiny_recipe(
        data,
        tmp_path / "run",
        system="drbn",
        phases=dict.fromkeys(phases, phase),
        network={"width": 4},
        options=options,
    )
    return fit(recipe, show=False)


def test_the_second_stage_of_drbn_is_joined_to_the_first(tmp_path: Path) -> None:
    path = drbn_run(tmp_path, ("bands", "recomposition"))
    first, both = open_checkpoint(path, "drbn"), open_checkpoint(path, "drbn", recomposed=True)
    assert both.parameters == first.parameters + 19_161
    image = torch.rand(1, 3, 20, 28)
    second = Recomposition()
    state = torch.load(path, weights_only=True)["helpers"]
    second.load_state_dict({name[14:]: w for name, w in state.items() if name.startswith("recomposition.")})
    with torch.no_grad():
        torch.testing.assert_close(both.inference()(image), second(image, first.network(image).scales))


def test_a_run_without_the_second_stage_says_so(tmp_path: Path) -> None:
    path = drbn_run(tmp_path, ("bands",))
    with pytest.raises(ValueError, match=r"checkpoint.pt holds no second stage of DRBN: its recipe needs the phase"):
        open_checkpoint(path, "drbn", recomposed=True)


@pytest.mark.slow
def test_both_stages_of_drbn_are_exported(tmp_path: Path) -> None:
    folder = tmp_path / "tiny-drbn"
    path = drbn_run(tmp_path, ("bands", "recomposition"))
    assert main([str(path), "--system", "drbn", "--recomposed", "-o", str(folder)]) == 0
    card = load_bundle(folder).card
    assert "Both stages" in card.notes
    assert card.metrics["parity_p99_codes"] <= 1
