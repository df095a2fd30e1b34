"""An RTSP server for tests and measurements: GStreamer's own, in a process that can be killed, frozen and restarted.

Run by the distribution's Python, which has the bindings:  /usr/bin/python3 tests/live/rtsp_server.py --port 8554

    /h264, /h265     a dark scene in motion, live; with --audio also AAC
    /auth            the same as /h264, only for --user and --password (basic, or digest with --digest)
    /file            the video of --file, H.264 in mp4, at its own pace
    /pub/ANY         what is published here (H.264 or H.265, with or without AAC) is relayed to all who read the path

A line of JSON on standard output tells each event: ready, published, gone, error. Commands on standard input:
``size WIDTH HEIGHT`` changes the live pictures in mid-stream; the end of the input ends the server.
"""

from __future__ import annotations

import argparse
import json
import sys
import threading
from collections.abc import Iterable

import gi

gi.require_version("Gst", "1.0")
gi.require_version("GstApp", "1.0")
gi.require_version("GstRtsp", "1.0")
gi.require_version("GstRtspServer", "1.0")
from gi.repository import GLib, Gst, GstApp, GstRtsp, GstRtspServer  # noqa: E402

Gst.init(None)

SOUND = "audiotestsrc is-live=true wave=ticks ! audioconvert ! avenc_aac bitrate=64000 ! aacparse"
AAC = f"{SOUND} ! rtpmp4gpay name=pay1 pt=97"
# The parser repeats the parameter sets once before each key picture; the payloader would, before each of its slices.
REPEATING = "h26{0}parse config-interval=-1 ! rtph26{0}pay"
READER = {
    "H264": f"appsrc name=src{{0}} is-live=true format=time ! {REPEATING.format(4)} name=pay{{0}} pt={{1}}",
    "H265": f"appsrc name=src{{0}} is-live=true format=time ! {REPEATING.format(5)} name=pay{{0}} pt={{1}}",
    "MPEG4-GENERIC": "appsrc name=src{0} is-live=true format=time ! rtpmp4gpay name=pay{0} pt={1}",
}
TAKER = "appsink name=sink{0} sync=false max-buffers=200 drop=false emit-signals=true"
PUBLISHED = {
    "H264": "rtph264depay name=depay{0} ! video/x-h264,stream-format=avc,alignment=au ! h264parse ! " + TAKER,
    "H265": "rtph265depay name=depay{0} ! video/x-h265,stream-format=hvc1,alignment=au ! h265parse ! " + TAKER,
    "MPEG4-GENERIC": "rtpmp4gdepay name=depay{0} ! aacparse ! " + TAKER,
}
OPEN_TO_ALL, KNOWN = "anonymous", "user"


def tell(event: str, **more: object) -> None:
    """One line of JSON on standard output."""
    print(json.dumps({"event": event, **more}), flush=True)


def live_launch(codec: str, given: argparse.Namespace) -> str:
    """The pipeline of a live mount."""
    size = f"video/x-raw,format=I420,width={given.width},height={given.height},framerate={given.fps}/1"
    encoder = {
        "h264": f"x264enc tune=zerolatency speed-preset=ultrafast key-int-max={given.key_every} bitrate={given.kbit}"
        f" ! video/x-h264,profile=main ! {REPEATING.format(4)} name=pay0 pt=96",
        "h265": f"x265enc tune=zerolatency speed-preset=ultrafast key-int-max={given.key_every} bitrate={given.kbit}"
        f" option-string=log-level=none:pools=1 ! {REPEATING.format(5)} name=pay0 pt=96",
    }[codec]
    scene = "videotestsrc is-live=true pattern=smpte horizontal-speed=2"
    dark = "videobalance contrast=0.15"
    return f"( {scene} ! capsfilter name=size caps={size} ! {dark} ! {encoder} {AAC if given.audio else ''} )"


