"""Profiles out of a bundle's card."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engines.bundle import TensorCard, load_bundle
from engines.curve.grid import thumbnail_shape
from engines.errors import ModelError
from engines.tensorrt.shapes import BATCH, THUMBNAILS, profile_for, profiles

CURVE = load_bundle("curve").card


def test_the_usual_thumbnails_have_exact_profiles_and_batches_are_free() -> None:
    found = profiles(CURVE)
    assert len(found) == 4
    for profile, (height, width) in zip(found, THUMBNAILS, strict=False):
        thumbnail = profile["thumbnail"]
        assert (thumbnail.min, thumbnail.opt, thumbnail.max) == (
            (1, 3, height, width),
            (1, 3, height, width),
            (BATCH, 3, height, width),
        )
        assert profile["region_weights"].opt == (1, 17, height // 8, width // 8)
        assert profile["region_features"].max == (BATCH, 17, 256)


@given(width=st.integers(1, 8000), height=st.integers(1, 8000), count=st.integers(1, BATCH))
def test_every_thumbnail_there_is_has_a_profile(width: int, height: int, count: int) -> None:
    h, w = thumbnail_shape(width, height)
    shapes = {
        "thumbnail": (count, 3, h, w),
        "region_weights": (count, 17, h // 8, w // 8),
        "region_features": (count, 17, 256),
    }
    number = profile_for(profiles(CURVE), shapes)
    assert (number < 3) == ((h, w) in THUMBNAILS)


def test_shapes_that_were_not_built_for_say_so() -> None:
    with pytest.raises(ModelError, match="was not built for thumbnail"):
        profile_for(profiles(CURVE), {"thumbnail": (1, 3, 2048, 2048)})


def test_a_fixed_size_has_one_profile() -> None:
    card = replace(CURVE, inputs=(TensorCard("image", "1,3,288,512", ""),))
    (profile,) = profiles(card)
    assert profile["image"].min == profile["image"].max == (1, 3, 288, 512)


def test_maps_of_sizes_of_their_own_are_free_within_what_there_can_be() -> None:
    card = replace(CURVE, inputs=(TensorCard("image", "1,3,h,w", ""), TensorCard("embedding", "1,256,eh,ew", "")))
    embedding = profiles(card)[0]["embedding"]
    assert embedding.takes((1, 256, 16, 16))
    assert embedding.takes((1, 256, 64, 36))
    assert not embedding.takes((1, 256, 65, 36))


def test_an_unknown_layout_and_an_empty_batch_are_refused() -> None:
    with pytest.raises(ModelError, match="layout of 'image' has 'q'"):
        profiles(replace(CURVE, inputs=(TensorCard("image", "1,3,q,w", ""),)))
    with pytest.raises(ModelError, match="at least one"):
        profiles(CURVE, batch=0)
