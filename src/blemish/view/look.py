"""One look at a photograph through a view: the picture for the network, and the way back to the photograph."""

from __future__ import annotations

from dataclasses import dataclass, replace

import cv2
import numpy as np
import numpy.typing as npt

from blemish.core.types import BoolArray, ByteArray, FloatArray, Prediction
from blemish.view.regions import covered


@dataclass(frozen=True)
class Look:
    """What a view shows of one photograph.

    Attributes:
        picture: uint8 RGB of the network's input size, H x W x 3; what does not count has one colour.
        counted: which of its pixels count, bool H x W; None for all.
        to_photograph: float64 2 x 3, from places in the picture (x right, y down, its sides 0 to 1) to such places in
            the photograph; None where the picture is the whole photograph, stretched.
        counted_in_photograph: which pixels of the photograph count, bool of its own size; None for all, and where
            `to_photograph` says where the picture's are.
        scored_by_map: whether the score is to be the highest value of the map among what counts, as the network knows
            nothing of it.
        agreement: of the photograph with the reference of the view's alignment, -1 to 1; None where there is none.
        aligned: whether that is enough to believe where the part lies; where not, it is looked at as it lies.
    """

    picture: ByteArray
    counted: BoolArray | None = None
    to_photograph: npt.NDArray[np.float64] | None = None
    counted_in_photograph: BoolArray | None = None
    scored_by_map: bool = False
    agreement: float | None = None
    aligned: bool = True

    def placed(self, prediction: Prediction) -> Prediction:
        """The prediction with its maps stretched over the photograph: what does not count, or the picture does not
        reach, has the lowest value of the rest."""
        if self.counted is None and self.to_photograph is None:
            return prediction
        anomaly_map = prediction.anomaly_map
        counted = self._counted_on(anomaly_map.shape)
        score = prediction.score
        if self.scored_by_map:
            score = float(anomaly_map[counted].max())
        lowest = float(anomaly_map[counted].min())
        found = np.where(counted, anomaly_map, np.float32(lowest)).astype(np.float32)
        shown = self.counted_in_photograph
        if self.to_photograph is not None:
            found = self._warped(found, cv2.INTER_LINEAR, lowest)
            whole = self._warped(counted.astype(np.float32), cv2.INTER_NEAREST, 0.0)
            shown = None if whole.all() else np.asarray(whole > 0, np.bool_)
        return replace(prediction, score=score, anomaly_map=found, counted=shown)

    def _counted_on(self, shape: tuple[int, ...]) -> BoolArray:
        """Which pixels of a map of this shape count; all where its grid is so coarse that it has none of them."""
        counted: BoolArray = np.ones(shape, np.bool_)
        if self.counted is not None and self.counted.shape == shape:
            counted = self.counted
        elif self.counted is not None:
            counted = covered(self.counted, *shape)
        return counted if counted.any() else np.ones(shape, np.bool_)

    def _warped(self, values: FloatArray, flags: int, border: float) -> FloatArray:
        """Values on a grid over the picture, H x W, as they lie on such a grid over the photograph."""
        height, width = values.shape
        # In pixels of the map, whose centres lie at half places.
        scale = np.diag([width, height, 1.0])
        middle = np.array([[1, 0, 0.5], [0, 1, 0.5], [0, 0, 1.0]])
        whole = np.vstack([np.asarray(self.to_photograph), [0, 0, 1]])
        pixels = np.linalg.inv(middle) @ scale @ whole @ np.linalg.inv(scale) @ middle
        size, constant = (width, height), cv2.BORDER_CONSTANT
        warped = cv2.warpAffine(
            values, pixels[:2], size, flags=flags, borderMode=constant, borderValue=border
        )
        return np.asarray(warped, np.float32)
