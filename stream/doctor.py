"""What this machine can do, what is missing, and how to get it: versions, processor, codecs, engines, bundles, kernels.

Each finding carries its reason, so that "not available" is never the whole answer.
"""

from __future__ import annotations

import json
import os
import platform
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

_DECODERS = ("h264", "hevc", "av1", "vp9", "mpeg2video", "mjpeg", "png")
_ENCODERS = ("libx264", "libx265", "libsvtav1", "libvpx-vp9")
_HARDWARE_ENCODERS = ("h264_nvenc", "hevc_nvenc", "h264_qsv", "h264_amf", "h264_v4l2m2m", "h264_videotoolbox")
_INTERESTING_FLAGS = ("sse4_2", "avx2", "avx512f", "avx512_vbmi", "amx_tile", "neon", "asimd")


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that is there or not; ``text`` says what it is, or why it is not there and how to get it."""

    group: str
    name: str
    ok: bool
    text: str


def examine() -> list[Finding]:
    """All findings. Opens encoders and bundles, compiles nothing, raises nothing."""
    return [*_versions(), *_processor(), *_codecs(), *_engines(), *bundles(), *_kernels()]


def to_text(findings: Sequence[Finding]) -> str:
    """Grouped lines for people; ``-`` marks what is not available."""
    lines: list[str] = []
    width = max(len(finding.name) for finding in findings)
    group = ""
    for finding in findings:
        if finding.group != group:
            group = finding.group
            lines += ["", group]
        lines.append(f"  {'+' if finding.ok else '-'} {finding.name:<{width}}  {finding.text}")
    return "\n".join(lines[1:])


def to_json(findings: Sequence[Finding]) -> str:
    """The findings as an array of objects."""
    return json.dumps([asdict(finding) for finding in findings], indent=2)


def _versions() -> Iterator[Finding]:
    from stream.summary import versions

    for name, text in versions().items():
        ok = text != "absent"
        yield Finding("Versions", name, ok, text if ok else "not installed: pip install stream-enhance")
    yield Finding("Versions", "system", True, platform.platform())


def _processor() -> Iterator[Finding]:
    model, flags = _cpu_info(Path("/proc/cpuinfo"))
    yield Finding("Processor", "model", True, model or platform.processor() or platform.machine())
    allowed = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    yield Finding("Processor", "cores", True, f"{allowed} usable")
    known = [flag for flag in _INTERESTING_FLAGS if flag in flags]
    if flags:
        yield Finding("Processor", "vector units", bool(known), ", ".join(known) or "none that the kernels profit from")


def _cpu_info(path: Path) -> tuple[str, set[str]]:
    """(model name, feature flags) as Linux tells them; empty elsewhere."""
    try:
        lines = path.read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:
        return "", set()
    fields: dict[str, str] = {}
    for line in lines:
        key, _, value = line.partition(":")
        fields.setdefault(key.strip(), value.strip())
    return fields.get("model name", ""), set((fields.get("flags") or fields.get("Features") or "").split())


def _codecs() -> Iterator[Finding]:
    from stream.errors import EncoderUnavailable
    from stream.media.encoder import EncoderSettings, check_encoder

    for name in _DECODERS:
        ok = _decoder_exists(name)
        yield Finding("Decoders", name, ok, "ready" if ok else "not in this build of PyAV")
    for group, names in (("Encoders", _ENCODERS), ("Hardware encoders", _HARDWARE_ENCODERS)):
        for name in names:
            try:
                check_encoder(EncoderSettings(codec=name))
                yield Finding(group, name, True, f"ready: --codec {name}")
            except EncoderUnavailable as error:
                yield Finding(group, name, False, error.what)


def _decoder_exists(name: str) -> bool:
    import av

    try:
        av.codec.Codec(name, "r")
    except ValueError:
        return False
    return True


def _engines() -> Iterator[Finding]:
    try:
        from engines.bundle import load_bundle
        from engines.choose import ENGINES
        from engines.errors import EngineError
        from engines.fastest import known
    except ImportError as error:
        yield Finding("Engines", "onnxruntime", False, f"{error}: pip install onnxruntime")
        return
    try:
        choice = known(load_bundle("curve"))
    except EngineError as error:
        yield Finding("Engines", "onnxruntime", False, f"cannot be tried: {error}")
        return
    for name in ENGINES:
        yield Finding("Engines", name, name not in choice.refused, choice.line(name))


def bundles() -> list[Finding]:
    """The bundles known by name, each verified."""
    from engines.bundle import available_bundles, load_bundle, user_folder
    from engines.errors import EngineError

    found = []
    for name in available_bundles():
        try:
            card = load_bundle(name).card
            extra = " and ".join(tensor.name for tensor in card.inputs[1:])
            text = f"kind {card.kind}, {card.parameters} parameters, {card.licence}, sha256 {card.sha256[:12]} verified"
            text += f"; can use {extra} beside the picture" if extra else ""
            found.append(Finding("Bundles", name, True, text))
        except EngineError as error:
            found.append(Finding("Bundles", name, False, str(error)))
    return found or [Finding("Bundles", "none", False, f"no bundle in the package or in {user_folder()}")]


def kernels_compiled() -> bool:
    """Whether numba's cache holds kernels of this program; they may still be of an older version."""
    return any(True for _ in _kernel_caches(Path(__file__).parent.parent / "engines"))


def _kernels() -> Iterator[Finding]:
    caches = sorted(_kernel_caches(Path(__file__).parent.parent / "engines"))
    text = f"compiled, in {caches[0].parent}" if caches else "not compiled yet: run stream-enhance warm"
    yield Finding("Kernels", "cache", bool(caches), text)


def _kernel_caches(package: Path) -> Iterator[Path]:
    """Index files of numba's cache: beside the sources, in the folder that the environment names, or in the user's."""
    named = os.environ.get("NUMBA_CACHE_DIR")
    yield from package.rglob("*.nbi")
    if named:
        yield from Path(named).rglob("*.nbi")
    yield from (Path.home() / ".cache" / "numba").glob("*/*.nbi")
