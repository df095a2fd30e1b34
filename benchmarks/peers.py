"""What else one could do with a dark clip, written as one would write it: PyAV around OpenCV, PyAV around a network.

Same decoder, same encoder and settings as the product. The loops are plain, one frame after the other; decoder and
encoder use their own threads. Peers that are a command line stand in ``throughput``.
"""

from __future__ import annotations

from collections.abc import Callable
from fractions import Fraction
from itertools import islice
from pathlib import Path
from typing import Any

import av
import numpy as np
from numpy.typing import NDArray

Peer = Callable[[Path, Path, int | None], int]
Picture = NDArray[np.uint8]
ENCODER_OPTIONS = {"crf": "21", "preset": "veryfast"}
"""Of libx264, in every row: the product's defaults."""


def _transcode(clip: Path, out: Path, frames: int | None, change: Callable[[av.VideoFrame], av.VideoFrame]) -> int:
    """Decodes, changes and encodes up to ``frames`` frames; how many there were."""
    count = 0
    with av.open(str(clip)) as source, av.open(str(out), "w") as sink:
        stream = source.streams.video[0]
        stream.thread_type = "AUTO"
        video = sink.add_stream("libx264", rate=stream.average_rate or Fraction(25), options=dict(ENCODER_OPTIONS))
        video.width, video.height, video.pix_fmt = stream.width, stream.height, "yuv420p"
        for frame in islice(source.decode(stream), frames):
            made = change(frame)
            made.pts, made.time_base = frame.pts, frame.time_base
            sink.mux(video.encode(made))
            count += 1
        sink.mux(video.encode(None))
    return count


def clahe(bundle: str) -> Peer:
    """Contrast-limited adaptive histogram equalisation (clip 3, 8x8 tiles) of the luma plane, no RGB: its best case."""
    import cv2

    operator = cv2.createCLAHE(clipLimit=3.0, tileGridSize=(8, 8))

    def change(frame: av.VideoFrame) -> av.VideoFrame:
        planes: Picture = np.asarray(frame.to_ndarray(), np.uint8)
        planes[: frame.height] = operator.apply(planes[: frame.height])
        return av.VideoFrame.from_ndarray(planes, format="yuv420p")

    return lambda clip, out, frames: _transcode(clip, out, frames, change)


def clahe_rgb(bundle: str) -> Peer:
    """The same as tutorials have it: BGR, to Lab, CLAHE on L, and back."""
    import cv2

    operator = cv2.createCLAHE(clipLimit=3.0, tileGridSize=(8, 8))

    def change(frame: av.VideoFrame) -> av.VideoFrame:
        lab = cv2.cvtColor(frame.to_ndarray(format="bgr24"), cv2.COLOR_BGR2LAB)
        lab[..., 0] = operator.apply(lab[..., 0])
        picture: Any = cv2.cvtColor(lab, cv2.COLOR_LAB2BGR)
        return av.VideoFrame.from_ndarray(picture, format="bgr24").reformat(format="yuv420p")

    return lambda clip, out, frames: _transcode(clip, out, frames, change)


def network_at_full_size(bundle: str) -> Peer:
    """A network of kind ``picture`` on every full-size frame, in ONNX Runtime with all cores."""
    import onnxruntime as ort

    from engines.bundle import load_bundle

    session = ort.InferenceSession(load_bundle(bundle).model, providers=["CPUExecutionProvider"])
    name = session.get_inputs()[0].name

    def change(frame: av.VideoFrame) -> av.VideoFrame:
        rgb = frame.to_ndarray(format="rgb24")
        given = np.ascontiguousarray(rgb.transpose(2, 0, 1)[None], np.float32) / np.float32(255)
        result: Any = session.run(None, {name: given})[0]
        picture = (np.clip(result[0], 0, 1) * 255 + 0.5).astype(np.uint8).transpose(1, 2, 0)
        made = av.VideoFrame.from_ndarray(np.ascontiguousarray(picture), format="rgb24")
        return made.reformat(format="yuv420p", dst_colorspace="ITU709")

    return lambda clip, out, frames: _transcode(clip, out, frames, change)


PEERS: dict[str, Callable[[str], Peer]] = {
    "clahe": clahe,
    "clahe-rgb": clahe_rgb,
    "network-full-size": network_at_full_size,
}
