"""Catchment basins of a grey image, by NumPy alone: the line has no scikit-image, and ties fall alike everywhere."""

from __future__ import annotations

import cv2
import numpy as np
import numpy.typing as npt

from blemish.core.types import BoolArray, ByteArray

Labels = npt.NDArray[np.int32]
_Places = npt.NDArray[np.intp]
_Levels = npt.NDArray[np.int16]

_OUTSIDE = 256  # a level that no water reaches


def catchment_basins(image: ByteArray) -> Labels:
    """Number from 1 of the basin that each pixel of a grey image (H x W) drains into.

    Water rises from every local minimum (4 neighbours, plateaus as one) level by level; a pixel belongs to the basin
    whose water reaches it first, and at one moment to that of the pixel that was reached earlier. This is what
    `skimage.segmentation.watershed` does without markers, but for who is first of minima of one level: there its heap
    decides, here their places from the upper left.

    References:
        Vincent and Soille, "Watersheds in digital spaces", IEEE PAMI 1991.
    """
    framed = np.pad(image.astype(np.int16), 1, constant_values=_OUTSIDE)
    level = framed.ravel()
    width = framed.shape[1]
    beside: _Places = np.array([-width, -1, 1, width])
    lowest = _minima(level, beside)
    _, numbered = cv2.connectedComponents(lowest.reshape(framed.shape).view(np.uint8), connectivity=4)
    labels = np.asarray(numbered, np.int32).ravel()
    labels[level == _OUTSIDE] = -1
    _flood(labels, level, beside)
    return labels.reshape(framed.shape)[1:-1, 1:-1]


def _minima(level: _Levels, beside: _Places) -> BoolArray:
    """Which pixels belong to a plateau that has no lower neighbour."""
    inside = np.flatnonzero(level < _OUTSIDE)
    drained = np.zeros(level.shape, np.bool_)
    for step in beside:
        drained[inside] |= level[inside + step] < level[inside]
    front = inside[drained[inside]]
    while front.size:  # what drains takes its plateau with it
        near = (front[:, None] + beside).ravel()
        near = near[(level[near] == np.repeat(level[front], len(beside))) & ~drained[near]]
        drained[near] = True
        front = np.unique(near)
    found: BoolArray = (level < _OUTSIDE) & ~drained
    return found


def _flood(labels: Labels, level: _Levels, beside: _Places) -> None:
    """Number in place all pixels that have 0, outwards from those that have more."""
    waiting: list[list[_Places]] = [[] for _ in range(_OUTSIDE)]
    earliest = np.zeros(level.shape, np.intp)  # of the claims on a pixel, in the order of their pixels
    _wait(waiting, np.flatnonzero(labels > 0), level)
    for height in range(_OUTSIDE):
        front = np.concatenate(waiting[height]) if waiting[height] else np.empty(0, np.intp)
        while front.size:
            near = (front[:, None] + beside).ravel()
            claims = np.flatnonzero(labels[near] == 0)
            near = near[claims]
            order = np.arange(near.size)
            earliest[near[::-1]] = order[::-1]  # of equal places the last one written stays
            won = earliest[near] == order
            near = near[won]
            labels[near] = labels[front[claims[won] // len(beside)]]
            level_here = level[near] == height
            _wait(waiting, near[~level_here], level)
            front = near[level_here]


def _wait(waiting: list[list[_Places]], places: _Places, level: _Levels) -> None:
    """Append places, in order, to those that wait for the water to reach their level."""
    levels = level[places]
    for height in np.unique(levels).tolist():
        waiting[height].append(places[levels == height])
