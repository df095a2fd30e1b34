"""A model that nobody waits for any more ends, and is of use again afterwards."""

from __future__ import annotations

import threading
import time
from pathlib import Path

import numpy as np
import pytest
from onnx import TensorProto, helper, numpy_helper, save

from engines.errors import ModelError
from engines.sam.session import Session
from tests.engines.fake_sam import write_encoder


def write_endless(path: Path, rounds: int = 10**9) -> Path:
    """A loop of so many rounds that doubles its input."""
    one = helper.make_tensor_value_info("x", TensorProto.FLOAT, [1])
    body = helper.make_graph(
        [
            helper.make_node("Identity", ["going"], ["going_on"]),
            helper.make_node("Add", ["before", "before"], ["after"]),
        ],
        "round",
        [
            helper.make_tensor_value_info("number", TensorProto.INT64, []),
            helper.make_tensor_value_info("going", TensorProto.BOOL, []),
            helper.make_tensor_value_info("before", TensorProto.FLOAT, [1]),
        ],
        [
            helper.make_tensor_value_info("going_on", TensorProto.BOOL, []),
            helper.make_tensor_value_info("after", TensorProto.FLOAT, [1]),
        ],
    )
    graph = helper.make_graph(
        [helper.make_node("Loop", ["rounds", "", "x"], ["y"], body=body)],
        "endless",
        [one],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, [1])],
        [numpy_helper.from_array(np.int64(rounds), "rounds")],
    )
    save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8), path)
    return path


def test_a_run_that_goes_on_can_be_stopped_from_another_thread(tmp_path: Path) -> None:
    session, errors = Session(write_endless(tmp_path / "endless.onnx")), []

    def run() -> None:
        try:
            session.run(["y"], {"x": np.zeros(1, np.float32)})
        except ModelError as error:
            errors.append(str(error))

    thread = threading.Thread(target=run, daemon=True)
    thread.start()
    while session._running is None and thread.is_alive():
        time.sleep(0.001)
    session.stop()
    thread.join(20)
    assert not thread.is_alive()
    assert errors == [f"{session.path} was stopped"]


def test_a_stop_between_runs_holds_until_it_is_taken_back(tmp_path: Path) -> None:
    session = Session(write_encoder(tmp_path / "encoder.onnx"))
    picture = {"input": np.zeros((1, 3, 1024, 1024), np.float32)}
    session.stop()
    with pytest.raises(ModelError, match=r"encoder.onnx was stopped"):
        session.run(["output"], picture)
    session.resume()
    assert session.run(["output"], picture)[0].shape == (1, 256, 64, 64)
