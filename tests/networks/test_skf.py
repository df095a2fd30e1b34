"""SE blocks, the bank's interface, and what is frozen."""

import pytest
import torch
from torch import Tensor, nn

from networks.embedding_bank import EmbeddingBank
from networks.skf import PROJECT, RELEASED, SE, SNRSE, Guided, Knowledge, SEBottleneck, SEOptions, brighten


def block(kind: str, options: SEOptions) -> nn.Module:
    torch.manual_seed(0)
    if kind == "bottleneck":
        return SEBottleneck(6, 16, 8, options=options)
    if kind == "snr":
        return SNRSE(6, 16, options=options)
    return SE(6, 16, gelu="tanh" if kind == "tanh" else "none", options=options)


@pytest.mark.parametrize("options", [PROJECT, RELEASED], ids=["project", "released"])
@pytest.mark.parametrize("kind", ["plain", "tanh", "snr", "bottleneck"])
def test_semantics_change_the_output_and_get_gradient(kind: str, options: SEOptions) -> None:
    se = block(kind, options)
    image = torch.rand(2, 16, 25, 37, requires_grad=True)
    semantic = torch.rand(2, 6, 13, 19, requires_grad=True)
    out = se(image, semantic)
    assert out.shape == image.shape
    assert (out - se(image, torch.rand_like(semantic))).abs().max() > 1e-5
    out.square().sum().backward()
    assert image.grad is not None
    assert semantic.grad is not None
    assert semantic.grad.abs().max() > 0
    without = {name for name, parameter in se.named_parameters() if parameter.grad is None}
    assert all("unused" in name for name in without)
    assert bool(without) == (kind == "snr" and options is RELEASED)


def test_attention_rows_sum_to_one() -> None:
    se = SE(6, 16, options=RELEASED)
    attention = se.attention_map(torch.rand(2, 16, 9, 7), torch.rand(2, 6, 5, 3))
    assert attention.shape == (2, 2, 8, 8)
    torch.testing.assert_close(attention.sum(dim=-1), torch.ones(2, 2, 8))
    assert attention.std() > 0


def test_plain_block_is_the_published_arithmetic() -> None:
    """Equations 4 and 5 as released, written out pixel by pixel with the block's own weights."""
    torch.manual_seed(1)
    se = SE(3, 4, options=RELEASED)
    for parameter in se.parameters():
        nn.init.normal_(parameter, std=0.5)
    image, semantic = torch.rand(1, 4, 5, 6), torch.rand(1, 3, 5, 6)

    def norm(x: Tensor, layer: nn.Module) -> Tensor:
        return torch.nn.functional.layer_norm(x.permute(0, 2, 3, 1), (4,), layer.weight, layer.bias).permute(0, 3, 1, 2)

    i, s = norm(image, se.norm), norm(se.align(semantic), se.norm)
    k, v = se.attention.key_value(i)[0].reshape(2, 4, 30)
    q = se.attention.query(s)[0].reshape(4, 30)
    heads = []
    for head in range(2):
        rows = slice(2 * head, 2 * head + 2)
        unit_q = q[rows] / q[rows].norm(dim=1, keepdim=True)
        unit_k = k[rows] / k[rows].norm(dim=1, keepdim=True)
        a = torch.softmax(unit_q @ unit_k.T * se.attention.temperature[head].item(), dim=1)
        heads.append(a @ v[rows])
    mixed = i + se.attention.project(torch.cat(heads).reshape(1, 4, 5, 6))
    hidden = se.feed_forward.depthwise(se.feed_forward.expand(norm(mixed, se.norm_feed_forward)))
    expected = mixed + se.feed_forward.project(torch.nn.functional.gelu(hidden[:, :10]) * hidden[:, 10:])
    torch.testing.assert_close(se(image, semantic), expected, rtol=1e-4, atol=1e-5)


def test_released_residual_forgets_exposure_and_ours_keeps_it() -> None:
    """A layer norm over the channels removes a gain; that is why K4 keeps the feature itself."""
    image, semantic = torch.rand(1, 16, 8, 8) + 1.0, torch.rand(1, 6, 8, 8)
    for options, remembers in ((RELEASED, False), (PROJECT, True)):
        se = SE(6, 16, options=options)
        change = (se(4 * image, semantic) - se(image, semantic)).abs().mean()
        assert (change > 1.0) == remembers
        assert (change < 0.05) != remembers


