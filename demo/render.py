"""Renders the bundled demo clip: ``python -m demo.render [OUT] [--width 1280] [--seconds 8]``.

H.264 and AAC in MP4, dark on purpose. The clip is dedicated to the public domain (CC0 1.0): nothing in it was filmed,
sampled or downloaded.
"""

from __future__ import annotations

import argparse
from fractions import Fraction
from pathlib import Path

import av
import numpy as np

from demo.audio import RATE, ambience
from demo.camera import Bytes, NightCamera
from demo.scene import DURATION, NightScene

FPS = 25
DEFAULT = Path(__file__).with_name("night-street.mp4")


def to_frame(planes: tuple[Bytes, Bytes, Bytes]) -> av.VideoFrame:
    """A yuv420p frame with limited BT.709 tags from even-sized planes."""
    y, u, v = planes
    stacked = np.concatenate([p.reshape(-1) for p in (y, u, v)]).reshape(-1, y.shape[1])
    frame = av.VideoFrame.from_ndarray(stacked, format="yuv420p")
    frame.colorspace, frame.color_range = 1, 1
    frame.color_primaries, frame.color_trc = 1, 1
    return frame


def render(path: Path, width: int = 1280, seconds: float = DURATION, crf: int = 23, progress: bool = False) -> None:
    """Writes the clip, 16:9. The same pictures on every machine, the file as its x264 makes it."""
    height = round(width * 9 / 16 / 2) * 2
    scene, camera = NightScene(width, height), NightCamera(width, height)
    with av.open(str(path), "w", options={"movflags": "+faststart"}) as container:
        container.metadata.update(
            {"title": "Night street", "comment": "Computer generated, CC0 1.0", "copyright": "CC0 1.0"}
        )
        options = {
            "crf": str(crf),
            "preset": "slow",
            "threads": "2",
            "x264-params": "colorprim=bt709:transfer=bt709:colormatrix=bt709",
        }
        video = container.add_stream("libx264", rate=FPS, options=options)
        video.width, video.height, video.pix_fmt = width, height, "yuv420p"
        video.codec_context.time_base = Fraction(1, FPS)
        audio = container.add_stream("aac", rate=RATE, layout="mono")
        audio.bit_rate = 48_000
        sound = av.AudioFrame.from_ndarray(ambience(seconds)[None], format="fltp", layout="mono")
        sound.sample_rate, sound.pts, sound.time_base = RATE, 0, Fraction(1, RATE)
        container.mux(audio.encode(sound))
        for index in range(round(seconds * FPS)):
            frame = to_frame(camera.planes(scene.light(index / FPS), index))
            frame.pts, frame.time_base = index, Fraction(1, FPS)
            container.mux(video.encode(frame))
            if progress and index % FPS == 0:
                print(f"{index / FPS:4.0f} s of {seconds:.0f} s", flush=True)
        container.mux(video.encode(None))
        container.mux(audio.encode(None))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n", 1)[0])
    parser.add_argument("out", nargs="?", type=Path, default=DEFAULT)
    parser.add_argument("--width", type=int, default=1280)
    parser.add_argument("--seconds", type=float, default=DURATION)
    parser.add_argument("--crf", type=int, default=23)
    arguments = parser.parse_args()
    render(arguments.out, arguments.width, arguments.seconds, arguments.crf, progress=True)
    print(f"{arguments.out}: {arguments.out.stat().st_size / 1e6:.2f} MB")


if __name__ == "__main__":
    main()
