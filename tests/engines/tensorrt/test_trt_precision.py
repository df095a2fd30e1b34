"""Precision in the file: fp16 with islands of fp32, int8, and the count of what is computed in which."""

from __future__ import annotations

import numpy as np
import onnx
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from onnx import TensorProto, helper

from engines.bundle import load_bundle
from engines.errors import ModelError
from engines.onnx_runtime import open_engine
from engines.precision.agreement import LIMITS, compare
from engines.precision.census import Census, count, require
from engines.precision.half import to_half
from engines.precision.pictures import KINDS, feeds
from engines.precision.quantised import to_int8
from engines.tensorrt.shapes import THUMBNAILS, profiles
from engines.tensorrt.stated import state
from tests.engines.tensorrt.trt_models import convolved, in_full, model, normalised, run

PICTURE = [{"image": (1, 3, 32, 40)}]


def test_inputs_and_outputs_stay_fp32_and_convolutions_become_fp16() -> None:
    half = onnx.load_model_from_string(to_half(convolved()))
    for value in (*half.graph.input, *half.graph.output):
        assert value.type.tensor_type.elem_type == TensorProto.FLOAT
    assert count(half.SerializeToString()) == Census(fp16=2)
    assert {t.data_type for t in half.graph.initializer} == {TensorProto.FLOAT16}


@settings(max_examples=20, deadline=None)
@given(seed=st.integers(0, 1000), scale=st.floats(0.01, 0.5))
def test_computed_truly_in_fp16_it_keeps_to_the_limit(seed: int, scale: float) -> None:
    before, after = convolved(seed, scale), to_half(convolved(seed, scale))
    found = compare(lambda f: run(before, dict(f)), lambda f: run(after, dict(f)), feeds(PICTURE, grid=False), False)
    assert found.passes(LIMITS["fp16"]), found


def test_a_layer_normalisation_in_pieces_is_an_island_as_a_whole() -> None:
    island = {"mean", "centred", "squared", "variance", "safe", "root", "normed"}
    assert island <= in_full(to_half(normalised()))
    assert count(to_half(normalised())) == Census(fp16=2)


def test_without_the_island_the_square_would_overflow() -> None:
    """Values of some hundreds: their squares leave fp16, and the result would be NaN or 0 without the island."""
    big = normalised(gain=300)
    found = compare(lambda f: run(big, dict(f)), lambda f: run(to_half(big), dict(f)), feeds(PICTURE, False), False)
    assert found.passes(LIMITS["fp16"]), found


@pytest.mark.parametrize("operator", ["Softmax", "Exp", "Sqrt", "Reciprocal"])
def test_operators_that_need_range_or_digits_stay_fp32(operator: str) -> None:
    nodes = [
        helper.make_node(operator, ["image"], ["a"], "kept"),
        helper.make_node("Tanh", ["a"], ["enhanced"], "not kept"),
    ]
    assert "kept" in in_full(to_half(model(nodes)))


def test_a_constant_beyond_fp16_keeps_its_node_and_a_tiny_one_too() -> None:
    for value in (1e6, 1e-7):
        nodes = [
            helper.make_node("Add", ["image", "c"], ["a"], "kept"),
            helper.make_node("Tanh", ["a"], ["enhanced"], "tanh"),
        ]
        assert "kept" in in_full(to_half(model(nodes, {"c": np.array(value, np.float32)})))


def test_sizes_of_a_resize_stay_as_they_are_and_a_clip_gets_both_bounds() -> None:
    nodes = [
        helper.make_node("Resize", ["image", "", "scales"], ["a"], "twice", mode="linear"),
        helper.make_node("Clip", ["a", "low"], ["enhanced"], "clip"),
    ]
    constants = {"scales": np.array([1, 1, 2, 2], np.float32), "low": np.array(0, np.float32)}
    half = onnx.load_model_from_string(to_half(model(nodes, constants, result=(1, 3, "h2", "w2"))))
    kept = {tensor.name: tensor.data_type for tensor in half.graph.initializer}
    assert kept["scales"] == TensorProto.FLOAT
    (clip,) = (node for node in half.graph.node if node.op_type == "Clip")
    assert len(clip.input) == 3
    assert all(clip.input)


def test_what_a_branch_reads_from_outside_is_there_in_fp32() -> None:
    def branch(name: str, operator: str) -> onnx.GraphProto:
        out = helper.make_tensor_value_info(name, TensorProto.FLOAT, None)
        return helper.make_graph([helper.make_node(operator, ["a"], [name])], name, [], [out])

    nodes = [
        helper.make_node("Tanh", ["image"], ["a"], "outside"),
        helper.make_node("ReduceMax", ["image"], ["m"], keepdims=0),
        helper.make_node("Greater", ["m", "zero"], ["some"]),
        helper.make_node(
            "If", ["some"], ["enhanced"], then_branch=branch("t", "Neg"), else_branch=branch("e", "Identity")
        ),
    ]
    before = model(nodes, {"zero": np.array(0, np.float32)})
    after = to_half(before)
    picture = np.random.default_rng(0).random((1, 3, 8, 8), dtype=np.float32)
    np.testing.assert_allclose(
        run(after, {"image": picture})["enhanced"], run(before, {"image": picture})["enhanced"], atol=2e-3
    )


