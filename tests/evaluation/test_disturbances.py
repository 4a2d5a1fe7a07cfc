"""Disturbances: natural units, the photograph itself at the neutral strength, and what each one does to pixels."""

from __future__ import annotations

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from blemish.core.errors import UsageError
from blemish.core.noise import noise_level
from blemish.core.types import ByteArray
from blemish.evaluation.disturbances import DISTURBANCES, disturbances_named, is_grey

NAMES = list(DISTURBANCES)


def photograph(seed: int = 0, height: int = 64, width: int = 96, grey: bool = False) -> ByteArray:
    """A smooth scene with a bright square, none of it at either end of the grey levels."""
    rng = np.random.default_rng(seed)
    scene = cv2.resize(rng.uniform(60, 140, (5, 7, 3)).astype(np.float32), (width, height))
    scene[height // 3 : height // 2, width // 3 : width // 2] += 40
    return np.rint(scene[..., :1].repeat(3, 2) if grey else scene).astype(np.uint8)


@pytest.mark.parametrize("name", NAMES)
@settings(max_examples=12, deadline=None)
@given(st.integers(0, 99), st.integers(1, 40), st.integers(1, 40), st.booleans(), st.data())
def test_neutral_is_the_photograph_and_every_strength_keeps_shape_input_and_greyness(
    name: str, seed: int, height: int, width: int, grey: bool, data: st.DataObject
) -> None:
    one, image = DISTURBANCES[name], photograph(seed, height, width, grey)
    before = image.copy()
    strength = data.draw(st.floats(min(one.neutral, *one.ends), max(one.neutral, *one.ends)))
    changed = one(image, strength)
    assert np.array_equal(one(image, one.neutral), image)
    assert changed.shape == image.shape and changed.dtype == np.uint8 and changed.flags.c_contiguous
    assert np.array_equal(image, before) and np.array_equal(changed, one(image, strength))
    assert is_grey(changed) or not is_grey(image)


@pytest.mark.parametrize("name", NAMES)
def test_strengths_reach_the_ends_in_equal_steps_around_the_neutral_one(name: str) -> None:
    one = DISTURBANCES[name]
    strengths = one.strengths(4)
    assert len(strengths) == 4 * len(one.ends) + 1 and one.neutral in strengths
    assert set(one.ends) <= set(strengths) and list(strengths) == sorted(strengths)
    assert set(one.strengths(2)) <= set(strengths) and one.neutral in one.strengths(1)


@pytest.mark.parametrize("name", NAMES)
def test_what_is_stronger_changes_more(name: str) -> None:
    one, image = DISTURBANCES[name], photograph()
    for end in one.ends:
        path = [abs(one(image, s).astype(int) - image).mean() for s in np.linspace(one.neutral, end, 5)]
        assert path[0] == 0 and path == sorted(path) and path[-1] > path[2] > 0


def test_light_is_arithmetic_of_grey_levels() -> None:
    image = photograph()
    brighter = DISTURBANCES["brightness"](image, 1.15)
    assert np.array_equal(brighter, np.clip(np.rint(image * 1.15), 0, 255))
    assert DISTURBANCES["brightness"](np.full((2, 2, 3), 240, np.uint8), 1.3).max() == 255
    assert np.array_equal(DISTURBANCES["gamma"](image, 0.8), np.rint(255 * (image / 255) ** 0.8))
    warmer = DISTURBANCES["white-balance"](image, 1.2)
    ratio = warmer.mean((0, 1)) / image.mean((0, 1))
    assert ratio == pytest.approx([1.2, 1, 1 / 1.2], rel=0.01)
    grey = photograph(grey=True)
    assert np.array_equal(DISTURBANCES["white-balance"](grey, 1.2), grey)


def test_noise_has_its_sigma_and_is_each_photographs_own() -> None:
    flat = np.full((700, 300, 3), 128, np.uint8)
    noisy = DISTURBANCES["noise"](flat, 8.0)
    assert (noisy.astype(int) - 128).std() == pytest.approx(8, rel=0.02)
    assert noise_level(np.ascontiguousarray(noisy[..., 0])) == pytest.approx(8, rel=0.05)
    other = DISTURBANCES["noise"](flat + 1, 8.0)
    assert abs(np.corrcoef(noisy[..., 0].ravel(), other[..., 0].ravel())[0, 1]) < 0.05
    weak = DISTURBANCES["noise"](flat, 2.0)[..., 0].ravel()
    assert np.corrcoef(noisy[..., 0].ravel(), weak)[0, 1] > 0.95


def test_blur_is_scipys_gaussian() -> None:
    from scipy.ndimage import gaussian_filter

    image = photograph()
    expected = gaussian_filter(image.astype(float), (1.5, 1.5, 0), mode="nearest", truncate=4)
    assert np.abs(DISTURBANCES["blur"](image, 1.5) - expected).max() <= 1.5


def test_places_move_as_told_and_the_border_is_repeated() -> None:
    image = photograph(width=100)
    moved = DISTURBANCES["shift"](image, 4.0)
    assert np.array_equal(moved[:, 4:], image[:, :-4])
    assert np.array_equal(moved[:, :4], image[:, :1].repeat(4, 1))
    assert np.array_equal(DISTURBANCES["shift"](image, -4.0)[:, :-4], image[:, 4:])
    square = photograph(height=64, width=64)
    quarter = DISTURBANCES["turn"](square, 90.0).astype(int)
    assert np.abs(quarter - np.rot90(square).astype(int)).max() <= 1  # against the clock
    spot = np.zeros((65, 65, 3), np.uint8)
    spot[32, 42] = 255
    larger = DISTURBANCES["scale"](spot, 1.5)[..., 0]
    assert abs(int(larger.max(0).argmax()) - 47) <= 1 and larger[32].max() > 100
    flat = np.full((40, 60, 3), 77, np.uint8)
    for name in ("turn", "scale", "shift"):
        for end in DISTURBANCES[name].ends:
            assert np.array_equal(DISTURBANCES[name](flat, end), flat)  # no black comes in


def test_strengths_are_spoken_of_as_people_do() -> None:
    said = [
        ("brightness", 0.85, "-15 %"),
        ("gamma", 1.4, "gamma 1.4"),
        ("blur", 1.5, "1.5 px"),
        ("jpeg", 60, "quality 60"),
        ("scale", 1.08, "+8 %"),
        ("turn", -8, "-8°"),
    ]
    for name, strength, words in said:
        assert DISTURBANCES[name].in_words(strength) == words


def test_names_and_strengths_that_cannot_be_meant_are_refused() -> None:
    assert [one.name for one in disturbances_named(("blur", "brightness"))] == ["brightness", "blur"]
    assert len(disturbances_named(None)) == len(NAMES)
    for names in (("smoke",), ()):
        with pytest.raises(UsageError, match="choose among brightness"):
            disturbances_named(names)
    for name, strength in (("brightness", 0.0), ("jpeg", 0), ("blur", -1), ("scale", float("nan"))):
        with pytest.raises(UsageError, match=name):
            DISTURBANCES[name](photograph(), strength)
