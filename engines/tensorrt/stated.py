"""The bundle's model as TensorRT gets it: its precision written into the file, checked before anything is built on it.

The check runs both files in ONNX Runtime on the CPU, this one without any fusion: with it, int8 convolutions on x86
were 90 codes from what the file states. It finds wrong conversions, ranges that fp16 does not hold in what is stored
between operators, and bad calibration. Inside an operator a CPU computes in fp32, so what only a GPU's fp16 arithmetic
does is found by the check of the built engine.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace

from engines.bundle import Bundle
from engines.errors import ModelError
from engines.onnx_runtime import open_engine
from engines.precision.agreement import LIMITS, Agreement, Run, compare
from engines.precision.census import Census, Precision, count, require
from engines.precision.half import to_half
from engines.precision.pictures import Floats, feeds
from engines.precision.quantised import to_int8
from engines.tensorrt.shapes import Profile

VERSION = 1
"""Of the conversions: engines of another one are built again."""
_CALIBRATION_ROUNDS = 2
_CALIBRATION_SEED = 1

Fed = Iterator[tuple[str, dict[str, Floats]]]


@dataclass(frozen=True, slots=True)
class Stated:
    """A model whose file states its precision; ``agreement`` with the fp32 model in ONNX Runtime, None for fp32."""

    model: bytes = field(repr=False)
    precision: Precision
    census: Census | None
    agreement: Agreement | None


def recipe(precision: Precision, calibration: Sequence[Floats] = ()) -> str:
    """What the change of precision depends on beside the model, for the cache's key."""
    if precision != "int8":
        return f"{precision} {VERSION}"
    digest = hashlib.sha256()
    for picture in calibration:
        digest.update(repr(picture.shape).encode() + picture.tobytes())
    return f"int8 {VERSION} {_CALIBRATION_ROUNDS} {digest.hexdigest()}"


def state(
    bundle: Bundle, precision: Precision, profiles: Sequence[Profile], calibration: Sequence[Floats] = ()
) -> Stated:
    """The bundle's model in this precision. Raises ``ModelError`` where it then does something else.

    ``calibration``: R'G'B' pictures [3, h, w] in 0..1 of a thumbnail's size, beside the made-up ones, for int8.
    """
    if precision == "fp32":
        return Stated(bundle.model, precision, None, None)
    if precision == "fp16":
        model = to_half(bundle.model)
    else:
        seen = feeds(
            usual_shapes(profiles), bundle.card.kind == "grid", calibration, _CALIBRATION_ROUNDS, _CALIBRATION_SEED
        )
        model = to_int8(bundle.model, (feed for _, feed in seen))
    census = count(model)
    if not getattr(census, precision):
        raise ModelError(f"bundle '{bundle.card.name}' has nothing that could be computed in {precision}")
    candidate = open_engine(replace(bundle, model=model), as_stated=True)
    agreement = check(bundle, candidate.infer, profiles)
    if not agreement.passes(LIMITS[precision]):
        raise ModelError(
            f"bundle '{bundle.card.name}' in {precision} is not what it is in fp32: {agreement}; allowed is p99 "
            f"{LIMITS[precision]:g}. Nothing was installed. Build it with --precision "
            + ("fp16, or give better pictures with --calibration" if precision == "int8" else "fp32")
        )
    return Stated(model, precision, census, agreement)


def check(bundle: Bundle, run: Run, profiles: Sequence[Profile]) -> Agreement:
    """Compares ``run`` with the bundle's model in ONNX Runtime on dark scenes, noise, black and white."""
    reference = open_engine(bundle)
    return compare(reference.infer, run, seen(bundle, profiles), bundle.card.kind == "grid")


def seen(bundle: Bundle, profiles: Sequence[Profile]) -> Fed:
    """What every check runs on."""
    return feeds(usual_shapes(profiles), bundle.card.kind == "grid")


def usual_shapes(profiles: Sequence[Profile]) -> list[dict[str, tuple[int, ...]]]:
    """The usual shape of every profile; the same ones once."""
    found = [{name: limits.opt for name, limits in profile.items()} for profile in profiles]
    return [shapes for number, shapes in enumerate(found) if shapes not in found[:number]]


def confirm(stated: Stated, built: Census, what: str) -> None:
    """Raises ``ModelError`` where a network or an engine computes less in fp16 or int8 than the file states."""
    if stated.census is not None:
        require(stated.census, built, what)
