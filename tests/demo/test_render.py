"""The demo clip is computed: the same light and noise every time, dark on purpose, alive, playable with its sound."""

from __future__ import annotations

from pathlib import Path

import av
import numpy as np
import pytest

from demo.camera import NightCamera, Sensor
from demo.render import DEFAULT, FPS, render
from demo.scene import DURATION, NightScene


@pytest.fixture(scope="module")
def scene() -> NightScene:
    return NightScene(160, 90)


def test_the_same_second_gives_the_same_planes(scene: NightScene) -> None:
    first = NightCamera(160, 90).planes(scene.light(2.0), 50)
    again = NightCamera(160, 90).planes(NightScene(160, 90).light(2.0), 50)
    assert all(np.array_equal(a, b) for a, b in zip(first, again, strict=True))


def test_another_seed_or_frame_gives_other_noise(scene: NightScene) -> None:
    light = scene.light(2.0)
    first = NightCamera(160, 90).planes(light.copy(), 50)[0]
    assert not np.array_equal(first, NightCamera(160, 90).planes(light.copy(), 51)[0])
    assert not np.array_equal(first, NightCamera(160, 90, Sensor(seed=8)).planes(light.copy(), 50)[0])


def test_the_noise_follows_the_law_of_the_sensor() -> None:
    sensor = Sensor(exposure=1.0, shot=1e-3, read=1e-2, gains=(1.0, 1.0, 1.0))
    camera = NightCamera(320, 180, sensor)
    for level in (0.1, 0.5):
        coded = camera.expose(np.full((180, 320, 3), level, np.float32), 0)
        linear = ((coded + 0.055) / 1.055) ** 2.4
        assert linear.std() == pytest.approx(np.sqrt(1e-3 * level + 1e-4), rel=0.05)


def test_people_and_the_car_move_and_the_headlights_light_the_road(scene: NightScene) -> None:
    early, late = scene.light(1.0), scene.light(5.0)
    changed = np.abs(late - early).mean(-1) > 0.02
    assert 0.01 < changed.mean() < 0.5
    assert late[60:].mean() > early[60:].mean()


def test_a_rendered_clip_has_picture_and_sound_in_step(tmp_path: Path) -> None:
    clip = tmp_path / "street.mp4"
    render(clip, width=160, seconds=0.4)
    with av.open(str(clip)) as container:
        video, audio = container.streams.video[0], container.streams.audio[0]
        assert (video.width, video.height) == (160, 90)
        assert [frame.pts * frame.time_base * FPS for frame in container.decode(video)] == list(range(10))
        assert float(audio.duration * audio.time_base) == pytest.approx(0.4, abs=0.05)


def test_the_bundled_clip_is_small_dark_and_complete() -> None:
    assert DEFAULT.stat().st_size <= 2_000_000
    with av.open(str(DEFAULT)) as container:
        assert container.streams.audio
        luma = [frame.to_ndarray()[: frame.height].mean() for frame in container.decode(video=0)]
    assert len(luma) == int(DURATION * FPS)
    assert 0.04 < (np.mean(luma) - 16) / 219 < 0.1
