"""The distance of patches from the subspace of good patches."""

from __future__ import annotations

import numpy as np
import torch
import torch.nn.functional as F
from sklearn.decomposition import PCA
from torch import Tensor, nn


class SubspaceResidual(nn.Module):
    """Length of what a patch has outside the principal components of good patches.

    Attributes:
        mean: D.
        components: orthonormal rows, K x D.
    """

    mean: Tensor
    components: Tensor

    def __init__(self, mean: Tensor, components: Tensor) -> None:
        super().__init__()
        self.register_buffer("mean", mean)
        self.register_buffer("components", components)

    def forward(self, patches: Tensor) -> Tensor:
        """Distances N x 1 x h x w of patches N x D x h x w."""
        centred = patches - self.mean[None, :, None, None]
        coordinates = F.conv2d(centred, self.components[:, :, None, None])
        residual = centred - F.conv2d(coordinates, self.components.T[:, :, None, None])
        return (residual * residual).sum(1, keepdim=True).sqrt()


def learn_subspace(rows: Tensor, explained: float) -> SubspaceResidual:
    """The fewest principal components of patches N x D that hold the share `explained` of the variance."""
    pca = PCA(svd_solver="covariance_eigh").fit(rows.double().numpy())
    held = np.cumsum(pca.explained_variance_ratio_)
    count = min(int(np.searchsorted(held, explained)) + 1, len(held))
    components = np.ascontiguousarray(pca.components_[:count])
    return SubspaceResidual(torch.from_numpy(pca.mean_).float(), torch.from_numpy(components).float())