class LiveFactory(GstRtspServer.RTSPMediaFactory):
    """A live mount whose picture size can change in mid-stream.

    Every reader has a pipeline of its own: a shared one refuses those who come while the last reader is just leaving.
    """

    def __init__(self, launch: str, *, live: bool = True) -> None:
        super().__init__()
        self.launch, self.is_live = launch, live
        self.pipelines: list[Gst.Element] = []
        self.set_latency(0)

    def do_create_element(self, url: GstRtsp.RTSPUrl) -> Gst.Element:
        return Gst.parse_launch(self.launch)

    def do_configure(self, media: GstRtspServer.RTSPMedia) -> None:
        GstRtspServer.RTSPMediaFactory.do_configure(self, media)
        pipeline = media.get_element()
        media.set_rate_control(not self.is_live)  # a camera sends at once, a file at the pace of its time stamps
        self.pipelines.append(pipeline)
        media.connect("unprepared", lambda _: self.pipelines.remove(pipeline))

    def resize(self, width: int, height: int) -> None:
        for pipeline in self.pipelines:
            size = pipeline.get_by_name("size")
            caps = size.get_property("caps").copy()
            caps.set_value("width", width)
            caps.set_value("height", height)
            size.set_property("caps", caps)


class Publication:
    """What one publisher sends, and who reads it."""

    def __init__(self, path: str, encodings: list[str]) -> None:
        self.path, self.encodings = path, encodings
        self.buffers = 0
        self._lock = threading.Lock()
        self._readers: list[Reader] = []

    def add(self, reader: Reader) -> None:
        with self._lock:
            self._readers.append(reader)

    def remove(self, reader: Reader) -> None:
        with self._lock:
            self._readers = [other for other in self._readers if other is not reader]

    def take(self, sink: GstApp.AppSink, index: int) -> Gst.FlowReturn:
        """Hand one access unit of stream ``index`` to all readers."""
        sample = sink.emit("pull-sample")
        if sample is None:
            return Gst.FlowReturn.EOS
        self.buffers += 1
        with self._lock:
            for reader in self._readers:
                reader.give(index, sample)
        return Gst.FlowReturn.OK

    def end(self) -> None:
        with self._lock:
            readers, self._readers = self._readers, []
        for reader in readers:
            reader.end()


class Reader:
    """The pipeline that sends a publication on: the same pictures, their time shifted to this pipeline's clock."""

    REBASE_NS = 500_000_000

    def __init__(self, pipeline: Gst.Element, streams: int) -> None:
        self._sources = [pipeline.get_by_name(f"src{index}") for index in range(streams)]
        self._shift: int | None = None

    def give(self, index: int, sample: Gst.Sample) -> None:
        source = self._sources[index]
        clock = source.get_clock()
        if clock is None:
            return
        now = clock.get_time() - source.get_base_time()
        buffer = sample.get_buffer()
        stamp = buffer.pts if buffer.pts != Gst.CLOCK_TIME_NONE else buffer.dts
        # Never later than now: a first picture that was late would delay all that follow.
        if self._shift is None or not now - self.REBASE_NS < stamp + self._shift <= now:
            self._shift = now - stamp
        copy = buffer.copy()
        copy.pts = copy.dts = max(0, stamp + self._shift)
        caps = source.get_property("caps")
        if caps is None or not caps.is_equal(sample.get_caps()):  # sizes change, and with them the parameter sets
            source.set_property("caps", sample.get_caps())
        source.emit("push-buffer", copy)

    def end(self) -> None:
        for source in self._sources:
            source.emit("end-of-stream")


def encodings_of(sdp: str) -> list[str]:
    """The RTP encodings of an SDP, one for each of its media, in order."""
    found: list[str] = []
    for part in sdp.split("\nm=")[1:]:
        maps = [line.split(" ", 1)[1] for line in part.splitlines() if line.startswith("a=rtpmap:")]
        found.append(maps[0].split("/")[0].upper() if maps else "")
    return found


