"""What a frozen backbone says of a photograph at a small size: for the map, and to find exchanged masks."""

from __future__ import annotations

from pathlib import Path
from threading import Lock

import cv2
import numpy as np
import torch

from blemish.core.network import CompiledNetwork
from blemish.core.preprocessing import preprocess
from blemish.core.types import ByteArray, FloatArray
from blemish.explore.survey import Embed
from blemish.features.backbones import load_backbone
from blemish.features.onnx_export import to_onnx

SIZE = 224


def embedding(backbone: str, weights: Path | None = None) -> Embed:
    """Features of the backbone's taps at strides 8 and 16 on the finer grid, float32 C x 28 x 28.

    Its weights are the usual ones, or those of a file. The function is safe to call on several threads.

    Raises:
        UsageError: there is no such backbone.
        BlemishError: its weights cannot be had.
    """
    network = load_backbone(backbone, weights=weights)
    contract = network.preprocessing(SIZE, SIZE)
    compiled = CompiledNetwork(to_onnx(network, torch.zeros(1, 3, SIZE, SIZE), ["fine", "coarse"]))
    one_at_a_time = Lock()

    def embed(image: ByteArray) -> FloatArray:
        values = preprocess(image, contract)[None]
        with one_at_a_time:
            fine, coarse = compiled(values)
        side = fine.shape[3], fine.shape[2]
        enlarged = cv2.resize(coarse[0].transpose(1, 2, 0), side, interpolation=cv2.INTER_LINEAR)
        joined = np.concatenate([fine[0].transpose(1, 2, 0), enlarged], axis=2)
        return np.ascontiguousarray(joined.transpose(2, 0, 1), np.float32)

    return embed
