"""How rightly an inspector names the type of a defect, and whether it says so where it knows none."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from blemish.core.json_values import number_or_none
from blemish.core.types import NONE_OF_THESE
from blemish.evaluation.rate import Rate

if TYPE_CHECKING:
    from blemish.evaluation.result import ScoredImage

GOOD = "good"
PASSED = "passed"
_BINS = 10


@dataclass(frozen=True)
class TypeConfusion:
    """What test photographs show against what was said of them.

    A type that was not learnt is rightly called none of these, as is a good part that was rejected.

    Attributes:
        learnt: names of the types that the inspector knows.
        truths: "good" and the types that the photographs show, those learnt before the others; the rows.
        said: "passed", the types learnt, "none of these"; the columns.
        counts: photographs of each, int rows x columns.
        calibration_error: mean difference between the likeliest type's probability and how often it is right, over
            rejected photographs of learnt types, in [0, 1]; nan without any. See `calibration_error`.
    """

    learnt: tuple[str, ...]
    truths: tuple[str, ...]
    said: tuple[str, ...]
    counts: npt.NDArray[np.int64]
    calibration_error: float

    @classmethod
    def of(cls, images: Sequence[ScoredImage], learnt: Sequence[str], threshold: float) -> TypeConfusion:
        """Count what was said of photographs that are rejected above `threshold`."""
        shown = {image.defect_type for image in images if image.anomalous}
        truths = (GOOD, *(name for name in learnt if name in shown), *sorted(shown - set(learnt)))
        said = (PASSED, *learnt, NONE_OF_THESE)
        counts = np.zeros((len(truths), len(said)), np.int64)
        confidences, right = [], []
        for image in images:
            rejected = image.score > threshold and image.type is not None
            truth = image.defect_type if image.anomalous else GOOD
            counts[truths.index(truth), said.index(image.type if rejected and image.type else PASSED)] += 1
            if rejected and truth in learnt:
                likeliest = max(image.types, key=lambda name: image.types[name])
                confidences.append(image.types[likeliest])
                right.append(likeliest == truth)
        return cls(tuple(learnt), truths, said, counts, calibration_error(confidences, right))

    @property
    def known(self) -> tuple[str, ...]:
        """The types learnt that the photographs show."""
        return tuple(name for name in self.truths if name in self.learnt)

    @property
    def unknown(self) -> tuple[str, ...]:
        """The types that the photographs show and that were not learnt."""
        return tuple(name for name in self.truths[1:] if name not in self.learnt)

    @cached_property
    def accuracy(self) -> Rate:
        """Of the rejected photographs of learnt types, those named rightly; "none of these" is wrong here."""
        right = sum(self._count(name, name) for name in self.known)
        return Rate(right, self._rejected(self.known))

    @property
    def doubted(self) -> Rate:
        """Of the rejected photographs of learnt types, those called none of these."""
        return Rate(self._called_none(self.known), self._rejected(self.known))

    @property
    def recognised_as_unknown(self) -> Rate:
        """Of the rejected photographs of types not learnt, those called none of these."""
        return Rate(self._called_none(self.unknown), self._rejected(self.unknown))

    @property
    def good_called_none(self) -> Rate:
        """Of the rejected good parts, those called none of these."""
        return Rate(self._called_none((GOOD,)), self._rejected((GOOD,)))

    def recall(self, name: str) -> Rate:
        """Of all photographs of a type, those passed too, how many are called so."""
        row = self.counts[self.truths.index(name)] if name in self.truths else np.zeros(1, np.int64)
        return Rate(self._count(name, name), int(row.sum()))

    def precision(self, name: str) -> Rate:
        """Of all photographs that are called so, good ones too, how many are of the type."""
        return Rate(self._count(name, name), int(self.counts[:, self.said.index(name)].sum()))

    def is_right(self, truth: str, said: str) -> bool:
        """Whether a column is the right one for a row."""
        if truth == GOOD:
            return said == PASSED
        return said == (truth if truth in self.learnt else NONE_OF_THESE)

    def to_json(self) -> dict[str, Any]:
        """Counts and rates, JSON-ready; a rate where there is nothing to count is None."""
        return {
            "learnt": list(self.learnt),
            "confusion": {
                truth: dict(zip(self.said, map(int, row), strict=True))
                for truth, row in zip(self.truths, self.counts, strict=True)
            },
            "per_type": {
                name: {"recall": self.recall(name).to_json(), "precision": self.precision(name).to_json()}
                for name in self.learnt
            },
            "accuracy": self.accuracy.to_json(),
            "calibration_error": number_or_none(self.calibration_error),
            "learnt_called_none": self.doubted.to_json(),
            "unknown_called_none": self.recognised_as_unknown.to_json(),
            "good_called_none": self.good_called_none.to_json(),
        }

    def _count(self, truth: str, said: str) -> int:
        return (
            int(self.counts[self.truths.index(truth), self.said.index(said)]) if truth in self.truths else 0
        )

    def _called_none(self, truths: Sequence[str]) -> int:
        return sum(self._count(truth, NONE_OF_THESE) for truth in truths)

    def _rejected(self, truths: Sequence[str]) -> int:
        return sum(int(self.counts[self.truths.index(truth), 1:].sum()) for truth in truths)


def calibration_error(confidences: Sequence[float], right: Sequence[bool]) -> float:
    """Expected calibration error: |confidence - accuracy| over ten bins of equal width, weighted by their photographs.

    Naeini et al., "Obtaining Well Calibrated Probabilities Using Bayesian Binning", AAAI 2015. Of few photographs it
    is too high: chance alone keeps confidence and accuracy of a small bin apart.

    Args:
        confidences: probability of the likeliest type, each in [0, 1].
        right: whether that type is the right one.
    """
    if not len(confidences):
        return float("nan")
    sure, hit = np.asarray(confidences, np.float64), np.asarray(right, np.float64)
    bins = np.minimum((sure * _BINS).astype(int), _BINS - 1)
    gaps = np.bincount(bins, hit - sure, minlength=_BINS)
    return float(np.abs(gaps).sum() / len(sure))