class Relay:
    """All publications by path, and who of those that ask publishes."""

    def __init__(self) -> None:
        self.announced: dict[str, list[str]] = {}
        self.running: dict[str, Publication] = {}
        self._publishers: set[int] = set()
        self._publishing: dict[int, bool] = {}

    def note(self, context: GstRtspServer.RTSPContext) -> None:
        """Look at a request before anything else is done about it.

        A publisher is told from the readers of its path by ANNOUNCE, with which only publishers begin. Requests come
        in threads of GStreamer, one at a time in each.
        """
        client = hash(context.client)
        if context.method == GstRtsp.RTSPMethod.ANNOUNCE:
            self._publishers.add(client)
            self.announced[context.uri.abspath] = encodings_of(bytes(context.request.get_body()[1]).decode())
        elif context.method == GstRtsp.RTSPMethod.DESCRIBE:
            self._publishers.discard(client)
        self._publishing[threading.get_ident()] = client in self._publishers

    @property
    def publishing(self) -> bool:
        """Whether the request that this thread works at comes from a publisher."""
        return self._publishing.get(threading.get_ident(), False)

    def start(self, path: str) -> Publication:
        publication = Publication(path, self.announced[path])
        self.running[path] = publication
        tell("published", path=path, encodings=publication.encodings)
        return publication

    def stop(self, publication: Publication) -> None:
        if self.running.get(publication.path) is publication:
            del self.running[publication.path]
        publication.end()
        tell("gone", path=publication.path, buffers=publication.buffers)


class RelayFactory(GstRtspServer.RTSPMediaFactory):
    """One path: takes a publisher, and serves what it sends to those who read. The pipeline fits the announced SDP."""

    def __init__(self, relay: Relay) -> None:
        super().__init__()
        self.relay = relay
        self.set_latency(0)

    def do_create_element(self, url: GstRtsp.RTSPUrl) -> Gst.Element | None:
        return self._recorder(url.abspath) if self.relay.publishing else self._player(url.abspath)

    def _recorder(self, path: str) -> Gst.Element | None:
        encodings = self.relay.announced[path]
        if any(encoding not in PUBLISHED for encoding in encodings):
            tell("error", what=f"cannot take {encodings} on {path}")
            return None
        publication = self.relay.start(path)
        pipeline = assembled(PUBLISHED[encoding].format(index) for index, encoding in enumerate(encodings))
        pipeline.publication = publication
        for index in range(len(encodings)):
            pipeline.get_by_name(f"sink{index}").connect("new-sample", publication.take, index)
        return pipeline

    def _player(self, path: str) -> Gst.Element | None:
        publication = self.relay.running.get(path)
        if publication is None:
            return None
        encodings = publication.encodings
        pipeline = assembled(READER[encoding].format(index, 96 + index) for index, encoding in enumerate(encodings))
        pipeline.publication, pipeline.reader = publication, Reader(pipeline, len(encodings))
        publication.add(pipeline.reader)
        return pipeline

    def do_configure(self, media: GstRtspServer.RTSPMedia) -> None:
        GstRtspServer.RTSPMediaFactory.do_configure(self, media)
        pipeline = media.get_element()
        publication, reader = pipeline.publication, getattr(pipeline, "reader", None)
        if reader is None:
            media.set_transport_mode(GstRtspServer.RTSPTransportMode.RECORD)
            media.connect("unprepared", lambda _: self.relay.stop(publication))
        else:
            media.set_rate_control(False)  # send at once, do not wait for the time stamps: they have passed
            media.connect("unprepared", lambda _: publication.remove(reader))


def assembled(parts: Iterable[str]) -> Gst.Element:
    """One bin of all the parts."""
    return Gst.parse_launch(f"( {' '.join(parts)} )")


class Mounts(GstRtspServer.RTSPMountPoints):
    """What is served where. A path below /pub/ exists once somebody has published there."""

    def __init__(self, relay: Relay) -> None:
        super().__init__()
        self.relay = relay
        self._published: set[str] = set()

    def note(self, context: GstRtspServer.RTSPContext) -> None:
        self.relay.note(context)
        path = context.uri.abspath if context.method == GstRtsp.RTSPMethod.ANNOUNCE else ""
        if path.startswith("/pub/") and path not in self._published:
            self._published.add(path)
            self.add_factory(path, permit(RelayFactory(self.relay), OPEN_TO_ALL, KNOWN))


