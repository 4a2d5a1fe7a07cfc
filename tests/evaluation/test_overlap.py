"""IoU and F1 of segmentations against scikit-learn's."""

from __future__ import annotations

import math

import numpy as np
import pytest
from sklearn import metrics as reference

from blemish.core.errors import UsageError
from blemish.evaluation.overlap import overlap


def test_they_are_those_of_scikit_learn() -> None:
    rng = np.random.default_rng(0)
    masks = [rng.random((9, 7)) < share for share in (0.3, 0.05, 0.6)] + [np.zeros((9, 7), bool)]
    found = [rng.random((9, 7)) < 0.3 for _ in masks]
    measured = overlap(zip(masks, found, strict=True))
    flat = [np.concatenate([one.ravel() for one in of]) for of in (masks, found)]
    assert measured.f1 == pytest.approx(reference.f1_score(*flat))
    each = [reference.jaccard_score(m.ravel(), f.ravel()) for m, f in zip(masks[:3], found[:3], strict=True)]
    assert measured.iou == pytest.approx(np.mean(each))
    assert measured.n_defective == 3


def test_what_is_undefined_is_nan() -> None:
    nothing = np.zeros((4, 4), bool)
    empty = overlap([(nothing, nothing)])
    assert math.isnan(empty.f1) and math.isnan(empty.iou)
    found = overlap([(nothing, ~nothing)])
    assert found.f1 == 0 and math.isnan(found.iou)
    with pytest.raises(UsageError, match="one grid"):
        overlap([(nothing, nothing[:2])])
