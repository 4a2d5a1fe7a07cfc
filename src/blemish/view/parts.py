"""Several like parts in one photograph: each is cut out and judged, and the photograph is as its worst part."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import cv2
import numpy as np
import numpy.typing as npt
from pydantic import BaseModel, ConfigDict, Field, model_validator

from blemish.core.errors import ImageError
from blemish.core.types import ByteArray, FloatArray, Prediction
from blemish.view.foreground import Ground, ground_of, part_mask

SIDE = 512
"""Longest side in pixels at which parts are looked for."""

NO_PART = "no-part"
"""Kind of the error of a photograph that shows none."""

MOST_PARTS = 1000
"""In one photograph, which bounds memory and time."""

_LEAST_AREA = 0.25
_LONGEST_MAP = 1024
_NEIGHBOUR = 5
_HALF = 0.5


class Components(BaseModel):
    """How parts that lie anywhere before a plain ground are found.

    Attributes:
        threshold: difference from the ground above which a pixel is a part's, see `blemish.view.foreground.Ground`.
        area: share of the photograph that a part usually covers; what covers less than a quarter of it is none.
        cut_off: whether good photographs show parts that the border cuts off; these are left out then.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    threshold: float = Field(gt=0, le=500, allow_inf_nan=False)
    area: float = Field(gt=0, le=1, allow_inf_nan=False)
    cut_off: bool = False


