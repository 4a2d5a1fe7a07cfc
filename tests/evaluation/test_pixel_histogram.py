"""Pixel metrics of a histogram: never farther from the exact ones than they say."""

from __future__ import annotations

import math
import tracemalloc

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from blemish.core.errors import BlemishError, UsageError
from blemish.evaluation.metrics import pixel_metrics
from blemish.evaluation.pixel_histogram import binned_pixel_metrics

NAMES = ("auroc", "average_precision", "f1", "aupro")
ROUNDING = 1e-9


@settings(max_examples=80, deadline=None)
@given(
    seed=st.integers(0, 2**32 - 1),
    share=st.sampled_from([0.0, 0.02, 0.3, 1.0]),
    strength=st.sampled_from([0.0, 1.0, 5.0]),
    bins=st.sampled_from([1, 2, 7, 64, 65_536]),
    integral_to=st.sampled_from([0.01, 0.3, 1.0]),
    tied=st.booleans(),
    part=st.booleans(),
)
def test_the_exact_figures_lie_within_the_errors(
    seed: int, share: float, strength: float, bins: int, integral_to: float, tied: bool, part: bool
) -> None:
    random = np.random.default_rng(seed)
    masks = [random.random((13, 17)) < share for _ in range(3)]
    maps = [
        random.normal(size=mask.shape) * 10.0 ** random.integers(-3, 3) + strength * mask for mask in masks
    ]
    maps = [(np.round(one) if tied else one).astype(np.float32) for one in maps]
    counted = [(random.random(mask.shape) < 0.7) | mask for mask in masks] if part else None
    exact = pixel_metrics(masks, maps, integral_to, counted)
    binned = binned_pixel_metrics(masks, maps, integral_to, counted, bins)
    assert (binned.n_pixels, binned.n_anomalous, binned.n_regions) == (
        exact.n_pixels,
        exact.n_anomalous,
        exact.n_regions,
    )
    assert binned.errors is not None
    for name in NAMES:
        truth, said, error = (getattr(one, name) for one in (exact, binned, binned.errors))
        if math.isnan(truth):
            assert math.isnan(said) and math.isnan(error)
        else:
            assert abs(truth - said) <= error + ROUNDING, name
            assert 0 <= error <= 1 + ROUNDING, name


def test_of_the_usual_bins_the_errors_are_small_and_of_few_bins_they_are_not() -> None:
    random = np.random.default_rng(0)
    mask = np.zeros((300, 300), np.bool_)
    mask[40:70, 50:90] = mask[200:210, 100:120] = True
    one = (random.gamma(2, 1, mask.shape) + 3 * mask).astype(np.float32)
    fine, coarse = (binned_pixel_metrics([mask], [one], bins=bins).errors for bins in (65_536, 50))
    assert fine is not None and coarse is not None
    assert max(fine) < 2e-3
    assert min(coarse) > 5 * max(fine)


def test_memory_does_not_grow_with_the_number_of_maps() -> None:
    mask, one = np.zeros((64, 64), np.bool_), np.random.default_rng(0).random((64, 64)).astype(np.float32)
    mask[:4, :4] = True

    def peak(count: int) -> int:
        tracemalloc.start()
        binned_pixel_metrics([mask] * count, [one] * count)
        _, most = tracemalloc.get_traced_memory()
        tracemalloc.stop()
        return most

    few = peak(2)
    assert peak(40) < 1.2 * few < 8_000_000


def test_what_the_exact_metrics_refuse_is_refused() -> None:
    one = np.zeros((2, 3), np.float32)
    with pytest.raises(UsageError, match="one mask for each map"):
        binned_pixel_metrics([], [one])
    with pytest.raises(UsageError, match="one H x W grid"):
        binned_pixel_metrics([np.zeros((3, 2), np.bool_)], [one])
    with pytest.raises(UsageError, match=r"in \(0, 1\]"):
        binned_pixel_metrics([], [], integral_to=0)
    with pytest.raises(BlemishError, match="Anomaly map 0"):
        binned_pixel_metrics([one > 0], [one * math.nan])
