"""The decision: the policy on top of a calibration, changed without learning anew."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from blemish.core.conformal import Calibration
from blemish.core.records import Finite, Moment, NotNegative, Record, Text
from blemish.core.tail import Tail
from blemish.core.types import Verdict

FALSE_REJECT_RATE = 0.01
"""Share of good parts that are rejected where nobody says otherwise: see docs/decisions/0051-rates-not-scores.md."""

REVIEW_RATE = 0.05
"""Share of good parts that are rejected or shown to a person where nobody says otherwise."""

MOST_DECISIONS = 200
"""That an artifact remembers; the oldest go first."""

Rate = Annotated[float, Field(gt=0, lt=1)]
Share = Annotated[float, Field(ge=0, le=1)]


class PixelDecision(Record):
    """Where on a map a defect is.

    Attributes:
        threshold: map values above it are anomalous.
        rate: share of good parts that show any such pixel; None where nobody knows.
    """

    threshold: Finite
    rate: Rate | None = None


class SeenDefects(Record):
    """Known defects that a decision was made with.

    Attributes:
        n, missed: how many there were, and how many the threshold misses.
        missed_low, missed_high: Clopper-Pearson interval, 95 %, of the share of such defects that is missed.
        recall: share of them that was to be found; None where none was asked for.
        cost_missed, cost_false_reject: of one error each; None where costs were not weighed.
        defective_share: share of parts that was taken to be defective, for costs or F1.
        cost: mean cost of a part at the threshold, on what was seen.
        f1: at the threshold, on what was seen.
    """

    n: int = Field(ge=1)
    missed: int = Field(ge=0)
    missed_low: Share
    missed_high: Share
    recall: Annotated[float, Field(gt=0, le=1)] | None = None
    cost_missed: NotNegative | None = None
    cost_false_reject: NotNegative | None = None
    defective_share: Rate | None = None
    cost: NotNegative | None = None
    f1: Share | None = None

    @model_validator(mode="after")
    def _check(self) -> Self:
        if self.missed > self.n:
            raise ValueError("more defects are missed than there are")
        return self


class Decision(Record):
    """What makes a verdict of a score; one version of it.

    Attributes:
        version: counts from 1 within the inspector.
        rule: how the threshold came about: "rate" from the calibration, "threshold" given by hand, "cost", "recall" and
            "f1" from known defects too, "tail" from a model of the highest scores, "quantile" by inspectors before 0.3.
        threshold: a part is rejected when its score is above.
        review_threshold: it is to be reviewed when its score is above this and it is not rejected; at most `threshold`,
            and the same where nothing is reviewed.
        false_reject_rate, review_rate: what was asked for: shares of good parts that are rejected, and rejected or
            reviewed; None where thresholds were given.
        expected, at_most: share of unseen good parts that is rejected, the latter with 95 % confidence.
        review_expected: share of them that is rejected or reviewed.
        pixels: where on the map a defect is.
        made, by: when, and by whom.
        note: why, in the words of a person or of the rule.
        parent: version of the decision that it was made from; None of the first.
        restores: version of the decision that it is equal to, where it undoes others.
        gave_way: which of two promises that could not both be kept gave way, in a sentence.
        seen: known defects that it was made with.
        tail: the model that a rate was extrapolated by; `expected` is then what it says, `at_most` holds without it.
    """

    version: int = Field(default=1, ge=1, le=1_000_000)
    rule: Literal["rate", "threshold", "cost", "recall", "f1", "tail", "quantile"] = "rate"
    threshold: Finite
    review_threshold: Finite
    false_reject_rate: Rate | None = None
    review_rate: Rate | None = None
    expected: Share
    at_most: Share
    review_expected: Share
    pixels: PixelDecision
    made: Moment
    by: Text = "local"
    note: Text | None = None
    parent: int | None = Field(None, ge=1)
    restores: int | None = Field(None, ge=1)
    gave_way: Text | None = None
    seen: SeenDefects | None = None
    tail: Tail | None = None

    @model_validator(mode="after")
    def _check(self) -> Self:
        if self.review_threshold > self.threshold:
            raise ValueError("review_threshold must not be above threshold")
        if max(self.parent or 0, self.restores or 0) >= self.version:
            raise ValueError("parent and restores must be earlier versions")
        return self

    def verdict(self, score: float) -> Verdict:
        """Reject above the threshold, review above the review threshold, pass else."""
        if score > self.threshold:
            return Verdict.REJECT
        return Verdict.REVIEW if score > self.review_threshold else Verdict.PASS


def by_rates(
    calibration: Calibration,
    pixels: PixelDecision,
    false_reject_rate: float | None = None,
    review_rate: float | None = None,
    *,
    version: int = 1,
    by: str = "local",
    note: str | None = None,
) -> Decision:
    """Reject where the p-value is at or under the first rate, review where it is at or under the second.

    Args:
        calibration: scores of good parts.
        pixels: where on the map a defect is.
        false_reject_rate: 0.01 where None, or the smallest that the calibration can promise.
        review_rate: of good parts that are rejected or reviewed; 0.05 where None; 0, or no more than the first, for no
            review.
        version, by, note: as of `Decision`.

    Raises:
        UsageError: the calibration cannot promise the rate that was asked for.
    """
    rejected = false_reject_rate or max(FALSE_REJECT_RATE, calibration.smallest_rate)
    reviewed = REVIEW_RATE if review_rate is None else review_rate
    threshold = calibration.threshold(rejected)
    reviews = reviewed > rejected
    review_threshold = min(threshold, calibration.threshold(reviewed)) if reviews else threshold
    promise = calibration.promise(threshold)
    return Decision(
        version=version,
        threshold=threshold,
        review_threshold=review_threshold,
        false_reject_rate=rejected,
        review_rate=reviewed if reviews else None,
        expected=promise.expected,
        at_most=promise.at_most,
        review_expected=calibration.promise(review_threshold).expected,
        pixels=pixels,
        made=datetime.now(UTC),
        by=by,
        note=note,
    )
