"""Pixel metrics from one histogram: memory that no number of pixels changes, and a bound of what binning costs.

Scores in one bin are taken for equal. That loses only their order among themselves, so each metric lies between what
it would be with the best and with the worst order inside every bin, and the error that is stated is no estimate.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np
import numpy.typing as npt

from blemish.core.types import BoolArray, FloatArray
from blemish.evaluation.metrics import (
    NAN,
    Counts,
    Curve,
    PixelErrors,
    PixelMetrics,
    Ranking,
    check_integral,
    check_map,
    check_one_mask_each,
    metrics_of,
)

BINS = 65_536


def binned_pixel_metrics(
    masks: Sequence[BoolArray],
    maps: Sequence[FloatArray],
    integral_to: float = 0.3,
    counted: Sequence[BoolArray | None] | None = None,
    bins: int = BINS,
) -> PixelMetrics:
    """The metrics of `pixel_metrics` with scores told apart by bins of equal width alone, and the most that may be off.

    Takes 1.5 MB beside the input, and a few bytes a pixel of one map at a time.

    Args:
        masks: as of `pixel_metrics`.
        maps: likewise.
        integral_to: likewise.
        counted: likewise.
        bins: of equal width between the least and the largest score.

    Returns:
        The metrics with `errors`; `f1_threshold` is the lower edge of a bin.

    Raises:
        UsageError, BlemishError: as `pixel_metrics`.
    """
    check_integral(integral_to)
    check_one_mask_each(masks, maps)
    found = _Histogram.of(masks, maps, counted or [None] * len(maps), bins)
    ranking, overlap = found.ranking(), found.overlap()
    errors = _errors(ranking, overlap, integral_to)
    return metrics_of(ranking, overlap, found.n_regions, integral_to, errors)


@dataclass(frozen=True)
class _Histogram:
    """Scores by bins: how many normal, how many anomalous ones, and the summed share of their regions."""

    edges: Curve
    normal: Counts
    anomalous: Counts
    shares: Curve
    n_regions: int

    @classmethod
    def of(
        cls,
        masks: Sequence[BoolArray],
        maps: Sequence[FloatArray],
        counted: Sequence[BoolArray | None],
        bins: int,
    ) -> _Histogram:
        """One pass for the range, one that counts."""
        for index, (mask, one) in enumerate(zip(masks, maps, strict=True)):
            check_map(index, np.asarray(mask), np.asarray(one))
        low = min((float(np.min(one)) for one in maps), default=0.0)
        high = max((float(np.max(one)) for one in maps), default=1.0)
        scale = bins / (high - low) if high > low else 0.0
        normal, anomalous = np.zeros(bins, np.int64), np.zeros(bins, np.int64)
        shares, n_regions = np.zeros(bins), 0
        for mask, one, seen in zip(masks, maps, counted, strict=True):
            mask = np.ascontiguousarray(mask, bool)
            places = _bins_of(np.asarray(one), low, scale, bins)
            looked = places.ravel() if seen is None else places[seen | mask]
            inside = places[mask]
            of_mask = np.bincount(inside, minlength=bins)
            normal += np.bincount(looked, minlength=bins) - of_mask
            if inside.size:
                anomalous += of_mask
                count, regions = cv2.connectedComponents(
                    mask.view(np.uint8), connectivity=8, ltype=cv2.CV_32S
                )
                region = regions[mask]
                weights = 1 / np.bincount(region)[region]
                shares += np.bincount(inside, weights, minlength=bins)
                n_regions += count - 1
        return cls(low + np.arange(bins) * (high - low) / bins, normal, anomalous, shares, n_regions)

    def ranking(self) -> Ranking:
        """Bins with anomalous scores, highest first, each as one score."""
        held = np.flatnonzero(self.anomalous)[::-1]
        above = self.normal[::-1].cumsum()[::-1]
        return Ranking(
            thresholds=self.edges[held],
            true_positives=self.anomalous[held].cumsum(),
            false_positives=above[held],
            false_positives_above=above[held] - self.normal[held],
            n_anomalous=int(self.anomalous.sum()),
            n_normal=int(self.normal.sum()),
        )

    def overlap(self) -> Curve:
        """Mean share of each region in or above the bins of `ranking`."""
        held = np.flatnonzero(self.anomalous)[::-1]
        return np.asarray(self.shares[held].cumsum() / max(self.n_regions, 1))


def _bins_of(one: FloatArray, low: float, scale: float, bins: int) -> npt.NDArray[np.intp]:
    """The bin of each score; a larger one is never in a lower bin, whatever is rounded."""
    return np.minimum(((one - low) * scale).astype(np.intp), bins - 1)


def _errors(ranking: Ranking, overlap: Curve, integral_to: float) -> PixelErrors:
    """By how much each metric may be off: half of what lies between the best and the worst order inside the bins, or
    the farther of the two."""
    if ranking.one_class:
        return PixelErrors(NAN, NAN, NAN, NAN)
    found, total = ranking.true_positives, ranking.n_anomalous
    before = np.concatenate([[0], found[:-1]])
    few, many = ranking.false_positives_above, ranking.false_positives
    gained = found - before
    same_bin = float(np.dot(gained, (many - few).astype(np.float64)))
    # Precision at any score of a bin: at best all its anomalous scores are above its normal ones, at worst below.
    at_best, at_worst, said = (
        found / (found + few),
        (before + 1) / (before + 1 + many),
        found / (found + many),
    )
    precision = float(np.dot(gained, np.maximum(at_best - said, said - at_worst))) / total
    highest = float((2 * found / (found + few + total)).max())
    rates = few / ranking.n_normal, many / ranking.n_normal
    width = np.minimum(rates[1], integral_to) - np.minimum(rates[0], integral_to)
    rise = np.diff(overlap, prepend=0.0)
    return PixelErrors(
        auroc=same_bin / (2 * total * ranking.n_normal),
        average_precision=precision,
        f1=max(0.0, highest - ranking.best_f1().f1),
        aupro=float(np.dot(width, rise)) / integral_to,
    )