class Parts(BaseModel):
    """Several like parts in one photograph: learnt by `blemish.view_planning.parts`, carried in the artifact.

    Attributes:
        cut: width and height in pixels of what is cut out for each part, on the usual photograph.
        count: fewest, usual and most parts of a good photograph.
        grid: rows and columns of equal cells, or
        components: how parts are found.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    cut: tuple[int, int]
    count: tuple[int, int, int]
    grid: tuple[int, int] | None = None
    components: Components | None = None

    @model_validator(mode="after")
    def _is_possible(self) -> Parts:
        if (self.grid is None) == (self.components is None):
            raise ValueError("parts lie in a grid or are found, one of both")
        if min(self.cut) < 1 or not 1 <= self.count[0] <= self.count[1] <= self.count[2]:
            raise ValueError("a part has a size, and a photograph has one or more")
        if self.grid is not None and not (min(self.grid) >= 1 and self.grid[0] * self.grid[1] <= MOST_PARTS):
            raise ValueError(f"a grid has 1 to {MOST_PARTS} cells")
        return self


@dataclass(frozen=True)
class Box:
    """A rectangle in pixels of a photograph; it may reach beyond its border."""

    x: int
    y: int
    width: int
    height: int


@dataclass(frozen=True)
class Split:
    """Where the parts of one photograph are.

    Attributes:
        boxes: what is cut out, in reading order; a part that is larger than usual is covered by several.
        count: parts found.
        labels: int32 h x w, the part that each pixel of the small photograph belongs to, 0 for none; None in a grid,
            and where nothing is cut out any more.
        owners: for each box the part in `labels`.
        ground: colour of the ground, RGB.
        size: width and height of the photograph in pixels.
    """

    boxes: tuple[Box, ...]
    count: int
    size: tuple[int, int]
    labels: npt.NDArray[np.int32] | None = None
    owners: tuple[int, ...] = ()
    ground: tuple[int, int, int] = (0, 0, 0)


@dataclass(frozen=True)
class Found:
    """A part found in a photograph that was made small: its label, its box there, and its area in pixels."""

    label: int
    box: Box
    area: int
    on_border: bool


def split(image: ByteArray, parts: Parts, usual: tuple[int, int], name: str = "the photograph") -> Split:
    """Where the parts are in a photograph.

    Args:
        image: uint8 RGB H x W x 3.
        parts: what is learnt of such photographs.
        usual: width and height of the usual photograph, `View.photograph`.
        name: of the photograph, for the error.

    Raises:
        ImageError: no part is seen.
    """
    height, width = image.shape[:2]
    if parts.grid is not None:
        boxes = _cells(width, height, *parts.grid)
        return Split(boxes, len(boxes), (width, height))
    learnt = parts.components
    assert learnt is not None
    ground = ground_of(image, SIDE)
    labels, found = components_of(ground, learnt.threshold)
    large = [one for one in found if one.area >= _LEAST_AREA * learnt.area * labels.size]
    kept = [one for one in large if not (learnt.cut_off and one.on_border)]
    if not kept or len(kept) > MOST_PARTS:
        seen = f"more than {MOST_PARTS} parts" if kept else "no part"
        raise ImageError(
            name,
            NO_PART,
            f"it shows {seen} where {parts.count[1]} are usual: photograph parts whole, before their plain ground.",
        )
    # A splinter is no part that would be taken out of its neighbour's picture: it may be what is wrong with it.
    labels = np.where(np.isin(labels, [one.label for one in large]), labels, 0)
    factors = width / usual[0], height / usual[1]
    cut = max(1, round(parts.cut[0] * factors[0])), max(1, round(parts.cut[1] * factors[1]))
    scale = width / labels.shape[1], height / labels.shape[0]
    placed = [(box, one.label) for one in kept for box in _covering(one.box, scale, cut)]
    # In reading order: rows of about a part's height, and from left to right in each.
    placed.sort(key=lambda one: ((one[0].y + one[0].height // 2) // one[0].height, one[0].x, one[0].y))
    boxes, owners = zip(*placed, strict=True)
    return Split(boxes, len(kept), (width, height), labels, owners, ground.colour)


def components_of(ground: Ground, threshold: float) -> tuple[npt.NDArray[np.int32], list[Found]]:
    """All that stands before the ground of a small photograph: labels int32 h x w (0: ground), and what they are."""
    mask = part_mask(ground.difference, threshold)
    count, labels, statistics, _ = cv2.connectedComponentsWithStats(mask, connectivity=8)
    height, width = mask.shape
    found = []
    for label in range(1, count):
        x, y, across, down, area = (int(value) for value in statistics[label])
        on_border = x == 0 or y == 0 or x + across == width or y + down == height
        found.append(Found(label, Box(x, y, across, down), area, on_border))
    return np.asarray(labels, np.int32), found


def cut_out(image: ByteArray, found: Split) -> list[ByteArray]:
    """The parts of a photograph, uint8 RGB, each as large as its box: its neighbours and what lies beyond the border
    have the colour of the ground."""
    return [_cut(image, found, number) for number in range(len(found.boxes))]


def joined(
    predictions: Sequence[Prediction], found: Split, usual: tuple[int, int], cut: tuple[int, int]
) -> Prediction:
    """What is said of a photograph by what is said of its parts: all as of the worst, and the maps in their places.

    Where parts overlap the map is the higher one; between them nobody looks, and it is the lowest value of all.

    Args:
        predictions: one for each box.
        found: the boxes.
        usual: width and height of the usual photograph, which all maps of an inspector have the shape of.
        cut: as of `Parts`.
    """
    worst = max(predictions, key=lambda one: one.score)
    height, width = map_shape(usual, cut, predictions[0].anomaly_map.shape)
    lowest = min(float(one.anomaly_map.min()) for one in predictions)
    whole, shown = np.full((height, width), lowest, np.float32), np.zeros((height, width), np.float32)
    scale = width / found.size[0], height / found.size[1]
    for one, box in zip(predictions, found.boxes, strict=True):
        counted = np.ones((1, 1), np.bool_) if one.counted is None else one.counted
        _place(one.anomaly_map, box, scale, whole)
        _place(counted.astype(np.float32), box, scale, shown)
    looked_at = None if (shown >= _HALF).all() else shown >= _HALF
    return replace(worst, anomaly_map=whole, counted=looked_at, part_count=found.count)


def map_shape(usual: tuple[int, int], cut: tuple[int, int], of_part: tuple[int, ...]) -> tuple[int, int]:
    """Height and width of a photograph's map: as fine as the parts' own, but no finer than the photograph, and at most
    1024 pixels long."""
    scale = min(of_part[1] / cut[0], of_part[0] / cut[1], _LONGEST_MAP / max(usual), 1.0)
    return max(1, round(usual[1] * scale)), max(1, round(usual[0] * scale))


def _place(anomaly_map: FloatArray, box: Box, scale: tuple[float, float], whole: FloatArray) -> None:
    """Write a part's map into the photograph's, where it is higher."""
    height, width = whole.shape
    left, right = round(box.x * scale[0]), round((box.x + box.width) * scale[0])
    top, bottom = round(box.y * scale[1]), round((box.y + box.height) * scale[1])
    size = max(1, right - left), max(1, bottom - top)
    shrinks = size[0] < anomaly_map.shape[1] or size[1] < anomaly_map.shape[0]
    small = cv2.resize(anomaly_map, size, interpolation=cv2.INTER_AREA if shrinks else cv2.INTER_LINEAR)
    rows, columns = (
        slice(max(0, top), min(height, top + size[1])),
        slice(max(0, left), min(width, left + size[0])),
    )
    inside = small[rows.start - top : rows.stop - top, columns.start - left : columns.stop - left]
    np.maximum(whole[rows, columns], inside, out=whole[rows, columns])


def _cells(width: int, height: int, rows: int, columns: int) -> tuple[Box, ...]:
    """Cells of a grid that cover a photograph without a gap, row by row."""
    xs = np.rint(np.linspace(0, width, columns + 1)).astype(int).tolist()
    ys = np.rint(np.linspace(0, height, rows + 1)).astype(int).tolist()
    return tuple(
        Box(xs[column], ys[row], max(1, xs[column + 1] - xs[column]), max(1, ys[row + 1] - ys[row]))
        for row in range(rows)
        for column in range(columns)
    )


def _covering(box: Box, scale: tuple[float, float], cut: tuple[int, int]) -> list[Box]:
    """Boxes of the size of a cut that cover a part: one about its middle, or several where it is larger than that."""
    starts = []
    for first, length, factor, side in zip((box.x, box.y), (box.width, box.height), scale, cut, strict=True):
        low, long = first * factor, length * factor
        count = max(1, int(np.ceil(long / side - 1e-9)))
        room = long - side
        if count == 1:
            starts.append([round(low + room / 2)])
        else:
            starts.append([round(low + room * number / (count - 1)) for number in range(count)])
    return [Box(x, y, *cut) for y in starts[1] for x in starts[0]]


def _cut(image: ByteArray, found: Split, number: int) -> ByteArray:
    """One part."""
    box = found.boxes[number]
    height, width = image.shape[:2]
    left, top = max(0, box.x), max(0, box.y)
    right, bottom = min(width, box.x + box.width), min(height, box.y + box.height)
    inside = image[top:bottom, left:right]
    if found.labels is not None:
        # Of the labels the same place, by where each pixel lies among them.
        down, across = found.labels.shape
        rows, columns = np.arange(top, bottom) * down // height, np.arange(left, right) * across // width
        near = found.labels[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1]
        others = ((near != 0) & (near != found.owners[number])).astype(np.uint8)
        if others.any():
            others = cv2.dilate(others, np.ones((_NEIGHBOUR, _NEIGHBOUR), np.uint8))
            others[near == found.owners[number]] = 0
            foreign = others[np.ix_(rows - rows[0], columns - columns[0])] > 0
            inside = np.where(foreign[..., None], np.array(found.ground, np.uint8), inside)
    if inside.shape[:2] == (box.height, box.width):
        return np.ascontiguousarray(inside)
    whole = np.full((box.height, box.width, 3), np.array(found.ground, np.uint8), np.uint8)
    whole[top - box.y : bottom - box.y, left - box.x : right - box.x] = inside
    return whole
