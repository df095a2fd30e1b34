"""Every network takes 64x64 and 100x150 (odd after its strides), forward and backward, and trains all of itself."""

from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import nn

from networks import hwmnet, llflow, snr
from networks.enlightengan import EnlightenGAN
from networks.hwmnet import HWMNet
from networks.lime import LIME
from networks.llflow import LLFlow, llflow_l, llflow_s
from networks.mirnet import MIRNet
from networks.skf import Knowledge
from networks.snr import SNRLLIENet
from networks.zero_dce import ZeroDCE, ZeroDCEPlusPlus

torch.set_num_threads(1)

BANK = (48, 96, 192)
SIZES = [(64, 64), (100, 150)]

SMALL: dict[str, Callable[[], nn.Module]] = {
    "Zero-DCE": ZeroDCE,
    "Zero-DCE++": ZeroDCEPlusPlus,
    "LIME": lambda: LIME(steps=5),
    "EnlightenGAN": lambda: EnlightenGAN((8, 8, 16, 16, 16)),
    "MIRNet": lambda: MIRNet(8, groups=(1, 2)),
    "HWMNet": lambda: HWMNet(16),
    "SNR-LLIE-Net": lambda: SNRLLIENet(16, layers=2, hidden=64),
    "LLFlow": lambda: LLFlow(8, 2, (1,), 1),
}
SMALL_SKF: dict[str, Callable[[], nn.Module]] = {
    "HWMNet-SKF": lambda: HWMNet(16, hwmnet.semantic_modules(BANK, 16)),
    "SNR-LLIE-Net-SKF": lambda: SNRLLIENet(16, layers=2, hidden=64, semantic=snr.semantic_modules(BANK, 16)),
    "LLFlow-SKF": lambda: LLFlow(8, 2, (1,), 1, llflow.semantic_modules_s(BANK, channels=16)),
}
FULL: dict[str, Callable[[], nn.Module]] = {
    "EnlightenGAN": EnlightenGAN,
    "MIRNet": MIRNet,
    "HWMNet": HWMNet,
    "SNR-LLIE-Net": SNRLLIENet,
    "LLFlow-S": llflow_s,
    "LLFlow-L": llflow_l,
}
FULL_SKF: dict[str, Callable[[], nn.Module]] = {
    "HWMNet-SKF": lambda: HWMNet(semantic=hwmnet.semantic_modules(BANK)),
    "SNR-LLIE-Net-SKF": lambda: SNRLLIENet(semantic=snr.semantic_modules(BANK)),
    "LLFlow-S-SKF": lambda: llflow_s(llflow.semantic_modules_s(BANK)),
    "LLFlow-L-SKF": lambda: llflow_l(llflow.semantic_modules_l(BANK)),
}


def knowledge(height: int, width: int) -> Knowledge:
    features = tuple(torch.randn(1, c, -(-height // (4 * 2**i)), -(-width // (4 * 2**i))) for i, c in enumerate(BANK))
    return Knowledge(features, torch.randn(1, 59, height, width))


def runs(network: nn.Module, size: tuple[int, int], guided: bool) -> None:
    """A picture through the network and a gradient back to every parameter and to the picture."""
    with torch.no_grad():
        for parameter in network.parameters():
            parameter.add_(0.01 * torch.randn_like(parameter))  # leaves initial states in which layers are idle
    image = (0.3 * torch.rand(1, 3, *size)).requires_grad_()
    out: Any = network(image, knowledge=knowledge(*size)) if guided else network(image)
    assert out.enhanced.shape == image.shape
    assert 0 <= out.enhanced.min() <= out.enhanced.max() <= 1
    assert all(bool(value.isfinite().all()) for value in out)
    getattr(out, "raw", out.enhanced).square().mean().backward()
    assert image.grad is not None
    assert bool(image.grad.isfinite().all())
    for name, parameter in network.named_parameters():
        assert parameter.grad is not None, name
        assert bool(parameter.grad.isfinite().all()), name


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("name", [*SMALL, *SMALL_SKF])
def test_small(name: str, size: tuple[int, int]) -> None:
    torch.manual_seed(0)
    guided = name in SMALL_SKF
    runs((SMALL_SKF if guided else SMALL)[name](), size, guided)


@pytest.mark.slow
@pytest.mark.timeout(600)
@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("name", [*FULL, *FULL_SKF])
def test_full(name: str, size: tuple[int, int]) -> None:
    torch.manual_seed(0)
    guided = name in FULL_SKF
    runs((FULL_SKF if guided else FULL)[name](), size, guided)
