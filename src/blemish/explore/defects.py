"""Where defects are, how large they are and what shape they have, from their masks."""

from __future__ import annotations

import math
from dataclasses import dataclass, field

import cv2
import numpy as np
import numpy.typing as npt
import pandas as pd

from blemish.core.file_names import escaped
from blemish.core.types import BoolArray, FloatArray

GRID = 64
"""Side of the grid that all masks of a category are brought to."""

INPUT_SIZES = (256, 320, 384, 512)
CELL = 8
"""Stride in pixels of the finest feature map that detectors usually read: one vector for each 8 x 8 pixels."""

WHOLE_CELL = 2 * CELL - 1
"""Side in pixels of a square that holds one whole cell wherever it lies on the grid."""

FEWEST_REGIONS = 0.05
"""Share of the defect regions that may be smaller than that at the recommended size."""

SPECK = 0.02
"""A region under this share of its mask's area is a slip of the brush, not a defect of its own."""

_FOR_NO_MASKS = 384


@dataclass(frozen=True)
class RegionMeasures:
    """One connected region of a mask; lengths and areas relative to the photograph, which makes sizes comparable.

    Attributes:
        area: share of the photograph.
        x, y: centre, 0 to 1 from the left and the top.
        elongation: long side over short side of the smallest enclosing rectangle, 1 or above.
        solidity: area over the area of its convex hull, above 0, at most about 1.
    """

    area: float
    x: float
    y: float
    elongation: float
    solidity: float


@dataclass(frozen=True)
class MaskMeasures:
    """One mask: its regions, and the mask on the common grid (float32 64 x 64, share of each cell)."""

    regions: tuple[RegionMeasures, ...]
    grid: FloatArray


def measure_mask(mask: BoolArray) -> MaskMeasures:
    """Regions (8-connected, specks left out) and grid of one mask, bool H x W."""
    filled = np.ascontiguousarray(mask).view(np.uint8)
    height, width = filled.shape
    grid = cv2.resize(filled.astype(np.float32), (GRID, GRID), interpolation=cv2.INTER_AREA)
    count, labels, stats, centres = cv2.connectedComponentsWithStats(filled, connectivity=8)
    total = int(stats[1:, cv2.CC_STAT_AREA].sum())
    regions = []
    for index in range(1, count):
        left, top, columns, rows, area = (int(value) for value in stats[index])
        if area < SPECK * total:
            continue
        elongation, solidity = _shape(labels[top : top + rows, left : left + columns] == index)
        x, y = centres[index]
        share = area / (height * width)
        regions.append(RegionMeasures(share, (x + 0.5) / width, (y + 0.5) / height, elongation, solidity))
    return MaskMeasures(tuple(regions), np.asarray(grid, np.float32))


def _shape(region: BoolArray) -> tuple[float, float]:
    """Elongation and solidity of one region."""
    contours, _ = cv2.findContours(region.view(np.uint8), cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_NONE)
    points = np.concatenate(contours)
    (_, (one, other), _) = cv2.minAreaRect(points)
    # Contours run through the centres of pixels, so that half a pixel is missing on each side.
    short, long = sorted((one + 1, other + 1))
    hull = cv2.contourArea(cv2.convexHull(points)) + cv2.arcLength(cv2.convexHull(points), True) / 2 + 1
    return long / short, min(float(np.count_nonzero(region)) / hull, 1.0)


