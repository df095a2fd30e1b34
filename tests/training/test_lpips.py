"""LPIPS by its definition on weights that the test makes up, and what is said when the real ones are not here."""

from __future__ import annotations

import hashlib
from pathlib import Path

import pytest
import torch

from training.metrics import LPIPS, WeightsMissingError
from training.metrics.lpips import FILES, Backbone, _alexnet, _vgg16


@pytest.fixture
def weights(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with AlexNet's file as torchvision lays it out, with made-up numbers."""
    torch.manual_seed(0)
    layers, _ = _alexnet()
    state = {f"features.{key}": value for key, value in layers.state_dict().items()}
    torch.save(state | {"classifier.1.weight": torch.zeros(2, 2)}, tmp_path / "raw.pth")
    digest = hashlib.sha256((tmp_path / "raw.pth").read_bytes()).hexdigest()[:8]
    (tmp_path / "raw.pth").rename(tmp_path / f"alexnet-{digest}.pth")
    monkeypatch.setitem(FILES, "alex", f"alexnet-{digest}.pth")
    return tmp_path


def pictures() -> tuple[torch.Tensor, torch.Tensor]:
    generator = torch.Generator().manual_seed(1)
    one = torch.randint(0, 256, (2, 3, 64, 80), generator=generator).float()
    return one, (one * 0.7 + 10).round()


def test_same_is_zero_other_is_not_and_it_is_symmetric(weights: Path) -> None:
    measure = LPIPS("alex", weights)
    one, two = pictures()
    assert measure(one, one).tolist() == [0, 0]
    assert (measure(one, two) > 1e-4).all()
    torch.testing.assert_close(measure(one, two), measure(two, one))


def test_the_distance_by_its_definition(weights: Path) -> None:
    measure = LPIPS("alex", weights)
    one, two = (picture[:1] for picture in pictures())

    def tapped(picture: torch.Tensor) -> list[torch.Tensor]:
        scaled = (picture / 127.5 - 1 - torch.tensor([-0.030, -0.088, -0.188])[:, None, None]) / torch.tensor(
            [0.458, 0.448, 0.450]
        )[:, None, None]
        return [measure.layers[: place + 1](scaled) for place in (1, 4, 7, 9, 11)]

    expected = 0.0
    for left, right, head in zip(tapped(one), tapped(two), measure.heads, strict=True):
        unit = [x / (x.square().sum(1, keepdim=True) + 1e-8).sqrt() for x in (left, right)]
        assert (head >= 0).all()
        expected += ((unit[0] - unit[1]).square() * head[0][None]).sum(1).mean().item()
    assert measure(one, two).item() == pytest.approx(expected, rel=1e-4)


@pytest.mark.parametrize(("backbone", "file"), [("alex", "alexnet-owt-7be5be79.pth"), ("vgg", "vgg16-397923af.pth")])
def test_missing_weights_are_named_with_the_place_they_belong_to(
    tmp_path: Path, backbone: Backbone, file: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(WeightsMissingError, match=rf"left out.*{file} into {tmp_path}"):
        LPIPS(backbone, tmp_path)
    monkeypatch.setattr(torch.hub, "get_dir", lambda: str(tmp_path / "hub"))
    with pytest.raises(WeightsMissingError, match=rf"{file} into {tmp_path}/hub/checkpoints"):
        LPIPS(backbone)


def test_a_damaged_file_is_refused(weights: Path) -> None:
    path = weights / FILES["alex"]
    path.write_bytes(path.read_bytes()[:-1] + b"x")
    with pytest.raises(ValueError, match="is damaged"):
        LPIPS("alex", weights)


def test_backbones_have_torchvisions_shapes_and_numbering() -> None:
    alex, taps = _alexnet()
    assert [name for name in alex.state_dict() if name.endswith("weight")] == [f"{n}.weight" for n in (0, 3, 6, 8, 10)]
    assert sum(p.numel() for p in alex.parameters()) == 2_469_696
    assert taps == (1, 4, 7, 9, 11)
    vgg, taps = _vgg16()
    assert sum(p.numel() for p in vgg.parameters()) == 14_714_688
    assert taps == (3, 8, 15, 22, 29)
    assert all(isinstance(vgg[tap], torch.nn.ReLU) for tap in taps)
