"""What a frozen backbone says of a photograph at a small size: for the map, and to find exchanged masks."""

from __future__ import annotations

from pathlib import Path
from threading import Lock

import cv2
import numpy as np
import torch

from blemish.core.network import CompiledNetwork
from blemish.core.types import ByteArray, FloatArray
from blemish.explore.looking import Embed
from blemish.features.backbones import load_backbone, transformer_of
from blemish.features.onnx_export import to_onnx
from blemish.view.preprocessing import preprocess

SIZE = 224


def embedding(backbone: str, weights: Path | None = None) -> Embed:
    """Features of the backbone's taps at strides 8 and 16 on the finer grid, float32 C x 28 x 28.

    Of a vision transformer they are its last block's, on the grid of its patches: 16 x 16 of 14 pixels.

    Its weights are the usual ones, or those of a file. The function is safe to call on several threads.

    Raises:
        UsageError: there is no such backbone.
        BlemishError: its weights cannot be had.
    """
    transformer = transformer_of(backbone)
    if transformer is None:
        side, network = SIZE, load_backbone(backbone, weights=weights)
    else:
        side = transformer.possible_size(SIZE)
        network = load_backbone(backbone, transformer.usual_taps(), weights, size=side)
    contract = network.preprocessing(side, side)
    names = [network.tap_name(tap) for tap in network.taps]
    compiled = CompiledNetwork(to_onnx(network, torch.zeros(1, 3, side, side), names))
    one_at_a_time = Lock()

    def embed(image: ByteArray) -> FloatArray:
        values = preprocess(image, contract)[None]
        with one_at_a_time:
            finest, *coarser = (maps[0].transpose(1, 2, 0) for maps in compiled(values))
        grid = finest.shape[1], finest.shape[0]
        enlarged = [cv2.resize(one, grid, interpolation=cv2.INTER_LINEAR) for one in coarser]
        joined = np.concatenate([finest, *enlarged], axis=2)
        return np.ascontiguousarray(joined.transpose(2, 0, 1), np.float32)

    return embed
