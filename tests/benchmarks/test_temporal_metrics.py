"""Every figure about time, on cases whose answer is known beforehand."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from benchmarks import temporal_metrics as metrics

RNG = np.random.default_rng


def smooth_scene(height: int, width: int, seed: int = 0) -> np.ndarray:
    """A few waves, 40..215, whose value is known at any place."""
    phases = RNG(seed).uniform(0, 6, 4)
    y, x = np.mgrid[:height, :width]
    return 128 + 40 * np.sin(x / 7 + phases[0]) + 40 * np.sin(y / 9 + phases[1]) + 7 * np.sin((x + y) / 5 + phases[2])


# --- curve jitter -------------------------------------------------------------------------------------------------


def test_a_constant_operator_has_no_jitter_however_the_scene_moves() -> None:
    frames = [RNG(seed).integers(0, 256, (8, 8)) for seed in range(5)]
    jitter = metrics.curve_jitter(frames, [lambda frame: np.sqrt(frame) * 7] * 5)
    assert np.isnan(jitter[0])
    np.testing.assert_array_equal(jitter[1:], 0)


def test_jitter_of_one_code_is_one_and_cuts_do_not_count() -> None:
    frames = [RNG(seed).integers(0, 200, (8, 8)).astype(np.uint8) for seed in range(6)]
    operators = [lambda frame, t=t: 2.0 * frame + t % 2 + (100 if t >= 3 else 0) for t in range(6)]
    jitter = metrics.curve_jitter(frames, operators, cuts=(3,))
    np.testing.assert_allclose(jitter[[1, 2, 4, 5]], 1.0)
    assert np.isnan(jitter[3])
    assert metrics.curve_jitter(frames, operators)[3] == pytest.approx(101)


def test_jitter_wants_an_operator_for_every_frame() -> None:
    with pytest.raises(ValueError, match="2 frames and 1 operators"):
        metrics.curve_jitter([0, 0], [lambda frame: np.zeros(1)])


# --- static residual ----------------------------------------------------------------------------------------------


@settings(max_examples=20, deadline=None)
@given(st.floats(0.05, 1.0), st.floats(0.5, 8.0))
def test_static_residual_of_white_noise_is_the_ratio_of_its_sigmas(share: float, sigma: float) -> None:
    noise = RNG(1).normal(0, sigma, (40, 24, 24))
    static = np.ones((24, 24), bool)
    got = metrics.static_residual(100 + share * noise, 40 + noise, static)
    assert got == pytest.approx(share, rel=1e-9)


@pytest.mark.parametrize("k", [0.5, 0.25, 0.125])
def test_static_residual_of_a_recursive_filter_is_the_known_factor(k: float) -> None:
    noise = RNG(2).normal(0, 3, (400, 16, 16))
    filtered = noise.copy()
    for t in range(1, len(noise)):
        filtered[t] = filtered[t - 1] + k * (noise[t] - filtered[t - 1])
    got = metrics.static_residual(filtered[40:], noise[40:], np.ones((16, 16), bool))
    assert got == pytest.approx(np.sqrt(k / (2 - k)), rel=0.03)


def test_static_residual_looks_at_static_pixels_that_carry_noise() -> None:
    noise = RNG(3).normal(0, 2, (30, 20, 20))
    static = np.zeros((20, 20), bool)
    static[:, :10] = True
    amplified, output = noise.copy(), 0.5 * noise
    output[:, :, 10:] += np.arange(30)[:, None, None] * 5  # moves, must not count
    amplified[:, :4] = 0  # clipped to black: says nothing
    assert metrics.static_residual(output, amplified, static) == pytest.approx(0.5)
    assert metrics.static_residual(output, amplified, np.zeros((20, 20), bool)) is None
    assert metrics.static_residual(output, np.zeros_like(noise), static) is None
    assert metrics.static_residual(output[:1], amplified[:1], static) is None


def test_static_pixels_are_those_whose_truth_stays() -> None:
    target = np.zeros((3, 2, 2, 3), np.uint8)
    target[1, 0, 0, 2] = 2
    target[2, 1, 1, 0] = 1
    np.testing.assert_array_equal(metrics.static_pixels(target), [[False, True], [True, True]])


# --- warping error ------------------------------------------------------------------------------------------------


@settings(max_examples=25, deadline=None)
@given(st.integers(-5, 5), st.integers(-5, 5))
def test_a_shift_with_its_true_flow_has_no_warping_error(dx: int, dy: int) -> None:
    """Content moves by (dx, dy) a frame: it was at x - (dx, dy) before."""
    wide = RNG(4).integers(0, 256, (60, 60, 3)).astype(np.uint8)
    frames = np.stack([wide[20 - t * dy :, 20 - t * dx :][:20, :20] for t in range(4)])
    flow = np.broadcast_to(np.float32([-dx, -dy]), (4, 20, 20, 2))
    y, x = np.mgrid[:20, :20]
    inside = (x - dx >= 0) & (x - dx < 20) & (y - dy >= 0) & (y - dy < 20)
    error = metrics.warping_error(frames, flow, np.broadcast_to(inside, (4, 20, 20)))
    assert np.isnan(error[0])
    np.testing.assert_array_equal(error[1:], 0)
    if dx or dy:
        wrong = metrics.warping_error(frames, -flow, np.broadcast_to(inside, (4, 20, 20)))
        assert (wrong[1:] > 20).all()


def test_warping_between_pixels_is_bilinear() -> None:
    ramp = np.add.outer(10.0 * np.arange(6), np.arange(8.0))
    flow = np.broadcast_to(np.float32([0.25, -0.5]), (6, 8, 2))
    np.testing.assert_allclose(metrics.warp(ramp, flow)[1:, :-1], (ramp + 0.25 - 5.0)[1:, :-1])


def test_excess_is_what_the_truth_does_not_explain() -> None:
    scene = smooth_scene(20, 20)
    target = np.stack([scene, scene + 3, scene + 6])
    flow, visible = np.zeros((3, 20, 20, 2)), np.ones((3, 20, 20), bool)
    visible[:, 0] = False
    output = target + 10
    output[2] += 2
    output[:, 0] += RNG(5).normal(0, 50, (3, 20))  # hidden before: must not count
    excess = metrics.excess_warping_error(output, target, flow, visible)
    np.testing.assert_allclose(excess[1:], [0, 2], atol=1e-4)
    assert np.isnan(metrics.excess_warping_error(output, target, flow, visible, cuts=(2,))[2])


# --- flicker ------------------------------------------------------------------------------------------------------


@settings(max_examples=25, deadline=None)
@given(st.floats(1.6, 9.4), st.floats(0.001, 0.2), st.floats(-3, 3))
def test_a_sinusoid_has_its_energy_at_its_frequency(hertz: float, amplitude: float, level: float) -> None:
    time = np.arange(150) / 25
    series = level + 0.01 * time + amplitude * np.sin(2 * np.pi * hertz * time)
    frequencies, power = metrics.spectrum(series, 25)
    assert frequencies[power.argmax()] == pytest.approx(hertz, abs=25 / 150)
    assert power.sum() == pytest.approx(amplitude**2 / 2, rel=0.1)
    assert metrics.flicker_energy(series, 25) == pytest.approx(amplitude**2 / 2, rel=0.1)


def test_slow_and_fast_changes_are_no_flicker_and_cuts_are_none() -> None:
    time = np.arange(200) / 25
    assert metrics.flicker_energy(0.1 * np.sin(2 * np.pi * 0.4 * time), 25) < 1e-5
    assert metrics.flicker_energy(0.1 * np.sin(2 * np.pi * 12 * time), 25) < 1e-5
    step = np.where(time < 4, -1.0, 1.0)
    assert metrics.flicker_energy(step, 25) > 0.01
    assert metrics.flicker_energy(step, 25, cuts=(100,)) < 1e-20
    assert metrics.flicker_energy(step[:20], 25) is None


def test_log_luma_measures_exposure_alike_in_dark_and_bright_scenes() -> None:
    dark, bright = np.full((2, 4, 4), 0.02), np.full((2, 4, 4), 0.8)
    dark[1] *= 1.1
    bright[1] *= 1.1
    changes = [np.diff(metrics.mean_log_luma(clip))[0] for clip in (dark, bright)]
    assert changes == pytest.approx([np.log(1.1)] * 2)
    assert np.isfinite(metrics.mean_log_luma(np.zeros((1, 4, 4)))).all()


# --- pumping ------------------------------------------------------------------------------------------------------


def test_a_step_in_the_background_is_its_size() -> None:
    target = np.full((10, 8, 8), 90.0)
    output = target + RNG(6).normal(0, 1e-6, target.shape) - 7
    output[6:] += 3
    masks = np.zeros((10, 8, 8), int)
    masks[6:, 2:5, 2:5] = 1
    output[masks == 1] = 250  # the object itself is no background
    change = metrics.background_change(output, target, masks == 0, slice(0, 6))
    np.testing.assert_allclose(change, [0] * 6 + [3] * 4, atol=1e-5)


def test_what_the_truth_does_to_the_background_is_no_pumping() -> None:
    target = np.full((6, 8, 8), 60.0)
    target[:, :, 4:] = 180
    masks = np.zeros((6, 8, 8), int)
    masks[3:, :, 4:] = 1  # hides the bright half: the mean of what is left falls by 60
    change = metrics.background_change(target * 0.5, target * 0.5, masks == 0, slice(0, 3))
    np.testing.assert_allclose(change, 0)
    gone = metrics.background_change(target, target, np.zeros_like(masks) == 1, slice(0, 3))
    assert np.isnan(gone).all()


def test_region_pumping_is_the_spread_of_the_gain() -> None:
    given_luma = RNG(7).uniform(10, 20, (4, 6, 6))
    masks = np.zeros((4, 6, 6), int)
    masks[:, :3] = 2
    masks[0, 5, 5] = 9  # one frame only: nothing to spread
    gains = np.array([2.0, 4.0, 2.0, 4.0])
    output = given_luma * 3
    output[:, :3] = (given_luma * gains[:, None, None])[:, :3]
    found = metrics.region_pumping(output, given_luma, masks)
    assert set(found) == {0, 2}
    assert found[0] == pytest.approx(0, abs=1e-12)
    assert found[2] == pytest.approx(np.log(2) / 2)
    assert metrics.region_pumping(output, given_luma * 0, masks) == {}


# --- cuts ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("ghosts", [0, 1, 4])
def test_a_cut_with_k_frames_of_ghost_answers_after_k(ghosts: int) -> None:
    quality = np.full(30, 27.0) + 0.2 * np.sin(np.arange(30))
    quality[10 : 10 + ghosts] = 15
    assert metrics.cut_response(quality, 10, 30) == ghosts
    assert metrics.cut_response(quality, 27, 30) is None


@settings(max_examples=25, deadline=None)
@given(st.floats(-0.2, 1.0))
def test_the_share_of_a_ghost_is_found(share: float) -> None:
    old, new = smooth_scene(24, 24, 1), smooth_scene(24, 24, 2)
    assert metrics.ghost_share(new + share * (old - new), new, old) == pytest.approx(share, abs=1e-9)
    assert metrics.ghost_share(new, new, new) == 0


def test_scenes_lie_between_cuts() -> None:
    assert metrics.scenes(10, (4,)) == [slice(0, 4), slice(4, 10)]
    assert metrics.scenes(10, (4,), settle=3) == [slice(3, 4), slice(7, 10)]
    assert metrics.scenes(10, (4,), settle=3, shortest=2) == [slice(7, 10)]
    assert metrics.scenes(5, ()) == [slice(0, 5)]
    with pytest.raises(ValueError, match="cuts"):
        metrics.scenes(10, (0, 4))


# --- brightness against the truth ---------------------------------------------------------------------------------


def test_mabd_and_ab_var_by_hand() -> None:
    target = np.stack([np.full((2, 2), level) for level in (0.5, 0.5, 0.6)])
    output = np.stack([np.full((2, 2), level) for level in (0.4, 0.5, 0.5)])
    np.testing.assert_allclose(metrics.brightness_changes(target), [0, 0.1])
    assert metrics.mabd_error(output, target) == pytest.approx((0.1**2 + 0.1**2) / 2)
    assert metrics.ab_var(output, target) == pytest.approx(np.var([-0.1, 0, -0.1]))
    assert metrics.mabd_error(target, target) == metrics.ab_var(target, target) == 0
    assert metrics.ab_var(output[:2] + 0.1, output[:2]) == pytest.approx(0, abs=1e-30)


def test_noise_raises_mabd_though_the_mean_stays() -> None:
    target = np.full((8, 16, 16), 0.5)
    noise = RNG(8).normal(0, 0.05, target.shape)
    noise -= noise.mean(axis=(1, 2), keepdims=True)
    assert metrics.mabd_error(target + noise, target) == pytest.approx((0.1 / np.sqrt(np.pi)) ** 2, rel=0.1)
    assert metrics.ab_var(target + noise, target) == pytest.approx(0, abs=1e-20)


# --- masks --------------------------------------------------------------------------------------------------------


def square(top: int, left: int, side: int = 10, size: tuple[int, int] = (60, 80)) -> np.ndarray:
    mask = np.zeros(size, bool)
    mask[top : top + side, left : left + side] = True
    return mask


def test_j_of_shifted_squares_by_hand() -> None:
    assert metrics.jaccard(square(20, 20), square(20, 20)) == 1
    assert metrics.jaccard(square(20, 20), square(20, 25)) == pytest.approx(50 / 150)
    assert metrics.jaccard(square(20, 20), square(40, 60)) == 0
    assert metrics.jaccard(square(0, 0, 0), square(0, 0, 0)) == 1


def test_f_of_shifted_squares_by_hand() -> None:
    """The outline of a 10x10 square has 36 pixels. Shifted by 3 to the right, with a tolerance of one pixel, those of
    the left side's inner 8 rows are lost, and of the top and bottom the first two columns: of 36 remain those whose
    neighbour within one pixel is outline of the other."""
    first, second = square(20, 20), square(20, 23)
    assert metrics.boundary_f(first, first, 1) == 1
    near = [
        (y, x)
        for y, x in np.argwhere(first)
        if (y in (20, 29) or x in (20, 29))
        and any(
            second[v, u] and (v in (20, 29) or u in (23, 32))
            for v, u in ((y, x), (y - 1, x), (y + 1, x), (y, x - 1), (y, x + 1))
        )
    ]
    assert metrics.boundary_f(first, second, 1) == pytest.approx(len(near) / 36)
    assert metrics.boundary_f(first, second, 3) == 1
    assert metrics.boundary_f(first, square(20, 50), 1) == 0
    assert metrics.boundary_f(first, square(0, 0, 0), 1) == 0
    assert metrics.boundary_f(square(0, 0, 0), square(0, 0, 0), 1) == 1


def test_the_tolerance_of_outlines_is_a_share_of_the_diagonal() -> None:
    """60 x 80 has a diagonal of 100: 0.8 pixels, rounded up to one."""
    assert metrics.boundary_f(square(20, 20), square(20, 21)) == 1
    assert metrics.boundary_f(square(20, 20), square(20, 22)) < 1


def test_identities_are_kept_over_the_clip_or_cost() -> None:
    true = np.stack([square(5, 5).astype(int) + 2 * square(30, 40)] * 4)
    named = np.where(true == 1, 7, np.where(true == 2, 3, 0))
    assert metrics.matched(named, true) == {1: 7, 2: 3}
    scores = metrics.region_scores(named, true)
    assert (scores.j, scores.f, scores.j_and_f, scores.objects) == (1, 1, 1, 2)
    swapped = named.copy()
    swapped[2:] = np.where(named[2:] == 7, 3, np.where(named[2:] == 3, 7, 0))
    assert metrics.region_scores(swapped, true).j == pytest.approx(0.5)
    missing = np.where(named == 3, 0, named)
    assert metrics.region_scores(missing, true).j == pytest.approx(0.5)
    assert metrics.region_scores(named, true * 0) is None


def test_objects_count_only_where_they_are_shown() -> None:
    true = np.zeros((4, 60, 80), int)
    true[2:] = square(5, 5)
    found = np.stack([square(20, 20).astype(int)] * 4)
    found[2:] = square(5, 5)
    assert metrics.region_scores(found, true).j == 1


# --- fidelity -----------------------------------------------------------------------------------------------------


def test_psnr_by_hand() -> None:
    want = np.full((16, 16, 3), 100, np.uint8)
    assert metrics.psnr(want + np.uint8(16), want) == pytest.approx(20 * np.log10(255 / 16))
    assert metrics.psnr(want, want) == np.inf


def test_ssim_is_the_one_of_training() -> None:
    torch = pytest.importorskip("torch")
    from training.metrics import ssim_gaussian

    want = np.clip(np.repeat(smooth_scene(40, 50)[..., None], 3, 2), 0, 255).astype(np.uint8)
    got = np.clip(want + RNG(9).normal(0, 12, want.shape), 0, 255).astype(np.uint8)
    pictures = (torch.from_numpy(picture.transpose(2, 0, 1).copy())[None].double() for picture in (got, want))
    assert metrics.ssim(got, want) == pytest.approx(ssim_gaussian(*pictures).item(), abs=1e-5)
    assert metrics.ssim(want, want) == pytest.approx(1)
    with pytest.raises(ValueError, match="11 pixels"):
        metrics.ssim(want[:10], want[:10])
