"""PatchCore's score and map computed directly: every distance to every vector, one after the other, in float64.

A second implementation, in NumPy and SciPy, that shares no line with the network it judges: no norm is expanded, no
resize is a product of matrices with the smoothing.

Reference: Roth et al., "Towards Total Recall in Industrial Anomaly Detection", CVPR 2022.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy.ndimage import gaussian_filter, uniform_filter
from scipy.spatial.distance import cdist

Doubles = npt.NDArray[np.float64]


@dataclass(frozen=True)
class LearntContext:
    """What good photographs scored above the others as if unseen, which is taken from all distances of their like.

    Attributes:
        descriptors: mean patch of each, in spreads of each value, N x D.
        spreads: of the values, D.
        offsets: what each scored above the mean, times the slope, N.
        similar: how many of the most similar ones count.
    """

    descriptors: Doubles
    spreads: Doubles
    offsets: Doubles
    similar: int

    def offset(self, patches: Doubles) -> float:
        """Of a photograph with these patches, P x D."""
        apart = cdist((patches.mean(0) / self.spreads)[None], self.descriptors)[0]
        return float(self.offsets[np.argsort(apart, kind="stable")[: self.similar]].mean())


@dataclass(frozen=True)
class Recipe:
    """How scores are made of distances.

    Attributes:
        size: height and width of the map, in pixels.
        sigma: its smoothing, in pixels.
        neighbourhood: patches are averaged over this many positions squared.
        score_of_map: whether the score is the map's highest value; else the farthest patch's distance.
        reweighting: bank neighbours in the paper's weight of that; 0 for none.
        context: what distances are relative to; None for nothing.
    """

    size: tuple[int, int]
    sigma: float
    neighbourhood: int = 3
    score_of_map: bool = False
    reweighting: int = 0
    context: LearntContext | None = None


def score_and_map(
    maps: Sequence[npt.ArrayLike], bank: npt.ArrayLike, recipe: Recipe
) -> tuple[float, Doubles]:
    """Score and anomaly map, float64 H x W, of one photograph.

    Args:
        maps: feature maps of the taps, C x h x w each, the finest first.
        bank: stored vectors, N x D.
        recipe: how they are made.
    """
    stored = np.asarray(bank, np.float64)
    patches = embedded([np.asarray(one, np.float64) for one in maps], recipe.neighbourhood)
    height, width = np.asarray(maps[0]).shape[1:]
    distances = nearest_distances(patches, stored)
    if recipe.context is not None:
        distances = distances - recipe.context.offset(patches)
    grid = distances.reshape(height, width)
    enlarged = resized(grid, recipe.size)
    smooth = (
        gaussian_filter(enlarged, recipe.sigma, mode="reflect", truncate=4.0) if recipe.sigma else enlarged
    )
    if recipe.score_of_map:
        return float(smooth.max()), smooth
    farthest = int(distances.argmax())
    score = float(distances[farthest])
    if recipe.reweighting:
        score *= weight(patches[farthest], stored, recipe.reweighting)
    return score, smooth


def embedded(maps: Sequence[Doubles], neighbourhood: int) -> Doubles:
    """Patch vectors P x D, row by row: maps averaged (zero outside), brought to the finest grid, and joined."""
    size = maps[0].shape[1:]
    window = (1, neighbourhood, neighbourhood)
    averaged = [uniform_filter(one, window, mode="constant") for one in maps]
    joined = np.concatenate([np.stack([resized(plane, size) for plane in one]) for one in averaged])
    return joined.reshape(len(joined), -1).T


def resized(plane: Doubles, size: tuple[int, ...]) -> Doubles:
    """A plane h x w brought to another size bilinearly, pixels' middles on each other, clamped at the border."""
    for axis, fine in enumerate(size):
        coarse = plane.shape[axis]
        if coarse == fine:
            continue
        places = (np.arange(fine) + 0.5) * coarse / fine - 0.5
        plane = np.apply_along_axis(lambda line: np.interp(places, np.arange(len(line)), line), axis, plane)  # noqa: B023
    return plane


def nearest_distances(patches: Doubles, bank: Doubles, at_once: int = 256) -> Doubles:
    """Euclidean distance of each patch, P x D, to the nearest of the bank, N x D, by all differences."""
    parts = [
        cdist(patches[start : start + at_once], bank).min(1) for start in range(0, len(patches), at_once)
    ]
    return np.concatenate(parts)


def weight(patch: Doubles, bank: Doubles, neighbours: int) -> float:
    """The paper's weight of a score, its equation 7: 1 - exp(d*) / sum of exp(d) over vectors around the nearest."""
    to_patch = cdist(patch[None], bank)[0]
    nearest = int(to_patch.argmin())
    around = cdist(bank[nearest][None], bank)[0].argsort(kind="stable")[: min(neighbours, len(bank))]
    powers = np.exp(to_patch[around] - to_patch[around].max())
    return float(1 - np.exp(to_patch[nearest] - to_patch[around].max()) / powers.sum())


def largest_difference(found: npt.ArrayLike, expected: npt.ArrayLike) -> float:
    """The largest difference of values, as a share of the largest expected one."""
    one, other = np.asarray(found, np.float64), np.asarray(expected, np.float64)
    return float(np.abs(one - other).max() / max(float(np.abs(other).max()), 1e-12))
