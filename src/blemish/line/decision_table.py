"""What other decisions would do: rate, threshold, good parts rejected and known defects missed, row by row."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from blemish.core.conformal import Calibration
from blemish.core.known_defects import Escapes, escapes
from blemish.core.types import FloatArray
from blemish.line.decision import Decision

RATES = (0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2)
"""That are shown, as far as a calibration can promise them."""

REJECTS, REVIEWS = "rejects", "to review"


@dataclass(frozen=True)
class Row:
    """A threshold, and what rejecting above it does.

    Attributes:
        rate: of good parts, that the threshold is for; None where it came about otherwise.
        threshold: the score.
        expected, at_most: share of unseen good parts above, the latter with 95 % confidence.
        escapes: known defects at or under it; None where none are known.
        in_effect: REJECTS or REVIEWS where the decision in effect has this threshold, else "".
    """

    rate: float | None
    threshold: float
    expected: float
    at_most: float
    escapes: Escapes | None
    in_effect: str = ""

    def to_json(self) -> dict[str, Any]:
        """The row as JSON-ready values."""
        row = asdict(self)
        if self.escapes is not None:
            row["escapes"]["expected"] = self.escapes.expected
        return row


def decision_table(
    decision: Decision,
    calibration: Calibration,
    defects: FloatArray | None = None,
    rates: Sequence[float] = RATES,
) -> tuple[Row, ...]:
    """Rows from the highest threshold to the lowest: the smallest rate that can be promised, `rates`, and what is now.

    Args:
        decision: in effect.
        calibration: scores of good parts.
        defects: scores of known defects, N; None where none are known.
        rates: those that are too small are left out.
    """
    promised = {rate: calibration.threshold(rate) for rate in rates if rate >= calibration.smallest_rate}
    smallest = calibration.smallest_rate
    promised.setdefault(smallest, calibration.threshold(smallest))
    wanted: dict[float, float | None] = {}
    for rate, threshold in sorted(promised.items()):
        wanted.setdefault(threshold, rate)
    for now in (decision.threshold, decision.review_threshold):
        wanted.setdefault(now, None)
    return tuple(
        _row(threshold, wanted[threshold], decision, calibration, defects)
        for threshold in sorted(wanted, reverse=True)
    )


def too_small(calibration: Calibration, rates: Sequence[float] = RATES) -> tuple[float, int] | None:
    """The largest of the rates that cannot be promised, and how many more good parts it needs; None if all can be."""
    rate = max((rate for rate in rates if rate < calibration.smallest_rate), default=None)
    return None if rate is None else (rate, calibration.needed(rate) - calibration.n)


def shares(decision: Decision, defects: FloatArray) -> tuple[int, int, int]:
    """How many known defects a decision rejects, leaves to review, and passes."""
    rejected = int(np.count_nonzero(defects > decision.threshold))
    passed = int(np.count_nonzero(defects <= decision.review_threshold))
    return rejected, len(defects) - rejected - passed, passed


def _row(
    threshold: float,
    rate: float | None,
    decision: Decision,
    calibration: Calibration,
    defects: FloatArray | None,
) -> Row:
    promise = calibration.promise(threshold)
    expected, at_most, now = promise.expected, promise.at_most, ""
    if threshold == decision.review_threshold:
        now = REVIEWS
    if threshold == decision.threshold:
        expected, at_most, now = decision.expected, decision.at_most, REJECTS
        rate = decision.false_reject_rate if decision.rule in ("rate", "tail") else rate
    known = None if defects is None else escapes(defects, threshold)
    return Row(rate, threshold, expected, at_most, known, now)
