"""What a night camera does to a clean picture: noise, white balance, a matrix, few codes, and a real video encoder.

Noise is Poisson-Gaussian in linear light, with a read noise that follows the shot noise (the log-linear law of
"Unprocessing Images for Learned Raw Denoising", Brooks et al. 2019), after exposure and before white balance. Then the
picture becomes limited- or full-range 4:2:0 codes and passes through H.264 or JPEG, because surveillance video is
always compressed and a network that has not seen blocks amplifies them.
"""

from __future__ import annotations

import io
from typing import Literal, cast

import av
import numpy as np
from numpy.typing import NDArray
from PIL import Image

Floats = NDArray[np.float32]
Bytes = NDArray[np.uint8]
Matrix = Literal["bt601", "bt709"]

_CLIP_FRAMES = 3
_COLORSPACES = {"bt601": 5, "bt709": 1}


def to_linear(picture: Floats) -> Floats:
    """Display values to linear light with the plain power 2.2: cameras are not exactly sRGB either."""
    return cast(Floats, np.power(picture, np.float32(2.2)))


def to_display(light: Floats) -> Floats:
    """The inverse of ``to_linear``, clipped to 0..1."""
    return cast(Floats, np.power(np.clip(light, 0, 1), np.float32(1 / 2.2)))


def noise_levels(rng: np.random.Generator) -> tuple[float, float]:
    """Shot and read noise variances: shot log-uniform in 3e-5..1.5e-3, read by the law with its scatter."""
    shot = float(np.exp(rng.uniform(np.log(3e-5), np.log(1.5e-3))))
    read = float(np.exp(2.18 * np.log(shot) + 1.20 + rng.normal(0, 0.26)))
    return shot, read


def add_noise(light: Floats, shot: float, read: float, rng: np.random.Generator) -> Floats:
    """Signal-dependent Gaussian noise of variance shot*light + read."""
    sigma = np.sqrt(np.float32(shot) * np.clip(light, 0, None) + np.float32(read))
    noisy: Floats = light + sigma * rng.standard_normal(light.shape, dtype=np.float32)
    return noisy


def through_h264(frames: list[Bytes], crf: int, matrix: Matrix, full_range: bool) -> Bytes:
    """Encode the frames [h, w, 3] (h, w even) with x264, decode, return the last one as RGB.

    Both conversions use the same matrix and range, so that what remains is the loss of 4:2:0, quantisation and coding.
    """
    height, width = frames[0].shape[:2]
    store = io.BytesIO()
    spaces = {"dst_colorspace": _COLORSPACES[matrix], "dst_color_range": 2 if full_range else 1}
    with av.open(store, "w", format="matroska") as container:
        stream = container.add_stream("libx264", rate=25, options={"crf": str(crf), "preset": "veryfast"})
        stream.width, stream.height = width, height
        stream.pix_fmt = "yuvj420p" if full_range else "yuv420p"
        for frame in frames:
            picture = av.VideoFrame.from_ndarray(np.ascontiguousarray(frame), format="rgb24")
            planes = picture.reformat(format=stream.pix_fmt, **spaces)
            container.mux(stream.encode(planes))
        container.mux(stream.encode(None))
    store.seek(0)
    with av.open(store, "r") as decoder:
        last = list(decoder.decode(video=0))[-1]
        rgb = last.reformat(format="rgb24", src_colorspace=_COLORSPACES[matrix], src_color_range=2 if full_range else 1)
        return cast(Bytes, rgb.to_ndarray())


def through_jpeg(picture: Bytes, quality: int) -> Bytes:
    """Encode as JPEG 4:2:0 and decode."""
    store = io.BytesIO()
    Image.fromarray(picture).save(store, "JPEG", quality=quality)
    return np.asarray(Image.open(store).convert("RGB"))


def degrade(picture: Bytes, rng: np.random.Generator) -> Bytes:
    """One random night-camera version of a dark RGB picture [h, w, 3] (h, w even), same size, 8 bits."""
    light = to_linear((picture / 255).astype(np.float32))
    light = light * np.float32(np.exp(rng.uniform(np.log(0.5), 0.0)))
    shot, read = noise_levels(rng)
    # The noise of linear light before the camera's gain: a darker picture keeps the same noise and loses signal.
    balance = np.exp(rng.uniform(-0.08, 0.08, 3)).astype(np.float32)
    video = rng.random() < 0.75
    views = [
        to_display(add_noise(light, shot * 0.2, read * 0.2, rng) * balance) for _ in range(_CLIP_FRAMES if video else 1)
    ]
    frames = [np.rint(view * 255).astype(np.uint8) for view in views]
    if not video:
        return through_jpeg(frames[0], int(rng.integers(35, 90)))
    matrix: Matrix = "bt601" if rng.random() < 0.5 else "bt709"
    return through_h264(frames, int(rng.integers(20, 34)), matrix, bool(rng.random() < 0.25))
