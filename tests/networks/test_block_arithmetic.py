"""Blocks against their equations written out: what parameter counts and gradients cannot tell apart.

Everything is computed in double precision, with weights far from their starting values.
"""

from __future__ import annotations

import math
from typing import TypeVar

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from networks import drbn, snr
from networks.enlighten_anything import GuidedIllumination, LiftedFusion
from networks.hrnet import ExchangeModule
from networks.llflow_condition import ConditionEncoder, DenseBlock, ResidualDenseBlock
from networks.llflow_flow import CouplingNetwork
from networks.mirnet import ResidualContextBlock
from networks.retinexnet import RelightNet
from networks.skf import PROJECT, RELEASED, SE, SNRSE, SEOptions
from networks.sllen import FeatureEnhancementBlock
from networks.snr import SNRLLIENet
from networks.wakeup_darkness import GatedResidualBlock, WakeupDarkness

Module = TypeVar("Module", bound=nn.Module)


@pytest.fixture(autouse=True)
def _seeded() -> None:
    torch.set_num_threads(1)
    torch.manual_seed(7)


def stirred(module: Module, deviation: float = 0.5) -> Module:
    """The module in evaluation mode and double precision, all weights drawn anew."""
    for parameter in module.parameters():
        nn.init.normal_(parameter, std=deviation)
    return module.double().eval()


def picture(*size: int) -> Tensor:
    return torch.randn(*size, dtype=torch.float64)


def close(found: Tensor, expected: Tensor) -> None:
    assert expected.std() > 1e-3, "the restatement says nothing"
    torch.testing.assert_close(found, expected, rtol=1e-9, atol=1e-9)


def leaky(x: Tensor, slope: float = 0.2) -> Tensor:
    return torch.where(x > 0, x, slope * x)


def mish(x: Tensor) -> Tensor:
    return x * torch.tanh(torch.log1p(x.exp()))


def gelu(x: Tensor) -> Tensor:
    return 0.5 * x * (1 + torch.erf(x / math.sqrt(2)))


def tanh_gelu(x: Tensor) -> Tensor:
    return 0.5 * x * (1 + torch.tanh(math.sqrt(2 / math.pi) * (x + 0.044715 * x**3)))


def test_drbn_gates_by_the_tanh_form_of_gelu() -> None:
    for module in drbn.semantic_modules((4, 6, 8), 5, 8):
        assert isinstance(module, SE)
        feed = stirred(module.feed_forward)
        x = picture(1, feed.expand.in_channels, 5, 6)
        gate, content = feed.depthwise(feed.expand(x)).chunk(2, dim=1)
        close(feed(x), feed.project(tanh_gelu(gate) * content))
        assert (gelu(gate) - tanh_gelu(gate)).abs().max() > 1e-5


@pytest.mark.parametrize("options", [PROJECT, RELEASED], ids=["project", "released"])
def test_snrs_block_multiplies_an_image_and_a_semantic_path(options: SEOptions) -> None:
    se = stirred(SNRSE(3, 4, options=options))
    image, semantic = picture(1, 4, 5, 6), picture(1, 3, 5, 6)
    image_normed, semantic_normed = se.norm(image), se.norm(se.align(semantic))
    mixed = (image_normed if options is RELEASED else image) + se.attention(image_normed, semantic_normed)
    of_image = gelu(se.expand_image(se.norm_feed_forward(mixed)))
    of_semantic = gelu(se.expand_semantic(se.norm_feed_forward(semantic_normed)))
    close(se(image, semantic), mixed + se.project(of_image * of_semantic))


