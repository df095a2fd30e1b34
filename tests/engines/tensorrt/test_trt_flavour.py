"""Which TensorRT is here, and what is said of one that is not."""

from __future__ import annotations

import importlib
from collections.abc import Iterator
from types import SimpleNamespace
from typing import Any

import pytest

from engines.errors import DeviceError
from engines.tensorrt import flavour as flavours
from engines.tensorrt.flavour import Flavour, best, find, survey


@pytest.fixture
def modules(monkeypatch: pytest.MonkeyPatch) -> Iterator[dict[str, Any]]:
    """What an import gives, by name: a module, or an exception to raise."""
    given: dict[str, Any] = {}
    real = importlib.import_module

    def imported(name: str, package: str | None = None) -> Any:
        if name not in ("tensorrt", "tensorrt_rtx"):
            return real(name, package)
        found = given.get(name, ModuleNotFoundError(f"No module named '{name}'", name=name))
        if isinstance(found, Exception):
            raise found
        return found

    flavours._found.cache_clear()
    monkeypatch.setattr(importlib, "import_module", imported)
    yield given
    flavours._found.cache_clear()


def module(version: str) -> SimpleNamespace:
    flags = SimpleNamespace(STRONGLY_TYPED=0)
    return SimpleNamespace(__version__=version, OnnxParser=1, Builder=1, NetworkDefinitionCreationFlag=flags)


@pytest.mark.parametrize("version", ["10.3.0", "10.16.1", "11.4.0.106"])
def test_full_tensorrt_10_and_11_are_taken_alike(modules: dict[str, Any], version: str) -> None:
    modules["tensorrt"] = module(version)
    found = find("tensorrt")
    assert (found.major, found.network_flags, found.builds_without_gpu) == (int(version.split(".")[0]), 1, False)
    assert str(found) == f"tensorrt {version}"


def test_where_strongly_typed_is_the_only_way_no_flag_is_needed(modules: dict[str, Any]) -> None:
    modules["tensorrt"] = module("12.0.0")
    del modules["tensorrt"].NetworkDefinitionCreationFlag.STRONGLY_TYPED
    assert find("tensorrt").network_flags == 0


def test_what_is_absent_says_how_to_get_it(modules: dict[str, Any]) -> None:
    assert {name: isinstance(found, str) for name, found in survey().items()} == {
        "tensorrt": True,
        "tensorrt-rtx": True,
    }
    with pytest.raises(DeviceError, match="pip install 'stream-enhance\\[tensorrt-rtx\\]'"):
        find("tensorrt-rtx")
    with pytest.raises(DeviceError, match="JetPack"):
        find("tensorrt")


def test_half_an_installation_says_so(modules: dict[str, Any]) -> None:
    """The bindings without the libraries that only NVIDIA's own index has."""
    modules["tensorrt"] = ImportError("libnvonnxparser.so.10: cannot open shared object file", name="tensorrt_bindings")
    with pytest.raises(DeviceError, match=r"in part only.*libnvonnxparser"):
        find("tensorrt")
    flavours._found.cache_clear()
    modules["tensorrt"] = SimpleNamespace(__version__="10.3.0")
    with pytest.raises(DeviceError, match="in part only"):
        find("tensorrt")


def test_a_library_that_does_not_fit_is_a_reason_and_no_crash(modules: dict[str, Any]) -> None:
    modules["tensorrt"] = OSError("GLIBC_2.38 not found")
    with pytest.raises(DeviceError, match="cannot be loaded"):
        find("tensorrt")


def test_too_old_a_version_is_refused(modules: dict[str, Any]) -> None:
    modules["tensorrt"] = module("8.6.1")
    with pytest.raises(DeviceError, match="too old"):
        find("tensorrt")


def test_without_a_gpu_only_rtx_can_build(modules: dict[str, Any]) -> None:
    modules["tensorrt"] = module("10.3.0")
    assert best(builds_here=True).name == "tensorrt"
    with pytest.raises(DeviceError, match=r"RTX|rtx"):
        best(builds_here=False)
    flavours._found.cache_clear()
    modules["tensorrt_rtx"] = module("1.7.1")
    assert best(builds_here=False).name == "tensorrt-rtx"


def test_the_real_one_where_it_is_installed(rtx: Flavour) -> None:
    assert rtx.builds_without_gpu
    assert rtx.network_flags == 1
