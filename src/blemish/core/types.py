"""Values that travel between floors."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

import numpy as np
import numpy.typing as npt

FloatArray = npt.NDArray[np.float32]
ByteArray = npt.NDArray[np.uint8]
BoolArray = npt.NDArray[np.bool_]


class Verdict(StrEnum):
    """What is to be done with a part."""

    PASS = "pass"
    REVIEW = "review"
    REJECT = "reject"


@dataclass(frozen=True)
class Region:
    """A connected anomalous area: its bounding box in pixels of the photograph, and its highest map value."""

    x: int
    y: int
    width: int
    height: int
    score: float

    def to_json(self) -> dict[str, Any]:
        """The region as JSON-ready numbers."""
        return {"x": self.x, "y": self.y, "width": self.width, "height": self.height, "score": self.score}


@dataclass(frozen=True)
class Prediction:
    """What a detector says of one image.

    Attributes:
        score: anomaly score; larger is more anomalous, any range.
        anomaly_map: float32 array H x W at the detector's input size, larger is more anomalous.
        parts: p-values by the detectors that it is made of, by name; empty for all but ensembles.
    """

    score: float
    anomaly_map: FloatArray
    parts: Mapping[str, float] = field(default_factory=dict)


@dataclass(frozen=True)
class Inspection:
    """What an inspector says of one photograph.

    Attributes:
        verdict: pass, review or reject.
        score: anomaly score; the part is rejected above `threshold`.
        threshold: the inspector's decision threshold.
        p_value: share of unseen good parts expected to score at least as high, in (0, 1].
        anomaly_map: float32 array H x W at the detector's input size.
        regions: anomalous areas in pixels of the photograph, highest first; empty for a pass, and without a map.
        width, height: size of the photograph in pixels.
        parts: p-values by the detectors that an ensemble is made of, by name.
        gives_map: False if the detector shows no place: then the map is the score everywhere and means nothing.
    """

    verdict: Verdict
    score: float
    threshold: float
    p_value: float
    anomaly_map: FloatArray
    regions: tuple[Region, ...]
    width: int
    height: int
    parts: Mapping[str, float] = field(default_factory=dict)
    gives_map: bool = True
