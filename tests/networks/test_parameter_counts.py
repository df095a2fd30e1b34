"""The number of learnable values of every network, exactly.

The figures were measured on the definitions that came with the papers; one wrong kernel, a bias too many or a layer
left out changes them. A row is (name, factory, count). Networks are built on the meta device: no memory, no time.

Those of SAM, which enhances nothing, are in `test_sam.py`.
"""

from collections.abc import Callable
from types import ModuleType

import pytest
import torch
from torch import nn

from networks import drbn, hwmnet, kind, kind_plus, llflow, retinexnet, snr
from networks.enlighten_anything import EnlightenAnything, GuidedIllumination
from networks.enlightengan import EnlightenGAN, global_discriminator, local_discriminator
from networks.hrnet import HRNetV2
from networks.hwmnet import HWMNet
from networks.lime import LIME
from networks.llflow import llflow_l, llflow_s
from networks.mirnet import MIRNet
from networks.sci import SCI, Calibrator, Illumination
from networks.skf import RELEASED, SE, SNRSE, SEBottleneck
from networks.skf_discriminator import SKFDiscriminator
from networks.snr import SNRLLIENet
from networks.wakeup_darkness import WakeupDarkness
from networks.zero_dce import ZeroDCE, ZeroDCEPlusPlus

BANK = (48, 96, 192)  # the three features of HRNetV2-W48 that SE modules read

Row = tuple[str, Callable[[], nn.Module], int]


def released(system: ModuleType) -> list[nn.Module]:
    """The system's SE modules for HRNetV2-W48, built as published."""
    modules: list[nn.Module] = system.semantic_modules(BANK, options=RELEASED)
    return modules


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
    ("SKF discriminator", SKFDiscriminator, 4_725_377),
    ("Enlighten Anything fusion, published", lambda: GuidedIllumination("published").fuse, 387),
    ("Enlighten Anything, published", lambda: EnlightenAnything("published"), 645),
    (
        "Enlighten Anything with calibrator, published",
        lambda: EnlightenAnything("published", calibrator=Calibrator()),
        6_264,
    ),
    ("SCI enhancer", Illumination, 258),
    ("SCI calibrator", Calibrator, 5_619),
    ("SCI", SCI, 5_877),
    ("Wakeup-Darkness", WakeupDarkness, 924),
    ("HRNetV2-W48", HRNetV2, 65_888_219),
    ("RetinexNet DecomNet", retinexnet.DecomNet, 207_748),
    ("RetinexNet RelightNet", retinexnet.RelightNet, 347_457),
    ("RetinexNet RelightNet, authors' decoder", lambda: retinexnet.RelightNet(decoder="add"), 236_865),
    ("RetinexNet", retinexnet.RetinexNet, 555_205),
    ("RetinexNet-SKF", lambda: retinexnet.RetinexNet(semantic=released(retinexnet)), 555_205 + 48_150),
    ("KinD decomposition", kind.Decomposition, 235_876),
    ("KinD restoration", kind.Restoration, 7_760_739),
    ("KinD adjustment", kind.Adjustment, 19_393),
    ("KinD", kind.KinD, 8_016_008),
    ("KinD-SKF", lambda: kind.KinD(semantic=released(kind)), 8_016_008 + 472_198),
    ("KinD++ decomposition", lambda: kind_plus.KinDPlus().decompose, 235_876),
    ("KinD++ adjustment", lambda: kind_plus.KinDPlus().adjust, 19_393),
    ("KinD++ restoration", kind_plus.RestorationPlus, 8_019_239),
    ("KinD++", kind_plus.KinDPlus, 8_274_508),
    ("KinD++-SKF", lambda: kind_plus.KinDPlus(semantic=released(kind_plus)), 8_274_508 + 585_724),
    ("DRBN stage 1", drbn.DRBN, 557_668),
    ("DRBN recomposition", drbn.Recomposition, 19_161),
    ("DRBN-SKF", lambda: drbn.DRBN(semantic=drbn.semantic_modules(BANK, 59, options=RELEASED)), 599_132),
    ("HWMNet", HWMNet, 66_564_649),
    ("HWMNet-SKF", lambda: HWMNet(semantic=hwmnet.semantic_modules(BANK, options=RELEASED)), 66_564_649 + 3_220_902),
    ("SNR-LLIE-Net", SNRLLIENet, 39_124_099),
    ("SNR-LLIE-Net transformer", lambda: SNRLLIENet().long_range, 37_791_744),
    (
        "SNR-LLIE-Net-SKF",
        lambda: SNRLLIENet(semantic=snr.semantic_modules(BANK, options=RELEASED)),
        39_124_099 + 325_410,
    ),
    ("LLFlow-S", llflow_s, 4_967_635),
    ("LLFlow-S with unused layers", lambda: llflow_s(unused_layers=True), 5_429_849),
    (
        "LLFlow-S-SKF with unused layers",
        lambda: llflow_s(llflow.semantic_modules_s(BANK, RELEASED), unused_layers=True),
        5_722_619,
    ),
    # Without the layers that no gradient reaches, which is how the paper counts: 5.260 M and 39.905 M.
    ("LLFlow-S-SKF", lambda: llflow_s(llflow.semantic_modules_s(BANK, RELEASED)), 4_967_635 + 292_770),
    ("LLFlow-L-SKF", lambda: llflow_l(llflow.semantic_modules_l(BANK, RELEASED)), 37_677_395 + 2_227_782),
    ("LLFlow-L", llflow_l, 37_677_395),
    ("LLFlow-L with unused layers", lambda: llflow_l(unused_layers=True), 38_859_481),
    (
        "LLFlow-L-SKF with unused layers",
        lambda: llflow_l(llflow.semantic_modules_l(BANK, RELEASED), unused_layers=True),
        41_087_263,
    ),
    ("Zero-DCE", ZeroDCE, 79_416),
    ("Zero-DCE++", ZeroDCEPlusPlus, 10_561),
    ("EnlightenGAN", EnlightenGAN, 8_636_675),
    ("EnlightenGAN global discriminator", global_discriminator, 11_154_369),
    ("EnlightenGAN local discriminator", local_discriminator, 6_959_553),
    ("MIRNet-v2", MIRNet, 5_858_560),
    ("LIME", LIME, 0),
]


def learnable(network: nn.Module) -> int:
    return sum(parameter.numel() for parameter in network.parameters())


@pytest.mark.parametrize(("factory", "count"), [row[1:] for row in ROWS], ids=[row[0] for row in ROWS])
def test_count(factory: Callable[[], nn.Module], count: int) -> None:
    with torch.device("meta"):
        network = factory()
    assert learnable(network) == count


@pytest.mark.parametrize(
    ("factory", "millions"),
    [
        (lambda: llflow_s(llflow.semantic_modules_s(BANK, RELEASED)), "5.260"),
        (lambda: llflow_l(llflow.semantic_modules_l(BANK, RELEASED)), "39.905"),
    ],
    ids=["LLFlow-S-SKF", "LLFlow-L-SKF"],
)
def test_the_guided_flows_have_as_many_as_the_paper_prints(factory: Callable[[], nn.Module], millions: str) -> None:
    with torch.device("meta"):
        assert f"{learnable(factory()) / 1e6:.3f}" == millions