def test_channels_that_do_not_split_are_refused() -> None:
    with pytest.raises(ValueError, match="5 channels"):
        SE(3, 5)


class Halves(nn.Module):
    """A bank of two classes: left and right."""

    channels = (4, 8, 12)
    classes = 2

    def __init__(self) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.ones(1))

    def forward(self, image: Tensor) -> Knowledge:
        features = tuple(
            nn.functional.avg_pool2d(image.mean(1, keepdim=True), 4 * 2**i).expand(-1, c, -1, -1) * self.weight
            for i, c in enumerate(self.channels)
        )
        right = (torch.arange(image.shape[-1]) >= image.shape[-1] // 2).to(image).expand_as(image[:, :1])
        return Knowledge(features, torch.cat([1 - right, right], dim=1))


class Recorder(nn.Module):
    def forward(self, image: Tensor, knowledge: Knowledge) -> Knowledge:
        return knowledge


def test_guided_shows_the_bank_the_brightened_dark_picture_and_freezes_it() -> None:
    bank = Halves()
    image = torch.rand(1, 3, 32, 32) * 0.05
    knowledge = Guided(Recorder(), bank)(image)
    torch.testing.assert_close(knowledge.features[0][:, :1], bank(brighten(image)).features[0][:, :1])
    assert not bank.weight.requires_grad
    assert knowledge.classes[0, 0].tolist() == [0] * 16 + [1] * 16
    torch.testing.assert_close(knowledge.probabilities.sum(1), torch.ones(1, 32, 32))


def test_knowledge_can_be_detached() -> None:
    image = torch.rand(1, 3, 32, 32, requires_grad=True)
    knowledge = Halves()(image)
    assert knowledge.features[0].requires_grad
    assert not any(f.requires_grad for f in knowledge.detached().features)


def test_brighten_is_bounded_and_differentiable_at_black() -> None:
    image = torch.tensor([0.0, 0.01, 1.0]).view(1, 1, 1, 3).requires_grad_()
    bright = brighten(image)
    assert bright.min() >= 0
    assert bright.max() <= 1
    bright.sum().backward()
    assert image.grad is not None
    assert image.grad.isfinite().all()


def test_embedding_bank_finds_the_regions_that_are_there() -> None:
    """Three materials in the embedding become three classes, and only borders between them are mixed."""
    torch.manual_seed(0)
    materials = torch.randn(3, 24)
    rows = torch.arange(12).div(4, rounding_mode="floor")
    embedding = materials[rows].T[None, :, :, None].expand(2, -1, -1, 10) + 0.05 * torch.randn(2, 24, 12, 10)
    bank = EmbeddingBank(dimension=24, classes=3, channels=(4, 8, 12))
    bank.fit(embedding)
    knowledge = bank.from_embedding(embedding, (51, 43))
    assert [f.shape for f in knowledge.features] == [(2, 4, 13, 11), (2, 8, 7, 6), (2, 12, 4, 3)]
    assert knowledge.logits.shape == (2, 3, 51, 43)
    classes = knowledge.classes
    inner = [classes[:, y, :] for y in (6, 25, 44)]
    assert all(len(c.unique()) == 1 for c in inner)
    assert len({int(c[0, 0]) for c in inner}) == 3
    assert list(bank.parameters()) == []
    copy = EmbeddingBank(dimension=24, classes=3, channels=(4, 8, 12))
    copy.load_state_dict(bank.state_dict())
    torch.testing.assert_close(copy.from_embedding(embedding, (51, 43)).logits, knowledge.logits)


def test_embedding_bank_over_an_encoder() -> None:
    bank = EmbeddingBank(dimension=16, classes=4, channels=(4, 8, 12), encoder=nn.Conv2d(3, 16, 16, 16))
    assert bank(torch.rand(1, 3, 64, 80)).logits.shape == (1, 4, 64, 80)
    assert not any(p.requires_grad for p in bank.parameters())
    with pytest.raises(ValueError, match="no encoder"):
        EmbeddingBank(dimension=16, classes=4, channels=(4, 8, 12))(torch.rand(1, 3, 64, 80))
    with pytest.raises(ValueError, match="too few"):
        bank.fit(torch.rand(1, 16, 1, 2))
