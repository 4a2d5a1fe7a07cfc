"""How well the probabilities of a segmentation cover masks, and at which threshold."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from blemish.core.types import BoolArray, FloatArray

THRESHOLDS: npt.NDArray[np.float64] = 1 / (1 + np.exp(-np.linspace(-8, 12, 81)))
"""Probabilities that are tried: far down, as a network that has learnt little dares little; and far up, as one whose
defective pixels weighed several hundred times as much calls all doubtful ones defective."""


class MaskOverlap:
    """Intersection over union of many images' pixels with their masks.

    Images belong to one of two halves, so that a threshold can be chosen on one and measured on the other: chosen on
    the pixels that it is measured on, it flatters.
    """

    def __init__(self) -> None:
        count = len(THRESHOLDS)
        self._both, self._found = np.zeros((2, count), np.int64), np.zeros((2, count), np.int64)
        self._defective = np.zeros(2, np.int64)
        self._inside = self._outside = self._good = 0.0

    def add(self, probability: FloatArray, mask: BoolArray, half: int = 0) -> None:
        """Count one image of a half, 0 or 1: probabilities and mask, H x W both."""
        self._both[half] += _at_least(probability[mask])
        self._found[half] += _at_least(probability.ravel())
        self._defective[half] += np.count_nonzero(mask)
        self._inside += float(probability[mask].sum())
        self._outside += float(probability[~mask].sum())
        self._good += float(np.count_nonzero(~mask))

    def cross_iou(self) -> float | None:
        """IoU with each half measured at the threshold that is best on the other; None unless both show defects."""
        if not self._defective.all():
            return None
        either = self._found + self._defective[:, None] - self._both
        best = (self._both / np.maximum(either, 1)).argmax(1)
        halves = np.arange(2)
        return float(self._both[halves, best[::-1]].sum() / either[halves, best[::-1]].sum())

    def metrics(self) -> dict[str, float]:
        """All figures by name; empty without a defect.

        `cross_iou` as above, where there is one; `iou` of all images at the `threshold` that is best on the same
        images; `soft_iou`, which needs none; mean probabilities inside and outside the masks.
        """
        defective = float(self._defective.sum())
        if not defective:
            return {}
        both, found, cross = self._both.sum(0), self._found.sum(0), self.cross_iou()
        overlaps = both / np.maximum(found + defective - both, 1)
        best = int(overlaps.argmax())
        return ({} if cross is None else {"cross_iou": cross}) | {
            "iou": float(overlaps[best]),
            "threshold": float(THRESHOLDS[best]),
            # |P and M| = sum of p m, |P or M| = sum of p + m - p m
            "soft_iou": self._inside / (self._outside + defective),
            "mask_probability": self._inside / defective,
            "other_probability": self._outside / max(self._good, 1.0),
        }


def _at_least(probability: FloatArray) -> npt.NDArray[np.int64]:
    """For each threshold how many of the values reach it."""
    reached = np.bincount(np.searchsorted(THRESHOLDS, probability, "right"), minlength=len(THRESHOLDS) + 1)
    return np.cumsum(reached[:0:-1])[::-1].astype(np.int64)