class Server(GstRtspServer.RTSPServer):
    """The server with all its mounts."""

    def __init__(self, given: argparse.Namespace) -> None:
        super().__init__()
        self.relay = Relay()
        self.set_address("127.0.0.1")
        self.set_service(str(given.port))
        pool = GstRtspServer.RTSPThreadPool.new()
        pool.set_max_threads(8)  # with one thread, preparing a reader waits for the publisher that feeds it
        self.set_thread_pool(pool)
        self.live = {name: LiveFactory(live_launch(name, given)) for name in ("h264", "h265")}
        self.guarded = LiveFactory(live_launch("h264", given))
        mounts = Mounts(self.relay)
        for name, factory in self.live.items():
            mounts.add_factory(f"/{name}", permit(factory, OPEN_TO_ALL, KNOWN))
        mounts.add_factory("/auth", permit(self.guarded, KNOWN))
        if given.file:
            launch = f'( filesrc location="{given.file}" ! qtdemux ! {REPEATING.format(4)} name=pay0 pt=96 )'
            mounts.add_factory("/file", permit(LiveFactory(launch, live=False), OPEN_TO_ALL, KNOWN))
        self.set_mount_points(mounts)
        self.set_auth(Guard(mounts, given.user, given.password, digest=given.digest))

    def resize(self, width: int, height: int) -> None:
        for factory in (*self.live.values(), self.guarded):
            factory.resize(width, height)


def permit(factory: GstRtspServer.RTSPMediaFactory, *roles: str) -> GstRtspServer.RTSPMediaFactory:
    """Only ``roles`` may use the factory; the others are asked who they are (401)."""
    permissions = GstRtspServer.RTSPPermissions.new()
    for role in (OPEN_TO_ALL, KNOWN):
        permissions.add_permission_for_role(role, "media.factory.access", True)
        permissions.add_permission_for_role(role, "media.factory.construct", role in roles)
    factory.set_permissions(permissions)
    return factory


class Guard(GstRtspServer.RTSPAuth):
    """Knows one user, by basic or digest authentication; everybody else is anonymous."""

    def __init__(self, mounts: Mounts, user: str, password: str, *, digest: bool) -> None:
        super().__init__()
        self.mounts = mounts
        self.set_supported_methods(GstRtsp.RTSPAuthMethod.DIGEST if digest else GstRtsp.RTSPAuthMethod.BASIC)
        known, anyone = GstRtspServer.RTSPToken.new(), GstRtspServer.RTSPToken.new()
        known.set_string("media.factory.role", KNOWN)
        anyone.set_string("media.factory.role", OPEN_TO_ALL)
        self.add_basic(GstRtspServer.RTSPAuth.make_basic(user, password), known)
        self.add_digest(user, password, known)
        self.set_default_token(anyone)

    def do_check(self, context: GstRtspServer.RTSPContext, check: str) -> bool:
        """Comes before everything else that is done for a request, in the thread that does it."""
        self.mounts.note(context)
        return GstRtspServer.RTSPAuth.do_check(self, context, check)


def follow(server: Server, loop: GLib.MainLoop) -> None:
    """Reads commands until the input ends."""
    for line in sys.stdin:
        words = line.split()
        if words[:1] == ["size"]:
            GLib.idle_add(server.resize, int(words[1]), int(words[2]))
    loop.quit()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--port", type=int, default=8554)
    parser.add_argument("--width", type=int, default=320)
    parser.add_argument("--height", type=int, default=240)
    parser.add_argument("--fps", type=int, default=25)
    parser.add_argument("--kbit", type=int, default=500)
    parser.add_argument("--key-every", type=int, default=25, help="frames from key frame to key frame")
    parser.add_argument("--audio", action="store_true")
    parser.add_argument("--file")
    parser.add_argument("--user", default="viewer")
    parser.add_argument("--password", default="secret")
    parser.add_argument("--digest", action="store_true", help="ask for digest instead of basic authentication")
    given = parser.parse_args()
    server = Server(given)
    if server.attach(None) == 0:
        tell("error", what=f"port {given.port} is taken")
        sys.exit(1)
    loop = GLib.MainLoop()
    threading.Thread(target=follow, args=(server, loop), daemon=True).start()
    tell("ready", port=given.port)
    loop.run()


if __name__ == "__main__":
    main()
