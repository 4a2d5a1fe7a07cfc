"""The distance of patches from the subspace of good patches."""

from __future__ import annotations

import numpy as np
import torch
import torch.nn.functional as F
from sklearn.decomposition import PCA
from torch import Tensor

from blemish.detectors.memory.reduction import Projection


class SubspaceResidual(Projection):
    """Length of what a patch has outside the principal components of good patches."""

    def forward(self, patches: Tensor) -> Tensor:
        """Distances N x 1 x h x w of patches N x D x h x w."""
        inside = F.conv2d(super().forward(patches), self.components.T[:, :, None, None])
        residual = patches - self.mean[None, :, None, None] - inside
        return (residual * residual).sum(1, keepdim=True).sqrt()


def learn_subspace(rows: Tensor, explained: float) -> SubspaceResidual:
    """The fewest principal components of patches N x D that hold the share `explained` of the variance."""
    pca = PCA(svd_solver="covariance_eigh").fit(rows.double().numpy())
    held = np.cumsum(pca.explained_variance_ratio_)
    count = min(int(np.searchsorted(held, explained)) + 1, len(held))
    components = np.ascontiguousarray(pca.components_[:count])
    return SubspaceResidual(torch.from_numpy(pca.mean_).float(), torch.from_numpy(components).float())