@dataclass
class DefectMap:
    """The masks of one category, added one by one; memory does not grow with them but for their regions.

    Attributes:
        regions: rows (defect type, path, `RegionMeasures` ...).
        grids: sum of the masks' grids by defect type.
        counts: masks by defect type; empty masks do not count.
    """

    regions: list[tuple[str, str, RegionMeasures]] = field(default_factory=list)
    grids: dict[str, npt.NDArray[np.float64]] = field(default_factory=dict)
    counts: dict[str, int] = field(default_factory=dict)

    def add(self, defect_type: str, path: str, measures: MaskMeasures) -> None:
        """Add the mask of the photograph at `path`."""
        if not measures.regions:
            return
        self.regions += [(defect_type, path, region) for region in measures.regions]
        self.grids[defect_type] = self.grids.get(defect_type, np.zeros((GRID, GRID))) + measures.grid
        self.counts[defect_type] = self.counts.get(defect_type, 0) + 1

    def heatmap(self, defect_type: str | None = None) -> npt.NDArray[np.float64]:
        """Share of masks that mark each cell, 64 x 64, of one defect type or of all."""
        types = list(self.grids) if defect_type is None else [defect_type]
        total = sum((self.grids[name] for name in types), np.zeros((GRID, GRID)))
        return np.asarray(total / max(sum(self.counts[name] for name in types), 1))

    def table(self) -> pd.DataFrame:
        """One row per region: defect_type, path, area, x, y, elongation, solidity."""
        # Paths are there to tell photographs apart: pandas groups no text that is not UTF-8.
        rows = [
            (kind, escaped(path), r.area, r.x, r.y, r.elongation, r.solidity)
            for kind, path, r in self.regions
        ]
        return pd.DataFrame(rows, columns=["defect_type", "path", "area", "x", "y", "elongation", "solidity"])

    def summary(self) -> dict[str, dict[str, float]]:
        """Of each defect type: masks, regions, smallest area and medians over the regions, as JSON-ready values."""
        found: dict[str, dict[str, float]] = {}
        for kind, rows in self.table().groupby("defect_type", sort=True):
            medians = rows[["area", "x", "y", "elongation", "solidity"]].median()
            found[str(kind)] = {
                "masks": self.counts[str(kind)],
                "regions": len(rows),
                "smallest_area": float(rows["area"].min()),
                **{f"median_{name}": float(value) for name, value in medians.items()},
            }
        return found


@dataclass(frozen=True)
class InputSize:
    """How large defects are at each input size, and which size that asks for.

    Attributes:
        recommended: side of the network's input, in pixels.
        reason: one sentence.
        smallest: area in pixels of the smallest region at each of `INPUT_SIZES`.
        small: area in pixels that 95 % of the regions reach at each of them.
    """

    recommended: int
    reason: str
    smallest: dict[int, float]
    small: dict[int, float]


def recommended_size(areas: npt.NDArray[np.float64], longest_side: int) -> InputSize:
    """The smallest input size at which 95 % of the defect regions have room for a whole cell of the feature map.

    Args:
        areas: share of the photograph that each region covers.
        longest_side: of most photographs, in pixels; a larger input would show nothing more.
    """
    most = next((size for size in reversed(INPUT_SIZES) if size <= longest_side), INPUT_SIZES[0])
    if not areas.size:
        size = min(_FOR_NO_MASKS, most)
        reason = (
            f"no mask says how small defects are, so {size} px is a middle course for photographs of "
            f"{longest_side} px: draw masks for some defects to know."
        )
        return InputSize(size, reason, {}, {})
    small = {size: float(np.quantile(areas, FEWEST_REGIONS)) * size**2 for size in INPUT_SIZES}
    smallest = {size: float(areas.min()) * size**2 for size in INPUT_SIZES}
    enough = next((size for size in INPUT_SIZES if small[size] >= WHOLE_CELL**2), None)
    size = min(enough or INPUT_SIZES[-1], most)
    side = math.sqrt(small[size])
    reason = (
        f"95 % of the defect regions then cover at least {small[size]:.0f} pixels (as {side:.0f} x {side:.0f}); "
        f"from {WHOLE_CELL} x {WHOLE_CELL} on, one {CELL} x {CELL} cell of the feature map sees nothing but defect"
    )
    if enough is None or enough > most:
        reason += (
            f", but the photographs have only {longest_side} px: come closer with the camera"
            if size < INPUT_SIZES[-1]
            else ", which takes more: name the smallest defect to blemish fit, as --smallest-defect 12px, and large "
            "photographs are read in tiles"
        )
    return InputSize(size, reason + ".", smallest, small)
