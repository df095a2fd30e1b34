"""HRNetV2 as a knowledge bank: sizes, what is frozen, the checkpoint's layout."""

import pickle
from pathlib import Path

import pytest
import torch
from torch import Tensor

from networks.hrnet import HRNetV2, load_pascal_context


@pytest.fixture(scope="module")
def bank() -> HRNetV2:
    torch.manual_seed(0)
    return HRNetV2(width=4, classes=5)


@pytest.mark.parametrize(
    ("size", "features"),
    [
        ((64, 64), [(16, 16), (8, 8), (4, 4), (2, 2)]),
        ((100, 150), [(25, 38), (13, 19), (7, 10), (4, 5)]),
        ((37, 51), [(10, 13), (5, 7), (3, 4), (2, 2)]),
    ],
)
def test_sizes(bank: HRNetV2, size: tuple[int, int], features: list[tuple[int, int]]) -> None:
    image = torch.rand(1, 3, *size, requires_grad=True)
    knowledge = bank(image)
    assert [tuple(f.shape[1:]) for f in knowledge.features] == [
        (c, *s) for c, s in zip(bank.channels, features, strict=True)
    ]
    assert knowledge.logits.shape == (1, 5, *size)
    knowledge.logits.sum().backward()
    assert image.grad is not None
    assert image.grad.abs().max() > 0
    assert all(p.grad is None for p in bank.parameters())


@pytest.mark.slow
def test_published_sizes() -> None:
    """400 x 600 gives 100 x 150, 50 x 75, 25 x 38 and 13 x 19 at 48 to 384 channels."""
    with torch.device("meta"):
        knowledge = HRNetV2()(torch.empty(1, 3, 400, 600))
    assert [tuple(f.shape[1:]) for f in knowledge.features] == [
        (48, 100, 150),
        (96, 50, 75),
        (192, 25, 38),
        (384, 13, 19),
    ]


def test_stays_in_evaluation_mode(bank: HRNetV2) -> None:
    bank.train()
    assert not any(module.training for module in bank.modules())
    before = bank.bn1.running_mean.clone()  # type: ignore[union-attr]
    bank(torch.rand(2, 3, 64, 64))
    assert torch.equal(before, bank.bn1.running_mean)


def test_normalisation_is_remembered(bank: HRNetV2) -> None:
    raw = HRNetV2(width=4, classes=5, normalise=False)
    image = torch.rand(1, 3, 32, 32)
    weights = {n: v for n, v in bank.state_dict().items() if n not in ("mean", "deviation")}
    raw.load_state_dict(weights, strict=False)
    mean = torch.tensor([0.485, 0.456, 0.406]).view(3, 1, 1)
    deviation = torch.tensor([0.229, 0.224, 0.225]).view(3, 1, 1)
    torch.testing.assert_close(bank(image).logits, raw((image - mean) / deviation).logits)
    raw.load_state_dict(bank.state_dict())
    torch.testing.assert_close(bank(image).logits, raw(image).logits)


def checkpoint(bank: HRNetV2) -> dict[str, Tensor]:
    """As published: the prefix, a tensor of the training loss, no buffers of ours."""
    stored = {f"model.{n}": v.clone() for n, v in bank.state_dict().items() if n not in ("mean", "deviation")}
    return stored | {"loss.criterion.weight": torch.ones(5)}


def test_checkpoint_layout(bank: HRNetV2, tmp_path: Path) -> None:
    path = tmp_path / "cls5.pth"
    torch.save(checkpoint(bank), path)
    loaded = load_pascal_context(path, HRNetV2(width=4, classes=5))
    image = torch.rand(1, 3, 40, 56)
    assert torch.equal(loaded(image).logits, bank(image).logits)
    torch.save({"state_dict": checkpoint(bank)}, path)
    assert torch.equal(load_pascal_context(path, HRNetV2(width=4, classes=5))(image).logits, bank(image).logits)


def test_names_of_the_published_checkpoint() -> None:
    with torch.device("meta"):
        shapes = {n: tuple(v.shape) for n, v in HRNetV2().state_dict().items()}
    assert len(shapes) == 1839 + 2
    assert shapes["layer1.0.downsample.0.weight"] == (256, 64, 1, 1)
    assert shapes["transition1.1.0.0.weight"] == (96, 256, 3, 3)
    assert shapes["transition3.3.0.1.running_var"] == (384,)
    assert shapes["stage2.0.fuse_layers.0.1.0.weight"] == (48, 96, 1, 1)
    assert shapes["stage4.2.fuse_layers.3.0.2.0.weight"] == (384, 48, 3, 3)
    assert shapes["stage4.2.branches.3.3.conv2.weight"] == (384, 384, 3, 3)
    assert shapes["last_layer.3.bias"] == (59,)


def test_wrong_checkpoints_are_named(bank: HRNetV2, tmp_path: Path) -> None:
    path = tmp_path / "other.pth"
    stored = checkpoint(bank)
    del stored["model.stage3.1.branches.0.0.conv1.weight"]
    torch.save(stored, path)
    with pytest.raises(
        ValueError, match=r"other\.pth.*1 tensors missing \['stage3\.1\.branches\.0\.0\.conv1\.weight'\]"
    ):
        load_pascal_context(path, HRNetV2(width=4, classes=5))
    torch.save(checkpoint(bank), path)
    with pytest.raises(ValueError, match="of another shape"):
        load_pascal_context(path, HRNetV2(width=4, classes=7))
    torch.save([1, 2], path)
    with pytest.raises(ValueError, match="expected a state dict"):
        load_pascal_context(path, HRNetV2(width=4, classes=5))


def test_pickled_code_is_not_run(tmp_path: Path) -> None:
    path = tmp_path / "code.pth"
    torch.save({"model.conv1.weight": Path}, path)
    with pytest.raises(pickle.UnpicklingError):
        load_pascal_context(path)
