"""A defect as a vector: the backbone's features under the anomaly map. It needs no torch."""

from __future__ import annotations

from collections.abc import Sequence

import cv2
import numpy as np

from blemish.core.errors import UsageError
from blemish.core.types import ByteArray, FloatArray
from blemish.line.inspection import Inspection
from blemish.line.runtime import Inspector

_RECIPE = "under-map-1"
_LEVEL = 0.7
_CLOSE = 0.5
_PEAK_SIGMA = 8.0


class AnomalyEmbedder:
    """Describes what an inspector finds on photographs.

    Attributes:
        inspector: whose anomaly maps say where to look, and whose artifact holds the backbone.
    """

    def __init__(self, inspector: Inspector) -> None:
        self.inspector = inspector

    @property
    def space(self) -> str:
        """Backbone, taps, input size and recipe: vectors of different spaces mean different things.

        Raises:
            ArtifactError: the inspector's file holds no backbone.
        """
        return f"{self.inspector.features.space} {_RECIPE}"

    def vector(self, image: ByteArray) -> FloatArray:
        """Inspect a uint8 RGB photograph and describe what is most anomalous on it; see `vector_of`."""
        return self.vector_of(image, self.inspector.inspect(image))

    def vector_of(self, image: ByteArray, inspection: Inspection) -> FloatArray:
        """The vector of a photograph (uint8 RGB) that was inspected: float32, of length 1.

        Two views are described: the whole photograph, and the half around the most anomalous place, in which small
        defects are twice as large. Where the inspector shows no place, all places of the whole count alike.

        Raises:
            ArtifactError: the inspector's file holds no backbone.
        """
        height, width = image.shape[:2]
        shown: FloatArray = inspection.anomaly_map if inspection.gives_map else np.ones((8, 8), np.float32)
        top, left, side = _square_around_peak(shown, height, width)
        close = np.ascontiguousarray(image[top : top + side, left : left + side])
        whole_map: FloatArray = np.asarray(cv2.resize(shown, (width, height)), np.float32)
        close_map = whole_map[top : top + side, left : left + side]
        views = ((image, shown), (close, close_map))
        return describe([(self.inspector.features.maps(view), where) for view, where in views])


def close_view(image: ByteArray, inspection: Inspection) -> tuple[int, int, int] | None:
    """Left, top and side of the half around the most anomalous place; None where the inspector shows no place."""
    if not inspection.gives_map:
        return None
    top, left, side = _square_around_peak(inspection.anomaly_map, *image.shape[:2])
    return left, top, side


def describe(views: Sequence[tuple[Sequence[FloatArray], FloatArray]]) -> FloatArray:
    """Views of a defect as one vector: of each feature map the mean under the anomaly map, scaled to length 1.

    Args:
        views: of each its feature maps, channels x h x w float32, and its anomaly map, H x W float32.

    Returns:
        As many values as all maps have channels, float32, of length 1.

    Raises:
        UsageError: a feature is not finite.
    """
    means = []
    for maps, anomaly_map in views:
        for features in maps:
            weights = _weights(anomaly_map, features.shape[1], features.shape[2])
            mean = features.reshape(len(features), -1).astype(np.float64) @ weights
            means.append(mean / (np.linalg.norm(mean) or 1.0))
    vector = np.concatenate(means)
    if not np.isfinite(vector).all():
        raise UsageError(
            "The inspector's backbone gives features that are not finite: fit the inspector anew."
        )
    return (vector / (np.linalg.norm(vector) or 1.0)).astype(np.float32)


def _weights(anomaly_map: FloatArray, height: int, width: int) -> FloatArray:
    """How much each place of a height x width feature map counts: values that sum to 1, of places in a row.

    Only the map's highest part counts, by how far it is above `_LEVEL` of the way from the median to the peak: the
    pixel threshold would let the smooth foot of a strong peak in, which is background.
    """
    median = float(np.median(anomaly_map))
    level = median + _LEVEL * (float(anomaly_map.max()) - median)
    above = np.maximum(anomaly_map - level, 0).astype(np.float32)
    if not above.any():
        above = np.ones_like(above)
    reduced = cv2.resize(above, (width, height), interpolation=cv2.INTER_AREA).ravel()
    return np.asarray(reduced / reduced.sum(), np.float32)


def _square_around_peak(anomaly_map: FloatArray, height: int, width: int) -> tuple[int, int, int]:
    """Top, left and side of the close view, in pixels of a height x width photograph and inside it."""
    side = max(1, round(_CLOSE * min(height, width)))
    smooth = cv2.GaussianBlur(anomaly_map, (0, 0), _PEAK_SIGMA)
    row, column = np.unravel_index(int(smooth.argmax()), smooth.shape)
    y = (float(row) + 0.5) / smooth.shape[0] * height
    x = (float(column) + 0.5) / smooth.shape[1] * width
    top = int(np.clip(y - side / 2, 0, height - side))
    left = int(np.clip(x - side / 2, 0, width - side))
    return top, left, side
