"""A defect as a vector: the backbone's features under the anomaly map. It needs no torch."""

from __future__ import annotations

import cv2
import numpy as np

from blemish.core.errors import UsageError
from blemish.core.types import ByteArray, FloatArray, Inspection
from blemish.inspector.runtime import Inspector

_RECIPE = "under-map-1"
_TOP = 0.01


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

        Raises:
            ArtifactError: the inspector's file holds no backbone.
            UsageError: the backbone gives numbers that are not finite.
        """
        maps = self.inspector.features.maps(image)
        anomaly_map = inspection.anomaly_map if inspection.gives_map else None
        return describe(maps, anomaly_map, self.inspector.pixel_threshold)


def describe(maps: list[FloatArray], anomaly_map: FloatArray | None, threshold: float) -> FloatArray:
    """Feature maps under an anomaly map as one vector.

    Args:
        maps: channels x h x w float32 each, over the whole photograph.
        anomaly_map: H x W over the whole photograph; None weighs all places alike.
        threshold: what lies above is anomalous.

    Returns:
        The sum of the maps' channels values, float32, of length 1.
    """
    parts = []
    for features in maps:
        flat = features.reshape(len(features), -1).astype(np.float64)
        weights = _weights(anomaly_map, threshold, features.shape[1:])
        part = flat @ weights
        if anomaly_map is not None:
            part -= flat.mean(axis=1)
        parts.append(part / (np.linalg.norm(part) or 1.0))
    vector = np.concatenate(parts)
    if not np.isfinite(vector).all():
        raise UsageError("The backbone gives numbers that are not finite for this photograph.")
    return (vector / (np.linalg.norm(vector) or 1.0)).astype(np.float32)


def _weights(anomaly_map: FloatArray | None, threshold: float, shape: tuple[int, ...]) -> FloatArray:
    """How much each place of a feature map counts, h * w values that sum to 1."""
    height, width = shape
    if anomaly_map is None:
        return np.full(height * width, 1 / (height * width), np.float32)
    above = np.maximum(anomaly_map - threshold, 0)
    if not above.any():  # nothing is above: then the highest part
        above = np.maximum(anomaly_map - np.quantile(anomaly_map, 1 - _TOP), 0)
    if not above.any():
        above = np.ones_like(anomaly_map)
    reduced = cv2.resize(above.astype(np.float32), (width, height), interpolation=cv2.INTER_AREA).ravel()
    return np.asarray(reduced / reduced.sum(), np.float32)
