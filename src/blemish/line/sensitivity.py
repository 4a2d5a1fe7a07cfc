"""What several detectors say of one photograph, brought to scales that can be compared, and what it means.

An autoencoder's error of 0.03 and a mean mask probability of 0.4 say nothing to each other. So every score is put among
the detector's own scores of good parts (`percentile`, `level`), and every map is put on the scale of its own pixel
threshold (`map_level`): there 0 is what a good part usually shows, and 1 the threshold.

The pattern follows from stated rules, checked in this order (`pattern`):

1. *nothing*: no detector rejects, and no map is above its pixel threshold anywhere.
2. *only in features*: detectors that compare a network's features see something, those that rebuild the pixels see
   nothing (or the other way round, *only in pixels*). Both kinds must be there; those that learn from labelled or
   painted defects are of neither.
3. *global deviation*: of the detectors that see something, the median area above the pixel threshold is at least
   `GLOBAL_AREA` of the map, or the median of their maps' usual levels is at least `GLOBAL_BACKGROUND`.
4. *no place*: the score is above the threshold, but no map is above its pixel threshold.
5. *seen by one alone*: one map is above its pixel threshold, the others are nowhere.
6. *small local defect*, *large local defect*: the maps agree (median overlap at least `AGREED_OVERLAP`, or median
   correlation at least `AGREED_CORRELATION`, over all pairs); small if the median area is at most `SMALL_AREA`.
7. *disagreement*: the maps are above their pixel thresholds in different places.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import combinations
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt

from blemish.core.calibration import percentile as percentile
from blemish.core.types import BoolArray, FloatArray

GLOBAL_AREA = 0.30
"""Share of the map above the pixel threshold from which the whole photograph deviates."""

GLOBAL_BACKGROUND = 0.5
"""Median level of a map from which the whole photograph deviates: half of the way to the pixel threshold."""

SMALL_AREA = 0.05
"""Largest share of the map that a small defect takes."""

AGREED_OVERLAP = 0.2
"""Intersection over union of two segmentations from which they show the same place."""

AGREED_CORRELATION = 0.5
"""Correlation of two maps from which they show the same place."""

GRID = 128
"""Side of the grid on which maps are compared, in pixels."""

_HIGHEST_LEVEL = 3.0


@dataclass(frozen=True)
class View:
    """What one detector says of the photograph.

    Attributes:
        name: of the inspector.
        detector: its detector, by name.
        goes_by: as of its manifest: "pixels", "examples" or "features".
        rejected: whether its score is above its threshold.
        score, threshold: on the detector's own scale.
        percentile: where the score stands among its scores of good parts, 0 to 100.
        level: the score on the detector's own scale of good parts: 0 their median, 1 the threshold.
        p_value: as of an inspection.
        levels: the map's levels, float32 H x W: 0 usual for a good part, 1 the pixel threshold; 0 without a map.
        gives_map: whether the detector shows a place; where not, its map takes part in nothing.
        learnt: whether the detector has learnt from this very photograph, so that its word counts for less.
        metric: what the score measures.
    """

    name: str
    detector: str
    goes_by: str
    rejected: bool
    score: float
    threshold: float
    percentile: float
    level: float
    p_value: float
    levels: FloatArray
    gives_map: bool = True
    learnt: bool = False
    metric: str = "anomaly score"

    @property
    def peak(self) -> float:
        """Highest level of the map."""
        return float(self.levels.max())

    @property
    def area(self) -> float:
        """Share of the map above the pixel threshold."""
        return float(np.mean(self.levels > 1))

    @property
    def background(self) -> float:
        """Median level of the map."""
        return float(np.median(self.levels))

    @property
    def sees(self) -> bool:
        """Whether it rejects, or its map is above the pixel threshold anywhere."""
        return self.rejected or self.peak > 1


@dataclass(frozen=True)
class Agreement:
    """How far the maps of two detectors show the same place.

    Attributes:
        first, second: their names.
        overlap: intersection over union of what is above the pixel thresholds; 0 where one shows nothing.
        correlation: Pearson's, of the levels between 0 and 3; 0 where a map is flat.
    """

    first: str
    second: str
    overlap: float
    correlation: float


@dataclass(frozen=True)
class Pattern:
    """What the views mean together.

    Attributes:
        name: one of the patterns above.
        sentence: what it usually means.
        evidence: the measured quantities that the rules compare, by name.
    """

    name: str
    sentence: str
    evidence: dict[str, Any] = field(default_factory=dict)


def level(normal_scores: npt.ArrayLike, score: float, threshold: float) -> float:
    """The score on the scale of good parts: 0 is their median, 1 the threshold; unlike a percentile it has no end."""
    usual = float(np.median(np.asarray(normal_scores, np.float64)))
    return (score - usual) / _step(usual, threshold)


def map_level(anomaly_map: FloatArray, low: float, pixel_threshold: float) -> FloatArray:
    """A map on the scale of its own pixel threshold: 0 is `low`, usual for a good part, 1 the pixel threshold."""
    return np.asarray((anomaly_map - low) / _step(low, pixel_threshold), np.float32)


def agreements(views: Sequence[View]) -> list[Agreement]:
    """Agreement of every two views that have maps, in order."""
    grids = {view.name: _on_grid(view.levels) for view in views}
    return [
        Agreement(
            first.name,
            second.name,
            _overlap(grids[first.name] > 1, grids[second.name] > 1),
            _correlation(grids[first.name], grids[second.name]),
        )
        for first, second in combinations([view for view in views if view.gives_map], 2)
    ]


def ranked(views: Sequence[View]) -> list[View]:
    """The views from the most to the least sensitive to this photograph: by level."""
    return sorted(views, key=lambda view: -view.level)


def pattern(views: Sequence[View]) -> Pattern:
    """What the views mean together, by the rules of this page."""
    seeing = [view for view in views if view.sees]
    if not seeing:
        return Pattern(
            "nothing", "No detector rejects it, and no map is above its pixel threshold.", {"seeing": []}
        )
    placing = [view for view in seeing if view.gives_map]
    local = [view for view in placing if view.peak > 1]
    pairs = agreements(local)
    evidence = {
        "seeing": [view.name for view in seeing],
        "median_area": float(np.median([view.area for view in placing])) if placing else 0.0,
        "median_background": float(np.median([view.background for view in placing])) if placing else 0.0,
        "median_overlap": float(np.median([pair.overlap for pair in pairs])) if pairs else None,
        "median_correlation": float(np.median([pair.correlation for pair in pairs])) if pairs else None,
    }
    name = _one_sided(views, seeing) or _by_area(evidence) or _by_place(local, evidence)
    return Pattern(name, _SENTENCES[name].format(alone=local[0].name if local else ""), evidence)


_SENTENCES = {
    "only in features": (
        "Detectors on features see it, those that rebuild pixels do not: a change of texture or structure with "
        "hardly a change of brightness, or a defect that an autoencoder rebuilds too."
    ),
    "only in pixels": (
        "Detectors that rebuild pixels see it, those on features do not: a change of brightness, colour or position "
        "that the features ignore; look at light and exposure first."
    ),
    "global deviation": (
        "Much of the photograph deviates: light, focus, position, another part or another surface, rather than one "
        "defect."
    ),
    "no place": (
        "The score as a whole is unusual, yet no place stands out: a weak change over the whole part, or a good "
        "part at the edge of what was learnt."
    ),
    "seen by one alone": (
        "Only {alone} shows a place: either it alone is sensitive to this kind of defect, or it is mistaken; look "
        "at the place."
    ),
    "small local defect": "The maps agree on a small place: a local defect.",
    "large local defect": "The maps agree on a large place: a large defect, or a missing or foreign piece.",
    "disagreement": (
        "The detectors point at different places: more than one defect, or noise near the thresholds; look at each."
    ),
}


def _one_sided(views: Sequence[View], seeing: Sequence[View]) -> str | None:
    """Rule 2."""
    present, seen = ({view.goes_by for view in some} - {"examples"} for some in (views, seeing))
    if len(present) < 2 or len(seen) != 1:
        return None
    return f"only in {seen.pop()}"


def _by_area(evidence: dict[str, Any]) -> str | None:
    """Rule 3."""
    wide = evidence["median_area"] >= GLOBAL_AREA or evidence["median_background"] >= GLOBAL_BACKGROUND
    return "global deviation" if wide else None


def _by_place(local: Sequence[View], evidence: dict[str, Any]) -> str:
    """Rules 4 to 7."""
    if not local:
        return "no place"
    if len(local) == 1:
        return "seen by one alone"
    agreed = (
        evidence["median_overlap"] >= AGREED_OVERLAP or evidence["median_correlation"] >= AGREED_CORRELATION
    )
    if not agreed:
        return "disagreement"
    return "small local defect" if evidence["median_area"] <= SMALL_AREA else "large local defect"


def _step(usual: float, threshold: float) -> float:
    """Distance from 0 to 1 on a scale of levels; never 0, where all good parts score the same."""
    return max(threshold - usual, 1e-3 * max(abs(usual), 1e-3))


def _on_grid(levels: FloatArray) -> FloatArray:
    size = (GRID, GRID)
    shrinks = min(levels.shape) > GRID
    interpolation = cv2.INTER_AREA if shrinks else cv2.INTER_LINEAR
    return np.asarray(cv2.resize(levels, size, interpolation=interpolation), np.float32)


def _overlap(first: BoolArray, second: BoolArray) -> float:
    union = int(np.count_nonzero(first | second))
    return int(np.count_nonzero(first & second)) / union if union else 0.0


def _correlation(first: FloatArray, second: FloatArray) -> float:
    """Pearson's correlation; levels are clipped, so that one extreme pixel does not decide."""
    a, b = (np.clip(one, 0, _HIGHEST_LEVEL).astype(np.float64).ravel() for one in (first, second))
    if a.std() == 0 or b.std() == 0:
        return 0.0
    return float(np.corrcoef(a, b)[0, 1])
