"""Scores that stand far out of those of good parts: damage, a black frame, a mask or a defect among the good.

bench/outliers.py shows how the two constants were chosen, on good photographs with intruders among them.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

LEAST_DEVIATIONS = 4.0
"""Robust standard deviations above the median from which a score can stand out."""

LEAST_GAP = 1.5
"""By how many of them the lowest that stands out lies above the next: a gap, and no long tail."""

_LARGEST_SHARE, _LEAST_SCORES = 0.1, 8


def deviations(scores: npt.ArrayLike, of: npt.ArrayLike | None = None) -> npt.NDArray[np.float64]:
    """How many robust standard deviations each score lies above the median.

    The spread is the larger of the median absolute deviation (times 1.4826) and the way from the median to the 84 %
    point, for scores of good parts have a longer tail above than below (Iglewicz and Hoaglin, "How to Detect and Handle
    Outliers", 1993); at least a thousandth of the median, for scores that are nearly equal.

    Args:
        scores: one dimension, finite.
        of: scores whose median and spread count, where those are others.
    """
    values = np.asarray(scores if of is None else of, np.float64)
    middle = float(np.median(values))
    spread = max(
        1.4826 * float(np.median(np.abs(values - middle))), float(np.quantile(values, 0.84)) - middle
    )
    above = np.asarray(scores, np.float64) - middle
    return np.asarray(above / max(spread, 1e-3 * abs(middle), 1e-12), np.float64)


def far_out(scores: npt.ArrayLike, most: int = 8) -> npt.NDArray[np.intp]:
    """Positions of the scores that stand far above the others, the highest first.

    They deviate by `LEAST_DEVIATIONS` and more, and a gap parts them from the others; they are two of the scores or a
    tenth of them, and `most`, at most. Fewer than eight scores tell nothing.

    Example:
        >>> far_out([1.0, 1.2, 0.9, 1.1, 5.0, 1.0, 1.3, 0.8, 1.1]).tolist()
        [4]
    """
    away = deviations(scores)
    if len(away) < _LEAST_SCORES:
        return np.empty(0, np.intp)
    order = np.argsort(-away, kind="stable")
    for count in range(min(most, max(2, int(_LARGEST_SHARE * len(away)))), 0, -1):
        lowest, following = away[order[count - 1]], away[order[count]]
        if lowest > LEAST_DEVIATIONS and lowest - following > LEAST_GAP:
            return order[:count]
    return np.empty(0, np.intp)