def test_snr_map_is_sampled_at_every_fourth_pixel_and_splits_at_one_half() -> None:
    network = SNRLLIENet(8, 1, 2, 16).double().eval()
    seen: dict[str, Tensor] = {}

    def listen(name: str, module: nn.Module) -> None:
        module.register_forward_hook(lambda _, given, out: seen.update({f"{name} in": given[-1], name: out}))

    listen("deep", network.encoder)
    listen("long", network.long_range[-1])
    listen("short", network.short_range)
    listen("joined", network.decoder)
    level = torch.linspace(0.2, 0.9, 16, dtype=torch.float64).view(1, 1, 4, 4)
    snr_map = level.repeat_interleave(16, 2).repeat_interleave(16, 3) + 0.1 * torch.rand(1, 1, 64, 64).double()
    network(torch.rand(1, 3, 64, 64).double(), snr_map=snr_map)
    weight = snr_map[..., ::4, ::4]
    patches = weight.view(4, 4, 4, 4).mean((1, 3)).flatten()
    assert ((patches > 0.5) & (patches <= 0.7)).any()
    assert seen["long in"].flatten().tolist() == (patches <= 0.5).tolist()
    close(seen["joined in"], snr.from_tokens(seen["long"], seen["deep"]) * (1 - weight) + seen["short"] * weight)


def test_couplings_of_the_flow_split_crosswise_and_scale_by_three_times_the_logarithm() -> None:
    coupling = stirred(CouplingNetwork(5, 4, 6), 0.3)
    x = picture(1, 5, 4, 6)
    raw = coupling.last(coupling.hidden(x)) * torch.exp(3 * coupling.log_gain)
    shift, scale = coupling(x)
    close(shift, torch.stack([raw[:, 0], raw[:, 2], raw[:, 4], raw[:, 6]], dim=1))
    close(scale, 1 / (1 + torch.exp(-torch.stack([raw[:, 1], raw[:, 3], raw[:, 5], raw[:, 7]], dim=1) - 2)) + 1e-4)


def dense(block: DenseBlock, x: Tensor) -> Tensor:
    known = [x]
    for conv in list(block.convs)[:4]:
        known.append(leaky(conv(torch.cat(known, dim=1))))
    out: Tensor = x + 0.2 * block.convs[4](torch.cat(known, dim=1))
    return out


def rrdb(block: ResidualDenseBlock, x: Tensor) -> Tensor:
    inner = x
    for part in block.blocks:
        assert isinstance(part, DenseBlock)
        inner = dense(part, inner)
    return x + 0.2 * inner


def test_the_encoder_of_the_flow_activates_its_quarter_but_not_its_eighth() -> None:
    encoder = stirred(ConditionEncoder(4, 2, (1,), growth=3), 0.2)
    views = picture(1, 12, 16, 24)
    start = F.max_pool2d(encoder.first[2](leaky(encoder.first[0](views))), 2)
    first, second = encoder.blocks
    assert isinstance(first, ResidualDenseBlock)
    assert isinstance(second, ResidualDenseBlock)
    kept = rrdb(second, rrdb(first, start))
    half = start + encoder.trunk(kept)
    quarter = leaky(encoder.to_quarter(F.avg_pool2d(half, 2)))
    eighth = encoder.to_eighth(F.avg_pool2d(quarter, 2))
    found = encoder(views)
    for feature, own in zip(found.features, (half, quarter, eighth), strict=True):
        step = half.shape[-1] // own.shape[-1]
        close(feature, torch.cat([own, kept[..., ::step, ::step]], dim=1))
    doubled = half.repeat_interleave(2, 2).repeat_interleave(2, 3)
    close(found.colours, 1 / (1 + torch.exp(-encoder.colours(doubled))))


def test_hrnet_exchanges_with_corners_aligned_and_a_relu_at_the_end() -> None:
    module = stirred(ExchangeModule((4, 6)), 0.3)
    xs = [picture(1, 4, 9, 12), picture(1, 6, 5, 6)]
    fine, coarse = (branch(x) for branch, x in zip(module.branches, xs, strict=True))
    up, down = module.get_submodule("fuse_layers.0.1"), module.get_submodule("fuse_layers.1.0")
    rows, columns = (torch.linspace(-1, 1, count, dtype=torch.float64) for count in (9, 12))
    places = torch.stack(torch.meshgrid(columns, rows, indexing="xy"), dim=-1)[None]
    risen = F.grid_sample(up(coarse), places, mode="bilinear", align_corners=True)
    found = module(xs)
    close(found[0], (fine + risen).clamp(min=0))
    close(found[1], (coarse + down(fine)).clamp(min=0))
    assert all((x == 0).any() for x in found)


