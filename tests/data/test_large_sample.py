"""The large category of the sample line: its size, its defects, and what is refused."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

from blemish.core.images import read_image, upright_size
from blemish.data.large_part import HEIGHT, WIDTH, render_large_part
from blemish.data.large_sample import LARGE_DEFECTS, LARGEST, SMALLEST, damage_a_little


@pytest.fixture(scope="module")
def plate() -> tuple[np.ndarray, np.ndarray]:
    return render_large_part(np.random.default_rng(5))


def test_a_plate_fills_most_of_a_large_photograph(plate: tuple[np.ndarray, np.ndarray]) -> None:
    image, foreground = plate
    assert image.shape == (HEIGHT, WIDTH, 3) == (3000, 4000, 3)
    assert 0.75 < foreground.mean() < 0.9
    assert image[foreground].mean() > 2 * image[~foreground].mean()  # metal on a dark mat


@pytest.mark.parametrize("kind", LARGE_DEFECTS)
def test_defects_are_small_lie_on_the_part_and_nothing_else_changes(
    plate: tuple[np.ndarray, np.ndarray], kind: str
) -> None:
    image, foreground = plate
    for seed in range(2):
        damaged, mask = damage_a_little(image, foreground, kind, np.random.default_rng(seed))
        left, top, width, height = cv2.boundingRect(mask.view(np.uint8))
        assert SMALLEST <= max(width, height) <= LARGEST
        around = np.s_[top : top + height, left : left + width]
        assert np.array_equal(damaged[~mask], image[~mask])
        assert np.any(damaged[around] != image[around], axis=2)[mask[around]].mean() > 0.9
        assert foreground[max(0, top - 4) : top + height + 4, max(0, left - 4) : left + width + 4].any()


def test_the_category_is_written_and_said(tmp_path: Path, blemish: Callable[..., Any]) -> None:
    few = ("--train", 1, "--good", 0, "--per-defect-type", 0)
    told = blemish("sample", tmp_path, "--large", *few, "--json")
    assert told.status == 0
    assert (told.document["width"], told.document["height"]) == (4000, 3000)
    assert told.document["defect_types"] == list(LARGE_DEFECTS)
    (photograph,) = (tmp_path / "plate" / "train" / "good").iterdir()
    assert photograph.name == "000.jpg" and upright_size(photograph) == (4000, 3000)
    assert photograph.stat().st_size < 6e6 and read_image(photograph).std() > 20


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (("--size", 512), "4000 x 3000"),
        (("--category", "washer"), "washer is not large"),
        (("--train", 0), "train 0 is out of range"),
        (("--seed", -1), "seed -1 is out of range"),
    ],
)
def test_what_a_large_category_has_not_is_refused(
    tmp_path: Path, blemish: Callable[..., Any], options: tuple[object, ...], said: str
) -> None:
    told = blemish("sample", tmp_path, "--large", *options)
    assert told.status == 2 and said in " ".join(told.stderr.split())
    assert not list(tmp_path.iterdir())
