"""Why a region is one: the part beside the most similar good patch that the inspector knows."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from blemish.core.calibration import percentile
from blemish.core.errors import UsageError
from blemish.core.types import ByteArray, FloatArray, Prediction, Region
from blemish.line.good_patches import GoodPatches, window
from blemish.line.inspection import Inspection
from blemish.line.rows import NetworkInput, PartsInput
from blemish.view.parts import Box, Split
from blemish.view.preprocessing import Preprocessing

if TYPE_CHECKING:
    from blemish.line.runtime import Inspector

PLAIN_SIDE = 96
"""Side of the part's own picture where no pictures of good patches were kept, in pixels of the network's input."""


@dataclass(frozen=True)
class NearestGood:
    """The good patch that is most similar to the most anomalous patch of a region.

    Attributes:
        region: which region of the inspection, from 0.
        photograph: name of the training photograph that the good patch is on.
        digest: SHA-256 of its file.
        x, y: the middle of the good patch on it, in its pixels.
        side: pixels of it that a side of `picture` covers.
        picture: what the network saw around the good patch, uint8 RGB h x w x 3; None where pictures were not kept.
        distance: from the patch of the region to the good one, as score and map are made of before any smoothing.
        percentile: share of good photographs, each as if unseen, whose farthest patch of all is nearer to a good one, 0
            to 100, ties counting half; None where that was not measured.
        copied: how the copy was made that the good patch is on, as "turned by 45 degrees"; empty for the photograph.
        part: what the network saw around the patch of the region, uint8 RGB, at the same scale.
        part_x, part_y: the middle of that patch on the photograph that was inspected, in its pixels.
        width, height: of that photograph in pixels.
        marks: left and top of the patch on `part` and on `picture`, and its side, in pixels of these.
    """

    region: int
    photograph: str
    digest: str
    x: int
    y: int
    side: int
    picture: ByteArray | None
    distance: float
    percentile: float | None
    copied: str
    part: ByteArray
    part_x: int
    part_y: int
    width: int
    height: int
    marks: tuple[tuple[int, int], tuple[int, int], int]

    def in_words(self) -> str:
        """One sentence, as `distance 3.1, farther than any patch of 98.5 % of the good parts; nearest good patch:
        good/004.png at 210, 96`."""
        copied = f", {self.copied}" if self.copied else ""
        return f"{self.how_far()}; nearest good patch: {self.photograph} at {self.x}, {self.y}{copied}"

    def how_far(self) -> str:
        """Distance and percentile, as `distance 3.1, farther than any patch of 98.5 % of the good parts`."""
        said = f"distance {self.distance:.3g}"
        if self.percentile is None:
            return said
        return f"{said}, farther than any patch of {self.percentile:.3g} % of the good parts"

    def to_json(self) -> dict[str, Any]:
        """All but the pictures, JSON-ready, with the sentence."""
        names = (
            "region", "photograph", "digest", "x", "y", "side", "distance", "percentile", "copied", "part_x", "part_y",
        )  # fmt: skip
        return {name: getattr(self, name) for name in names} | {"sentence": self.in_words()}


@dataclass(frozen=True)
class _Patches:
    """All patches of one network's input.

    Attributes:
        distances: h x w.
        numbers: of the nearest vector in the bank, h x w.
        middles: of each patch in pixels of the input, h x w x 2.
        places: of each patch in the photograph, whose sides are 0 to 1, h x w x 2.
        picture: the input, uint8 RGB.
        side: of a patch, in pixels of the input.
    """

    distances: FloatArray
    numbers: npt.NDArray[np.int64]
    middles: npt.NDArray[np.float64]
    places: npt.NDArray[np.float64]
    picture: ByteArray
    side: int


def explain_regions(
    inspector: Inspector, prediction: Prediction, inspection: Inspection, photograph: ByteArray | None = None
) -> tuple[NearestGood, ...]:
    """The nearest good patch for each region of an inspection, in their order; empty for a part that passed.

    Of a region it is the patch that lies farthest from all good ones, before any smoothing. The network runs once more.

    Args:
        inspector: who has judged.
        prediction: what it predicted.
        inspection: what came of that.
        photograph: uint8 RGB H x W x 3; the inspection's own when None.

    Raises:
        UsageError: the inspector holds no good patches, or there is no photograph.
        ArtifactError: what it holds of them cannot be used.
    """
    known = inspector.good_patches
    record = known.record
    photograph = inspection.photograph if photograph is None else photograph
    if photograph is None:
        raise UsageError("This inspection has no photograph to compare with good ones: give it too.")
    if not inspection.regions:
        return ()
    contract = inspector.manifest.preprocessing
    given = inspector.input_of(photograph)
    inputs, boxes = (given.inputs, given.found) if isinstance(given, PartsInput) else ((given,), None)
    every = [
        _patches_of(known, one, contract.of_part, record.margin, boxes, number)
        for number, one in enumerate(inputs)
    ]
    size = inspection.width, inspection.height
    return tuple(
        _of_region(
            known,
            every,
            _farthest(every, prediction.anomaly_map, inspection.pixel_threshold, one, size),
            number,
            size,
        )
        for number, one in enumerate(inspection.regions)
    )


def _patches_of(
    known: GoodPatches,
    given: NetworkInput,
    contract: Preprocessing,
    margin: int,
    found: Split | None,
    number: int,
) -> _Patches:
    """Distances and places of the patches of one input, which may be of the part `number`."""
    assert given.look is not None  # of a picture, which a detector with a bank reads
    distances, numbers = known.nearest(given.values, contract)
    rows, columns = distances.shape
    height, width = contract.height, contract.width
    down = margin + (np.arange(rows) + 0.5) * (height - 2 * margin) / rows
    right = margin + (np.arange(columns) + 0.5) * (width - 2 * margin) / columns
    middles = np.stack(np.meshgrid(right, down), axis=-1)
    places = middles / (width, height)
    way = given.look.to_photograph
    if way is not None:
        places = places @ way[:, :2].T + way[:, 2]
    if found is not None:
        box: Box = found.boxes[number]
        places = (places * (box.width, box.height) + (box.x, box.y)) / found.size
    side = round((width - 2 * margin) / columns)
    return _Patches(distances, numbers.astype(np.int64), middles, places, given.look.picture, side)


def _farthest(
    every: list[_Patches], anomaly_map: FloatArray, threshold: float, region: Region, size: tuple[int, int]
) -> tuple[int, int, int]:
    """Input, row and column of the patch of a region that is farthest from all good ones."""
    best: tuple[float, float, tuple[int, int, int]] | None = None
    rows, columns = anomaly_map.shape
    for number, one in enumerate(every):
        across, down = one.places[..., 0], one.places[..., 1]
        x, y = across * size[0], down * size[1]
        inside = (
            (x >= region.x) & (x < region.x + region.width) & (y >= region.y) & (y < region.y + region.height)
        )
        values = anomaly_map[
            np.clip((down * rows).astype(int), 0, rows - 1),
            np.clip((across * columns).astype(int), 0, columns - 1),
        ]
        above = inside & (values > threshold)
        away = np.hypot(x - region.x - region.width / 2, y - region.y - region.height / 2)
        # A region smaller than a patch may hold the middle of none: then it is the nearest one.
        judged = above if above.any() else inside if inside.any() else away == away.min()
        place = int(np.where(judged, one.distances, -np.inf).argmax())
        row, column = divmod(place, one.distances.shape[1])
        outside = 0.0 if inside.any() else float(away.min())
        found = (-outside, float(one.distances[row, column]), (number, row, column))
        best = found if best is None else max(best, found)
    assert best is not None  # there is always an input
    return best[2]


def _of_region(
    known: GoodPatches, every: list[_Patches], place: tuple[int, int, int], region: int, size: tuple[int, int]
) -> NearestGood:
    """What is known of the good patch that is nearest to one of the patches."""
    one, (row, column) = every[place[0]], place[1:]
    photograph, x, y, copy, at_x, at_y = known.sources[one.numbers[row, column]].tolist()
    about = known.record.photographs[photograph]
    good = known.picture(photograph, copy, at_x, at_y)
    middle_x, middle_y = (int(value) for value in one.middles[row, column])
    side = known.record.side or PLAIN_SIDE
    height, width = one.picture.shape[:2]
    left, wide = window(middle_x, side, width)
    top, high = window(middle_y, side, height)
    half = one.side // 2
    mark = middle_x - half - left, middle_y - half - top
    distance = float(one.distances[row, column])
    part_x, part_y = (
        min(max(round(float(value) * whole), 0), whole - 1)
        for value, whole in zip(one.places[row, column], size, strict=True)
    )
    return NearestGood(
        region=region,
        photograph=about.name,
        digest=about.digest,
        x=x,
        y=y,
        side=round(side * about.scale),
        picture=None if good is None else good[0],
        distance=distance,
        percentile=None if known.normal is None else percentile(known.normal, distance),
        copied=known.record.copies[copy - 1] if copy else "",
        part=np.ascontiguousarray(one.picture[top : top + high, left : left + wide]),
        part_x=part_x,
        part_y=part_y,
        width=size[0],
        height=size[1],
        marks=(mark, mark if good is None else (at_x - half - good[1], at_y - half - good[2]), one.side),
    )
