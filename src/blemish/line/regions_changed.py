"""What another decision makes of regions that were logged, without their maps; and where only the photograph says it.

A logged region has its area, highest map value and p-value, but not its map. So it follows from the log where the areas
stay the same and fewer of them are shown, or have another verdict; it does not where areas are cut at another level, or
some are to be shown that were not.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from enum import StrEnum

from blemish.core.types import Region
from blemish.line.decision import Decision
from blemish.line.pixel_decision import PixelDecision
from blemish.line.region_verdicts import judged_regions

MOST_LOGGED = 20
"""Regions of a photograph that are logged at most, see `blemish.line.regions.find_regions`."""

NOT_SHOWN, NO_VERDICT = "not shown", "no verdict"
"""What stands for the verdict of a region that is not shown, and of one that is and has none."""

_ROUNDING = 1e-9


class Unknown(StrEnum):
    """Why the photograph alone says what its regions would be."""

    PASSED = "passed"
    OLDER = "older"
    LOWER = "lower"
    CUT = "cut"
    MERGED = "merged"
    SMALLER = "smaller"
    MANY = "many"


REASONS = {
    Unknown.PASSED: "they passed, and of a pass no regions are logged",
    Unknown.OLDER: "an earlier Blemish logged them, without areas",
    Unknown.LOWER: "areas under the old pixel threshold may be regions, and are not logged",
    Unknown.CUT: "areas are cut at another level of the map, so that their sizes are others",
    Unknown.MERGED: "other areas may be one region",
    Unknown.SMALLER: "smaller areas may be regions, and are not logged",
    Unknown.MANY: "they have more regions than are logged",
}
"""In words, of photographs."""


@dataclass(frozen=True)
class RegionsAfter:
    """What becomes of the regions of a part.

    Attributes:
        turns: the verdict of each logged region before, and after, `NOT_SHOWN` or `NO_VERDICT`.
        peak_alone: whether nothing is above the threshold, so that the place of the highest map value is shown alone.
    """

    turns: tuple[tuple[str, str], ...]
    peak_alone: bool = False


def regions_after(
    regions: Sequence[Region],
    score: float,
    shown: tuple[bool, bool],
    before: Decision,
    after: Decision,
    score_is_maximum: bool,
) -> RegionsAfter | Unknown:
    """What another decision makes of the regions of a part, or why only its photograph says it.

    Args:
        regions: as they were logged, highest first.
        score: of the part.
        shown: whether regions were, and would be, shown: those of parts that are reviewed or rejected are.
        before: the decision that they were found by.
        after: the other.
        score_is_maximum: whether the part's score is the highest value of its map.
    """
    if not any(shown):
        return RegionsAfter(())
    if not shown[1]:
        return RegionsAfter(tuple((_said(one), NOT_SHOWN) for one in regions))
    if not shown[0]:
        return Unknown.PASSED
    found = _kept(regions, score, before.pixels, after.pixels, score_is_maximum)
    if isinstance(found, Unknown):
        return found
    places, peak_alone = found
    # The area around a peak is another than the region's was, and has no p-value.
    kept = [replace(regions[place], p_value=None) if peak_alone else regions[place] for place in places]
    judged = dict(zip(places, judged_regions(kept, after, score_is_maximum, None), strict=True))
    turns = tuple(
        (_said(one), _said(judged[place]) if place in judged else NOT_SHOWN)
        for place, one in enumerate(regions)
    )
    return RegionsAfter(turns, peak_alone)


def _said(region: Region) -> str:
    return NO_VERDICT if region.verdict is None else str(region.verdict)


def _kept(
    regions: Sequence[Region], score: float, old: PixelDecision, new: PixelDecision, score_is_maximum: bool
) -> tuple[list[int], bool] | Unknown:
    """Places of the regions that stay, the first alone where it is only the map's peak by now; and whether it is."""
    if not regions:
        return Unknown.OLDER
    of_peak = regions[0].score <= old.threshold  # the map was nowhere above it
    if new == old:
        return list(range(len(regions))), of_peak
    if of_peak or regions[0].score <= new.threshold:
        if new.threshold < regions[0].score:
            return Unknown.LOWER
        # The highest of all that is counted: where small areas were left out, only the part's score says so.
        whole = not old.smallest_side or (score_is_maximum and regions[0].score >= score)
        return ([0], True) if whole or of_peak else Unknown.SMALLER
    return _among(regions, old, new)


def _among(
    regions: Sequence[Region], old: PixelDecision, new: PixelDecision
) -> tuple[list[int], bool] | Unknown:
    """Of regions of which the first is above both thresholds the places of those that stay."""
    if new.threshold < old.threshold:
        return Unknown.LOWER
    if new.growth != old.growth:
        return Unknown.CUT
    if new.merge_distance != old.merge_distance or (new.merge_distance and new.threshold != old.threshold):
        return Unknown.MERGED
    if new.smallest_side < old.smallest_side:
        return Unknown.SMALLER
    above = [place for place, one in enumerate(regions) if one.score > new.threshold]
    if new.smallest_side == old.smallest_side:
        return above, False
    areas = {place: regions[place].area for place in above}
    if None in areas.values():
        return Unknown.OLDER
    least = new.smallest_side**2 * (1 - _ROUNDING)
    large = [place for place, area in areas.items() if area is not None and area >= least]
    if len(regions) >= MOST_LOGGED and len(large) < len(above):
        return Unknown.MANY
    if not large and old.smallest_side:
        return Unknown.SMALLER  # the highest is shown then, which may have been left out
    return large or above[:1], False
