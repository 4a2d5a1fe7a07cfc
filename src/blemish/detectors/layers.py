"""Building blocks of networks that several families use: convolutions, patches of feature maps, and their scores."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn


def convolution(inputs: int, outputs: int, stride: int = 1, kernel: int = 3) -> nn.Sequential:
    """Convolution without bias, BatchNorm, ReLU."""
    return nn.Sequential(
        nn.Conv2d(inputs, outputs, kernel, stride, kernel // 2, bias=False),
        nn.BatchNorm2d(outputs),
        nn.ReLU(inplace=True),
    )


def enlargement(inputs: int, outputs: int, kernel: int = 3) -> nn.Sequential:
    """Transposed convolution of stride 2 without bias, BatchNorm, ReLU: twice the height and width."""
    return nn.Sequential(
        transposed(inputs, outputs, kernel, bias=False), nn.BatchNorm2d(outputs), nn.ReLU(inplace=True)
    )


def transposed(inputs: int, outputs: int, kernel: int, bias: bool) -> nn.ConvTranspose2d:
    """Transposed convolution that doubles the size exactly, whatever the kernel (2, 3 or 4)."""
    padding = (kernel - 1) // 2
    missing = 2 - (kernel - 2 * padding)
    return nn.ConvTranspose2d(inputs, outputs, kernel, 2, padding, output_padding=missing, bias=bias)


class PatchEmbedding(nn.Module):
    """Feature maps of several taps to one vector per patch, on the finest tap's grid.

    Each map is averaged over `neighbourhood` x `neighbourhood` positions (zero outside, as in PatchCore's own
    code), brought to the finest grid bilinearly, and concatenated: N x D x h x w.
    """

    def __init__(self, neighbourhood: int = 3) -> None:
        super().__init__()
        self.neighbourhood = neighbourhood

    def forward(self, maps: Sequence[Tensor]) -> Tensor:
        """Patch vectors of the taps' N x C x h x w maps, finest first."""
        size = maps[0].shape[-2:]
        pooled = [F.avg_pool2d(m, self.neighbourhood, 1, self.neighbourhood // 2) for m in maps]
        resized = [
            pooled[0],
            *(F.interpolate(m, size, mode="bilinear", align_corners=False) for m in pooled[1:]),
        ]
        return torch.cat(resized, 1)


class UnitLength(nn.Module):
    """Vectors of a map, N x D x h x w, brought to length 1."""

    def forward(self, patches: Tensor) -> Tensor:
        """Their directions."""
        return F.normalize(patches, dim=1)


SHARPNESS = 16.0
"""How much more the farthest patches count in their mean: one that is a sixteenth nearer than the farthest counts a
third of it. No patch is in or out, so that rounding changes the mean by no more than itself."""


def farthest_patches(patches: Tensor, distances: Tensor) -> Tensor:
    """Mean (D) of patches, 1 x D x h x w, weighed by their distances, 1 x 1 x h x w: what is shown where it is least
    like what is good."""
    flat = distances.flatten()
    weights = torch.softmax(SHARPNESS * flat / flat.max().clamp(min=1e-12), 0)
    return patches.flatten(2)[0] @ weights


class PatchScoring(nn.Module):
    """From patch distances to the image's score and map.

    The map is brought to the input's size bilinearly and smoothed by a Gaussian; both are linear and separable, so they
    are one matrix on either side. The score is the mean of the highest `top` share of the distances (at least one), or,
    where `top` is None, the highest value of the map.
    `margin` pixels of the input all around that the backbone has not read get the lowest value of the map.
    """

    rows: Tensor
    columns: Tensor

    def __init__(
        self, grid: tuple[int, int], size: tuple[int, int], top: float | None, sigma: float, margin: int = 0
    ) -> None:
        super().__init__()
        self.count = None if top is None else max(1, round(top * grid[0] * grid[1]))
        self.margin = margin
        self.register_buffer("rows", enlarging_matrix(grid[0], size[0], sigma))
        self.register_buffer("columns", enlarging_matrix(grid[1], size[1], sigma).T.contiguous())

    def forward(self, distances: Tensor) -> tuple[Tensor, Tensor]:
        """Score (1) and map (H x W) of 1 x 1 x h x w distances."""
        anomaly_map = self.rows @ distances[0, 0] @ self.columns
        if self.count is None:
            score = anomaly_map.amax().reshape(1)
        else:
            score = torch.topk(distances.flatten(), self.count).values.mean(0, keepdim=True)
        if self.margin:
            lowest = anomaly_map.amin()
            anomaly_map = F.pad(anomaly_map - lowest, [self.margin] * 4) + lowest
        return score, anomaly_map


def enlarging_matrix(coarse: int, fine: int, sigma: float) -> Tensor:
    """Matrix fine x coarse that resizes bilinearly (half-pixel centres) and then smooths by a Gaussian.

    `sigma` is in fine pixels; the Gaussian is cut at 4 sigma and mirrored at the borders, as in SciPy.
    """
    eye = torch.eye(coarse, dtype=torch.float64)[None]
    resize = F.interpolate(eye, size=fine, mode="linear", align_corners=False)[0].T
    if sigma <= 0:
        return resize.float()
    radius = int(4 * sigma + 0.5)
    kernel = np.exp(-0.5 * (np.arange(-radius, radius + 1) / sigma) ** 2)
    kernel /= kernel.sum()
    period = np.arange(-radius, fine + radius) % (2 * fine)
    mirrored = np.where(period < fine, period, 2 * fine - 1 - period)
    smooth = np.zeros((fine, fine))
    for row in range(fine):
        np.add.at(smooth[row], mirrored[row : row + 2 * radius + 1], kernel)
    return (torch.from_numpy(smooth) @ resize).float()
