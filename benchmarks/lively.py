"""Weights under which an untrained network shows what all its parts do, to compare its export with it.

Fresh weights will not do: RetinexNet and DRBN begin black, KinD even grey, Zero-DCE's curves and LLFlow's couplings at
nothing, and LLFlow's random rotations leave black and white only. Two such results agree whatever the export does.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from export.interfaces import interface_of
from networks.llflow_flow import CouplingNetwork, InvertibleConv
from networks.systems import Inference

_LAST = {"retinexnet": "relight.tail", "drbn": "recurrences.3.heads.0.1"}
"""Layers whose result becomes the picture with nothing but a clamp after it."""
_MEAN, _SPREAD = 0.45, 0.2
_TURN = 0.02


def enliven(network: Inference, picture: Tensor) -> None:
    """Changes weights in place, by a fixed seed; ``picture`` [1, 3, h, w] is one that the network takes."""
    torch.manual_seed(3)
    if network.system.startswith("kind"):
        _keep_variance(network.network)
    for name, parameter in network.network.named_parameters():
        if name.endswith("log_gain"):
            nn.init.normal_(parameter, std=0.02)
        elif ".last." in name and network.system.startswith("llflow"):
            nn.init.normal_(parameter, std=0.003)
        elif "estimator" in name:
            nn.init.normal_(parameter, std=0.1)
    for module in network.network.modules():
        if isinstance(module, InvertibleConv):
            turn = torch.randn_like(module.weight) * _TURN
            module.weight.data = torch.linalg.matrix_exp(turn - turn.T)
        elif isinstance(module, CouplingNetwork) and module.last.bias is not None:
            module.last.bias.data[1::2] += (
                4.0  # run backwards, dozens of fresh couplings multiply a picture by hundreds
            )
    if network.system in _LAST:
        _level(network, network.network.get_submodule(_LAST[network.system]), picture)


def _keep_variance(network: nn.Module) -> None:
    """He's initialisation: torch's own loses signal from layer to layer."""
    for module in network.modules():
        if isinstance(module, nn.Conv2d):
            nn.init.kaiming_normal_(module.weight)
            if module.bias is not None:
                nn.init.zeros_(module.bias)


def _level(network: Inference, layer: nn.Module, picture: Tensor) -> None:
    """Scales a convolution so that its result for ``picture`` is a picture too."""
    assert isinstance(layer, nn.Conv2d)
    assert layer.bias is not None
    seen: list[Tensor] = []
    hook = layer.register_forward_hook(lambda module, given, result: seen.append(result))
    interface = interface_of(network)
    size = (int(picture.shape[2]), int(picture.shape[3]))
    own = interface.extra_sizes(size)
    with torch.no_grad():
        network(picture, *(torch.zeros(part.shape(size, own[part.name])) for part in interface.extra))
        hook.remove()
        result = seen[-1].flatten(2)
        scale = _SPREAD / result.std((0, 2)).clamp_min(1e-6)
        layer.weight.mul_(scale[:, None, None, None])
        layer.bias.copy_((layer.bias - result.mean((0, 2))) * scale + _MEAN)
