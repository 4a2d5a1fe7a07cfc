"""Verdicts of regions: what would be done with a part that showed this one alone."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

from blemish.core.types import Region, Verdict
from blemish.line.decision import Decision


def judged_regions(
    regions: Iterable[Region], decision: Decision, score_is_maximum: bool, millimetres: float | None
) -> tuple[Region, ...]:
    """Regions with their verdicts, and their areas in millimetres.

    Where the part's score is the highest value of its map, a region is judged as a part is: by its peak. Where it is
    not (a mean of the map, a p-value of several detectors, a classifier), a peak means nothing beside the thresholds
    of scores, and the region is judged by the p-value of its size: rejected at or under the rate of good parts that
    the decision rejects, reviewed at or under that which it rejects or reviews.

    Args:
        regions: as `blemish.line.regions.find_regions` gives them.
        decision: that makes verdicts of scores.
        score_is_maximum: whether the part's score is the highest value of its map.
        millimetres: for each pixel of the photographs; None where nobody said.
    """
    return tuple(
        replace(
            one,
            verdict=decision.verdict(one.score) if score_is_maximum else _by_size(one, decision),
            square_millimetres=None if millimetres is None or one.area is None else one.area * millimetres**2,
        )
        for one in regions
    )


def _by_size(region: Region, decision: Decision) -> Verdict | None:
    if region.p_value is None:
        return None
    rejected = decision.false_reject_rate or decision.expected
    if region.p_value <= rejected:
        return Verdict.REJECT
    reviewed = decision.review_rate or decision.review_expected
    return Verdict.REVIEW if region.p_value <= reviewed else Verdict.PASS
