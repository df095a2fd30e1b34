"""TensorRT-RTX for tests that really parse and build; skipped with the way to get it where it is absent."""

from __future__ import annotations

import pytest

from engines.errors import DeviceError
from engines.tensorrt.flavour import Flavour, find


@pytest.fixture(scope="session")
def rtx() -> Flavour:
    try:
        return find("tensorrt-rtx")
    except DeviceError as error:
        pytest.skip(str(error))
