"""From an anomaly map to regions: where on the photograph the defect is."""

from __future__ import annotations

from dataclasses import dataclass, replace

import cv2
import numpy as np

from blemish.core.conformal import Calibration
from blemish.core.errors import UsageError
from blemish.core.types import BoolArray, FloatArray, Region
from blemish.line.contours import enclosing_polygon
from blemish.line.pixel_decision import PixelDecision
from blemish.view.regions import covered


def find_regions(
    anomaly_map: FloatArray,
    pixels: PixelDecision | float,
    width: int,
    height: int,
    min_area: int = 4,
    most: int = 20,
    counted: BoolArray | None = None,
    normal_areas: Calibration | None = None,
) -> tuple[Region, ...]:
    """Connected areas (8 neighbours) of a map that reach above a threshold, in pixels of the photograph.

    Args:
        anomaly_map: float array H x W, finite; it covers the whole photograph.
        pixels: threshold and more; or a threshold alone: areas are then all that is strictly above.
        width, height: size of the photograph in pixels.
        min_area: smaller areas are left out, in pixels of the map; the one with the map's peak stays.
        most: largest number of regions; the highest stay.
        counted: where the photograph was looked at, bool array of any size that covers it; everywhere when None.
        normal_areas: shares of the map that the largest areas of good parts cover, for p-values.

    Returns:
        Regions inside the photograph, each at least 1 x 1, highest score first; empty exactly if the map is
        nowhere above the threshold, where it counts: where all are smaller than `pixels.smallest_side`, the one with
        the map's peak is given. Every side of a region's box touches what counts.

    Raises:
        UsageError: the map is not H x W or not finite, or a size or number is below 1.
    """
    _check(anomaly_map, width, height)
    if most < 1:
        raise UsageError(f"At most {most} regions cannot be given: choose 1 or more.")
    asked = pixels if isinstance(pixels, PixelDecision) else PixelDecision(threshold=pixels)
    found = _grown(anomaly_map, asked, counted)
    if found is None:
        return ()
    scale = width / anomaly_map.shape[1], height / anomaly_map.shape[0]
    joined = found.merged(asked.merge_distance / scale[0], asked.merge_distance / scale[1])
    areas, pieces = joined.areas()
    scores = np.full(len(areas), -np.inf)
    np.maximum.at(scores, joined.group, joined.peaks)
    # Group 0 is the background. Equal scores: in reading order, as labels are.
    ranked = [int(one) for one in np.argsort(-scores, kind="stable") if scores[one] > -np.inf]
    kept = [ranked[0], *(one for one in ranked[1:] if areas[one] >= min_area)]
    smallest = asked.smallest_side**2 / (scale[0] * scale[1])
    kept = [one for one in kept if areas[one] >= smallest] or ranked[:1]
    regions = []
    for one in kept[:most]:
        left, top, mask = joined.mask_of(one)
        region = _region(anomaly_map, mask, (left, top), width, height, counted)
        # Shares of good parts are kept as float32: equal ones must stay equal.
        share = float(np.float32(pieces[one] / anomaly_map.size))
        p_value = None if normal_areas is None else normal_areas.p_value(share)
        regions.append(replace(region, p_value=p_value))
    return tuple(regions)


def anomalous_pixels(
    anomaly_map: FloatArray, pixels: PixelDecision, counted: BoolArray | None = None
) -> BoolArray:
    """Pixels of the map, bool H x W, that regions are made of before they are merged; arguments as `find_regions`."""
    found = _grown(anomaly_map, pixels, counted)
    return np.zeros(anomaly_map.shape, np.bool_) if found is None else found.reaching[found.labels]


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
    left, top, across, down = (int(value) for value in statistics[label][:4])
    mask = labels[top : top + down, left : left + across] == label
    return _region(anomaly_map, mask, (left, top), width, height, counted)


