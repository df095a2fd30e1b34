"""Pictures of any size through real ONNX networks: whole, in tiles, padded, of one size only, with further inputs."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from onnx import helper
from tiny_pictures import (
    DEPTH,
    EMBEDDING,
    REGIONS,
    box,
    broken,
    gamma,
    global_mean,
    identity,
    painted,
    write_picture_bundle,
)

from engines.colour import Colour
from engines.curve.grid import Floats
from engines.errors import ModelError, NotFiniteError
from engines.picture_network import PictureNetwork
from engines.planes import Planes
from engines.thumbnail import sample
from engines.tone_model import ToneModel


def noise(height: int, width: int) -> Floats:
    return np.random.default_rng(height * width).random((3, height, width), dtype=np.float32)


@pytest.mark.parametrize("tile", [0, 64, 200])
@pytest.mark.parametrize("shape", [(1, 1), (63, 65), (150, 331), (301, 90)])
def test_the_identity_gives_every_pixel_back(tmp_path: Path, shape: tuple[int, int], tile: int) -> None:
    rgb = noise(*shape)
    before = rgb.copy()
    np.testing.assert_allclose(PictureNetwork(identity(tmp_path / "same"), tile=tile)(rgb), rgb, atol=1e-6)
    np.testing.assert_array_equal(rgb, before)


@pytest.mark.parametrize(("radius", "tile"), [(1, 64), (1, 150), (8, 150), (8, 256)])
def test_a_local_network_gives_in_tiles_what_it_gives_whole(tmp_path: Path, radius: int, tile: int) -> None:
    """A quarter of the overlap, 8 pixels, is how far it may look."""
    rgb, bundle = noise(203, 411), box(tmp_path / "box", radius)
    np.testing.assert_allclose(PictureNetwork(bundle, tile=tile)(rgb), PictureNetwork(bundle)(rgb), atol=2e-6)


def test_a_network_that_looks_further_differs_only_near_the_seams(tmp_path: Path) -> None:
    rgb, bundle = noise(100, 400), box(tmp_path / "box", 20)
    difference = np.abs(PictureNetwork(bundle, tile=256)(rgb) - PictureNetwork(bundle)(rgb)).max(axis=(0, 1))
    assert difference.max() > 1e-3
    assert difference[:170].max() < 1e-6
    assert difference[240:].max() < 1e-6


def test_a_network_that_looks_at_all_hands_over_smoothly(tmp_path: Path) -> None:
    """Left half dark, right half bright: two tiles, two means, one ramp without a step."""
    rgb = np.zeros((3, 80, 400), np.float32)
    rgb[:, :, 200:] = 0.8
    bundle = global_mean(tmp_path / "mean")
    np.testing.assert_allclose(PictureNetwork(bundle, tile=0)(rgb), 0.4, atol=1e-4)
    tiled = PictureNetwork(bundle, tile=256)(rgb)[0, 40]
    assert tiled[0] < 0.1
    assert tiled[-1] > 0.7
    steps = np.diff(tiled)
    assert steps.min() > -1e-6
    assert steps.max() < 0.1 * (tiled[-1] - tiled[0])


def test_tiles_bound_what_the_network_gets(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    network, seen = PictureNetwork(identity(tmp_path / "same"), tile=128), []
    infer = network._engine.infer
    monkeypatch.setattr(network._engine, "infer", lambda arrays: seen.append(arrays["image"].shape) or infer(arrays))
    network(noise(300, 500))
    assert len(seen) == 3 * 6
    assert len(set(seen)) == 1
    assert max(seen[0][2:]) <= 128


@pytest.mark.parametrize("tile", [0, 100])
def test_multiples_that_a_model_declares_are_padded_for(tmp_path: Path, tile: int) -> None:
    """The network really needs them: it averages blocks of 4x4, which would lose odd rows, and shift them in tiles."""
    pool = helper.make_node("AveragePool", ["image"], ["half"], kernel_shape=[4, 4], strides=[4, 4])
    scales = {"scales": np.array([1, 1, 4, 4], np.float32)}
    double = helper.make_node("Resize", ["half", "", "scales"], ["enhanced"], mode="nearest")
    bundle = write_picture_bundle(tmp_path / "pool", [pool, double], scales, sides=("4*rows", "4*columns"))
    rgb = np.repeat(np.repeat(noise(33, 53), 4, axis=1), 4, axis=2)[:, :130, :211]
    np.testing.assert_allclose(PictureNetwork(bundle, tile=tile)(rgb)[:, :128, :208], rgb[:, :128, :208], atol=1e-5)


@pytest.mark.parametrize("shape", [(40, 50), (96, 128), (97, 300), (400, 60)])
def test_a_model_of_one_size_sees_pictures_of_every_size(tmp_path: Path, shape: tuple[int, int]) -> None:
    rgb = noise(*shape)
    network = PictureNetwork(gamma(tmp_path / "fixed", sides=(96, 128)), tile=64)
    np.testing.assert_allclose(network(rgb), np.sqrt(rgb), atol=1e-5)


def test_results_are_clipped_and_must_be_numbers_and_of_the_same_size(tmp_path: Path) -> None:
    double = helper.make_node("Add", ["image", "image"], ["enhanced"])
    assert PictureNetwork(write_picture_bundle(tmp_path / "double", [double]))(noise(20, 20)).max() == 1
    network = PictureNetwork(broken(tmp_path / "nan"), tile=64)
    rgb = 0.9 * noise(100, 130)
    np.testing.assert_allclose(network(rgb), rgb, atol=1e-5)
    rgb[1, 70, 100] = 0.95
    with pytest.raises(NotFiniteError, match="NaN or infinity"):
        network(rgb)
    pool = helper.make_node("AveragePool", ["image"], ["enhanced"], kernel_shape=[2, 2], strides=[2, 2])
    with pytest.raises(ModelError, match=r"gave \[1, 3, 10, 10\] where \[1, 3, 20, 20\]"):
        PictureNetwork(write_picture_bundle(tmp_path / "half", [pool]))(noise(20, 20))


@pytest.mark.parametrize("extra", [EMBEDDING, REGIONS, DEPTH])
def test_inputs_that_nobody_gives_are_zeros(tmp_path: Path, extra: dict[str, tuple[int | str, ...]]) -> None:
    network, rgb = PictureNetwork(painted(tmp_path / "painted", extra)), 0.5 * noise(40, 60)
    assert network.extra_inputs == tuple(extra)
    np.testing.assert_allclose(network(rgb), rgb, atol=1e-6)
    (name,) = extra
    np.testing.assert_allclose(network(rgb, {}), rgb, atol=1e-6)
    given = np.full((1, extra[name][1], 3, 5), 0.25, np.float32)
    np.testing.assert_allclose(network(rgb, {name: given}), rgb + 0.25, atol=1e-6)


@pytest.mark.parametrize("extra", [EMBEDDING, REGIONS, DEPTH])
def test_every_tile_gets_its_own_part_of_a_map(tmp_path: Path, extra: dict[str, tuple[int | str, ...]]) -> None:
    (name,) = extra
    bundle, rgb = painted(tmp_path / "painted", extra), np.zeros((3, 180, 320), np.float32)
    cells = np.zeros((1, extra[name][1], 18, 32), np.float32)
    cells[:, :3] = (np.linspace(0, 0.4, 18)[:, None] + np.linspace(0, 0.6, 32)).astype(np.float32)
    whole = PictureNetwork(bundle)(rgb, {name: cells})
    tiled = PictureNetwork(bundle, tile=96)(rgb, {name: cells})
    assert np.abs(tiled - whole).max() < 0.045  # a cell of the ramp is 0.024 and 0.019
    assert np.abs(tiled - whole).mean() < 0.01


def test_a_map_of_one_size_only_is_sampled_to_it(tmp_path: Path) -> None:
    bundle = painted(tmp_path / "painted", {"regions": (1, 4, 8, 8)})
    cells = np.zeros((1, 4, 16, 24), np.float32)
    cells[:, :, :, 12:] = 0.5
    drawn = PictureNetwork(bundle)(np.zeros((3, 64, 64), np.float32), {"regions": cells})
    assert (drawn[:, :, :32] == 0).all()
    assert (drawn[:, :, 32:] == 0.5).all()


def test_inputs_that_do_not_fit_are_refused(tmp_path: Path) -> None:
    network, rgb = PictureNetwork(painted(tmp_path / "painted", EMBEDDING)), noise(20, 20)
    with pytest.raises(ModelError, match="takes embedding extra input, not regions"):
        network(rgb, {"regions": np.zeros((1, 4, 8, 8), np.float32)})
    with pytest.raises(ModelError, match=r"float32 \[1, 256, rows, columns\], not float32 \[1, 3, 8, 8\]"):
        network(rgb, {"embedding": np.zeros((1, 3, 8, 8), np.float32)})
    with pytest.raises(ModelError, match="not float64"):
        network(rgb, {"embedding": np.zeros((1, 256, 8, 8))})
    with pytest.raises(ModelError, match="takes no extra input, not embedding"):
        PictureNetwork(identity(tmp_path / "same"))(rgb, {"embedding": np.zeros((1, 256, 8, 8), np.float32)})
    with pytest.raises(ModelError, match="takes image, flow; known are one picture and embedding, regions, depth"):
        PictureNetwork(painted(tmp_path / "other", {"flow": (1, 4, "a", "b")}))


def test_tone_models_take_them_too(tmp_path: Path) -> None:
    model = ToneModel(painted(tmp_path / "painted", EMBEDDING))
    luma, chroma = np.full((90, 160), 60, np.uint8), np.full((45, 80), 128, np.uint8)
    thumbnail = sample(Planes(luma, chroma, chroma, Colour(full_range=True)))
    assert model.extra_inputs == ("embedding",)
    assert model(thumbnail).is_identity
    grid = model(thumbnail, {"embedding": np.full((1, 256, 9, 16), 0.25, np.float32)})
    y = 60 / 255
    a, s, b = np.moveaxis(grid.coefficients[..., :3], -1, 0)
    np.testing.assert_allclose(a * y + s * np.sqrt(y) + b, y + 0.25, atol=1e-3)
