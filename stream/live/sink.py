"""Where a live stream goes: encoded once, handed to every output, and never held up by any of them."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Sequence

from av.stream import Stream

from stream.errors import SecretMissing, WrongOutputs
from stream.live.encoding import LiveEncoder
from stream.live.outputs.open import open_output, place_of
from stream.live.outputs.output import Output, OutputEvent
from stream.live.outputs.packets import AudioTrack, EncodedPicture, audio_packet, audio_track
from stream.live.sink_settings import LiveSinkSettings
from stream.media.frame import Frame, Packet
from stream.redaction import redact

__all__ = ["LiveSink", "LiveSinkSettings"]

_CLOSE_S = 1.5


class LiveSink:
    """A ``Sink`` with one or more outputs. ``write`` takes as long as encoding does, whatever the outputs do."""

    def __init__(
        self,
        uris: Sequence[str],
        settings: LiveSinkSettings | None = None,
        events: Callable[[OutputEvent], None] | None = None,
        *,
        open_one: Callable[[str, LiveSinkSettings], Output] = open_output,
    ) -> None:
        """``events`` is called from the outputs' threads. ``open_one`` opens an output.

        Raises the errors of ``stream.errors`` for everything that can be known beforehand.
        """
        self._settings = settings or LiveSinkSettings()
        self.frames = 0
        # First, and whatever the outputs are: what is wrong with the encoder would look as if they could not hold it.
        encoder = LiveEncoder(
            self._settings.encoder, bitrate=self._settings.bitrate, key_every_s=self._settings.key_every_s
        )
        self._tracks: dict[int, tuple[Stream, AudioTrack | None]] = {}
        self._ended = False
        _check_distinct(uris, self._settings)
        self.outputs: list[Output] = [open_one(uri, self._settings) for uri in uris]
        _number(self.outputs)
        self.uri = ", ".join(output.uri for output in self.outputs)
        self._encoder = None if all(output.takes_frames for output in self.outputs) else encoder
        for output in self.outputs:
            output.start(self.request_key_frame, events or _ignore)

    @property
    def notes(self) -> list[str]:
        """What could not be kept; complete after ``close``."""
        of_encoder = list(self._encoder.notes) if self._encoder is not None else []
        return of_encoder + [f"{output.uri}: {note}" for output in self.outputs for note in output.notes]

    def request_key_frame(self) -> None:
        """The next frame becomes a key frame. From any thread."""
        if self._encoder is not None:
            self._encoder.request_key_frame()

    def write(self, frame: Frame) -> None:
        """Encodes one frame and hands it to every output. Raises EncoderUnavailable."""
        for output in self.outputs:
            if output.takes_frames:
                output.write_frame(frame)
        if self._encoder is not None:
            self._hand_out(self._encoder.encode(frame))
        self.frames += 1

    def write_packet(self, packet: Packet) -> None:
        """Hands a packet of audio to every output; other kinds are passed over."""
        if self._ended:
            return
        track = self._track(packet)
        copied = audio_packet(packet, track) if track is not None else None
        if copied is not None:
            for output in self.outputs:
                output.write_audio(copied)

    def _track(self, packet: Packet) -> AudioTrack | None:
        """The track of a packet; after a reconnect the same one, if nothing about it has changed."""
        stream = packet.stream
        known = next((track for seen, track in self._tracks.values() if seen is stream), None)
        if known is not None:
            return known
        new, old = audio_track(packet), self._tracks.get(stream.index, (None, None))[1]
        if new is not None and old is not None and new.about == old.about:
            new = old
        self._tracks[stream.index] = stream, new
        return new

    def close(self, timeout_s: float = _CLOSE_S) -> None:
        """Writes out what waits and finalises, all outputs side by side; what is not done in time is abandoned."""
        until = time.monotonic() + timeout_s
        if not self._ended and self._encoder is not None:
            self._hand_out(self._encoder.drain())
        self._end(until)

    def abort(self) -> None:
        """Ends without what the encoder holds. Recordings stay: what was written so far is playable."""
        self._end(time.monotonic() + _CLOSE_S)

    def _hand_out(self, pictures: list[EncodedPicture]) -> None:
        for picture in pictures:
            for output in self.outputs:
                if not output.takes_frames:
                    output.write_picture(picture)

    def _end(self, until: float) -> None:
        if self._ended:
            return
        self._ended = True
        for output in self.outputs:
            output.finish()
        for output in sorted(self.outputs, key=lambda output: output.connects):  # files first, whatever hangs
            if not output.join(until - time.monotonic()):
                output.give_up()


def _check_distinct(uris: Sequence[str], settings: LiveSinkSettings) -> None:
    """Raises WrongOutputs where two outputs are the same place, in which they would destroy each other's work."""
    seen: set[str] = set()
    for uri in uris:
        try:
            place = place_of(uri, settings)
        except SecretMissing:
            continue  # told where it is opened
        if place and place in seen:
            raise WrongOutputs(f"{redact(uri)} is given twice as an output", do="Give each place once")
        seen.add(place)


def _number(outputs: Sequence[Output]) -> None:
    """Outputs that look alike without their credentials get numbers: ``rtmp://host/*** #2``."""
    seen: Counter[str] = Counter()
    for output in outputs:
        shown = output.uri
        seen[shown] += 1
        if seen[shown] > 1:
            output.uri = f"{shown} #{seen[shown]}"


def _ignore(event: OutputEvent) -> None:
    """Nobody wants to know."""
