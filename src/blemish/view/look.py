"""One look at a photograph through a view: the picture for the network, and the way back to the photograph."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt

from blemish.core.types import BoolArray, ByteArray, FloatArray, Prediction


@dataclass(frozen=True)
class Look:
    """What a view shows of one photograph.

    Attributes:
        picture: uint8 RGB of the network's input size, H x W x 3; what does not count has one colour.
        counted: which of its pixels count, bool H x W; None for all.
        to_photograph: float64 2 x 3, from places in the picture (x right, y down, its sides 0 to 1) to such places in
            the photograph; None where the picture is the whole photograph, stretched.
    """

    picture: ByteArray
    counted: BoolArray | None = None
    to_photograph: npt.NDArray[np.float64] | None = None

    def placed(self, prediction: Prediction) -> Prediction:
        """The prediction with its maps stretched over the photograph: what does not count, or the picture does not
        reach, has the lowest value of the rest."""
        if self.counted is None and self.to_photograph is None:
            return prediction
        return replace(prediction, anomaly_map=self._placed(prediction.anomaly_map))

    def _placed(self, anomaly_map: FloatArray) -> FloatArray:
        height, width = anomaly_map.shape
        counted: npt.NDArray[Any] = np.ones((height, width), np.uint8)
        if self.counted is not None:
            small = (width, height)
            counted = cv2.resize(self.counted.view(np.uint8), small, interpolation=cv2.INTER_NEAREST_EXACT)
        if not counted.any():
            return anomaly_map
        lowest = float(anomaly_map[counted > 0].min())
        found = np.where(counted > 0, anomaly_map, np.float32(lowest)).astype(np.float32)
        if self.to_photograph is None:
            return found
        # In pixels of the map, whose centres lie at half places.
        scale = np.diag([width, height, 1.0])
        middle = np.array([[1, 0, 0.5], [0, 1, 0.5], [0, 0, 1.0]])
        whole = np.vstack([self.to_photograph, [0, 0, 1]])
        pixels = np.linalg.inv(middle) @ scale @ whole @ np.linalg.inv(scale) @ middle
        return np.asarray(
            cv2.warpAffine(
                found,
                pixels[:2],
                (width, height),
                flags=cv2.INTER_LINEAR,
                borderMode=cv2.BORDER_CONSTANT,
                borderValue=lowest,
            ),
            np.float32,
        )
