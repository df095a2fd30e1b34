"""Parameters of streams that outlive the container they were read from.

In PyAV a stream of a closed container points to freed memory: whoever hands packets on to other threads takes copies.
"""

from __future__ import annotations

import os
from collections.abc import Sequence

import av
from av.audio.stream import AudioStream
from av.container import OutputContainer
from av.stream import Stream


def detached(streams: Sequence[Stream]) -> list[Stream]:
    """A copy of each stream's parameters, in order, with indices from 0 on. Their containers must still be open.

    The copies serve as templates for muxers; they have the codec context, time base and metadata of the originals.
    """
    holder = av.open(os.devnull, "w", format="null")
    copies: list[Stream] = []
    for stream in streams:
        copy = holder.add_stream_from_template(stream, opaque=True)
        copy.metadata.update(stream.metadata)
        if stream.time_base is not None:
            copy.time_base = stream.time_base
        copies.append(copy)
    return copies


def detached_audio(stream: AudioStream, extradata: bytes | None = None) -> AudioStream:
    """``detached`` for one stream of audio; ``extradata`` where the stream itself has none."""
    (copy,) = detached([stream])
    assert isinstance(copy, AudioStream)
    if extradata is not None:
        copy.codec_context.extradata = extradata
        assert isinstance(copy.container, OutputContainer)
        copy.container.start_encoding()  # only now the parameters have it
    return copy
