"""ONNX -> serialised engine: parse, profiles, build, with progress and errors that say which node and what to do."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from engines.errors import EngineError
from engines.precision.census import Census
from engines.tensorrt.flavour import Flavour
from engines.tensorrt.layers import parsed_census
from engines.tensorrt.messages import Log, parser_errors
from engines.tensorrt.progress import Report, monitor
from engines.tensorrt.shapes import Profile


class BuildError(EngineError):
    """No engine could be built; the message names the node where there is one, and says what to do."""


class BuildCancelled(BuildError):
    """Who asked for the engine no longer wants it."""


@dataclass(frozen=True, slots=True)
class BuildOptions:
    """``level`` 0..5: how long the builder searches; 3 is its default, 5 took half an hour for small networks.

    ``workspace``: bytes of GPU memory for scratch space. ``tf32``: fp32 products with 10-bit mantissas, faster and less
    exact. ``targets``: GPUs that a TensorRT-RTX engine is for, as SM89; empty = any that RTX knows, or the one at hand.
    """

    level: int = 3
    workspace: int = 1 << 30
    tf32: bool = False
    targets: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        if not 0 <= self.level <= 5:
            raise ValueError(f"the optimisation level is 0 to 5, not {self.level}")
        if self.workspace < 1 << 20:
            raise ValueError(f"a workspace has at least 1 MiB, not {self.workspace} bytes")


@dataclass(frozen=True, slots=True)
class Built:
    """A serialised engine; ``census``: precision of what was parsed, ``seconds`` that parsing and building took."""

    plan: bytes = field(repr=False)
    census: Census
    seconds: float


class Parsed:
    """A model as TensorRT's network; what it stands on is kept alive with it."""

    def __init__(self, flavour: Flavour, model: bytes, path: str | None = None) -> None:
        """``path``: where weights beside the file are looked for. Raises ``BuildError``."""
        self.flavour = flavour
        self.log = Log(flavour)
        self.builder: Any = flavour.module.Builder(self.log.logger)
        self.network: Any = self.builder.create_network(flavour.network_flags)
        self._parser: Any = flavour.module.OnnxParser(self.network, self.log.logger)
        self._model = model
        if not self._parser.parse(model, path):
            raise BuildError(f"{flavour} cannot read the model: {parser_errors(self._parser)}")
        self.census = parsed_census(flavour, self.network)

    @property
    def inputs(self) -> dict[str, tuple[int, ...]]:
        """Declared shape of every input by name; -1 where it is free."""
        tensors = [self.network.get_input(index) for index in range(self.network.num_inputs)]
        return {tensor.name: tuple(tensor.shape) for tensor in tensors}


def build(
    flavour: Flavour,
    model: bytes,
    profiles: Sequence[Profile],
    options: BuildOptions | None = None,
    report: Report | None = None,
    path: str | None = None,
) -> Built:
    """Builds an engine. ``report`` may stop it by returning False. Raises ``BuildError`` or ``BuildCancelled``."""
    options = options or BuildOptions()
    begun = time.monotonic()
    parsed = Parsed(flavour, model, path)
    config = _configured(parsed, profiles, options)
    stopped = False

    def going(share: float, phase: str) -> bool:
        nonlocal stopped
        stopped = stopped or (report is not None and not report(share, phase))
        return not stopped

    watching = monitor(flavour, going)  # TensorRT does not keep it alive
    config.progress_monitor = watching
    plan = parsed.builder.build_serialized_network(parsed.network, config)
    if stopped:
        raise BuildCancelled("the build was stopped; nothing was kept")
    if plan is None:
        raise BuildError(
            f"{flavour} could not build the engine: {parsed.log.last() or 'no reason given'}. {_advice(parsed)}"
        )
    content = bytes(memoryview(plan))
    return Built(content, parsed.census, time.monotonic() - begun)


def _configured(parsed: Parsed, profiles: Sequence[Profile], options: BuildOptions) -> Any:
    module = parsed.flavour.module
    config = parsed.builder.create_builder_config()
    config.builder_optimization_level = options.level
    config.set_memory_pool_limit(module.MemoryPoolType.WORKSPACE, options.workspace)
    config.profiling_verbosity = module.ProfilingVerbosity.DETAILED  # so that the inspector can tell precisions
    if not options.tf32:
        config.clear_flag(module.BuilderFlag.TF32)
    free = {name for name, shape in parsed.inputs.items() if -1 in shape}
    for number, ranges in enumerate(profiles if free else ()):
        profile = parsed.builder.create_optimization_profile()
        for name in parsed.inputs:
            if name not in ranges:
                raise BuildError(f"the bundle's card does not say what shape the model's input '{name}' has")
            profile.set_shape(name, ranges[name].min, ranges[name].opt, ranges[name].max)
        if config.add_optimization_profile(profile) < 0:
            why = parsed.log.last() or "no reason given"
            raise BuildError(f"the shapes of profile {number}, {dict(ranges)}, do not fit the model: {why}")
    if options.targets:
        _aim(parsed.flavour, config, options.targets)
    return config


def _aim(flavour: Flavour, config: Any, targets: Sequence[str]) -> None:
    known = getattr(flavour.module, "ComputeCapability", None)
    if known is None or not flavour.builds_without_gpu:
        raise BuildError(f"{flavour} builds for the GPU at hand only, not for {', '.join(targets)}")
    missing = [target for target in targets if target not in known.__members__]
    if missing:
        names = ", ".join(sorted(name for name in known.__members__ if name.startswith("SM")))
        raise BuildError(f"{flavour} does not know {', '.join(missing)}; known are {names}, or none for all of them")
    config.num_compute_capabilities = len(targets)
    for index, target in enumerate(targets):
        config.set_compute_capability(known.__members__[target], index)


def _advice(parsed: Parsed) -> str:
    text = parsed.log.last().lower()
    if "cuda" in text and not parsed.flavour.builds_without_gpu:
        return "This TensorRT builds only where an NVIDIA GPU and its driver work; tensorrt-rtx builds anywhere"
    if "memory" in text or "alloc" in text:
        return "Give it more memory (--workspace), a smaller batch, or close what else uses the GPU"
    return "Export the bundle for one size (--size HxW), or run it with --engine onnxruntime"
