"""Where on a map a defect is: thresholds with a stated rate, growth, smallest size, and what is one region."""

from __future__ import annotations

from typing import Annotated, Self

from pydantic import Field, model_validator

from blemish.core.records import Finite, NotNegative, Record

HYSTERESIS = 1.0
"""No growth, where nobody says otherwise: see docs/decisions/0054-regions.md."""

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


def hysteresis_of(pixels: PixelDecision, usual: float) -> float:
    """The share of the way from a good part's usual map value to the threshold that regions grow down to, in [0, 1]."""
    if pixels.low is None or pixels.threshold <= usual:
        return 1.0
    return min(1.0, max(0.0, (pixels.low - usual) / (pixels.threshold - usual)))


def grown_from(threshold: float, usual: float, hysteresis: float) -> float | None:
    """The level down to which regions grow; None for no growth.

    Args:
        threshold: of the map.
        usual: map value of a good part's usual pixel.
        hysteresis: where growth stops, as a share of the way from usual to the threshold; 1 for no growth.
    """
    if hysteresis >= 1 or usual >= threshold:
        return None
    return usual + hysteresis * (threshold - usual)
