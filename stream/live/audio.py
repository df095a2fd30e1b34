"""Audio beside live video: packets on the output clock, on tracks that outlive the connection they came over."""

from __future__ import annotations

from av.audio.codeccontext import AudioCodecContext
from av.stream import Stream

from stream.live.timeline import Timeline
from stream.media.frame import Packet

_MOST_AHEAD_S = 10.0
"""Sound further from its video than this belongs to another time."""


class AudioTracks:
    """Places packets; ``streams`` are the templates that they carry, the same ones while codec and rate stay."""

    def __init__(self, timeline: Timeline) -> None:
        self._timeline = timeline
        self.streams: list[Stream] = []
        self._tracks: dict[object, Stream] = {}
        self._ends: dict[int, int] = {}

    def announce(self, streams: list[Stream]) -> None:
        """The streams of a new connection."""
        self.streams = [self._tracks.setdefault(_parameters(index, one), one) for index, one in enumerate(streams)]

    def place(self, packet: Packet, number: int) -> Packet | None:
        """The packet of the connection's stream ``number`` at its output time.

        None: it has no time, or lies before what its track has had already, as after a reconnect.
        """
        data, track = packet.data, self.streams[number]
        stamp = data.dts if data.dts is not None else data.pts
        if stamp is None or not self._timeline.known:
            return None
        at = self._timeline.shift(stamp, data.time_base)
        if at <= self._ends.get(id(track), -1) or abs(float(at * data.time_base) - self._timeline.now) > _MOST_AHEAD_S:
            return None
        self._ends[id(track)] = at
        data.pts = at + (data.pts - stamp if data.pts is not None else 0)
        data.dts = at
        return Packet(data, track)


def _parameters(index: int, stream: Stream) -> object:
    """What a decoder has to know: packets of equal parameters can follow each other on one track."""
    context = stream.codec_context
    shape: tuple[object, ...] = ()
    if isinstance(context, AudioCodecContext):
        shape = (context.sample_rate, context.layout.name, bytes(context.extradata or b""))
    return (index, context.name if context is not None else "", stream.time_base, shape)
