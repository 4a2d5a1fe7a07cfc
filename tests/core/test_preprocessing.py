"""The one preprocessing."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError
from torchvision.transforms import v2

from blemish.core.preprocessing import Preprocessing, preprocess


def contract(**changes: object) -> Preprocessing:
    usual: dict[str, object] = {"height": 64, "width": 96, "mean": (127,) * 3, "std": (128,) * 3}
    return Preprocessing.model_validate(usual | changes)


@settings(max_examples=15, deadline=None)
@given(st.integers(16, 200), st.integers(16, 200), st.integers(0, 2**31), st.booleans())
def test_it_agrees_with_torchvision(height: int, width: int, seed: int, grey: bool) -> None:
    image = np.random.default_rng(seed).integers(0, 256, (height, width, 3), dtype=np.uint8)
    if grey:
        image = np.repeat(image[..., :1], 3, axis=2)
    mine = preprocess(image, contract())
    from PIL import Image

    resized = v2.functional.resize(
        Image.fromarray(image), [64, 96], interpolation=v2.InterpolationMode.BICUBIC
    )
    theirs = (v2.functional.pil_to_tensor(resized).float() - 127) / 128
    assert mine.dtype == np.float32
    assert mine.flags.c_contiguous
    assert torch.allclose(torch.from_numpy(mine), theirs, atol=1e-6)


def test_an_image_of_the_right_size_is_only_standardised() -> None:
    image = np.random.default_rng(0).integers(0, 256, (64, 96, 3), dtype=np.uint8)
    expected = (image.transpose(2, 0, 1).astype(np.float32) - 127) / 128
    assert np.allclose(preprocess(image, contract()), expected, atol=1e-6)


@pytest.mark.parametrize(
    "changes",
    [{"height": 0}, {"width": 100_000}, {"std": (0, 1, 1)}, {"mean": (float("nan"),) * 3}, {"bit_depth": 7}],
)
def test_impossible_contracts_are_refused(changes: dict[str, object]) -> None:
    with pytest.raises(ValidationError):
        contract(**changes)
