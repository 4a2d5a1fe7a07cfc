"""A frozen backbone run by torch in batches, for learning on a card; on the line OpenVINO runs it."""

from __future__ import annotations

import copy
from collections.abc import Sequence

import numpy as np
import torch
from torch import nn

from blemish.core.types import FloatArray
from blemish.features.learning_device import in_float32

BATCH = 32
"""Photographs that are run at once."""


class TorchNetwork:
    """The weights of the graph that OpenVINO runs, in float32 without shortcuts: feature maps agree to rounding."""

    def __init__(self, network: nn.Module, device: torch.device) -> None:
        self.device = device
        # A copy, so that whoever holds the backbone finds it where it was.
        moved = copy.deepcopy(network).eval().requires_grad_(False)
        self._network = moved.to(device, memory_format=torch.channels_last)  # type: ignore[call-overload]

    def __call__(self, planes: Sequence[FloatArray]) -> list[list[FloatArray]]:
        """The outputs for each of several inputs, 3 x H x W float32: all of the first, then of the next."""
        found: list[list[FloatArray]] = []
        for start in range(0, len(planes), BATCH):
            batch = torch.from_numpy(np.stack(planes[start : start + BATCH]))
            with torch.inference_mode(), in_float32():
                given = batch.to(self.device, memory_format=torch.channels_last)
                outputs = [one.float().cpu().contiguous().numpy() for one in self._network(given)]
            found += [[one[row] for one in outputs] for row in range(len(batch))]
        return found