@dataclass(frozen=True, eq=False)
class _Areas:
    """Connected areas of a map.

    Attributes:
        labels: int32 H x W, 0 for the background.
        statistics: OpenCV's, of each label.
        peaks: highest map value of each label; -inf for the background, and where it does not reach the threshold.
        group: of each label, which region it is of; 0 for none.
    """

    labels: np.ndarray
    statistics: np.ndarray
    peaks: np.ndarray
    group: np.ndarray

    @property
    def reaching(self) -> BoolArray:
        """Of each label, whether it reaches above the threshold."""
        return np.asarray(self.peaks > -np.inf)

    def merged(self, across: float, down: float) -> _Areas:
        """The same, where areas no farther apart than these numbers of the map's pixels are one region."""
        reach = int(across / 2), int(down / 2)
        if not any(reach):
            return self
        edge = 2 * reach[0] + 1, 2 * reach[1] + 1
        mask = np.ascontiguousarray(self.reaching[self.labels]).view(np.uint8)
        wide = cv2.dilate(mask, cv2.getStructuringElement(cv2.MORPH_ELLIPSE, edge))
        together, _ = _components(wide.view(np.bool_))
        group = np.zeros(len(self.peaks), np.intp)
        group[self.labels[mask > 0]] = together[mask > 0]
        return replace(self, group=group)

    def areas(self) -> tuple[np.ndarray, np.ndarray]:
        """Of each group, how many pixels it has, and its largest connected piece."""
        sizes = np.where(self.reaching, self.statistics[:, cv2.CC_STAT_AREA], 0)
        largest = np.zeros(self.group.max() + 1, np.int64)
        np.maximum.at(largest, self.group, sizes)
        return np.bincount(self.group, sizes, len(largest)), largest

    def mask_of(self, group: int) -> tuple[int, int, BoolArray]:
        """Left, top and pixels of a group, cut out to its box."""
        members = (self.group == group) & self.reaching
        boxes = self.statistics[members][:, :4]
        left, top = (int(value) for value in boxes[:, :2].min(axis=0))
        right, bottom = (int(value) for value in (boxes[:, :2] + boxes[:, 2:]).max(axis=0))
        return left, top, members[self.labels[top:bottom, left:right]]


def _grown(anomaly_map: FloatArray, pixels: PixelDecision, counted: BoolArray | None) -> _Areas | None:
    """Areas above the lower level, of which those count that reach above the threshold; None where none does."""
    if not anomaly_map.max() > pixels.threshold:
        return None
    mask = np.asarray(anomaly_map > pixels.growth, np.bool_)
    if counted is not None:
        mask &= covered(counted, *mask.shape)
    labels, statistics = _components(mask)
    peaks = np.full(len(statistics), -np.inf)
    np.maximum.at(peaks, labels[mask], anomaly_map[mask])
    peaks[~(peaks > pixels.threshold)] = -np.inf
    if not (peaks > -np.inf).any():
        return None
    return _Areas(labels, statistics, peaks, np.where(peaks > -np.inf, np.arange(len(peaks)), 0))


def _components(mask: BoolArray) -> tuple[np.ndarray, np.ndarray]:
    """Label of each pixel, int32 H x W (0: background), and OpenCV's statistics of each label."""
    _, labels, statistics, _ = cv2.connectedComponentsWithStats(
        np.ascontiguousarray(mask).view(np.uint8), connectivity=8
    )
    return np.asarray(labels), np.asarray(statistics)


def _region(
    anomaly_map: FloatArray,
    mask: BoolArray,
    origin: tuple[int, int],
    width: int,
    height: int,
    counted: BoolArray | None,
) -> Region:
    """What a mask, whose first pixel lies at `origin` (column, row) of the map, is on the photograph.

    Its box is the smallest of whole photograph pixels that covers it; in integers, so exactly.
    """
    (rows, columns), (left, top), (down, across) = anomaly_map.shape, origin, mask.shape
    values = anomaly_map[top : top + down, left : left + across]
    row, column = np.unravel_index(int(np.where(mask, values, -np.inf).argmax()), mask.shape)
    size = int(np.count_nonzero(mask))
    x, y = left * width // columns, top * height // rows
    box = Region(
        x=x,
        y=y,
        width=-(-(left + across) * width // columns) - x,
        height=-(-(top + down) * height // rows) - y,
        score=float(values[row, column]),
        area=size * width * height / (rows * columns),
        share=size / (rows * columns),
        # The middle of the map's pixel.
        peak=(
            (2 * (left + int(column)) + 1) * width // (2 * columns),
            (2 * (top + int(row)) + 1) * height // (2 * rows),
        ),
        mean=float(values[mask].mean(dtype=np.float64)),
    )
    region = _within(box, counted, width, height)
    edges = region.x, region.y, region.x + region.width, region.y + region.height
    contour = enclosing_polygon(mask, origin, (width / columns, height / rows), edges)
    return replace(region, contour=contour)


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
