"""Opens SAM's two models, which are plain ONNX files and no bundles, with the settings that all models have here."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime as ort
from numpy.typing import NDArray

from engines.errors import ModelError
from engines.onnx_runtime import session_options

Floats = NDArray[np.float32]


class Session:
    """An opened model; ``inputs`` and ``outputs`` give the declared shape of each by name.

    One thread at a time, but ``stop`` may be called from any: an image encoder takes seconds on a CPU, and who no
    longer wants the answer must not wait for it.
    """

    def __init__(self, path: Path, threads: int = 1) -> None:
        if not path.is_file():
            raise ModelError(f"{path} does not exist")
        try:
            self._session = ort.InferenceSession(
                str(path), session_options(threads), providers=["CPUExecutionProvider"]
            )
        except Exception as error:
            raise ModelError(f"{path} is no model that can run here: {error}") from error
        self.path = path
        self.inputs = {tensor.name: tuple(tensor.shape) for tensor in self._session.get_inputs()}
        self.outputs = {tensor.name: tuple(tensor.shape) for tensor in self._session.get_outputs()}
        self._stopped = False
        self._running: ort.RunOptions | None = None

    def require(self, inputs: Sequence[str], outputs: Sequence[str], what: str) -> None:
        """Raises ``ModelError`` unless the model has these inputs, no others, and at least these outputs."""
        if set(inputs) != set(self.inputs) or not set(outputs) <= set(self.outputs):
            raise ModelError(
                f"{self.path} is no {what}: it takes {', '.join(self.inputs)} and gives {', '.join(self.outputs)}, "
                f"but {', '.join(inputs)} -> {', '.join(outputs)} is needed"
            )

    def run(self, wanted: Sequence[str], arrays: Mapping[str, Floats]) -> list[NDArray[Any]]:
        """These outputs, in this order; what only other outputs need is not computed.

        Raises ``ModelError`` where the arrays do not fit, and after ``stop``.
        """
        options = ort.RunOptions()
        options.only_execute_path_to_fetches = True
        self._running = options  # before the look at _stopped: one of the two sees a stop that comes in between
        try:
            if self._stopped:
                raise ModelError(f"{self.path} was stopped")
            results: list[NDArray[Any]] = self._session.run(list(wanted), dict(arrays), options)
        except ModelError:
            raise
        except Exception as error:
            if self._stopped:
                raise ModelError(f"{self.path} was stopped") from error
            given = ", ".join(f"{name} {list(array.shape)}" for name, array in arrays.items())
            raise ModelError(f"{self.path} failed on {given}: {error}") from error
        finally:
            self._running = None
        return results

    def stop(self) -> None:
        """Ends a run that goes on within the operator it is at, and refuses others until ``resume``."""
        self._stopped = True
        running = self._running
        if running is not None:
            running.terminate = True

    def resume(self) -> None:
        """Runs are welcome again."""
        self._stopped = False