@pytest.mark.parametrize("name", ["curve", "sci", "zero-dce-plus-plus"])
def test_shipped_bundles_keep_to_the_limit_in_fp16(name: str) -> None:
    """In ONNX Runtime on the CPU, which computes inside operators in fp32: what is stored between them is fp16."""
    bundle = load_bundle(name)
    engine = open_engine(bundle)
    half = open_engine(type(bundle)(bundle.folder, bundle.card, to_half(bundle.model)))
    shapes = {engine.inputs[0].name: (1, 3, 96, 128)}
    if len(engine.inputs) > 1:
        shapes |= {"region_weights": (1, 17, 12, 16), "region_features": (1, 17, 256)}
    found = compare(engine.infer, half.infer, feeds([shapes], name == "curve"), name == "curve")
    assert found.passes(LIMITS["fp16"]), found


def test_int8_is_symmetric_by_channel_and_leaves_biases_alone() -> None:
    calibration = [feed for _, feed in feeds(PICTURE, grid=False, rounds=2)]
    made = onnx.load_model_from_string(to_int8(convolved(), calibration))
    assert count(made.SerializeToString()) == Census(fp32=1, int8=1)
    constants = {t.name: onnx.numpy_helper.to_array(t) for t in made.graph.initializer}
    points = [constants[n.input[2]] for n in made.graph.node if n.op_type in ("QuantizeLinear", "DequantizeLinear")]
    assert points
    assert all(not point.any() and point.dtype == np.int8 for point in points)
    assert not any(array.dtype == np.int32 for array in constants.values())
    assert any(array.shape == (3,) for name, array in constants.items() if "scale" in name)


def test_what_reads_the_picture_stays_fp32_in_int8_through_slices_and_scales_too() -> None:
    nodes = [
        helper.make_node("Mul", ["image", "half"], ["scaled"]),
        helper.make_node("Conv", ["scaled", "w"], ["a"], "first"),
        helper.make_node("Conv", ["a", "w"], ["b"], "second"),
        helper.make_node("Concat", ["b", "image"], ["c"], axis=1),
        helper.make_node("Conv", ["c", "v"], ["enhanced"], "third"),
    ]
    rng = np.random.default_rng(0)
    constants = {"half": np.array(0.5, np.float32), "w": rng.standard_normal((3, 3, 1, 1)).astype(np.float32)}
    constants["v"] = rng.standard_normal((3, 6, 1, 1)).astype(np.float32)
    made = onnx.load_model_from_string(to_int8(model(nodes, constants), [f for _, f in feeds(PICTURE, grid=False)]))
    from_int8 = {n.name for n in made.graph.node if n.op_type == "Conv" and "Dequantize" in n.input[0]}
    assert from_int8 == {"second"}


@pytest.mark.parametrize("name", ["curve", "sci", "zero-dce-plus-plus"])
def test_shipped_bundles_keep_to_the_limit_in_int8(name: str) -> None:
    bundle = load_bundle(name)
    ranges = profiles(bundle.card, sizes=THUMBNAILS[:1], free=False)
    stated = state(bundle, "int8", ranges)
    assert stated.agreement is not None
    assert stated.agreement.passes(LIMITS["int8"])
    assert stated.census is not None
    assert stated.census.int8 >= 2


def test_a_model_without_anything_heavy_has_no_int8() -> None:
    with pytest.raises(ModelError, match="nothing to compute in int8"):
        to_int8(model([helper.make_node("Conv", ["image", "w"], ["enhanced"])], {"w": np.ones((3, 3, 1, 1), "f")}), [])
    with pytest.raises(ModelError, match="nothing to compute in int8"):
        to_int8(model([helper.make_node("Tanh", ["image"], ["enhanced"])]), [])


def test_no_model_is_refused() -> None:
    with pytest.raises(ModelError, match="no ONNX model"):
        to_half(b"nonsense")


def test_lost_precision_is_an_error_and_more_of_it_is_none() -> None:
    require(Census(fp32=1, fp16=3), Census(fp16=4), "it")
    with pytest.raises(ModelError, match="precision was lost"):
        require(Census(fp16=4), Census(fp32=4), "it")


def test_nan_on_any_kind_of_picture_is_found_and_named() -> None:
    def broken(feed: object) -> dict[str, np.ndarray]:
        picture = feed["image"]  # type: ignore[index]
        return {"enhanced": np.where(picture.min() == 1, np.nan, picture)}

    found = compare(lambda f: {"enhanced": f["image"]}, broken, feeds(PICTURE, grid=False), False)
    assert not found.passes(1e9)
    assert "white" in str(found)


def test_checks_see_every_kind_of_picture_at_every_size_and_extras_both_ways() -> None:
    shapes = [{"image": (1, 3, 16, 24), "regions": (1, 4, 8, 8)}, {"image": (2, 3, 24, 16), "regions": (2, 4, 8, 8)}]
    seen = list(feeds(shapes, grid=False))
    assert {kind for kind, _ in seen} == set(KINDS)
    assert len(seen) == len(KINDS) * 2 * 2
    assert all(feed["image"].dtype == np.float32 and feed["image"].min() >= 0 for _, feed in seen)
    assert {bool(feed["regions"].any()) for _, feed in seen} == {True, False}
