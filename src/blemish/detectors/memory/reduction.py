"""Fewer numbers per patch: principal components, or PatchCore's own averages; both are one convolution each."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
import torch
import torch.nn.functional as F
from torch import Tensor, nn


class Projection(nn.Module):
    """Patches on principal components: N x D x h x w to N x K x h x w.

    Attributes:
        mean: of the patches it was learnt from, D.
        components: orthonormal rows, K x D.
    """

    mean: Tensor
    components: Tensor

    def __init__(self, mean: Tensor, components: Tensor) -> None:
        super().__init__()
        self.register_buffer("mean", mean)
        self.register_buffer("components", components)

    def forward(self, patches: Tensor) -> Tensor:
        """Coordinates of patch maps."""
        return F.conv2d(patches - self.mean[None, :, None, None], self.components[:, :, None, None])

    def of_rows(self, rows: Tensor) -> Tensor:
        """Coordinates N x K of patches N x D."""
        return (rows - self.mean) @ self.components.T


def learn_projection(rows: Tensor, dimensions: int, seed: int) -> Projection:
    """The `dimensions` principal components of patches N x D; as many as there are where N or D is less."""
    from sklearn.decomposition import PCA  # two seconds, and few fits reduce patches

    wanted = min(dimensions, *rows.shape)
    # The covariance's own eigenvectors: exact, and the time does not depend on how many are wanted.
    pca = PCA(wanted, svd_solver="covariance_eigh", random_state=seed).fit(rows.numpy())
    return Projection(
        torch.from_numpy(pca.mean_.astype(np.float32)), torch.from_numpy(pca.components_.astype(np.float32))
    )


class NeighbourhoodAverage(nn.Module):
    """Patch vectors as PatchCore's own code makes them: averages of whole neighbourhoods, `dimensions` in all.

    Each tap's `neighbourhood` squared x C values around a place are averaged to `dimensions` (adaptive average
    pooling, channel after channel), brought to the finest grid bilinearly, joined over the taps, and averaged to
    `dimensions` again. All of it is linear, so it is one convolution a tap: N x C x h x w each to
    N x dimensions x h x w.

    Reference: github.com/amazon-science/patchcore-inspection, `Preprocessing` and `Aggregator`.
    """

    def __init__(self, channels: Sequence[int], neighbourhood: int, dimensions: int) -> None:
        super().__init__()
        self.dimensions = dimensions
        self.padding = neighbourhood // 2
        joined = averaging_matrix(len(channels) * dimensions, dimensions)
        self.first: list[int] = []
        self.weights = nn.ParameterList()
        for tap, count in enumerate(channels):
            part = joined[:, tap * dimensions : (tap + 1) * dimensions]
            whole = part @ averaging_matrix(count * neighbourhood**2, dimensions)
            # A tap reaches only a run of the joint values: the others would be multiplied by zero.
            reached = np.flatnonzero(whole.any(1))
            self.first.append(int(reached[0]))
            kernels = whole[reached[0] : reached[-1] + 1].reshape(-1, count, neighbourhood, neighbourhood)
            self.weights.append(nn.Parameter(torch.from_numpy(kernels).float(), requires_grad=False))

    def forward(self, maps: Sequence[Tensor]) -> Tensor:
        """Patch vectors of the taps' maps, finest first."""
        size = maps[0].shape[-2:]
        total = torch.zeros(1)
        for features, kernels, first in zip(maps, self.weights, self.first, strict=True):
            values = F.conv2d(features, kernels, padding=self.padding)
            if values.shape[-2:] != size:
                values = F.interpolate(values, size, mode="bilinear", align_corners=False)
            after = self.dimensions - first - kernels.shape[0]
            total = total + F.pad(values, (0, 0, 0, 0, first, after))
        return total


def averaging_matrix(count: int, wanted: int) -> npt.NDArray[np.float64]:
    """Adaptive average pooling of `count` values to `wanted`, as a matrix wanted x count.

    Value i is the mean of those from floor(i count / wanted) up to, not with, ceil((i + 1) count / wanted).
    """
    matrix = np.zeros((wanted, count))
    for row in range(wanted):
        start, end = row * count // wanted, -(-(row + 1) * count // wanted)
        matrix[row, start:end] = 1 / (end - start)
    return matrix
