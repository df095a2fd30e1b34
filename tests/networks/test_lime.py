"""LIME: the system it solves and the solver."""

import pytest
import torch

from networks.lime import (
    LIME,
    System,
    approximate_inverse,
    diagonal,
    gaussian_mean,
    inner,
    multiply,
    share,
    solve,
    system_of,
)

torch.set_num_threads(1)


def dense(system: System) -> torch.Tensor:
    """The system as a matrix, one column per pixel."""
    height, width = system.mass.shape[-2:]
    basis = torch.eye(height * width, dtype=system.mass.dtype).view(-1, 1, height, width)
    return multiply(system, basis).flatten(1).T


def random_system(height: int, width: int) -> System:
    torch.manual_seed(height * width)
    guess = (torch.rand(1, 1, height, width, dtype=torch.float64) * 4).round() / 4
    guess = guess + 0.01 * torch.rand_like(guess)
    return system_of(guess, 0.15, 1e-3)


def test_the_gaussian_is_a_window_of_15_that_is_not_normalised() -> None:
    impulse = torch.zeros(1, 1, 31, 31, dtype=torch.float64)
    impulse[..., 15, 15] = 1.0
    spread = gaussian_mean(impulse)[0, 0]
    assert spread[15, 15].item() == pytest.approx(1.0)
    assert spread[15, 18].item() == pytest.approx(2.718281828**-0.5)
    assert spread[15, 22] > 0
    assert spread[15, 23] == 0


def test_weights_by_hand_on_an_edge() -> None:
    """One step of 0.5 between two flat halves, far from the border of the window along the edge."""
    guess = torch.full((1, 1, 40, 40), 0.25, dtype=torch.float64)
    guess[..., 20:] = 0.75
    right = system_of(guess, 1.0, 1e-3).right[0, 0, 20]
    window = torch.exp(-(torch.arange(15, dtype=torch.float64) - 7).square() / 18)
    column = window.sum()
    assert right[19].item() == pytest.approx((column * column / (0.5 * column + 1e-3) / (0.5 + 1e-3)).item())
    assert right[24].item() == pytest.approx((column * column / (0.5 * window[2] * column + 1e-3) / 1e-3).item())
    assert right[39] == 0


@pytest.mark.parametrize("size", [(2, 2), (9, 14), (16, 13)])
def test_the_system_is_symmetric_with_rows_that_sum_to_one(size: tuple[int, int]) -> None:
    system = random_system(*size)
    matrix = dense(system)
    torch.testing.assert_close(matrix, matrix.T)
    torch.testing.assert_close(matrix.sum(dim=1), torch.ones(matrix.shape[0], dtype=torch.float64), atol=1e-6, rtol=0)
    torch.testing.assert_close(matrix.diagonal(), diagonal(system).flatten())


@pytest.mark.parametrize("size", [(2, 2), (9, 14), (16, 13)])
def test_the_solver_agrees_with_a_dense_solve(size: tuple[int, int]) -> None:
    system, target = random_system(*size), torch.rand(1, 1, *size, dtype=torch.float64)
    expected = torch.linalg.solve(dense(system), target.flatten()).view_as(target)
    torch.testing.assert_close(solve(system, target, 200), expected, atol=1e-6, rtol=0)


def test_multigrid_converges_where_plain_gradients_do_not() -> None:
    """The preconditioner is symmetric and worth it: 60 steps with all levels beat 60 steps with one."""
    system = random_system(48, 65)
    target = torch.rand(1, 1, 48, 65, dtype=torch.float64)
    exact = solve(system, target, 400)
    errors = [(solve(system, target, 60, levels) - exact).abs().mean().item() for levels in (1, 10)]
    assert errors[1] < 0.2 * errors[0]
    pyramid = [(system, 0.8 / diagonal(system))]
    a, b = torch.rand_like(target), torch.rand_like(target)
    torch.testing.assert_close(
        inner(a, approximate_inverse(pyramid, b)), inner(approximate_inverse(pyramid, a), b), rtol=1e-6, atol=0
    )


def test_a_flat_picture_has_its_own_level_as_illumination() -> None:
    image = torch.tensor([0.04, 0.16, 0.09]).view(1, 3, 1, 1).expand(1, 3, 17, 22)
    out = LIME(gamma=0.5)(image)
    torch.testing.assert_close(out.illumination, torch.full((1, 1, 17, 22), 0.16))
    torch.testing.assert_close(out.enhanced, image / 0.4)


def test_texture_is_flattened_and_an_edge_is_kept() -> None:
    torch.manual_seed(0)
    image = torch.full((1, 3, 32, 64), 0.1)
    image[..., 32:] = 0.8
    image = image + 0.02 * torch.rand(1, 1, 32, 64)
    out = LIME(steps=150)(image)
    left, right = out.illumination[..., 4:28], out.illumination[..., 36:60]
    assert left.std() < 0.25 * image[..., 4:28].amax(dim=1).std()
    assert right.mean() - left.mean() > 0.5
    assert 0 <= out.enhanced.min() <= out.enhanced.max() <= 1
    assert out.enhanced[..., :32].mean() > 2 * image[..., :32].mean()


def test_a_batch_is_solved_picture_by_picture() -> None:
    images = torch.rand(2, 3, 15, 18)
    together = LIME(steps=10)(images).illumination
    torch.testing.assert_close(together[1:], LIME(steps=10)(images[1:]).illumination, atol=1e-4, rtol=0)


def test_nothing_is_divided_once_the_solution_is_exact() -> None:
    """Rounding can leave a curvature of zero or below it, in any run time: the step is then 0, neither huge nor NaN."""
    whole = torch.tensor([2.0, 0.0, -1e-20, 1e-31])
    torch.testing.assert_close(share(torch.full((4,), 3.0), whole), torch.tensor([1.5, 0.0, 0.0, 0.0]))
    black = LIME(steps=60)(torch.zeros(1, 3, 20, 30))
    assert bool(black.enhanced.isfinite().all())
