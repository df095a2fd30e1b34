"""LIME: the illumination map by optimisation, without any learning.

Paper: Guo, Li and Ling, "LIME: Low-Light Image Enhancement via Illumination Map Estimation" (TIP 2017), the sped-up
solver with the third weighting strategy.

The first guess of the illumination is the largest channel of each pixel, T'. The refined one solves
`(1 + lambda L_W) t = T'`, L_W the five-point Laplacian with a weight per edge between neighbours: large where the
first guess is flat or only textured (the Gaussian mean of its differences is small), small across true edges. The
picture is then divided by `t ^ gamma`.

Faithful: equations and weights, with an unnormalised 15x15 Gaussian of sigma 3. Chosen here: lambda 0.15, gamma 0.6 and
epsilon 1e-3 are those of a public implementation, the original's were not verified; the sparse Cholesky solver is
replaced by a fixed number of conjugate gradient steps with a multigrid preconditioner, which runs on any device (80
steps leave about 0.001 of mean error on a photograph of 600x400, where the weights span six orders of magnitude); the
denoising step of the paper (BM3D) is not included. An exported graph holds the steps as one loop.

Sizes: any of at least 2x2, RGB in [0, 1]. No parameters.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional as F

DAMPING = 0.8
LEVELS = 10
TINY = 1e-30


class LIMEOutput(NamedTuple):
    """`enhanced` (N, 3, H, W) in [0, 1]; `illumination` t (N, 1, H, W) in [1e-3, 1], before the power gamma."""

    enhanced: Tensor
    illumination: Tensor


class System(NamedTuple):
    """A symmetric five-point system: `mass` on the diagonal and weights of the edges to the neighbour below (`down`,
    last row 0) and to the right (`right`, last column 0). All (N, 1, H, W)."""

    mass: Tensor
    down: Tensor
    right: Tensor


def gaussian_mean(values: Tensor, size: int = 15, sigma: float = 3.0) -> Tensor:
    """Sum under an unnormalised Gaussian window, zero outside the picture."""
    distance = torch.arange(size, dtype=values.dtype, device=values.device) - size // 2
    window = torch.exp(-distance.square() / (2 * sigma * sigma))
    across = F.conv2d(values, window.view(1, 1, 1, size), padding=(0, size // 2))
    return F.conv2d(across, window.view(1, 1, size, 1), padding=(size // 2, 0))


def edge_weight(difference: Tensor, epsilon: float) -> Tensor:
    """`sum(G) / (|G * d| + epsilon) / (|d| + epsilon)` for the differences d along one direction."""
    texture = gaussian_mean(torch.ones_like(difference)) / (gaussian_mean(difference).abs() + epsilon)
    return texture / (difference.abs() + epsilon)


def system_of(guess: Tensor, strength: float, epsilon: float) -> System:
    """`1 + lambda L_W` for a first guess (N, 1, H, W)."""
    down = strength * edge_weight(guess[..., 1:, :] - guess[..., :-1, :], epsilon)
    right = strength * edge_weight(guess[..., 1:] - guess[..., :-1], epsilon)
    return System(torch.ones_like(guess), F.pad(down, (0, 0, 0, 1)), F.pad(right, (0, 1)))


def below(t: Tensor) -> Tensor:
    return F.pad(t, (0, 0, 1, 0))[..., :-1, :]


def behind(t: Tensor) -> Tensor:
    return F.pad(t, (1, 0))[..., :-1]


class State(NamedTuple):
    """Conjugate gradients between two steps: solution so far, what is left, next direction, all (N, 1, H, W), and the
    preconditioned energy (N, 1, 1, 1) of what is left."""

    t: Tensor
    residual: Tensor
    direction: Tensor
    energy: Tensor


def multiply(system: System, t: Tensor) -> Tensor:
    """The system times t: every edge pulls its two ends together."""
    down = system.down * (t - F.pad(t, (0, 0, 0, 1))[..., 1:, :])
    right = system.right * (t - F.pad(t, (0, 1))[..., 1:])
    return system.mass * t + down - below(down) + right - behind(right)


def diagonal(system: System) -> Tensor:
    return system.mass + system.down + below(system.down) + system.right + behind(system.right)


def even(values: Tensor, fill: float = 0.0) -> Tensor:
    """Padded to even height and width."""
    return F.pad(values, (0, -values.shape[-1] % 2, 0, -values.shape[-2] % 2), value=fill)


def pair_sum(values: Tensor) -> Tensor:
    """Sum over cells of 2x2."""
    return 4 * F.avg_pool2d(even(values), 2)


def coarser(system: System) -> System:
    """The system between cells of 2x2 pixels. Edges count half: constant cells would make it twice too stiff."""
    down, right = even(system.down), even(system.right)
    down = (down[..., 1::2, 0::2] + down[..., 1::2, 1::2]) / 2
    right = (right[..., 0::2, 1::2] + right[..., 1::2, 1::2]) / 2
    return System(pair_sum(system.mass), down, right)


def approximate_inverse(pyramid: list[tuple[System, Tensor]], residual: Tensor) -> Tensor:
    """One multigrid V-cycle with a damped Jacobi sweep before and after: symmetric, so fit to precondition."""
    system, inverse_diagonal = pyramid[0]
    t = inverse_diagonal * residual
    if len(pyramid) > 1:
        height, width = residual.shape[-2:]
        correction = approximate_inverse(pyramid[1:], pair_sum(residual - multiply(system, t)))
        t = t + F.interpolate(correction, scale_factor=2.0, mode="nearest")[..., :height, :width]
    return t + inverse_diagonal * (residual - multiply(system, t))


def inner(a: Tensor, b: Tensor) -> Tensor:
    return (a * b).sum(dim=(1, 2, 3), keepdim=True)


def share(part: Tensor, whole: Tensor) -> Tensor:
    """`part / whole`, and 0 where the whole is not positive: the solution is exact there but for rounding."""
    positive = whole > TINY
    return torch.where(positive, part / torch.where(positive, whole, 1.0), 0.0)


def solve(system: System, target: Tensor, steps: int, levels: int = LEVELS) -> Tensor:
    """Conjugate gradients for `system t = target`, started at the target, preconditioned by multigrid."""
    pyramid: list[tuple[System, Tensor]] = []
    level = system
    for _ in range(levels):
        pyramid.append((level, DAMPING / diagonal(level)))
        level = coarser(level)
    residual = target - multiply(system, target)
    conditioned = approximate_inverse(pyramid, residual)
    first = State(target, residual, conditioned, inner(residual, conditioned))

    def step(state: State) -> State:
        image = multiply(system, state.direction)
        length = share(state.energy, inner(state.direction, image))
        residual = state.residual - length * image
        conditioned = approximate_inverse(pyramid, residual)
        energy = inner(residual, conditioned)
        direction = conditioned + share(energy, state.energy) * state.direction
        return State(state.t + length * state.direction, residual, direction, energy)

    if torch.compiler.is_exporting():
        return _exported_loop(step, first, steps).t
    state = first
    for _ in range(steps):
        state = step(state)
    return state.t


def _exported_loop(step: Callable[[State], State], first: State, steps: int) -> State:
    """All steps as one loop of the exported graph, which is 80 times smaller than with the steps one after another."""
    from torch._higher_order_ops.while_loop import while_loop

    def unfinished(count: Tensor, *_: Tensor) -> Tensor:
        return count < steps

    def once(count: Tensor, *state: Tensor) -> tuple[Tensor, ...]:
        return (count + 1, *step(State(*state)))

    count = torch.zeros((), dtype=torch.int64)
    start = (count, *(value.clone() for value in first))
    _, *state = while_loop(unfinished, once, start)  # type: ignore[no-untyped-call]
    return State(*state)


class LIME(nn.Module):
    """LIME. `strength` is lambda, `gamma` the power of the illumination, `steps` those of the solver."""

    def __init__(self, strength: float = 0.15, gamma: float = 0.6, epsilon: float = 1e-3, steps: int = 80) -> None:
        super().__init__()
        self.strength, self.gamma, self.epsilon, self.steps = strength, gamma, epsilon, steps

    def forward(self, image: Tensor) -> LIMEOutput:
        guess = image.amax(dim=1, keepdim=True)
        system = system_of(guess, self.strength, self.epsilon)
        illumination = solve(system, guess, self.steps).clamp(1e-3, 1.0)
        return LIMEOutput((image / illumination.pow(self.gamma)).clamp(0.0, 1.0), illumination)
