"""How far the edge of a filled area reaches in anomaly maps, measured on good photographs when an inspector is made.

What was learnt with an area cannot ignore it later without a trace: filling it makes an edge that the network has not
learnt, and maps rise around it. How far is measured here, for `blemish.view.regions.IgnoredLater.margin`.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np

from blemish.core.images import read_image
from blemish.core.network import CompiledNetwork
from blemish.core.types import BoolArray, ByteArray, FloatArray
from blemish.view.preprocessing import Preprocessing, look, standardise
from blemish.view.regions import continued

RISE = 0.2
"""Share of a good photograph's highest map value that an edge may still add beyond its reach."""

_SAME = 1e-4
_STEP = 8
_BOXES = ((0.35, 0.35, 0.3, 0.3), (0.0, 0.0, 0.3, 0.3), (0.55, 0.3, 0.06, 0.2), (0.4, 0.7, 0.12, 0.1))
"""Left, top, width and height as shares of the picture: in the middle, in a corner, narrow, small."""


@dataclass(frozen=True)
class Reach:
    """What was measured.

    Attributes:
        score_is_maximum: whether the score was the highest value of the map, every time.
        pixels: of the network's input; None where the score is not, or an edge is seen everywhere.
    """

    score_is_maximum: bool
    pixels: int | None = None


def measure_reach(model: bytes, contract: Preprocessing, paths: Sequence[Path]) -> Reach:
    """Fill boxes in good photographs, and see how far from them the maps rise.

    Args:
        model: the exported network, whose outputs begin with score and map.
        contract: what it is given.
        paths: a few photographs of good parts.
    """
    runtime = CompiledNetwork(model, outputs=("score", "map"))

    def map_of(picture: ByteArray) -> FloatArray | None:
        score, anomaly_map, *_ = runtime(standardise(picture, contract)[None])
        highest = float(anomaly_map.max())
        same = abs(float(score.reshape(-1)[0]) - highest) <= _SAME * abs(highest)
        return anomaly_map if same and anomaly_map.shape == picture.shape[:2] else None

    rises: list[tuple[FloatArray, FloatArray]] = []
    for path in paths:
        looked = look(read_image(path, bit_depth=contract.bit_depth), contract)
        before = map_of(looked.picture)
        if before is None:
            return Reach(False)
        counted = np.ones(before.shape, np.bool_) if looked.counted is None else looked.counted
        for box in _boxes(before.shape):
            after = map_of(continued(looked.picture, ~box))
            if after is None:
                return Reach(False)
            away = cv2.distanceTransform((~box).view(np.uint8), cv2.DIST_C, 3)
            outside = ~box & counted
            rise = (after - before)[outside] / max(float(before.max()), 1e-12)
            rises.append((np.asarray(away[outside], np.float32), rise.astype(np.float32)))
    return Reach(True, reach_of(rises, _STEP, max(contract.height, contract.width) // 2))


def reach_of(rises: Sequence[tuple[FloatArray, FloatArray]], step: int, most: int) -> int | None:
    """The distance beyond which nothing rises by more than `RISE`; None where it is above `most`.

    Args:
        rises: of each trial distances and rises, one a pixel.
        step: what the distance is a multiple of.
        most: largest distance.
    """
    farthest = max(
        (float(away[rise > RISE].max(initial=0)) for away, rise in rises if away.size), default=0.0
    )
    reach = int(np.ceil(farthest / step)) * step
    return reach if reach <= most else None


def _boxes(shape: tuple[int, ...]) -> Iterator[BoolArray]:
    height, width = shape
    for left, top, across, down in _BOXES:
        box = np.zeros((height, width), np.bool_)
        x, y = int(left * width), int(top * height)
        box[y : y + max(1, int(down * height)), x : x + max(1, int(across * width))] = True
        yield box
