"""From an anomaly map to regions: where on the photograph the defect is."""

from __future__ import annotations

from dataclasses import replace

import cv2
import numpy as np

from blemish.core.errors import UsageError
from blemish.core.overlay import segmentation
from blemish.core.types import BoolArray, FloatArray, Region
from blemish.view.regions import covered


def find_regions(
    anomaly_map: FloatArray,
    threshold: float,
    width: int,
    height: int,
    min_area: int = 4,
    most: int = 20,
    counted: BoolArray | None = None,
) -> tuple[Region, ...]:
    """Connected areas (8 neighbours) of a map above a threshold, as boxes in pixels of the photograph.

    Args:
        anomaly_map: float array H x W, finite; it covers the whole photograph.
        threshold: areas are strictly above, as in `blemish.core.overlay.segmentation`.
        width, height: size of the photograph in pixels.
        min_area: smaller areas are left out, in pixels of the map; the one with the map's peak stays.
        most: largest number of regions; the highest stay.
        counted: where the photograph was looked at, bool array of any size that covers it; everywhere when None.

    Returns:
        Regions inside the photograph, each at least 1 x 1, highest score first; empty exactly if the map is
        nowhere above the threshold, where it counts. Every side of a region's box touches what counts.

    Raises:
        UsageError: the map is not H x W or not finite, or a size or number is below 1.
    """
    _check(anomaly_map, width, height)
    if most < 1:
        raise UsageError(f"At most {most} regions cannot be given: choose 1 or more.")
    mask = segmentation(anomaly_map, threshold)
    if counted is not None:
        mask &= covered(counted, *mask.shape)
    if not mask.any():
        return ()
    labels, statistics = _components(mask)
    scores = np.full(len(statistics), -np.inf)
    np.maximum.at(scores, labels[mask], anomaly_map[mask])
    # Label 0 is the background. Equal scores: in reading order, as labels are.
    ranked = [int(label) for label in np.argsort(-scores, kind="stable") if label != 0]
    kept = [ranked[0]] + [label for label in ranked[1:] if statistics[label, cv2.CC_STAT_AREA] >= min_area]
    return tuple(
        _within(
            _region(statistics[label], float(scores[label]), anomaly_map.shape, width, height),
            counted,
            width,
            height,
        )
        for label in kept[:most]
    )


def peak_region(anomaly_map: FloatArray, width: int, height: int, counted: BoolArray | None = None) -> Region:
    """The area around a map's highest value, for a part whose map is nowhere above the threshold.

    It is the connected area around the peak that stands above the middle between the map's median and its
    maximum (the peak's width at half height); on a flat map it is the whole photograph.

    Args:
        anomaly_map: float array H x W, finite; it covers the whole photograph.
        width, height: size of the photograph in pixels.
        counted: as of `find_regions`.

    Raises:
        UsageError: the map is not H x W or not finite, or a size is below 1.
    """
    _check(anomaly_map, width, height)
    inside = np.ones(anomaly_map.shape, np.bool_) if counted is None else covered(counted, *anomaly_map.shape)
    peak = float(anomaly_map[inside].max())
    half_height = float(np.median(anomaly_map[inside])) / 2 + peak / 2
    labels, statistics = _components((anomaly_map >= min(half_height, peak)) & inside)
    label = labels.flat[int(np.where(inside, anomaly_map, -np.inf).argmax())]
    region = _region(statistics[label], peak, anomaly_map.shape, width, height)
    return _within(region, counted, width, height)


def _components(mask: BoolArray) -> tuple[np.ndarray, np.ndarray]:
    """Label of each pixel, int32 H x W (0: background), and OpenCV's statistics of each label."""
    _, labels, statistics, _ = cv2.connectedComponentsWithStats(
        np.ascontiguousarray(mask).view(np.uint8), connectivity=8
    )
    return np.asarray(labels), np.asarray(statistics)


def _region(statistics: np.ndarray, score: float, shape: tuple[int, ...], width: int, height: int) -> Region:
    """The smallest box of whole photograph pixels that covers a component; in integers, so exactly."""
    left, top, across, down = (int(value) for value in statistics[:4])
    rows, columns = shape
    x, y = left * width // columns, top * height // rows
    right = -(-(left + across) * width // columns)
    bottom = -(-(top + down) * height // rows)
    return Region(x=x, y=y, width=right - x, height=bottom - y, score=score)


def _within(region: Region, counted: BoolArray | None, width: int, height: int) -> Region:
    """The smallest box of what counts in a region, which covers pixels of the map whole; itself where all counts."""
    if counted is None:
        return region
    rows, columns = counted.shape
    # In pixels of `counted`, outwards: what it has of the box, and no less.
    left, right = region.x * columns // width, -(-(region.x + region.width) * columns // width)
    top, bottom = region.y * rows // height, -(-(region.y + region.height) * rows // height)
    part = np.ascontiguousarray(counted[top:bottom, left:right]).view(np.uint8)
    across, down, wide, high = cv2.boundingRect(part)
    if not wide:
        return region
    x, y = max(region.x, (left + across) * width // columns), max(region.y, (top + down) * height // rows)
    end_x = min(region.x + region.width, -(-(left + across + wide) * width // columns))
    end_y = min(region.y + region.height, -(-(top + down + high) * height // rows))
    return replace(region, x=x, y=y, width=end_x - x, height=end_y - y)


def _check(anomaly_map: FloatArray, width: int, height: int) -> None:
    if anomaly_map.ndim != 2 or not anomaly_map.size or not np.isfinite(anomaly_map).all():
        raise UsageError(
            f"An anomaly map of shape {anomaly_map.shape} has no regions: give H x W finite numbers."
        )
    if width < 1 or height < 1:
        raise UsageError(f"A photograph of {width} x {height} pixels has no regions: give its real size.")
