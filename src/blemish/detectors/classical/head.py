"""From feature maps to the score of a classical model: means over space, scaling, principal components, the model."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor, nn

from blemish.detectors.classical.projection import Arrays


def single(array: npt.NDArray[Any]) -> Tensor:
    """An array as a float32 tensor of its own memory."""
    return torch.from_numpy(np.array(array, np.float32))


class Projection(nn.Module):
    """Rows (N x D) scaled and reduced to N x K, as `blemish.detectors.classical.projection.project` does."""

    centre: Tensor
    scale: Tensor
    components: Tensor

    def __init__(self, arrays: Arrays) -> None:
        super().__init__()
        for name in ("centre", "scale", "components"):
            self.register_buffer(name, single(arrays[name]))

    def forward(self, rows: Tensor) -> Tensor:
        """Scale and reduce rows."""
        scaled = (rows - self.centre) / self.scale
        return scaled @ self.components.T if len(self.components) else scaled


class TabularHead(nn.Module):
    """Score of the whole image by a model on its projected features.

    Args:
        projection: N x D to N x K.
        model: N x K to N scores.
        shape: height and width of the map, which is the score everywhere.
    """

    def __init__(self, projection: nn.Module, model: nn.Module, shape: tuple[int, int]) -> None:
        super().__init__()
        self.projection = projection
        self.model = model
        self.shape = shape

    def score(self, rows: Tensor) -> Tensor:
        """Scores (N) of rows of features (N x D)."""
        scores: Tensor = self.model(self.projection(rows))
        return scores

    def forward(self, maps: list[Tensor]) -> tuple[Tensor, Tensor]:
        """Score (1) and map (H x W) of one image's feature maps, 1 x C x h x w each."""
        score = self.score(torch.cat([features.mean((2, 3)) for features in maps], 1))
        return score, score[:, None].expand(*self.shape)
