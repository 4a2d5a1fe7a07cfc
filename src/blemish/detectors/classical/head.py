"""From features to the score of a classical model: pooling over space, scaling, principal components, the model."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor, nn

from blemish.features.projection import Arrays


def single(array: npt.NDArray[Any]) -> Tensor:
    """An array as a float32 tensor of its own memory."""
    return torch.from_numpy(np.array(array, np.float32))


class Projection(nn.Module):
    """Rows (N x D) scaled and reduced to N x K, as `blemish.features.projection.project` does."""

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

    def forward(self, rows: Tensor) -> tuple[Tensor, Tensor]:
        """Score (1) and map (H x W) of one image's row of features, 1 x D."""
        score = self.score(rows)
        return score, score[:, None].expand(*self.shape)


class PooledHead(nn.Module):
    """A tabular head on feature maps, which are pooled over space as `blemish.features.pooled.pooled` does.

    Args:
        head: takes the row of features.
        pooling: one of `blemish.features.pooled.POOLINGS`.
    """

    def __init__(self, head: TabularHead, pooling: str) -> None:
        super().__init__()
        self.head = head
        self.pooling = pooling

    def forward(self, maps: list[Tensor]) -> tuple[Tensor, Tensor]:
        """Score (1) and map (H x W) of one image's feature maps, 1 x C x h x w each."""
        score, anomaly_map = self.head(
            torch.cat([part for features in maps for part in self._kept(features)], 1)
        )
        return score, anomaly_map

    def _kept(self, features: Tensor) -> list[Tensor]:
        """What is kept of the channels, 1 x C each."""
        if self.pooling == "mean":
            return [features.mean((2, 3))]
        highest = features.amax((2, 3))
        return [highest] if self.pooling == "max" else [highest, features.amin((2, 3))]
