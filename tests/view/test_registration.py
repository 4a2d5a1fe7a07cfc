"""Registration: known shifts and turns are found again, at any angle, and what cannot be registered is left alone."""

from __future__ import annotations

import base64
import io

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image
from pydantic import ValidationError

from blemish.core.types import ByteArray, Prediction
from blemish.data.sample_line import render_good
from blemish.view.preprocessing import Preprocessing, look, seen_mask
from blemish.view.registration import (
    Alignment,
    Method,
    Model,
    encoded_reference,
    reference_size,
    register,
    small_grey,
)
from blemish.view.view import View

WIDTH, HEIGHT = 400, 300
PHOTOGRAPH = (WIDTH, HEIGHT)


def part() -> ByteArray:
    """A circuit board before a plain ground, with room around it to move in."""
    board, _ = render_good("board", np.random.default_rng(3), 220)
    edge = np.concatenate([board[0], board[-1], board[:, 0], board[:, -1]])
    photograph = np.empty((HEIGHT, WIDTH, 3), np.uint8)
    photograph[:] = np.median(edge, axis=0)
    photograph[40:260, 90:310] = board
    return photograph


PART = part()
CORNERS = np.array([[130, 80, 1], [270, 80, 1], [130, 220, 1], [270, 220, 1.0]]).T


def motion(angle: float, right: float, down: float) -> np.ndarray:
    """From places of the part as it lies in `PART` to places after it was turned (degrees) and moved, 2 x 3."""
    matrix = cv2.getRotationMatrix2D((WIDTH / 2, HEIGHT / 2), angle, 1.0)
    matrix[:, 2] += right, down
    return np.asarray(matrix, np.float64)


def moved_by(matrix: np.ndarray, image: ByteArray = PART) -> ByteArray:
    """The photograph of a part that was moved; the camera sees more of the same ground."""
    half = np.array([[1, 0, 0.5], [0, 1, 0.5], [0, 0, 1.0]])
    pixels = np.linalg.inv(half) @ np.vstack([matrix, [0, 0, 1]]) @ half
    flags, border = cv2.INTER_CUBIC, cv2.BORDER_REPLICATE
    return np.asarray(cv2.warpAffine(image, pixels[:2], PHOTOGRAPH, flags=flags, borderMode=border), np.uint8)


def alignment(model: Model = "turn", method: Method = "correlation", certain_from: float = 0.7) -> Alignment:
    """With `PART` as its reference."""
    return Alignment(
        reference=encoded_reference(small_grey(PART, reference_size(PHOTOGRAPH))),
        model=model,
        method=method,
        certain_from=certain_from,
        agreement_before=0.5,
        agreement=0.9,
        spread_before=20,
        spread=10,
        n_photographs=8,
    )


def off(found: np.ndarray, matrix: np.ndarray) -> float:
    """Pixels by which a corner of the part misses its place, when it was moved by `matrix` and brought back."""
    there = np.vstack([matrix @ CORNERS, np.ones(4)])
    return float(np.linalg.norm(found @ there - CORNERS[:2], axis=0).max())


@settings(max_examples=25)
@given(
    angle=st.floats(0, 360),
    right=st.floats(-40, 40),
    down=st.floats(-25, 25),
    method=st.sampled_from(["correlation", "phase"]),
)
def test_a_known_turn_and_shift_is_found(angle: float, right: float, down: float, method: Method) -> None:
    matrix = motion(angle, right, down)
    photograph, asked = moved_by(matrix), alignment(method=method)
    found = register(photograph, asked, PHOTOGRAPH)
    assert found.certain and found.agreement > 0.9
    assert off(found.matrix, matrix) < 1
    assert found.matrix.dtype == np.float64 and found.matrix.shape == (2, 3)
    again = register(photograph, asked, PHOTOGRAPH)
    assert np.array_equal(found.matrix, again.matrix) and found.agreement == again.agreement


@settings(max_examples=15)
@given(right=st.floats(-60, 60), down=st.floats(-30, 30), method=st.sampled_from(["correlation", "features"]))
def test_a_known_shift_is_found_and_nothing_turned(right: float, down: float, method: Method) -> None:
    matrix = motion(0, right, down)
    found = register(moved_by(matrix), alignment("shift", method), PHOTOGRAPH)
    assert off(found.matrix, matrix) < 0.7
    assert np.array_equal(found.matrix[:, :2], np.eye(2)) or abs(right) + abs(down) < 1


@pytest.mark.parametrize("angle", [45, 180, 271])
def test_features_find_turns_too(angle: float) -> None:
    matrix = motion(angle, 10, -12)
    assert off(register(moved_by(matrix), alignment(method="features"), PHOTOGRAPH).matrix, matrix) < 1


@pytest.mark.parametrize("model", ["shift", "turn"])
@pytest.mark.parametrize("light", [1.0, 0.6])
def test_a_part_at_its_place_keeps_every_pixel(model: Model, light: float) -> None:
    photograph = (PART * light).astype(np.uint8)
    found = register(photograph, alignment(model), PHOTOGRAPH)
    assert np.array_equal(found.matrix, np.eye(2, 3)) and found.certain and found.agreement > 0.99
    plain = look(photograph, contract(None))
    assert np.array_equal(look(photograph, contract(alignment(model))).picture, plain.picture)


