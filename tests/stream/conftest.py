"""Shared by the tests below this folder; the folder itself becomes importable, for their helper modules."""

from __future__ import annotations

from pathlib import Path

import pytest


@pytest.fixture(autouse=True)
def no_segmenter(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> None:
    """What a user has installed plays no part in tests."""
    monkeypatch.setenv("STREAM_ENHANCE_MODELS", str(tmp_path_factory.getbasetemp() / "no-models"))


@pytest.fixture(scope="session")
def tiny_bundle(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a bundle that brightens shadows."""
    from tiny_bundle import write_tiny_bundle

    return write_tiny_bundle(tmp_path_factory.mktemp("bundles") / "tiny").folder
