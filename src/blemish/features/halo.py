"""How far a network sees: what a tile must show around each place for its feature maps to be those of one piece."""

from __future__ import annotations

from functools import lru_cache

import cv2
import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from blemish.core.errors import UsageError
from blemish.core.types import FloatArray
from blemish.features.backbones import Backbone
from blemish.view.tiles import UNIT

TOLERANCE = 0.01
"""Largest difference of a patch from the one of the whole picture, in spreads of the patches."""

_SIDES = (512, 1024)


@lru_cache(maxsize=8)
def needed_halo(backbone: Backbone, neighbourhood: int = 1) -> int:
    """Pixels from a tile's edge at which its patches are those of the whole picture to `TOLERANCE`, a multiple of 32.

    It is measured on a picture that has detail of all sizes, as photographs have: what a network could see in theory
    is a third more than what changes anything.

    Args:
        backbone: the network with its taps.
        neighbourhood: positions squared over which maps are averaged before they are compared.

    Raises:
        UsageError: it sees farther than tiles can show, as networks with attention do.
    """
    for side in _SIDES if backbone.transformer is None else ():
        picture = torch.from_numpy(_picture(2 * side))[None]
        differences = patch_differences(backbone, neighbourhood, picture)
        stride = side // differences.shape[0]
        for halo in range(0, side // 2 - UNIT, UNIT):
            inner = slice(halo // stride, (side - halo) // stride)
            if differences[inner, inner].max() < TOLERANCE:
                return halo
    raise UsageError(
        f"{backbone.name} with the taps {', '.join(map(str, backbone.taps))} sees too far around each place to be read "
        "in tiles: leave out the largest tap, or choose a convolutional network such as efficientnet_lite0."
    )


def patch_differences(backbone: Backbone, neighbourhood: int, picture: Tensor) -> Tensor:
    """Difference of every patch of a picture's middle from the same in the whole picture, in spreads of its patches.

    Args:
        backbone: the network with its taps.
        neighbourhood: positions squared over which maps are averaged.
        picture: preprocessed, 1 x 3 x side x side; the middle has half its side, a multiple of 64.

    Returns:
        Side / 2 / finest stride squared values.
    """
    side = picture.shape[-1] // 2
    start = side // 2
    with torch.inference_mode():
        whole = _patches(backbone, picture, neighbourhood)
        part = _patches(backbone, picture[..., start : start + side, start : start + side], neighbourhood)
    cells = part.shape[-1]
    first = start * cells // side
    same = whole[:, first : first + cells, first : first + cells]
    spread = whole.flatten(1).std(1).norm()
    differences: Tensor = (part - same).norm(dim=0) / spread
    return differences


def _patches(backbone: Backbone, image: Tensor, neighbourhood: int) -> Tensor:
    """Feature maps averaged over neighbours and joined on the finest grid, D x h x w."""
    maps = [F.avg_pool2d(one, neighbourhood, 1, neighbourhood // 2)[0] for one in backbone(image)]
    rows, columns = maps[0].shape[1:]
    repeated = [
        one.repeat_interleave(rows // one.shape[1], 1).repeat_interleave(columns // one.shape[2], 2)
        for one in maps
    ]
    return torch.cat(repeated)


def _picture(side: int) -> FloatArray:
    """Detail of all sizes, of standard values, float32 3 x side x side."""
    rng, picture = np.random.default_rng(0), np.zeros((side, side, 3))
    for exponent in range(1, side.bit_length()):
        coarse = rng.normal(size=(2**exponent, 2**exponent, 3))
        picture += cv2.resize(coarse, (side, side), interpolation=cv2.INTER_CUBIC)
    picture = (picture - picture.mean()) / picture.std()
    return np.ascontiguousarray(picture.transpose(2, 0, 1), np.float32)
