"""``python -m benchmarks.night OUT``: writes night clips, the truth about them, and a contact sheet of each.

For every clip: ``NAME.mp4`` (H.264, or lossless with ``--lossless``), ``NAME.npz`` (clean, flow as float16, visible,
masks, cuts) and ``NAME.png``; ``sheet.png`` shows all of them.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

import cv2
import numpy as np

from benchmarks.night.clip import NightClip
from benchmarks.night.encode import write_video
from benchmarks.night.generate import make_clip
from benchmarks.night.levels import LEVELS, RANDOM
from benchmarks.night.scenarios import SCENARIOS
from benchmarks.night.sheet import contact_sheet, stacked
from benchmarks.night.sources import STREET


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.night", description=__doc__)
    parser.add_argument("out", type=Path, help="folder to write into")
    parser.add_argument("--scenario", choices=SCENARIOS, nargs="+", default=list(SCENARIOS))
    parser.add_argument("--level", choices=[*LEVELS, RANDOM], default="mid")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--size", default="640x360", metavar="WxH")
    parser.add_argument("--frames", type=int, default=60)
    parser.add_argument("--source", default=STREET, help="photograph, folder of photographs, clip, street or texture")
    parser.add_argument("--crf", type=int, default=28)
    parser.add_argument("--lossless", action="store_true", help="do not compress the dark frames with loss")
    given = parser.parse_args(arguments)
    width, height = (int(side) for side in given.size.split("x"))
    given.out.mkdir(parents=True, exist_ok=True)
    sheets = []
    for scenario in given.scenario:
        clip = make_clip(
            scenario,
            given.level,
            given.seed,
            size=(width, height),
            frames=given.frames,
            source=given.source,
            crf=None if given.lossless else given.crf,
            folder=given.out,
        )
        sheets.append(_write(clip, given.out))
        print(f"{clip.name}: {len(clip)} frames", flush=True)
    _save(stacked(sheets), given.out / "sheet.png")
    return 0


def _write(clip: NightClip, folder: Path) -> np.ndarray[tuple[int, ...], np.dtype[np.uint8]]:
    """The files of one clip; its contact sheet."""
    if clip.encoded is None:
        write_video(clip.dark, folder / f"{clip.name}.mp4", clip.fps, None)
    np.savez_compressed(
        folder / f"{clip.name}.npz",
        clean=clip.clean,
        flow=clip.flow.astype(np.float16),
        visible=clip.visible,
        masks=clip.masks,
        cuts=np.array(clip.cuts, np.int64),
    )
    sheet = contact_sheet(clip)
    _save(sheet, folder / f"{clip.name}.png")
    return sheet


def _save(picture: np.ndarray[tuple[int, ...], np.dtype[np.uint8]], path: Path) -> None:
    cv2.imwrite(str(path), picture[..., ::-1])


if __name__ == "__main__":
    sys.exit(main())
