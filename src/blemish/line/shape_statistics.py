"""Handcrafted features of what stands in the image: objects, lines, blobs, regions."""

from __future__ import annotations

import cv2
import numpy as np

from blemish.core.types import ByteArray
from blemish.line.basins import catchment_basins

SMALL_SIDE = 256
"""Lines, blobs and regions are sought in the image reduced to this longest side: fine texture has none to count."""

_CANNY = (100, 200)
_FEWEST_VOTES, _SHORTEST_LINE, _WIDEST_GAP = 30, 20, 3
_SMALLEST_BLOB, _LARGEST_BLOB = 9, 5000


def object_features(grey: ByteArray) -> dict[str, float]:
    """`object_count`, and box and `perimeter` of the largest object, in pixels.

    Objects are connected areas (8 neighbours) on one side of Otsu's threshold: the side that holds less of the image's
    frame. The largest has most pixels; its perimeter is the length of its outer contour, through the pixels' centres.
    Without any object all are 0.
    """
    names = ("area", "aspect_ratio", "x", "y", "width", "height")
    objects = _foreground(grey)
    count, labels, statistics, _ = cv2.connectedComponentsWithStats(objects, connectivity=8)
    if count < 2:  # label 0 is the ground
        return {"object_count": 0.0, **{f"bounding_box_{name}": 0.0 for name in names}, "perimeter": 0.0}
    largest = 1 + int(np.argmax(statistics[1:, cv2.CC_STAT_AREA]))
    x, y, width, height = (int(value) for value in statistics[largest, :4])
    alone = np.ascontiguousarray(labels[y : y + height, x : x + width] == largest).view(np.uint8)
    (contour,), _ = cv2.findContours(alone, cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_SIMPLE)
    values = (width * height, width / height, x, y, width, height)
    box = {f"bounding_box_{name}": float(value) for name, value in zip(names, values, strict=True)}
    return {"object_count": count - 1.0, **box, "perimeter": float(cv2.arcLength(contour, closed=True))}


def line_features(small: ByteArray, scale: float) -> dict[str, float]:
    """`line_length`: length of all straight lines together, in pixels of the photograph.

    Lines are segments that the probabilistic Hough transform finds among Canny edges (thresholds 100 and 200): at least
    30 votes, 20 pixels long, without gaps of more than 3.

    Args:
        small: see `reduced`.
        scale: its size over the photograph's.
    """
    edges = cv2.Canny(small, *_CANNY)
    found = cv2.HoughLinesP(
        edges, 1, np.pi / 180, _FEWEST_VOTES, minLineLength=_SHORTEST_LINE, maxLineGap=_WIDEST_GAP
    )
    if found is None:
        return {"line_length": 0.0}
    ends = np.asarray(found, np.float64).reshape(-1, 2, 2)
    return {"line_length": float(np.linalg.norm(ends[:, 1] - ends[:, 0], axis=1).sum()) / scale}


def blob_features(small: ByteArray) -> dict[str, float]:
    """`blob_count`: compact spots, darker or lighter than what surrounds them.

    OpenCV's `SimpleBlobDetector` on thresholds from 10 to 240 in steps of 20; a blob has 9 to 5000 pixels of the
    reduced image, fills four fifths of its convex hull, and is seen at two thresholds at least.
    """
    wanted = cv2.SimpleBlobDetector.Params()
    wanted.minThreshold, wanted.maxThreshold, wanted.thresholdStep = 10, 240, 20
    wanted.minArea, wanted.maxArea = _SMALLEST_BLOB, _LARGEST_BLOB
    wanted.minDistBetweenBlobs, wanted.minRepeatability = 5, 2
    wanted.filterByCircularity = wanted.filterByInertia = False
    wanted.filterByConvexity, wanted.minConvexity = True, 0.8
    wanted.filterByColor, wanted.blobColor = True, 0  # dark ones; light ones are dark in the negative
    detector = cv2.SimpleBlobDetector.create(wanted)
    return {"blob_count": float(len(detector.detect(small)) + len(detector.detect(cv2.bitwise_not(small))))}


def region_features(small: ByteArray) -> dict[str, float]:
    """`region_homogeneity`: share of the grey values' variance that lies between regions and not within them, 0 to 1.

    Regions are the catchment basins of the morphological gradient (3 x 3), see `blemish.line.basins`. An image of one
    grey value is homogeneous: 1.
    """
    gradient = cv2.morphologyEx(small, cv2.MORPH_GRADIENT, np.ones((3, 3), np.uint8))
    labels = catchment_basins(np.asarray(gradient, np.uint8)).ravel()
    values = small.ravel().astype(np.float64)
    total = float(np.square(values - values.mean()).sum())
    if total == 0:
        return {"region_homogeneity": 1.0}
    sizes = np.bincount(labels)
    means = np.bincount(labels, values) / np.maximum(sizes, 1)
    within = float(np.square(values - means[labels]).sum())
    return {"region_homogeneity": 1 - within / total}


def reduced(grey: ByteArray) -> tuple[ByteArray, float]:
    """The image at most `SMALL_SIDE` pixels long and wide, averaged over areas, and its size over the image's."""
    scale = min(1.0, SMALL_SIDE / max(grey.shape))
    if scale == 1:
        return grey, 1.0
    size = (max(1, round(grey.shape[1] * scale)), max(1, round(grey.shape[0] * scale)))
    return np.asarray(cv2.resize(grey, size, interpolation=cv2.INTER_AREA), np.uint8), scale


def _foreground(grey: ByteArray) -> ByteArray:
    """1 where the objects are, 0 elsewhere, uint8."""
    level, _ = cv2.threshold(grey, 0, 1, cv2.THRESH_BINARY + cv2.THRESH_OTSU)
    light = grey > level
    if light.all() or not light.any():
        return np.zeros(grey.shape, np.uint8)
    frame = np.concatenate([light[0], light[-1], light[1:-1, 0], light[1:-1, -1]])
    return np.ascontiguousarray(light if frame.mean() <= 0.5 else ~light).view(np.uint8)
