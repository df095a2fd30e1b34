"""GStreamer, loaded when a ``gst:``, ``csi:`` or SRT address asks for it. The core works without.

Its Python bindings belong to the distribution. In another Python of the same version they are taken from the
distribution's folder, and nothing else from there.
"""

from __future__ import annotations

import ctypes
import importlib
import importlib.machinery
import importlib.util
import sys
import threading
from contextlib import suppress
from pathlib import Path
from types import ModuleType
from typing import Any, NamedTuple, cast

from stream.errors import (
    AddressNotFound,
    AuthenticationFailed,
    ConnectionRefused,
    ConnectionTimedOut,
    DeviceBusy,
    GStreamerMissing,
    PipelineFailed,
    PipelineInvalid,
    StreamError,
    UnknownCodec,
)
from stream.redaction import redact

PACKAGES = (
    "python3-gi python3-gst-1.0 gir1.2-gst-plugins-base-1.0 gstreamer1.0-plugins-base gstreamer1.0-plugins-good "
    "gstreamer1.0-plugins-bad gstreamer1.0-plugins-ugly gstreamer1.0-libav"
)
_HOMES = (Path("/usr/lib/python3/dist-packages/gi"), Path("/usr/lib64") / "python3" / "site-packages" / "gi")
_TEARDOWN_S = 3.0
_lock = threading.Lock()


class GStreamer(NamedTuple):
    """Its modules. ``GstApp`` is loaded too, so that appsinks and appsrcs have their methods."""

    Gst: Any
    GstVideo: Any


def gstreamer() -> GStreamer:
    """GStreamer, initialised.

    Raises GStreamerMissing, which says what to install.
    """
    with _lock:
        try:
            _load_unwinder_first()
            gi = _bindings()
            for name in ("Gst", "GstApp", "GstVideo"):
                gi.require_version(name, "1.0")
            gst, _, video = (importlib.import_module(f"gi.repository.{name}") for name in ("Gst", "GstApp", "GstVideo"))
            cast(Any, gst).init(None)
            return GStreamer(gst, video)
        except (ImportError, ValueError, AttributeError) as error:
            raise GStreamerMissing(
                f"GStreamer cannot be used from this Python ({error})", do=f"Install it: apt install {PACKAGES}"
            ) from None


def _load_unwinder_first() -> None:
    """GStreamer brings libunwind, whose ``_Unwind_Resume`` crashes plug-ins in C++ (SRT) at their first exception.

    The compiler's own, loaded before and for all, is found first.
    """
    if "gi" not in sys.modules:
        with suppress(OSError):
            ctypes.CDLL("libgcc_s.so.1", mode=ctypes.RTLD_GLOBAL)


def _bindings() -> Any:
    try:
        return importlib.import_module("gi")
    except ImportError:
        folder = next((home for home in _HOMES if _fits(home)), None)
        if folder is None:
            raise
        return _load(folder)


def _fits(folder: Path) -> bool:
    """True if the bindings there were compiled for this very Python."""
    return any((folder / f"_gi{suffix}").exists() for suffix in importlib.machinery.EXTENSION_SUFFIXES[:1])


def _load(folder: Path) -> ModuleType:
    spec = importlib.util.spec_from_file_location(
        "gi", folder / "__init__.py", submodule_search_locations=[str(folder)]
    )
    if spec is None or spec.loader is None:
        raise ImportError(f"{folder} holds no module")
    module = importlib.util.module_from_spec(spec)
    sys.modules["gi"] = module
    try:
        spec.loader.exec_module(module)
    except BaseException:
        del sys.modules["gi"]
        raise
    return module


def build(text: str) -> Any:
    """A pipeline made from its text. Raises PipelineInvalid, GStreamerMissing."""
    gst = gstreamer().Gst
    flags = gst.ParseFlags.FATAL_ERRORS | gst.ParseFlags.PLACE_IN_BIN
    try:
        # A pipeline of one element would come without a bin around it.
        pipeline = gst.Pipeline.new(None)
        pipeline.add(gst.parse_launch_full(text, None, flags))
    except Exception as error:
        said = redact(getattr(error, "message", str(error)))
        missing = "no element" in said
        raise PipelineInvalid(
            f"the pipeline cannot be built: {said}",
            do=f"Install the plug-in that has it, perhaps one of: {PACKAGES}"
            if missing
            else "Try it with gst-launch-1.0, which takes the same text",
        ) from None
    return pipeline


def error_of(message: Any, shown: str) -> StreamError:
    """The typed error for an error message of a pipeline's bus."""
    gst = gstreamer().Gst
    error, details = message.parse_error()
    # The last line of the details is what the element itself says; the first ones are places in its source.
    own = (details or "").strip().rpartition("\n")[2].strip()
    said = f"{shown}: {redact(error.message.rstrip('.'))}" + (
        f" ({redact(own)})" if own and own not in error.message else ""
    )
    words = f"{error.message} {own}".lower()

    def is_(domain: Any, *codes: Any) -> bool:
        return any(error.matches(domain, code) for code in codes)

    resource, stream, core = gst.ResourceError, gst.StreamError, gst.CoreError
    if is_(gst.resource_error_quark(), resource.NOT_AUTHORIZED) or "authenticat" in words:
        return AuthenticationFailed(said, do="Check user name and password")
    if is_(gst.resource_error_quark(), resource.NOT_FOUND):
        return AddressNotFound(said, do="Check the address, device or file that the pipeline names")
    if is_(gst.resource_error_quark(), resource.BUSY):
        return DeviceBusy(said, do="Close the program that uses it")
    if is_(gst.stream_error_quark(), stream.CODEC_NOT_FOUND) or is_(gst.core_error_quark(), core.MISSING_PLUGIN):
        return UnknownCodec(said, do=f"Install the plug-in that has the decoder, perhaps one of: {PACKAGES}")
    if "timeout" in words or "timed out" in words:
        return ConnectionTimedOut(said, do="Check the network, and that the other side is alive")
    if "refused" in words:
        return ConnectionRefused(said, do="Check host and port, and that the server runs")
    return PipelineFailed(said, do="Try the pipeline with gst-launch-1.0, which tells more")


def tear_down(pipeline: Any) -> bool:
    """Stops a pipeline and frees what it holds; False if that takes longer than a few seconds.

    Some elements block while they stop: they are left to a thread of their own.
    """
    gst = gstreamer().Gst
    thread = threading.Thread(target=pipeline.set_state, args=(gst.State.NULL,), name="gst-teardown", daemon=True)
    thread.start()
    thread.join(_TEARDOWN_S)
    return not thread.is_alive()
