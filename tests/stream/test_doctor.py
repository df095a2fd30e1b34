"""The doctor: everything that matters is named, what is missing has a reason, and nothing makes it fail."""

from __future__ import annotations

import json

import pytest
from tiny_bundle import write_tiny_bundle
from typer.testing import CliRunner

from stream import doctor
from stream.cli import app


def findings(group: str) -> dict[str, doctor.Finding]:
    return {finding.name: finding for finding in doctor.examine() if finding.group == group}


def test_software_codecs_of_the_wheel_are_ready():
    assert findings("Encoders")["libx264"].ok
    assert findings("Decoders")["h264"].ok


def test_what_is_missing_says_why():
    for finding in doctor.examine():
        assert finding.text, finding
        if not finding.ok:
            assert len(finding.text) > 15, finding


def test_bundles_are_verified(tmp_path, monkeypatch):
    for name in ("good", "altered"):
        write_tiny_bundle(tmp_path / name)
    (tmp_path / "altered" / "model.onnx").write_bytes(b"something else")
    monkeypatch.setenv("STREAM_ENHANCE_BUNDLES", str(tmp_path))
    found = findings("Bundles")
    assert found["good"].ok
    assert "verified" in found["good"].text
    assert not found["altered"].ok
    assert "SHA-256" in found["altered"].text


def test_without_bundles_and_kernels_the_advice_is_given(tmp_path, monkeypatch):
    monkeypatch.setattr("engines.bundle.SHIPPED", tmp_path / "none")
    monkeypatch.setenv("STREAM_ENHANCE_BUNDLES", str(tmp_path / "none"))
    monkeypatch.setattr(doctor, "_kernel_caches", lambda package: iter(()))
    assert not findings("Bundles")["none"].ok
    assert "stream-enhance warm" in findings("Kernels")["cache"].text


@pytest.mark.parametrize("as_json", [False, True])
def test_the_command_succeeds_even_where_parts_are_missing(as_json, tmp_path, monkeypatch):
    monkeypatch.setattr("engines.bundle.SHIPPED", tmp_path / "none")
    result = CliRunner().invoke(app, ["doctor", *(["--json"] if as_json else [])])
    assert result.exit_code == 0
    if as_json:
        groups = {finding["group"] for finding in json.loads(result.stdout)}
        assert {"Versions", "Processor", "Encoders", "Hardware encoders", "Engines", "Bundles", "Kernels"} <= groups
    else:
        assert "  + libx264 " in result.stdout
