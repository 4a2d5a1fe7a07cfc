"""Where on a map a defect is: thresholds with a stated rate, growth, smallest size, and what is one region."""

from __future__ import annotations

from typing import Annotated, Self

from pydantic import Field, model_validator

from blemish.core.conformal import Calibration
from blemish.core.errors import UsageError
from blemish.core.records import Finite, NotNegative, Record, Text
from blemish.view.quantities import length_pixels

HYSTERESIS = 0.7
"""Where nobody says otherwise: see docs/decisions/0054-regions.md."""

Rate = Annotated[float, Field(gt=0, lt=1)]
Share = Annotated[float, Field(ge=0, le=1)]


class PixelDecision(Record):
    """Where on a map a defect is.

    Attributes:
        threshold: a region has map values above it.
        rate: share of good parts that show any such pixel; None where nobody knows.
        low: a region grows from there over all that is connected and above this; None for no growth. At most
            `threshold`.
        smallest_side: pixels of the photograph; a region whose area is under its square is not reported.
        merge_distance: pixels of the photograph; regions that are no farther apart are one.
    """

    threshold: Finite
    rate: Rate | None = None
    low: Finite | None = None
    smallest_side: NotNegative = 0.0
    merge_distance: NotNegative = 0.0

    @model_validator(mode="after")
    def _check(self) -> Self:
        if self.low is not None and self.low > self.threshold:
            raise ValueError("low must not be above threshold")
        return self

    @property
    def growth(self) -> float:
        """Regions are connected areas above this, which reach above the threshold."""
        return self.threshold if self.low is None else self.low


class PixelPolicy(Record):
    """What is asked of the regions; what is not named stays as it was.

    Attributes:
        rate: share of good parts that may show a region.
        threshold: of the map, by hand.
        hysteresis: where regions stop to grow, as a share of the way from what is usual on good parts to the threshold;
            1 for no growth.
        smallest_region: side of the smallest region that is reported, as "14px" or "0.4mm"; "0px" for all.
        merge_distance: regions that are no farther apart are one, as "10px" or "0.3mm"; "0px" for none.
    """

    rate: Rate | None = None
    threshold: Finite | None = None
    hysteresis: Share | None = None
    smallest_region: Text | None = None
    merge_distance: Text | None = None


def grown_from(threshold: float, usual: float, hysteresis: float) -> float | None:
    """The level down to which regions grow; None for no growth.

    Args:
        threshold: of the map.
        usual: map value of a good part's usual pixel.
        hysteresis: as of `PixelPolicy`.
    """
    if hysteresis >= 1 or usual >= threshold:
        return None
    return usual + hysteresis * (threshold - usual)


def decided_pixels(
    before: PixelDecision,
    policy: PixelPolicy,
    usual: float,
    maxima: Calibration | None = None,
    millimetres: float | None = None,
) -> PixelDecision:
    """Another decision on regions, without learning anew.

    Args:
        before: the one in effect.
        policy: what is asked.
        usual: map value of a good part's usual pixel, `map_low` of the calibration.
        maxima: highest map values of good parts; None where an older inspector does not hold them.
        millimetres: for each pixel of the photographs; None where nobody said.

    Raises:
        UsageError: a rate and a threshold are asked for at once; a rate, without maxima or smaller than they can
            promise; millimetres, without a scale; or no length.
    """
    threshold, rate = _threshold(before, policy, maxima)
    if policy.hysteresis is not None:
        low = grown_from(threshold, usual, policy.hysteresis)
    else:
        way = 1.0 if before.low is None else (before.low - usual) / (before.threshold - usual)
        low = grown_from(threshold, usual, way)
    return PixelDecision(
        threshold=threshold,
        rate=rate,
        low=low,
        smallest_side=_length("smallest_region", policy.smallest_region, before.smallest_side, millimetres),
        merge_distance=_length("merge_distance", policy.merge_distance, before.merge_distance, millimetres),
    )


def _threshold(
    before: PixelDecision, policy: PixelPolicy, maxima: Calibration | None
) -> tuple[float, float | None]:
    """The map's threshold, and the share of good parts that are expected above it."""
    if policy.rate is not None and policy.threshold is not None:
        raise UsageError(
            f"A pixel rate of {policy.rate:g} and a pixel threshold of {policy.threshold:g} cannot both decide: "
            "give one."
        )
    if policy.threshold is not None:
        expected = None if maxima is None else maxima.promise(policy.threshold).expected
        return policy.threshold, None if expected is None or expected >= 1 else expected
    if policy.rate is None:
        return before.threshold, before.rate
    if maxima is None:
        raise UsageError(
            f"A pixel rate of {policy.rate:g} cannot be promised, as this inspector was made before Blemish kept the "
            "highest map values of good parts: fit it anew, or give a pixel threshold."
        )
    return maxima.threshold(policy.rate), policy.rate


def _length(name: str, asked: str | None, before: float, millimetres: float | None) -> float:
    return before if asked is None else length_pixels(name, asked, millimetres)
