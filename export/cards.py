"""What the card of an exported bundle says. Weights carry their training data's licence."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from engines.bundle import Card, RegionColours, TensorCard, TrainingCard
from export.about import about
from export.interfaces import Interface
from export.onnx_model import IR_VERSION, OPSET
from export.parity import Parity

_PLANES = "y in 0..1, u and v in about -0.5..0.5, of the picture's own matrix and range; h, w multiples of 8"
_COEFFICIENTS = (
    "a, s, b, c_u, d_u, e_u, c_v, d_v, e_v per node; y' = a*y + s*sqrt(y) + b, u' = c_u*u + d_u*y + e_u, v' alike"
)
_EXTRA = {
    "embedding": "an image encoder's embedding of the whole brightened picture, padding cropped off",
    "regions": "colours of regions, R'G'B' in 0..1, and a channel that is 1 inside them",
    "depth": "depth as a gray picture in 0..1",
    "region_weights": "share of each of 16 regions in each cell of 8x8 pixels, from index 1; index 0 is not read",
    "region_features": "an image encoder's embedding of the whole brightened picture, averaged over each region",
}
NOTHING_LEARNED = TrainingCard("none: nothing is learned", "none needed", "none", 0, 0)
"""For systems without weights."""
_TRAINING_ONLY = ("stages", "calibrator")
"""Options of cascades, of which inference runs the first stage."""


def make_card(
    name: str,
    system: str,
    interface: Interface,
    parameters: int,
    training: TrainingCard,
    parity: Parity,
    metrics: Mapping[str, float],
    *,
    options: Mapping[str, Any] | None = None,
    recipe: Mapping[str, Any] | None = None,
    size: tuple[int, int] | None = None,
    note: str = "",
) -> Card:
    """The card of a bundle of ``system``, with the figures of the parity check among its metrics.

    ``options``: what the network was built with; with ``semantics`` among them it has modules of SKF. ``recipe``: what
    it was trained by, where that is known. ``size``: of the picture, where the model takes no other. ``note``: what
    else a user should know, such as a cast that these weights leave.
    """
    options = options or {}
    known = about(system, guided=bool(options.get("semantics")))
    measured = {"parity_p99_codes": round(parity.p99, 4), "parity_max_codes": round(parity.worst, 4)}
    return Card(
        name=name,
        system=system,
        kind="grid" if interface.result == "grid" else "picture",
        inputs=_inputs(interface, size, known.least, recipe),
        outputs=(_output(interface, size),),
        parameters=parameters,
        training=training,
        licence="Apache-2.0, the code's: there are no weights" if parameters == 0 else _licence(training.data_licence),
        paper=known.paper,
        faithful=known.faithful,
        repaired=known.repaired,
        unknown=known.unknown,
        metrics=dict(metrics) | measured,
        notes=" ".join(
            filter(None, [known.note, known.in_video, _built(options), note, f"ONNX opset {OPSET}, IR {IR_VERSION}."])
        ),
        region_colours=_region_colours(interface, recipe),
    )


def _region_colours(interface: Interface, recipe: Mapping[str, Any] | None) -> RegionColours:
    """How a recipe has regions painted, hashed where it does not say; empty without regions or recipe."""
    if recipe is None or all(part.name != "regions" for part in interface.extra):
        return ""
    return "means" if recipe.get("options", {}).get("colours") == "means" else "hashed"


def _built(options: Mapping[str, Any]) -> str:
    """A sentence with the options that were given, empty where all are the system's own."""
    parts = [
        f"{name} {'/'.join(map(str, value)) if isinstance(value, (list, tuple)) else value}"
        for name, value in options.items()
        if name not in ("semantics", *_TRAINING_ONLY) and value is not None
    ]
    if (options.get("semantics") or {}).get("released"):
        parts.append("modules of SKF as released")
    return f"Built with {', '.join(parts)}." if parts else ""


def unknown_in_training(name: str, recipe: Mapping[str, Any] | None) -> str:
    """How a network that ``recipe`` trained behaves where the extra input ``name`` is not known."""
    if recipe is None:
        return "nobody says whether it was trained for that too"
    semantics: Mapping[str, Any] = recipe.get("semantics", {})
    regions = semantics.get("regions", "none")
    if name == "depth" or (name == "regions" and regions == "none"):
        return "in training it never was, so that anything but zeros means nothing to it"
    options: Mapping[str, Any] = recipe.get("options", {})
    share = options.get("unknown", 0.0) if name == "regions" else semantics.get("dropout", 0.0)
    shuffled = "; trained on regions of other pictures" if name == "regions" and regions == "shuffled" else ""
    without = f"trained for that too, {share:.0%} of the samples" if share > 0 else "never trained without; expect less"
    return without + shuffled


def _inputs(
    interface: Interface, size: tuple[int, int] | None, least: int, recipe: Mapping[str, Any] | None
) -> tuple[TensorCard, ...]:
    sides = interface.extra_sizes(size) if size else {}
    cards = []
    for part in interface.inputs:
        first = part is interface.picture
        fixed = size if first else sides.get(part.name)
        layout = _counted(part.layout(size, fixed), interface, size)
        if not first:
            meaning = f"{_EXTRA[part.name]}; zeros = not known: {unknown_in_training(part.name, recipe)}"
        elif interface.result == "grid":
            meaning = _PLANES
        else:
            meaning = "R'G'B' in 0..1" + (f"; h, w at least {least}" if least > 1 and not fixed else "")
        cards.append(TensorCard(part.name, layout, meaning))
    return tuple(cards)


def _counted(layout: str, interface: Interface, size: tuple[int, int] | None) -> str:
    """``1,3,h,w`` -> ``n,3,h,w`` for a model that takes several pictures at once."""
    return f"n{layout[1:]}" if interface.batched and size is None else layout


def _output(interface: Interface, size: tuple[int, int] | None) -> TensorCard:
    if interface.result == "grid":
        cells = f"{size[0] // 8},{size[1] // 8}" if size else "h/8,w/8"
        return TensorCard("grid", _counted(f"1,{cells},9", interface, size), _COEFFICIENTS)
    return TensorCard("enhanced", f"1,3,{size[0]},{size[1]}" if size else "1,3,h,w", "R'G'B' in 0..1")


def training_card(recipe: Mapping[str, Any], step: int) -> TrainingCard:
    """What a checkpoint of ``training fit`` knows about its own making."""
    return TrainingCard(
        data=recipe["data"]["name"],
        data_licence=recipe["data"]["licence"],
        recipe=recipe["name"],
        steps=step,
        seed=recipe["seed"],
    )


def _licence(data_licence: str) -> str:
    return f"{data_licence} (the weights follow their training data; the code is Apache-2.0)"
