"""The number of learnable values of every network, exactly.

The figures were measured on the definitions that came with the papers; one wrong kernel, a bias too many or a layer
left out changes them. A row is (name, factory, count). Networks are built on the meta device: no memory, no time.
"""

from collections.abc import Callable

import pytest
import torch
from torch import nn

from networks.hrnet import HRNetV2
from networks.skf import RELEASED, SE, SNRSE, SEBottleneck

Row = tuple[str, Callable[[], nn.Module], int]

ROWS: list[Row] = [
    ("SE 96 -> 32", lambda: SE(96, 32, options=RELEASED), 26_812),
    ("SE 48 -> 16", lambda: SE(48, 16, options=RELEASED), 7_238),
    ("SE 59 -> 16", lambda: SE(59, 16, options=RELEASED), 7_414),
    ("SE 48 -> 64", lambda: SE(48, 64, options=RELEASED), 93_494),
    ("SE 96 -> 64", lambda: SE(96, 64, options=RELEASED), 96_566),
    ("SE 192 -> 64", lambda: SE(192, 64, options=RELEASED), 102_710),
    ("SE bottleneck 48 -> 320", lambda: SEBottleneck(48, 320, 192, options=RELEASED), 730_306),
    ("SE bottleneck 96 -> 320", lambda: SEBottleneck(96, 320, 192, options=RELEASED), 739_522),
    ("SE bottleneck 192 -> 320", lambda: SEBottleneck(192, 320, 192, options=RELEASED), 757_954),
    ("SNR SE 48 -> 64", lambda: SNRSE(48, 64, options=RELEASED), 104_374),
    ("SNR SE 96 -> 64", lambda: SNRSE(96, 64, options=RELEASED), 107_446),
    ("SNR SE 192 -> 64", lambda: SNRSE(192, 64, options=RELEASED), 113_590),
    ("HRNetV2-W48", HRNetV2, 65_888_219),
]


def learnable(network: nn.Module) -> int:
    return sum(parameter.numel() for parameter in network.parameters())


@pytest.mark.parametrize(("factory", "count"), [row[1:] for row in ROWS], ids=[row[0] for row in ROWS])
def test_count(factory: Callable[[], nn.Module], count: int) -> None:
    with torch.device("meta"):
        network = factory()
    assert learnable(network) == count
