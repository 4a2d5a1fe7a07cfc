"""The Mahalanobis network: feature maps in, anomaly score and map out, by a Gaussian for every position."""

from __future__ import annotations

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from blemish.detectors.layers import enlarging_matrix


class PositionEmbedding(nn.Module):
    """Feature maps of several taps to one vector of chosen channels per position: N x D x h x w.

    Maps finer than the grid are averaged to it, coarser ones repeated (each position takes the activation of the
    cell it lies in, as in the PaDiM paper), then joined; `channels` are those kept.
    """

    channels: Tensor

    def __init__(self, grid: tuple[int, int], channels: Tensor) -> None:
        super().__init__()
        self.grid = grid
        self.register_buffer("channels", channels)

    def forward(self, maps: Sequence[Tensor]) -> Tensor:
        """Vectors of the taps' N x C x h x w maps; grids are multiples of each other."""
        rows, columns = self.grid
        joined = []
        for features in maps:
            height, width = (int(side) for side in features.shape[-2:])  # constants of the exported graph
            if height > rows:
                features = F.avg_pool2d(features, (height // rows, width // columns))
            elif height < rows:
                features = F.interpolate(features, self.grid, mode="nearest")
            joined.append(features)
        return torch.cat(joined, 1).index_select(1, self.channels)


class MahalanobisHead(nn.Module):
    """Feature maps to score and map: the Mahalanobis distance of every position's vector from its own Gaussian.

    With the covariance S = L L', the distance is the length of L^-1 (x - mean), so the graph holds L^-1 and needs no
    solver. The map is the distances brought to the input's size bilinearly and smoothed by a Gaussian; the score is
    its maximum.
    """

    means: Tensor
    whitening: Tensor
    rows: Tensor
    columns: Tensor

    def __init__(
        self,
        means: Tensor,
        whitening: Tensor,
        channels: Tensor,
        grid: tuple[int, int],
        size: tuple[int, int],
        sigma: float,
    ) -> None:
        """`means` is P x D and `whitening` (L^-1) P x D x D, for P = h w positions, row after row."""
        super().__init__()
        self.embedding = PositionEmbedding(grid, channels)
        self.grid = grid
        self.register_buffer("means", means)
        self.register_buffer("whitening", whitening)
        self.register_buffer("rows", enlarging_matrix(grid[0], size[0], sigma))
        self.register_buffer("columns", enlarging_matrix(grid[1], size[1], sigma).T.contiguous())

    def forward(self, maps: Sequence[Tensor]) -> tuple[Tensor, Tensor]:
        """Score (1) and map (H x W) of one image's feature maps, 1 x C x h x w each."""
        vectors = self.embedding(maps).flatten(2)[0].T
        whitened = (self.whitening @ (vectors - self.means).unsqueeze(2)).squeeze(2)
        distances = (whitened * whitened).sum(1).sqrt().reshape(self.grid)
        anomaly_map = self.rows @ distances @ self.columns
        return anomaly_map.amax().reshape(1), anomaly_map
