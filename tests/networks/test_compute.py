"""Multiply-accumulates of convolutions and linear layers at 400 x 600, as measured on the published definitions.

Parameter counts do not see strides, scales or how often a layer runs; these do.
"""

from collections.abc import Callable

import pytest
import torch
from torch import Tensor, nn

from networks import drbn, llflow
from networks.compute import giga_macs, parameters
from networks.enlighten_anything import EnlightenAnything
from networks.hwmnet import HWMNet
from networks.mirnet import MIRNet
from networks.retinexnet import RetinexNet
from networks.sci import Calibrator
from networks.skf import RELEASED, Knowledge
from networks.snr import SNRLLIENet
from networks.zero_dce import ZeroDCE, ZeroDCEPlusPlus

BANK = (48, 96, 192)


def picture(width: int = 600) -> Tensor:
    return torch.empty(1, 3, 400, width)


def knowledge() -> Knowledge:
    sizes = ((100, 150), (50, 75), (25, 38))
    features = tuple(torch.empty(1, c, *size) for c, size in zip(BANK, sizes, strict=True))
    return Knowledge(features, torch.empty(1, 59, 400, 600))


# The port of RetinexNet computes two rows and columns too many in one 1x1 convolution: 79.56 there, 79.53 here.
@pytest.mark.parametrize(
    ("build", "inputs", "expected", "digits"),
    [
        (RetinexNet, lambda: (picture(),), 79.53, 2),
        (drbn.DRBN, lambda: (picture(),), 34.4, 1),
        (
            lambda: drbn.DRBN(semantic=drbn.semantic_modules(BANK, 59, options=RELEASED)),
            lambda: (picture(), knowledge()),
            37.0,
            1,
        ),
        (lambda: EnlightenAnything("published"), lambda: (picture(), picture()), 0.147, 3),
        (HWMNet, lambda: (picture(592),), 915.9, 1),
        (SNRLLIENet, lambda: (picture(),), 88.8, 1),
        (ZeroDCE, lambda: (picture(),), 19.0, 1),
        (lambda: ZeroDCEPlusPlus(reduction=1), lambda: (picture(),), 2.42, 2),
        (ZeroDCEPlusPlus, lambda: (picture(),), 0.017, 3),
        (MIRNet, lambda: (picture(),), 510.9, 1),
    ],
    ids=[
        "RetinexNet",
        "DRBN",
        "DRBN-SKF",
        "Enlighten Anything",
        "HWMNet",
        "SNR-LLIE-Net",
        "Zero-DCE",
        "Zero-DCE++",
        "Zero-DCE++ at 1/12",
        "MIRNet-v2",
    ],
)
def test_compute(
    build: Callable[[], nn.Module], inputs: Callable[[], tuple[object, ...]], expected: float, digits: int
) -> None:
    with torch.device("meta"):
        assert round(giga_macs(build(), *inputs()), digits) == expected


def test_functional_and_transposed_convolutions_and_linear_layers_count_too() -> None:
    network = nn.Sequential(
        nn.Conv2d(4, 6, 3, stride=2, padding=1, groups=2),
        nn.ConvTranspose2d(6, 4, 2, stride=2, groups=2),
        nn.Flatten(2),
        nn.Linear(64, 5),
    )
    by_hand = 6 * 16 * 2 * 9 + 6 * 16 * 2 * 4 + 4 * 64 * 5
    assert giga_macs(network, torch.empty(1, 4, 8, 8)) == by_hand / 1e9
    flow = llflow.LLFlow(8, 2, (1,), 1)
    flow.freeze()
    frozen = giga_macs(flow, torch.rand(1, 3, 16, 16))
    assert frozen > giga_macs(flow.encoder, torch.rand(1, 12, 16, 16))


def test_layers_that_only_training_runs_are_no_parameters_of_inference() -> None:
    assert parameters(EnlightenAnything("published", calibrator=Calibrator())) == 645