@pytest.mark.parametrize("scale", [0.5, 2, 7])
def test_photographs_of_another_size_are_stretched_in_thought(scale: float) -> None:
    matrix = motion(130, 20, 10)
    size = round(WIDTH * scale), round(HEIGHT * scale)
    photograph = np.asarray(cv2.resize(moved_by(matrix), size, interpolation=cv2.INTER_CUBIC), np.uint8)
    assert off(register(photograph, alignment(), PHOTOGRAPH).matrix, matrix) < 1.5
    seen = look(photograph, contract(alignment())).picture.astype(float)
    assert np.abs(seen - look(PART, contract(None)).picture)[40:-40, 40:-40].mean() < 8


@given(grey=st.integers(0, 255), model=st.sampled_from(["shift", "turn"]), noise=st.booleans())
@settings(max_examples=8)
def test_what_shows_no_part_is_looked_at_as_it_lies(grey: int, model: Model, noise: bool) -> None:
    photograph = np.full((HEIGHT, WIDTH, 3), grey, np.uint8)
    if noise:
        photograph = np.random.default_rng(grey).integers(0, 256, photograph.shape).astype(np.uint8)
    found = register(photograph, alignment(model), PHOTOGRAPH)
    assert not found.certain and np.array_equal(found.matrix, np.eye(2, 3))
    seen = look(photograph, contract(alignment(model)))
    assert not seen.aligned and seen.agreement == found.agreement and seen.to_photograph is None
    assert np.array_equal(seen.picture, look(photograph, contract(None)).picture)


def test_a_constant_reference_registers_nothing() -> None:
    flat = encoded_reference(np.full((48, 64), 90, np.uint8))
    asked = alignment().model_copy(update={"reference": flat, "certain_from": 0.0})
    assert np.array_equal(register(PART, asked, PHOTOGRAPH).matrix, np.eye(2, 3))


@settings(max_examples=12)
@given(
    angle=st.floats(0, 360),
    right=st.floats(-30, 30),
    down=st.floats(-20, 20),
    x=st.integers(150, 240),
    y=st.integers(100, 190),
    square=st.booleans(),
)
def test_a_defect_is_found_at_its_place_in_the_photograph(
    angle: float, right: float, down: float, x: int, y: int, square: bool
) -> None:
    damaged = PART.copy()
    damaged[y : y + 14, x : x + 14] = (255, 0, 255)
    matrix = motion(angle, right, down)
    photograph, asked = moved_by(matrix, damaged), contract(alignment(certain_from=0.5), square)
    seen, usual = look(photograph, asked), look(PART, contract(None, square)).picture
    difference = np.abs(seen.picture.astype(np.float32) - usual).max(axis=2)
    said = seen.placed(Prediction(1.0, cv2.GaussianBlur(difference, (0, 0), 2))).anomaly_map
    row, column = np.unravel_index(int(said.argmax()), said.shape)
    place = np.array([(column + 0.5) / said.shape[1] * WIDTH, (row + 0.5) / said.shape[0] * HEIGHT])
    true = matrix @ np.array([x + 7, y + 7, 1.0])
    assert np.linalg.norm(place - true) < 8
    # And a mask over the photograph comes to lie over the defect in the picture.
    over = (
        moved_by(matrix, np.uint8(255) * (damaged != PART).any(2, keepdims=True).repeat(3, 2))[..., 0] > 127
    )
    mask = seen_mask(over, asked, lambda: photograph)
    rows, columns = np.nonzero(mask)
    assert abs(rows.mean() - y - 6.5) < 2 and abs(columns.mean() - x - 6.5) < 2


def contract(asked: Alignment | None, square: bool = False) -> Preprocessing:
    """Photographs as they are, or squared."""
    zero, one = (0.0, 0.0, 0.0), (1.0, 1.0, 1.0)
    height, width = (320, 320) if square else (288, 384)
    view = View(photograph=PHOTOGRAPH, alignment=asked)
    return Preprocessing(height=height, width=width, mean=zero, std=one, view=view)


def test_an_alignment_travels_in_a_manifest_and_names_the_picture() -> None:
    view = View(photograph=PHOTOGRAPH, alignment=alignment())
    assert View.model_validate_json(view.model_dump_json()) == view
    keys = {View(photograph=PHOTOGRAPH, alignment=one).key for one in (None, alignment(), alignment("shift"))}
    assert len(keys) == 3 and max(map(len, keys)) < 200
    # What was measured changes no pixel.
    other = alignment().model_copy(update={"agreement": 0.8})
    assert View(photograph=PHOTOGRAPH, alignment=other).key == view.key


def _png(width: int, height: int) -> str:
    content = io.BytesIO()
    Image.new("L", (width, height), 7).save(content, "PNG")
    return base64.b64encode(content.getvalue()).decode()


@pytest.mark.parametrize(
    "wrong",
    [
        {"reference": "no base64!"},
        {"reference": base64.b64encode(b"no picture").decode()},
        {"reference": _png(5000, 5000)},
        {"reference": _png(9, 9)},
        {"reference": "A" * 400_000},
        {"certain_from": float("nan")},
        {"model": "stretch"},
    ],
)
def test_a_strangers_alignment_is_checked(wrong: dict[str, object]) -> None:
    with pytest.raises(ValidationError):
        Alignment.model_validate(alignment().model_dump() | wrong)


def test_a_frame_that_no_machine_holds_is_refused() -> None:
    with pytest.raises(ValidationError, match="size"):
        View(photograph=(500_000, 500_000), alignment=alignment())
