"""Detections: how well the regions of anomaly maps find the regions of masks, as object detectors are measured.

Boxes come from maps: a region is a connected area above the pixel threshold, with its peak as confidence (see
`blemish.line.regions`). Over all test images they are ranked by confidence, and each takes the true region of its image
that it overlaps most, if the boxes' intersection over union reaches a bound and nobody has taken it; else it is a false
one. Average precision is the area under precision over recall, each precision raised to the highest at any higher
recall (Everingham et al., "The PASCAL Visual Object Classes Challenge", IJCV 2015; all points, as since 2010).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt

from blemish.core.json_values import number_or_none
from blemish.core.types import BoolArray, Region

IOU_BOUNDS = (0.1, 0.5)
"""Overlap from which a region counts as found: at 0.1 somebody would look at the right place, at 0.5 the box fits."""

Boxes = npt.NDArray[np.int64]
"""n x 4: x, y, width, height in pixels of the photograph."""


@dataclass(frozen=True)
class Detections:
    """How regions were found.

    Attributes:
        n_true: regions of the masks; `n_found`: regions of the maps.
        average_precision: by bound of `IOU_BOUNDS`, in its order.
    """

    n_true: int
    n_found: int
    average_precision: tuple[float, ...]

    def to_json(self) -> dict[str, Any]:
        """The figures JSON-ready: the bound in percent stands in the name."""
        named = zip(IOU_BOUNDS, self.average_precision, strict=True)
        return {
            "true_regions": self.n_true,
            "found_regions": self.n_found,
            **{f"detection_ap_{100 * bound:.0f}": number_or_none(value) for bound, value in named},
        }


NO_DETECTIONS = Detections(0, 0, (float("nan"),) * len(IOU_BOUNDS))
"""Where nothing could be measured."""


def measure_detections(true: Sequence[Boxes], found: Sequence[Sequence[Region]]) -> Detections | None:
    """Measure the regions of several images; None where there is nothing to find.

    Args:
        true: boxes of each image's true regions, none for a good part.
        found: regions of each image's map.
    """
    n_true = sum(map(len, true))
    if not n_true:
        return None
    precisions = tuple(average_precision(true, found, bound) for bound in IOU_BOUNDS)
    return Detections(n_true, sum(map(len, found)), precisions)


def average_precision(true: Sequence[Boxes], found: Sequence[Sequence[Region]], bound: float) -> float:
    """Average precision at one bound of the intersection over union, in [0, 1]; nan where there is nothing to find."""
    n_true = sum(map(len, true))
    if not n_true:
        return float("nan")
    ranked = sorted(
        ((region.score, image, region) for image, regions in enumerate(found) for region in regions),
        key=lambda one: (-one[0], one[1]),
    )
    taken = [np.zeros(len(boxes), np.bool_) for boxes in true]
    right = np.array([_takes(region, true[image], taken[image], bound) for _, image, region in ranked], bool)
    hits = np.cumsum(right)
    recall = np.concatenate([[0.0], hits / n_true])
    precision = hits / np.arange(1, len(hits) + 1)
    envelope = np.maximum.accumulate(precision[::-1])[::-1]
    return float(np.sum(np.diff(recall) * envelope))


def boxes_of(mask: BoolArray) -> Boxes:
    """Boxes of a mask's connected regions (8 neighbours), n x 4, in reading order of the labels."""
    pixels = np.ascontiguousarray(mask, np.bool_).view(np.uint8)
    statistics = cv2.connectedComponentsWithStats(pixels, connectivity=8)[2]
    return np.asarray(statistics[1:, :4], np.int64)


def overlaps(region: Region, boxes: Boxes) -> npt.NDArray[np.float64]:
    """Intersection over union of a region's box with each of `boxes`."""
    left, top = np.maximum(boxes[:, 0], region.x), np.maximum(boxes[:, 1], region.y)
    right = np.minimum(boxes[:, 0] + boxes[:, 2], region.x + region.width)
    bottom = np.minimum(boxes[:, 1] + boxes[:, 3], region.y + region.height)
    shared = np.maximum(right - left, 0) * np.maximum(bottom - top, 0)
    either = boxes[:, 2] * boxes[:, 3] + region.width * region.height - shared
    return np.asarray(shared / either, np.float64)


def _takes(region: Region, boxes: Boxes, taken: BoolArray, bound: float) -> bool:
    """Whether a region finds the box that it overlaps most; that box is taken then."""
    if not len(boxes):
        return False
    overlap = overlaps(region, boxes)
    best = int(overlap.argmax())
    if overlap[best] < bound or taken[best]:
        return False
    taken[best] = True
    return True
