"""Catchment basins against scikit-image's watershed, which decides ties otherwise."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from skimage.segmentation import watershed

from blemish.core.images import read_image
from blemish.data.catalog import open_catalog
from blemish.line.basins import catchment_basins


def same_parts(left: np.ndarray, right: np.ndarray) -> bool:
    """Whether two labellings part the image alike, whatever the numbers."""
    pairs = {*zip(left.ravel().tolist(), right.ravel().tolist(), strict=True)}
    return len(pairs) == len(np.unique(left)) == len(np.unique(right))


@settings(max_examples=60, deadline=None)
@given(st.integers(1, 15), st.integers(1, 15), st.randoms(use_true_random=False))
def test_without_ties_they_are_scikit_images(height: int, width: int, random: object) -> None:
    values = list(range(height * width))
    random.shuffle(values)  # type: ignore[attr-defined]
    image = np.array(values, np.uint8).reshape(height, width)
    assert same_parts(catchment_basins(image), watershed(image))


@settings(max_examples=60, deadline=None)
@given(arrays(np.uint8, st.tuples(st.integers(1, 20), st.integers(1, 20)), elements=st.integers(0, 4)))
def test_with_ties_every_basin_has_its_minimum_and_none_is_left_out(image: np.ndarray) -> None:
    labels, theirs = catchment_basins(image), watershed(image)
    assert labels.shape == image.shape and labels.min() == 1 and labels.max() == max(1, theirs.max())
    for number in range(1, labels.max() + 1):
        count, _ = cv2.connectedComponents((labels == number).astype(np.uint8), connectivity=4)
        assert count == 2, "a basin hangs together"
        assert len(np.unique(theirs[(labels == number) & (image == image[labels == number].min())])) == 1


@pytest.mark.parametrize("turned", [False, True])
def test_on_photographs_few_pixels_are_parted_otherwise(washers: Path, turned: bool) -> None:
    image = cv2.cvtColor(read_image(open_catalog(washers).train_normal()[0]), cv2.COLOR_RGB2GRAY)
    gradient = cv2.morphologyEx(image, cv2.MORPH_GRADIENT, np.ones((3, 3), np.uint8))
    gradient = np.ascontiguousarray(gradient.T) if turned else gradient
    assert np.mean(catchment_basins(gradient) != watershed(gradient)) < 0.03


def test_of_two_equal_claims_the_upper_left_one_wins() -> None:
    assert catchment_basins(np.array([[0, 9, 0]], np.uint8)).tolist() == [[1, 1, 2]]
    assert catchment_basins(np.full((3, 4), 7, np.uint8)).tolist() == [[1] * 4] * 3
