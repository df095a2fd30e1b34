"""Real parsing and building with TensorRT-RTX, which needs no GPU."""

from __future__ import annotations

import threading

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from onnx import helper

from engines.bundle import load_bundle
from engines.precision.census import Census
from engines.precision.half import to_half
from engines.precision.pictures import feeds
from engines.precision.quantised import to_int8
from engines.tensorrt.build import BuildCancelled, BuildError, BuildOptions, Parsed, build
from engines.tensorrt.flavour import Flavour
from engines.tensorrt.layers import census_of
from engines.tensorrt.progress import Phases
from engines.tensorrt.shapes import Range, profiles
from tests.engines.tensorrt.trt_models import convolved, model, normalised

SIZES = [{"image": Range((1, 3, 16, 16), (1, 3, 32, 40), (1, 3, 64, 80))}]


def test_the_same_file_builds_in_every_precision_and_states_it(rtx: Flavour) -> None:
    calibration = [feed for _, feed in feeds([{"image": (1, 3, 32, 40)}], grid=False)]
    expected = {"fp32": Census(fp32=2), "fp16": Census(fp16=2), "int8": Census(fp32=1, int8=1)}
    files = {"fp32": convolved(), "fp16": to_half(convolved()), "int8": to_int8(convolved(), calibration)}
    for precision, content in files.items():
        built = build(rtx, content, SIZES)
        assert built.census == expected[precision]
        assert len(built.plan) > 1024
        assert built.seconds > 0


def test_islands_of_fp32_build_too(rtx: Flavour) -> None:
    assert build(rtx, to_half(normalised()), SIZES).census == Census(fp16=2)


def test_a_shipped_bundle_builds_with_profiles_of_its_card(rtx: Flavour) -> None:
    bundle = load_bundle("sci")
    assert len(build(rtx, to_half(bundle.model), profiles(bundle.card)).plan) > 100_000


def test_progress_rises_to_the_end(rtx: Flavour) -> None:
    seen: list[tuple[float, str]] = []
    build(rtx, convolved(), SIZES, report=lambda share, phase: seen.append((share, phase)) is None)
    shares = [share for share, _ in seen]
    assert shares == sorted(shares)
    assert shares[-1] == 1.0
    assert len({phase for _, phase in seen}) > 3


def test_a_build_can_be_stopped(rtx: Flavour) -> None:
    with pytest.raises(BuildCancelled, match="stopped"):
        build(rtx, convolved(), SIZES, report=lambda share, phase: share < 0.1)


def test_an_operator_that_it_lacks_is_named_with_its_node_and_what_to_do(rtx: Flavour) -> None:
    content = model([helper.make_node("Unheard", ["image"], ["enhanced"], "the culprit", domain="")])
    with pytest.raises(BuildError, match=r"'the culprit' \(Unheard\).*What to do: .*onnxruntime"):
        Parsed(rtx, content)


def test_sizes_computed_from_data_say_what_to_do(rtx: Flavour) -> None:
    nodes = [
        helper.make_node("ReduceMax", ["image"], ["most"], "most", keepdims=0),
        helper.make_node("Unsqueeze", ["most", "zero"], ["row"], "row"),
        helper.make_node("Concat", ["ones", "row", "row"], ["sizes"], "sizes", axis=0),
        helper.make_node("Resize", ["image", "", "sizes"], ["enhanced"], "resized", mode="linear"),
    ]
    constants = {"zero": np.array([0], np.int64), "ones": np.array([1, 1], np.float32)}
    with pytest.raises(BuildError, match="--size HxW"):
        build(rtx, model(nodes, constants, result=(1, 3, "a", "b")), SIZES)


def test_what_is_no_model_is_refused_in_words(rtx: Flavour) -> None:
    with pytest.raises(BuildError, match="cannot read the model"):
        Parsed(rtx, b"nonsense")
    with pytest.raises(BuildError, match="cannot read the model"):
        Parsed(rtx, convolved()[:-100])


def test_a_target_that_it_does_not_know_lists_those_it_does(rtx: Flavour) -> None:
    with pytest.raises(BuildError, match=r"SM12.*none for all"):
        build(rtx, convolved(), SIZES, BuildOptions(targets=("SM35",)))
    assert build(rtx, convolved(), SIZES, BuildOptions(targets=("SM86", "SM89"))).plan


def test_shapes_that_do_not_fit_and_inputs_without_shapes_are_refused(rtx: Flavour) -> None:
    with pytest.raises(BuildError, match="does not say what shape"):
        build(rtx, convolved(), [{"other": SIZES[0]["image"]}])
    wrong = [{"image": Range((1, 3, 64, 64), (1, 3, 32, 32), (1, 3, 16, 16))}]
    with pytest.raises((BuildError, ValueError)):
        build(rtx, convolved(), wrong)


@pytest.mark.parametrize("options", [{"level": 6}, {"level": -1}, {"workspace": 1000}])
def test_options_out_of_range_are_refused(options: dict[str, int]) -> None:
    with pytest.raises(ValueError, match=r"level|workspace"):
        BuildOptions(**options)


def test_the_inspectors_answer_is_counted_by_the_narrowest_type() -> None:
    def layer(kind: str, *types: str) -> str:
        tensors = ", ".join(f'{{"Name": "t", "Format/Datatype": "{name}"}}' for name in types)
        return f'{{"Name": "l", "LayerType": "{kind}", "Inputs": [{tensors}], "Outputs": []}}'

    layers = [
        layer("CaskConvolution", "Channel major FP16 format where channel % 8 == 0"),
        layer("CaskConvolution", "Half", "Float"),
        layer("kgen", "Int8", "FP16"),
        layer("Myelin", "Row major linear FP32"),
        layer("Reformat", "Half"),
        layer("Constant", "Float"),
    ]
    assert census_of(f'{{"Layers": [{", ".join(layers)}]}}') == Census(fp32=1, fp16=2, int8=1)


trees = st.recursive(st.integers(1, 4), lambda inner: st.lists(inner, min_size=1, max_size=4), max_leaves=12)


@given(trees)
def test_whatever_the_phases_the_share_only_rises_and_ends_at_one(tree: object) -> None:
    shares: list[float] = []
    phases = Phases(lambda share, _: shares.append(share) is None)

    def walk(name: str, parent: str | None, what: object) -> None:
        steps = what if isinstance(what, list) else [None] * int(str(what))
        phases.start(name, parent, len(steps))
        for number, inner in enumerate(steps):
            if inner is not None:
                walk(f"{name}.{number}", name, inner)
            assert phases.step(name)
        phases.finish(name)

    walk("all", None, tree)
    assert shares == sorted(shares)
    assert shares[-1] == 1.0
    assert all(0 <= share <= 1 for share in shares)


def test_phases_may_come_from_several_threads() -> None:
    shares: list[float] = []
    phases = Phases(lambda share, _: shares.append(share) is None)
    phases.start("all", None, 4)

    def one(name: str) -> None:
        phases.start(name, "all", 100)
        for _ in range(100):
            phases.step(name)
        phases.finish(name)
        phases.step("all")

    threads = [threading.Thread(target=one, args=(f"part {number}",)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    phases.finish("all")
    assert shares == sorted(shares)
    assert shares[-1] == 1.0
