"""The conditional normalising flow of LLFlow: invertible steps between a picture and a latent of the same size.

Paper: Wang et al., "Low-Light Image Enhancement with Normalizing Flow" (AAAI 2022); the steps are those of Glow and
SRFlow. `forward` is the normal direction, picture to latent, with the logarithm of the Jacobian's determinant;
`reverse` is its inverse, latent to picture.

Per level: squeeze (each 2x2 cell becomes four times the channels), two steps without coupling (activation norm and
invertible 1x1 convolution), then K steps with conditional coupling. No channels are split off between levels.

The inverse of a 1x1 convolution is a matrix inverse, which ONNX lacks: `freeze` computes all of them once, after which
`reverse` is convolutions and arithmetic only. `train()` and loading weights undo it.

Sizes: multiples of 8 (three squeezes). Keep the flow in float32: scales reach down to 1e-4 and `reverse` divides by
them.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional as F


class ActNorm(nn.Module):
    """`(x + bias) * exp(log_scale)`, per channel.

    The first batch seen in training sets both so that every channel leaves with mean 0 and deviation 1.
    """

    initialised: Tensor

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.bias = nn.Parameter(torch.zeros(1, channels, 1, 1))
        self.log_scale = nn.Parameter(torch.zeros(1, channels, 1, 1))
        self.register_buffer("initialised", torch.tensor(False))
        self.ready = False  # what the buffer says, without asking the device for it at every step

    @torch.no_grad()
    def initialise(self, x: Tensor) -> None:
        if not self.initialised:
            self.bias.copy_(-x.mean(dim=(0, 2, 3), keepdim=True))
            self.log_scale.copy_(-(x.std(dim=(0, 2, 3), keepdim=True, unbiased=False) + 1e-6).log())
            self.initialised.fill_(True)
        self.ready = True

    def forward(self, x: Tensor) -> Tensor:
        if self.training and not self.ready:
            self.initialise(x)
        return (x + self.bias) * self.log_scale.exp()

    def log_determinant(self, x: Tensor) -> Tensor:
        return self.log_scale.sum() * (x.shape[2] * x.shape[3])

    def reverse(self, y: Tensor) -> Tensor:
        return y * (-self.log_scale).exp() - self.bias


class InvertibleConv(nn.Module):
    """1x1 convolution with a square matrix that starts as a random rotation."""

    inverse: Tensor | None

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.empty(channels, channels))
        nn.init.orthogonal_(self.weight)
        self.register_buffer("inverse", None, persistent=False)

    def freeze(self) -> None:
        self.inverse = self.inverted().detach()

    def inverted(self) -> Tensor:
        inverse: Tensor = torch.linalg.inv(self.weight.double())
        return inverse.to(self.weight.dtype)

    def forward(self, x: Tensor) -> Tensor:
        return F.conv2d(x, self.weight[:, :, None, None])

    def log_determinant(self, x: Tensor) -> Tensor:
        of_one: Tensor = torch.linalg.slogdet(self.weight.double())[1]
        return of_one.to(x.dtype) * (x.shape[2] * x.shape[3])

    def reverse(self, y: Tensor) -> Tensor:
        inverse = self.inverted() if self.inverse is None else self.inverse
        return F.conv2d(y, inverse[:, :, None, None])


class CouplingNetwork(nn.Module):
    """3x3, 1x1 and 3x3 convolution, the last one zero at the start and scaled by `exp(3 * log_gain)` per channel.

    Returns shift and scale: of the raw channels the even ones are shifts, the odd ones give `sigmoid(raw + 2) + 1e-4`.
    """

    def __init__(self, inputs: int, outputs: int, hidden: int) -> None:
        super().__init__()
        self.hidden = nn.Sequential(
            nn.Conv2d(inputs, hidden, 3, padding=1, bias=False),
            ActNorm(hidden),
            nn.ReLU(),
            nn.Conv2d(hidden, hidden, 1, bias=False),
            ActNorm(hidden),
            nn.ReLU(),
        )
        self.last = nn.Conv2d(hidden, 2 * outputs, 3, padding=1)
        nn.init.zeros_(self.last.weight)
        if self.last.bias is not None:
            nn.init.zeros_(self.last.bias)
        self.log_gain = nn.Parameter(torch.zeros(1, 2 * outputs, 1, 1))

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        raw = self.last(self.hidden(x)) * (3 * self.log_gain).exp()
        return raw[:, 0::2], torch.sigmoid(raw[:, 1::2] + 2) + 1e-4


class ConditionalCoupling(nn.Module):
    """First all channels are shifted and scaled from the condition u, then the second half from u and the first half.

    `z <- (z + t_f(u)) s_f(u)`, then `z_b <- (z_b + t_a(z_a, u)) s_a(z_a, u)`.
    """

    def __init__(self, channels: int, condition: int, hidden: int) -> None:
        super().__init__()
        self.kept = channels // 2
        self.of_condition = CouplingNetwork(condition, channels, hidden)
        self.of_half = CouplingNetwork(self.kept + condition, channels - self.kept, hidden)

    def forward(self, z: Tensor, u: Tensor) -> tuple[Tensor, Tensor]:
        shift, scale = self.of_condition(u)
        z = (z + shift) * scale
        determinant = scale.log().flatten(1).sum(dim=1)
        first, second = z[:, : self.kept], z[:, self.kept :]
        shift, scale = self.of_half(torch.cat([first, u], dim=1))
        determinant = determinant + scale.log().flatten(1).sum(dim=1)
        return torch.cat([first, (second + shift) * scale], dim=1), determinant

    def reverse(self, z: Tensor, u: Tensor) -> Tensor:
        first, second = z[:, : self.kept], z[:, self.kept :]
        shift, scale = self.of_half(torch.cat([first, u], dim=1))
        z = torch.cat([first, second / scale - shift], dim=1)
        shift, scale = self.of_condition(u)
        out: Tensor = z / scale - shift
        return out


class FlowStep(nn.Module):
    """Activation norm, invertible 1x1 convolution and, where `condition` has channels, conditional coupling."""

    def __init__(self, channels: int, condition: int, hidden: int) -> None:
        super().__init__()
        self.norm = ActNorm(channels)
        self.conv = InvertibleConv(channels)
        self.coupling = ConditionalCoupling(channels, condition, hidden) if condition else None

    def forward(self, z: Tensor, u: Tensor) -> tuple[Tensor, Tensor]:
        z = self.norm(z)
        determinant = self.norm.log_determinant(z) + self.conv.log_determinant(z)
        z = self.conv(z)
        if self.coupling is None:
            return z, determinant.expand(z.shape[0])
        z, of_coupling = self.coupling(z, u)
        return z, determinant + of_coupling

    def reverse(self, z: Tensor, u: Tensor) -> Tensor:
        if self.coupling is not None:
            z = self.coupling.reverse(z, u)
        return self.norm.reverse(self.conv.reverse(z))


class FlowLevel(nn.Module):
    """Squeeze, then the steps: (N, C, H, W) -> (N, 4 C, H / 2, W / 2), with a condition of the size of the result."""

    def __init__(self, steps: Sequence[FlowStep]) -> None:
        super().__init__()
        self.steps = nn.ModuleList(steps)

    def forward(self, z: Tensor, u: Tensor) -> tuple[Tensor, Tensor]:
        z, total = F.pixel_unshuffle(z, 2), z.new_zeros(z.shape[0])
        for step in self.steps:
            z, determinant = step(z, u)
            total = total + determinant
        return z, total

    def reverse(self, z: Tensor, u: Tensor) -> Tensor:
        for index in reversed(range(len(self.steps))):
            step = self.steps[index]
            assert isinstance(step, FlowStep)
            z = step.reverse(z, u)
        return F.pixel_shuffle(z, 2)


class ConditionalFlow(nn.Module):
    """Three levels between a picture (N, 3, H, W) and a latent (N, 192, H / 8, W / 8).

    `steps`: conditional steps per level. Conditions u are features of `condition` channels at 1/2, 1/4 and 1/8 scale.
    """

    def __init__(self, steps: int, condition: int, hidden: int = 64, plain_steps: int = 2, levels: int = 3) -> None:
        super().__init__()
        widths = [0] * plain_steps + [condition] * steps
        self.levels = nn.ModuleList(
            FlowLevel([FlowStep(3 * 4 ** (level + 1), width, hidden) for width in widths]) for level in range(levels)
        )

    def forward(self, picture: Tensor, conditions: Sequence[Tensor]) -> tuple[Tensor, Tensor]:
        """Latent and log determinant (N,)."""
        z, total = picture, picture.new_zeros(picture.shape[0])
        for level, u in zip(self.levels, conditions, strict=True):
            z, determinant = level(z, u)
            total = total + determinant
        return z, total

    def reverse(self, latent: Tensor, conditions: Sequence[Tensor]) -> Tensor:
        z = latent
        for index in reversed(range(len(self.levels))):
            level = self.levels[index]
            assert isinstance(level, FlowLevel)
            z = level.reverse(z, conditions[index])
        return z

    def inverses(self) -> list[InvertibleConv]:
        return [module for module in self.modules() if isinstance(module, InvertibleConv)]
