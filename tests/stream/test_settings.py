"""One set of names for Python, the environment and dicts, with ranges that hold."""

from __future__ import annotations

import pytest
from pydantic import ValidationError

from stream.settings import Settings


def test_defaults_enhance_fully_and_replace_nothing():
    settings = Settings()
    assert (settings.strength, settings.compare, settings.overwrite, settings.model) == (1.0, "none", False, "curve")


def test_the_environment_is_read_and_the_call_wins(monkeypatch):
    monkeypatch.setenv("STREAM_ENHANCE_STRENGTH", "0.25")
    monkeypatch.setenv("STREAM_ENHANCE_CODEC", "libx265")
    settings = Settings(codec="libsvtav1")
    assert (settings.strength, settings.codec) == (0.25, "libsvtav1")


@pytest.mark.parametrize("given", ["tune=film,aq-mode=3", ["tune=film", "aq-mode=3"], {"tune": "film", "aq-mode": "3"}])
def test_encoder_options_come_as_text_list_or_dict(given):
    assert Settings(encoder_options=given).encoder_options == {"tune": "film", "aq-mode": "3"}


def test_encoder_options_come_from_the_environment(monkeypatch):
    monkeypatch.setenv("STREAM_ENHANCE_ENCODER_OPTIONS", "tune=film")
    assert Settings().encoder_options == {"tune": "film"}


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("strength", 1.01),
        ("strength", -0.01),
        ("strength", "much"),
        ("compare", "diagonal"),
        ("crf", 64),
        ("network_every", 0),
        ("threads", 0),
        ("encoder_options", "tune"),
        ("strenght", 0.5),
        ("when", "night"),
        ("staleness", 0),
        ("bitrate", "fast"),
        ("segment", "0m"),
        ("keep", "7"),
        ("keep", "7 dogs"),
        ("metrics", "localhost"),
        ("metrics", 70000),
        ("give_up_after", -1),
        ("key_every", "nan"),
        ("source_options", "size"),
    ],
)
def test_values_out_of_range_and_unknown_names_are_refused(name, value):
    with pytest.raises(ValidationError, match=name):
        Settings(**{name: value})


def test_a_plain_dict_makes_the_same_settings_again():
    settings = Settings(strength="0.5", output="out.mp4", encoder_options=["tune=film"])
    assert settings.output == ("out.mp4",)
    assert Settings(**settings.model_dump()) == settings


def test_every_field_says_what_it_is():
    assert all(field.title and field.description for field in Settings.model_fields.values())


def test_amounts_are_written_as_people_write_them():
    settings = Settings(bitrate="4M", segment="10m", keep="50GB", metrics=9100, source_options="fps=30,format=mjpeg")
    assert (settings.bitrate, settings.segment, settings.keep, settings.metrics) == (4_000_000, 600.0, "50GB", "9100")
    assert settings.source_options == {"fps": "30", "format": "mjpeg"}
    assert Settings(**settings.model_dump()) == settings


@pytest.mark.parametrize("name", ["bitrate", "segment", "keep", "metrics", "give_up_after"])
def test_none_switches_an_option_off(name):
    assert getattr(Settings(**{name: "none"}), name) is None


def test_outputs_are_one_or_more_and_one_a_line_in_the_environment(monkeypatch):
    assert Settings(output=["a.mp4", "rtsp://b/c"]).output == ("a.mp4", "rtsp://b/c")
    monkeypatch.setenv("STREAM_ENHANCE_OUTPUT", "a, b.mp4\nrtsp://b/c\n")
    assert Settings().output == ("a, b.mp4", "rtsp://b/c")


def test_engines_are_those_that_can_be_opened():
    from typing import get_args

    from engines.choose import AUTO, ENGINES
    from stream.settings import EngineName

    assert set(get_args(EngineName)) == {AUTO, *ENGINES}
