"""KinD and KinD++: sizes and gradients, the ratio, the softened result, the illumination gates, guidance."""

import math

import pytest
import torch

from networks import kind, kind_plus
from networks.kind import KinD, blur, light_ratio
from networks.kind_plus import MSIA, KinDPlus
from networks.skf import Knowledge
from networks.systems import Inference, build

BANK = (4, 8, 12)


@pytest.mark.parametrize("system", [KinD, KinDPlus])
@pytest.mark.parametrize("size", [(64, 64), (100, 150), (37, 51)])
def test_forward_and_backward(size: tuple[int, int], system: type[KinD]) -> None:
    torch.manual_seed(0)
    network = system(channels=4)
    image = torch.rand(2, 3, *size)
    out = network(image)
    assert out.enhanced.shape == out.restored.shape == out.reflectance.shape == image.shape
    assert out.illumination.shape == out.adjusted.shape == (2, 1, *size)
    assert all(x.min() >= 0 and x.max() <= 1 for x in out)
    torch.testing.assert_close(out.enhanced, out.restored * out.adjusted)
    out.enhanced.sum().backward()
    assert all(p.grad is not None and p.grad.isfinite().all() for p in network.parameters())


@pytest.mark.parametrize(
    ("system", "size"),
    [
        (KinD, (64, 64)),
        (KinD, (100, 150)),
        (KinDPlus, (64, 64)),
        pytest.param(KinDPlus, (100, 150), marks=pytest.mark.slow),
    ],
)
def test_published_width_runs_forward_and_backward(size: tuple[int, int], system: type[KinD]) -> None:
    network = system()
    network(torch.rand(1, 3, *size)).enhanced.mean().backward()


def test_ratio() -> None:
    illumination = torch.tensor([0.1, 0.3]).view(2, 1, 1, 1).expand(2, 1, 4, 4)
    torch.testing.assert_close(light_ratio(illumination, None).flatten(), torch.tensor([4.5, 1.5]))
    assert light_ratio(3 * illumination, None).flatten().tolist() == pytest.approx([1.5, 1.0]), (
        "nothing is darkened unasked"
    )
    assert light_ratio(illumination, 5.0).tolist() == [[[[5.0]]]]
    assert light_ratio(illumination, torch.tensor([2.0, 3.0])).shape == (2, 1, 1, 1)
    network = KinD(channels=4)
    image = torch.rand(1, 3, 16, 16)
    few, many = (network(image, ratio=r) for r in (1.0, 8.0))
    assert torch.equal(few.restored, many.restored)
    assert not torch.equal(few.adjusted, many.adjusted)


@pytest.mark.parametrize("system", ["kind", "kind-plus"])
def test_what_is_exported_brightens_by_the_ratio_of_the_network(system: str) -> None:
    torch.manual_seed(0)
    follows, fixed = build(system, {"channels": 4}).eval(), build(system, {"channels": 4, "ratio": 5.0}).eval()
    torch.nn.init.constant_(follows.decompose.illumination.bias, -2.0)  # dark, so that there is something to brighten
    fixed.load_state_dict(follows.state_dict())
    image = 0.2 * torch.rand(1, 3, 20, 30)
    with torch.no_grad():
        illumination = follows(image).illumination
        from_picture = follows(image, ratio=kind.TARGET_LEVEL / illumination.mean()).enhanced
        torch.testing.assert_close(Inference(system, follows)(image), from_picture)
        torch.testing.assert_close(Inference(system, fixed)(image), follows(image, ratio=5.0).enhanced)
        torch.testing.assert_close(fixed(image, ratio=2.0).enhanced, follows(image, ratio=2.0).enhanced)
        assert not torch.equal(Inference(system, fixed)(image), Inference(system, follows)(image))
    with pytest.raises(ValueError, match="positive number or None"):
        build(system, {"ratio": 0.0})


def test_blur_is_a_gaussian_that_keeps_constants() -> None:
    flat = torch.full((1, 2, 9, 7), 0.3)
    torch.testing.assert_close(blur(flat), flat)
    point = torch.zeros(1, 1, 61, 61)
    point[..., 30, 30] = 1
    spread = blur(point)[0, 0]
    torch.testing.assert_close(spread.sum(), torch.tensor(1.0))
    assert spread[30, 33] / spread[30, 30] == pytest.approx(math.exp(-0.5), rel=1e-4)
    torch.testing.assert_close(spread, spread.T)


def test_softened_result_keeps_what_is_bright() -> None:
    """Where the illumination is one, the input comes back as it is."""
    network = KinD(channels=4, soften=True)
    torch.nn.init.zeros_(network.decompose.illumination.weight)
    torch.nn.init.constant_(network.decompose.illumination.bias, 40.0)
    image = torch.rand(1, 3, 20, 20)
    torch.testing.assert_close(network(image).enhanced, image)
    torch.nn.init.constant_(network.decompose.illumination.bias, -40.0)
    out = network(image)
    assert (out.enhanced <= out.restored * out.adjusted + 1e-6).all()


def test_illumination_gates_the_features() -> None:
    """KinD++ sees the illumination only through the gates: no light, half of the feature goes on."""
    block = MSIA(4).eval()
    x = torch.rand(1, 4, 8, 8)
    dark, bright = torch.zeros(1, 1, 8, 8), torch.ones(1, 1, 8, 8)
    torch.nn.init.constant_(block.gate.weight, 10.0)
    seen = []
    block.scale_1.register_forward_pre_hook(lambda _, inputs: seen.append(inputs[0]))
    block(x, dark)
    block(x, bright)
    torch.testing.assert_close(seen[0], x / 2)
    torch.testing.assert_close(seen[1], x)


@pytest.mark.parametrize(("system", "file"), [(KinD, kind), (KinDPlus, kind_plus)])
def test_knowledge_guides_the_restoration_only(system: type[KinD], file: object) -> None:
    torch.manual_seed(0)
    network = system(channels=8, semantic=file.semantic_modules(BANK, 8)).eval()  # type: ignore[attr-defined]
    image = torch.rand(1, 3, 45, 61)
    features = tuple(torch.rand(1, c, 12 >> i, 16 >> i) for i, c in enumerate(BANK))
    out = network(image, Knowledge(features, torch.rand(1, 5, 45, 61)))
    for level in range(3):
        changed = [3 * torch.rand_like(f) if i == level else f for i, f in enumerate(features)]
        other = network(image, Knowledge(tuple(changed), torch.rand(1, 5, 45, 61)))
        assert (other.restored - out.restored).abs().max() > 1e-7
        assert torch.equal(other.adjusted, out.adjusted)
    with pytest.raises(ValueError, match="pass `knowledge`"):
        network(image)
