"""Values that travel between floors."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

import numpy as np
import numpy.typing as npt

FloatArray = npt.NDArray[np.float32]
ByteArray = npt.NDArray[np.uint8]
BoolArray = npt.NDArray[np.bool_]


class Verdict(StrEnum):
    """What is to be done with a part."""

    PASS = "pass"
    REVIEW = "review"
    REJECT = "reject"
    NOT_JUDGED = "not judged"


NONE_OF_THESE = "none of these"
"""What the defect type of a part that does not pass is called where it is like no type known."""


Point = tuple[float, float]
"""x and y, in pixels of the photograph."""


@dataclass(frozen=True)
class Region:
    """A connected anomalous area of a photograph.

    Attributes:
        x, y, width, height: its bounding box in pixels of the photograph.
        score: its highest map value.
        area: pixels of the photograph that it covers; None, as all that follows, in records of older versions.
        share: share of the map that it covers, in (0, 1].
        peak: x and y of its highest map value, in pixels of the photograph.
        mean: mean of its map values.
        contour: corners of a polygon around it, at most 32, in pixels of the photograph; it lies within the box.
        p_value: share of unseen good parts expected to show an area at least as large, in (0, 1]; None where the
            inspector does not know how large those of good parts are.
        verdict: what is to be done with a part that shows nothing else; None where nothing says so.
        square_millimetres: the area, where the scale of the photographs was given.
    """

    x: int
    y: int
    width: int
    height: int
    score: float
    area: float | None = None
    share: float | None = None
    peak: tuple[int, int] | None = None
    mean: float | None = None
    contour: tuple[Point, ...] = ()
    p_value: float | None = None
    verdict: Verdict | None = None
    square_millimetres: float | None = None

    def to_json(self) -> dict[str, Any]:
        """The region as JSON-ready values; null for what is not known."""
        return vars(self) | {
            "peak": None if self.peak is None else list(self.peak),
            "contour": [list(point) for point in self.contour],
            "verdict": None if self.verdict is None else str(self.verdict),
        }


@dataclass(frozen=True)
class Prediction:
    """What a detector says of one image.

    Attributes:
        score: anomaly score; larger is more anomalous, any range.
        anomaly_map: float32 array H x W at the detector's input size, coarser where that is read in tiles; larger is
            more anomalous.
        parts: p-values by the detectors that it is made of, by name; empty for all but ensembles.
        types: probability of each defect type known, if the part is defective, by name; their sum is 1. Empty where the
            detector knows none.
        type_distance: how far the image is from the nearest labelled defect, 0 to 2; None where there are no types.
        mask_probability: mean over the pixels of the probability that they belong to a defect, 0 to 1; None unless the
            map holds the logits of a mask.
        counted: where the photograph was looked at, bool array of any size that covers it whole; None for everywhere.
            Elsewhere the map has its lowest value.
        part_count: like parts that were found in the photograph and judged one by one; None where it was judged as one.
        farthest: largest distance of a patch from what is good, before any smoothing; None where the detector, or the
            runtime, does not say.
        pooled: mean of the patches that are farthest from what is good, float32 D; None as above.
    """

    score: float
    anomaly_map: FloatArray
    parts: Mapping[str, float] = field(default_factory=dict)
    types: Mapping[str, float] = field(default_factory=dict)
    type_distance: float | None = None
    mask_probability: float | None = None
    counted: BoolArray | None = None
    part_count: int | None = None
    farthest: float | None = None
    pooled: FloatArray | None = None


def mean_probability(logits: FloatArray) -> float:
    """Mean of the probabilities that logits of any shape stand for: of an image's mask, its mask probability."""
    # By the hyperbolic tangent, which no logit overflows.
    return float(np.mean(0.5 * (1.0 + np.tanh(0.5 * logits.astype(np.float64)))))
