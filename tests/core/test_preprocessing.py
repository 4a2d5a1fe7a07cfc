"""The one preprocessing: what it gives is what timm and torchvision give, for any photograph."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image
from pydantic import ValidationError
from timm.data import create_transform

from blemish.view.preprocessing import Preprocessing, preprocess

MEAN, STD = (123.675, 116.28, 103.53), (58.395, 57.12, 57.375)


def contract(**changes: Any) -> Preprocessing:
    return Preprocessing(**{"height": 64, "width": 96, "mean": MEAN, "std": STD, **changes})


def photograph(height: int, width: int, seed: int = 0) -> np.ndarray:
    """Smooth colours with some noise, uint8 RGB."""
    rng = np.random.default_rng(seed)
    coarse = Image.fromarray(rng.integers(0, 256, (5, 5, 3), np.uint8))
    smooth = np.asarray(coarse.resize((width, height), Image.Resampling.BICUBIC), np.int16)
    return np.clip(smooth + rng.integers(-20, 21, smooth.shape), 0, 255).astype(np.uint8)


@pytest.mark.parametrize("interpolation", ["bilinear", "bicubic", "lanczos"])
@pytest.mark.parametrize("shape", [(200, 150), (64, 96), (40, 50), (500, 30)])
def test_it_is_what_timm_does(interpolation: str, shape: tuple[int, int]) -> None:
    image, wanted = photograph(*shape), contract(interpolation=interpolation)
    transform = create_transform(
        (3, wanted.height, wanted.width),
        interpolation=interpolation,
        mean=tuple(value / 255 for value in MEAN),
        std=tuple(value / 255 for value in STD),
        crop_pct=1.0,
        crop_mode="squash",
    )
    expected = transform(Image.fromarray(image)).numpy()
    np.testing.assert_allclose(preprocess(image, wanted), expected, atol=1e-5)


@pytest.mark.parametrize("interpolation", ["bilinear", "bicubic"])
def test_shrinking_is_antialiased_as_in_torch(interpolation: str) -> None:
    image, wanted = photograph(301, 407), contract(interpolation=interpolation, mean=(0,) * 3, std=(1,) * 3)
    planes = torch.from_numpy(image.transpose(2, 0, 1).copy()).float()[None]
    size = (wanted.height, wanted.width)
    expected = torch.nn.functional.interpolate(planes, size, mode=interpolation, antialias=True)[0]
    # Pillow rounds to whole grey values after each direction.
    assert np.abs(preprocess(image, wanted) - expected.clamp(0, 255).numpy()).max() <= 1.5


@settings(max_examples=40, deadline=None)
@given(
    height=st.integers(8, 200),
    width=st.integers(8, 200),
    out=st.tuples(st.integers(32, 128), st.integers(32, 128)),
    interpolation=st.sampled_from(["bilinear", "bicubic", "lanczos"]),
    seed=st.integers(0, 99),
)
def test_grey_photographs_take_a_shorter_way_to_the_same_place(
    height: int, width: int, out: tuple[int, int], interpolation: str, seed: int
) -> None:
    grey = photograph(height, width, seed)[..., :1].repeat(3, axis=2)
    before = grey.copy()
    wanted = contract(height=out[0], width=out[1], interpolation=interpolation)
    planes = preprocess(grey, wanted)
    assert planes.shape == (3, *out) and planes.dtype == np.float32 and planes.flags.c_contiguous
    assert np.array_equal(grey, before)
    resized = Image.fromarray(grey).resize(out[::-1], Image.Resampling[interpolation.upper()])
    expected = (np.asarray(resized, np.float64) - MEAN) / STD
    np.testing.assert_allclose(planes, expected.transpose(2, 0, 1), atol=1e-5)


@settings(max_examples=20, deadline=None)
@given(colour=st.tuples(*[st.integers(0, 255)] * 3), height=st.integers(8, 90), width=st.integers(8, 90))
def test_one_colour_stays_one_colour(colour: tuple[int, int, int], height: int, width: int) -> None:
    planes = preprocess(np.full((height, width, 3), colour, np.uint8), contract())
    expected = (np.array(colour) - MEAN) / STD
    np.testing.assert_allclose(planes, np.broadcast_to(expected[:, None, None], planes.shape), atol=1e-5)


def test_views_and_read_only_photographs_are_taken_as_they_are() -> None:
    image = photograph(120, 90)
    expected = preprocess(np.ascontiguousarray(image[::-1, 10:80]), contract())
    image.setflags(write=False)
    assert np.array_equal(preprocess(image[::-1, 10:80], contract()), expected)


def test_a_photograph_of_the_right_size_is_not_changed() -> None:
    image = photograph(64, 96)
    planes = preprocess(image, contract(mean=(0,) * 3, std=(1,) * 3))
    assert np.array_equal(planes, image.transpose(2, 0, 1))
    planes[:] = -1  # an array of its own
    assert image.max() > 0


@pytest.mark.parametrize(
    "changes",
    [
        {"height": 31},
        {"width": 20000},
        {"std": (0.0, 1.0, 1.0)},
        {"mean": (float("nan"), 0.0, 0.0)},
        {"mean": (float("inf"), 0.0, 0.0)},
        {"std": (1.0, 1.0)},
        {"interpolation": "nearest"},
        {"bit_depth": 7},
        {"bit_depth": 17},
        {"crop": 0.9},
    ],
    ids=str,
)
def test_a_contract_that_cannot_be_meant_is_refused(changes: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        contract(**changes)


def test_a_contract_survives_json_and_cannot_be_changed() -> None:
    wanted = contract(interpolation="lanczos", bit_depth=12)
    assert Preprocessing.model_validate_json(wanted.model_dump_json()) == wanted
    with pytest.raises(ValidationError):
        wanted.height = 96  # type: ignore[misc]
