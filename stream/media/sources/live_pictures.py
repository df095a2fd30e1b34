"""Decoded pictures of a live source -> frames: converted and deinterlaced where needed, each as it is now.

Where size, format or colours change on the way, everything that depends on them is built anew; nothing is scaled.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from fractions import Fraction

import av

from engines.colour import Colour
from stream.errors import HdrNotSupported
from stream.media.captions import CaptionSearch
from stream.media.colour import TRANSFER_PQ, ColourTags, colour_of, tags_of
from stream.media.convert import Converter, describe
from stream.media.deinterlace import Deinterlacer
from stream.media.frame import Frame
from stream.media.notes import Notes
from stream.media.pictures import planes_of
from stream.media.rotation import display_matrix
from stream.media.source import VideoInfo
from stream.media.sources.connection import NO_PTS

_CAPTION_SEARCH = 4
"""Pictures that are looked at for closed captions: few, as PyAV keeps each until the garbage collector comes by."""
_MOST_ARRIVALS = 128

_Kind = tuple[int, int, str, ColourTags]


class LivePictures:
    """For one video stream of one connection; ``video`` is None until the first picture."""

    def __init__(
        self,
        shown: str,
        codec: str,
        time_base: Fraction,
        rate: Fraction | None,
        sample_aspect_ratio: Fraction | None,
        notes: Notes,
    ) -> None:
        self._shown, self._codec, self._notes = shown, codec, notes
        self._time_base, self._rate, self._aspect = time_base, rate, sample_aspect_ratio
        self.video: VideoInfo | None = None
        self._kind: _Kind | None = None
        self._colour = Colour()
        self._converter: Converter | None = None
        self._deinterlacer: Deinterlacer | None = None
        self._arrivals: dict[int, float] = {}
        self._arrived = time.monotonic()
        self._seq = 0
        self._rides_captions = CaptionSearch(_CAPTION_SEARCH)

    def announce(self, rate: Fraction | None, sample_aspect_ratio: Fraction | None) -> None:
        """What the source says now about its rate and the shape of its pixels; the next picture is described anew."""
        self._rate, self._aspect, self._kind = rate, sample_aspect_ratio, None

    def arrived(self, pts: int | None, at: float) -> None:
        """A packet came in; its picture may come out later than those of packets after it."""
        self._arrived = at
        if pts is not None:
            if len(self._arrivals) >= _MOST_ARRIVALS:
                del self._arrivals[next(iter(self._arrivals))]
            self._arrivals[pts] = at

    def take(self, picture: av.VideoFrame) -> Iterator[Frame]:
        """The frames that are ready once this picture is there. Raises HdrNotSupported."""
        picture.time_base = self._time_base
        if picture.pts is None:
            picture.pts = picture.dts
        kind = (picture.width, picture.height, picture.format.name, tags_of(picture))
        if kind != self._kind:
            self._begin(picture, kind)
        if picture.interlaced_frame and self._deinterlacer is None and picture.pts is not None:
            self._deinterlacer = Deinterlacer(picture)
            self._notes.say("interlaced video: deinterlaced with bwdif, one picture for each frame")
        ready = self._deinterlacer.feed(picture) if self._deinterlacer else (picture,)
        for finished in ready:
            yield self._frame(finished)

    def _begin(self, first: av.VideoFrame, kind: _Kind) -> None:
        tags = kind[3]
        if tags.is_hdr:
            transfer = "PQ" if tags.transfer == TRANSFER_PQ else "HLG"
            raise HdrNotSupported(
                f"{self._shown} is HDR video ({transfer}), and enhancing is made for standard dynamic range",
                do="Switch HDR off in the camera, or tone-map the stream to BT.709 first",
            )
        self._kind = kind
        self._deinterlacer = None
        converter = Converter(tags, first.width, first.height, jfif=self._codec == "mjpeg")
        self._converter = converter if converter.wants(first) else None
        if self._converter is not None:
            tags = converter.output_tags(first)
            self._notes.say(f"converted from {describe(first)} to 8-bit yuv420p")
        self._colour, assumption = colour_of(tags, first.format.name, first.height)
        if assumption:
            self._notes.say(assumption)
        matrix, rotation = display_matrix(first)
        if matrix is not None:
            self._notes.say(f"players turn this video by {rotation} degrees; live outputs show it as it is stored")
        self.video = VideoInfo(
            width=first.width,
            height=first.height,
            pixel_format=first.format.name,
            frame_format="yuv420p" if self._converter else first.format.name,
            codec=self._codec,
            time_base=self._time_base,
            average_rate=self._rate,
            duration=None,
            frames=None,
            colour_tags=tags,
            sample_aspect_ratio=self._aspect,
            rotation=rotation,
            display_matrix=matrix,
        )

    def _frame(self, picture: av.VideoFrame) -> Frame:
        if self._converter is not None:
            picture = self._converter.convert(picture)
        pts = NO_PTS if picture.pts is None else picture.pts
        frame = Frame(
            picture=picture,
            planes=planes_of(picture, self._colour),
            pts=pts,
            time_base=self._time_base,
            seq=self._seq,
            captured_at=self._arrivals.pop(pts, self._arrived),
            duration=picture.duration or 0,
            key_frame=picture.key_frame,
            captions=self._rides_captions(picture),
            sample_aspect_ratio=self._aspect,
        )
        self._seq += 1
        return frame