def test_mirnet_activates_the_sum_of_feature_and_context() -> None:
    block = stirred(ResidualContextBlock(8, 2))
    x = picture(1, 8, 6, 7)
    body = block.body[2](leaky(block.body[0](x)))
    weights = torch.softmax(block.context.mask(body).flatten(), dim=0)
    vector = (body.flatten(2) * weights).sum(dim=2)[..., None, None]
    first, _, second = block.context.transform
    close(block(x), x + leaky(body + second(leaky(first(vector)))))


def test_wakeup_darkness_has_mish_everywhere() -> None:
    network = stirred(WakeupDarkness())
    x = picture(1, 3, 6, 7)
    close(network.in_conv(x), mish(network.in_conv[0](x)))
    close(network.conv(x), mish(network.conv[1](network.conv[0](x))))
    block = stirred(GatedResidualBlock(3))
    conv1, norm1, _, conv2, norm2 = block.body
    changed = norm2(conv2(mish(norm1(conv1(x)))))
    share = 1 / (1 + torch.exp(-block.gate[0](changed)))
    close(block(x), share * changed + (1 - share) * x)


def test_retinexnet_rises_by_repeating_pixels() -> None:
    network = stirred(RelightNet(6), 0.2)
    reflectance, illumination = picture(1, 3, 16, 24), picture(1, 1, 16, 24)

    def doubled(x: Tensor, times: int = 2) -> Tensor:
        return x.repeat_interleave(times, 2).repeat_interleave(times, 3)

    x0 = network.head(torch.cat([reflectance, illumination], dim=1))
    x1 = network.down[0](x0).clamp(min=0)
    x2 = network.down[1](x1).clamp(min=0)
    x3 = network.down[2](x2).clamp(min=0)
    d1 = network.up[0](torch.cat([doubled(x3), x2], dim=1)).clamp(min=0)
    d2 = network.up[1](torch.cat([doubled(d1), x1], dim=1)).clamp(min=0)
    d3 = network.up[2](torch.cat([doubled(d2), x0], dim=1)).clamp(min=0)
    gathered = network.gather(torch.cat([doubled(d1, 4), doubled(d2), d3], dim=1))
    close(network(reflectance, illumination), network.tail(gathered))


def test_sllen_modulates_around_the_feature_itself() -> None:
    block = stirred(FeatureEnhancementBlock(8, 5, (4, 6, 7), 2))
    feature, hsf, ief = picture(1, 8, 6, 7), picture(1, 5, 6, 7), picture(1, 6, 6, 7)
    attended = block.attention(block.norm(feature), block.norm_semantic(block.align(hsf)))
    raw = block.modulate[2](leaky(block.modulate[0](block.embed[1](ief))))
    modulated = feature * (1 + raw[:, :8]) + raw[:, 8:]
    close(block(feature, hsf, ief, 1), feature + block.fuse(torch.cat([attended, modulated], dim=1)))


def test_enlightens_repaired_fusion_adds_to_the_lifted_feature_not_to_its_norm() -> None:
    fusion = stirred(LiftedFusion(16, 2))
    assert isinstance(GuidedIllumination().fuse, LiftedFusion)
    feature, regions = picture(1, 3, 6, 7), picture(1, 4, 6, 7)
    se, lifted = fusion.attend, fusion.lift(feature)
    mixed = lifted + se.attention(se.norm(lifted), se.norm(se.align(fusion.lift_map(regions))))
    gate, content = se.feed_forward.depthwise(se.feed_forward.expand(se.norm_feed_forward(mixed))).chunk(2, dim=1)
    close(fusion(feature, regions), fusion.project(mixed + se.feed_forward.project(gelu(gate) * content)))
