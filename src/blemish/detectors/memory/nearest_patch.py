"""The nearest-patch network: feature maps in, anomaly score and map out, by distances to a memory bank."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn


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


class NearestPatch(nn.Module):
    """Distance of every patch to its nearest vector in the memory bank, as a map; the mean to several if so asked.

    The bank is the weight of a 1 x 1 convolution: |f - b|^2 = |f|^2 + (|b|^2 - 2 b.f), whose second part is
    linear in f. Vectors are centred on the bank's mean first, which changes no distance and keeps the
    subtraction exact enough in float32.
    """

    centre: Tensor
    weight: Tensor
    bias: Tensor

    def __init__(self, bank: Tensor, neighbours: int = 1) -> None:
        super().__init__()
        self.neighbours = min(neighbours, len(bank))
        centre = bank.mean(0)
        centred = bank - centre
        self.register_buffer("centre", centre[None, :, None, None])
        self.register_buffer("weight", (-2 * centred)[:, :, None, None])
        self.register_buffer("bias", (centred * centred).sum(1))

    def forward(self, patches: Tensor) -> Tensor:
        """Distances N x 1 x h x w of patches N x D x h x w."""
        centred = patches - self.centre
        relative = F.conv2d(centred, self.weight, self.bias)
        squares = (centred * centred).sum(1, keepdim=True)
        if self.neighbours == 1:
            return (relative.amin(1, keepdim=True) + squares).clamp(min=0).sqrt()
        nearest = torch.topk(relative, self.neighbours, dim=1, largest=False).values
        return (nearest + squares).clamp(min=0).sqrt().mean(1, keepdim=True)


class DistanceHead(nn.Module):
    """Feature maps to score and map by any distance of patches; `foreground` may weigh the distances down."""

    def __init__(
        self,
        embedding: nn.Module,
        distance: nn.Module,
        scoring: PatchScoring,
        foreground: nn.Module | None = None,
    ) -> None:
        super().__init__()
        self.embedding = embedding
        self.distance = distance
        self.scoring = scoring
        self.foreground = foreground

    def forward(self, maps: Sequence[Tensor]) -> tuple[Tensor, Tensor]:
        """Score (1) and map (H x W) of one image's feature maps, 1 x C x h x w each."""
        patches = self.embedding(maps)
        distances = self.distance(patches)
        if self.foreground is not None:
            distances = distances * self.foreground(patches)
        score, anomaly_map = self.scoring(distances)
        return score, anomaly_map


class Context(nn.Module):
    """What a good image like this one usually scores, relative to good images in general.

    Good images differ in light, texture and exposure, and some kinds score higher than others without any
    defect. The expected score is the mean over the `k` good images whose mean patch is most like this
    image's; `slope` says how far that mean foretells the scores of good images (0: not at all).
    """

    scale: Tensor
    descriptors: Tensor
    offsets: Tensor

    def __init__(self, descriptors: Tensor, scores: Tensor, scale: Tensor, k: int, slope: float) -> None:
        super().__init__()
        self.k = k
        self.register_buffer("scale", scale)
        self.register_buffer("descriptors", descriptors / scale)
        self.register_buffer("offsets", slope * (scores - scores.mean()))

    def forward(self, descriptor: Tensor) -> Tensor:
        """Offset (1) of an image's mean patch (1 x D)."""
        distances = ((self.descriptors - descriptor / self.scale) ** 2).sum(1)
        nearest = torch.topk(distances, self.k, largest=False).indices
        return self.offsets[nearest].mean(0, keepdim=True)


class PatchScoring(nn.Module):
    """From patch distances to the image's score and map.

    The score is the mean of the highest `top` share of the distances (at least one). The map is brought to the input's
    size bilinearly and smoothed by a Gaussian; both are linear and separable, so they are one matrix on either side.
    `margin` pixels of the input all around that the backbone has not read get the lowest value of the map.
    """

    rows: Tensor
    columns: Tensor

    def __init__(
        self, grid: tuple[int, int], size: tuple[int, int], top: float, sigma: float, margin: int = 0
    ) -> None:
        super().__init__()
        self.count = max(1, round(top * grid[0] * grid[1]))
        self.margin = margin
        self.register_buffer("rows", enlarging_matrix(grid[0], size[0], sigma))
        self.register_buffer("columns", enlarging_matrix(grid[1], size[1], sigma).T.contiguous())

    def forward(self, distances: Tensor) -> tuple[Tensor, Tensor]:
        """Score (1) and map (H x W) of 1 x 1 x h x w distances."""
        highest = torch.topk(distances.flatten(), self.count).values
        anomaly_map = self.rows @ distances[0, 0] @ self.columns
        if self.margin:
            lowest = anomaly_map.amin()
            anomaly_map = F.pad(anomaly_map - lowest, [self.margin] * 4) + lowest
        return highest.mean(0, keepdim=True), anomaly_map


class Reweighting(nn.Module):
    """PatchCore's weight of the score (Roth et al., 2022, equation 7).

    A patch whose nearest bank vector lies alone in the bank is more anomalous than one whose nearest vector
    has company at the same distance: 1 - exp(d*) / sum of exp(d) over the `neighbours` bank vectors around the
    nearest one, that one included.
    """

    bank: Tensor
    around: Tensor

    def __init__(self, bank: Tensor, neighbours: int) -> None:
        super().__init__()
        self.register_buffer("bank", bank)
        # In parts: all distances of the paper's tenth of all patches would not fit in memory.
        nearest = [
            torch.cdist(rows, bank).topk(neighbours, largest=False).indices
            for rows in torch.split(bank, 1024)
        ]
        self.register_buffer("around", torch.cat(nearest))

    def forward(self, patches: Tensor, distances: Tensor) -> Tensor:
        """Weight (1) for the most anomalous patch of 1 x D x h x w patches with 1 x 1 x h x w distances."""
        vectors = patches.flatten(2)[0].T
        patch = vectors[distances.flatten().argmax()]
        nearest = ((self.bank - patch) ** 2).sum(1).argmin()
        others = self.bank[self.around[nearest]]
        to_others = ((others - patch) ** 2).sum(1).sqrt()
        highest = distances.amax()
        # exp(d* - m) / sum exp(d - m): the same ratio, without overflow.
        shift = to_others.amax()
        share = torch.exp(highest - shift) / torch.exp(to_others - shift).sum()
        return (1 - share).reshape(1)


class PatchCoreHead(nn.Module):
    """Feature maps to score and map: embedding, projection, nearest patch, context, scoring."""

    def __init__(
        self,
        bank: Tensor,
        *,
        embedding: nn.Module,
        scoring: PatchScoring,
        projection: nn.Module | None = None,
        reweighting: int = 0,
        context: Context | None = None,
    ) -> None:
        super().__init__()
        self.embedding = embedding
        self.projection = projection or nn.Identity()
        self.nearest = NearestPatch(bank)
        self.scoring = scoring
        self.reweighting = Reweighting(bank, min(reweighting, len(bank))) if reweighting else None
        self.context = context

    def forward(self, maps: Sequence[Tensor]) -> tuple[Tensor, Tensor]:
        """Score (1) and map (H x W) of one image's feature maps, 1 x C x h x w each."""
        embedded = self.embedding(maps)
        patches = self.projection(embedded)
        nearest = self.nearest(patches)
        relative = nearest
        if self.context is not None:
            relative = nearest - self.context(embedded.mean((2, 3)))
        score, anomaly_map = self.scoring(relative)
        if self.reweighting is not None:  # the paper's weight is of plain distances
            score = score * self.reweighting(patches, nearest)
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
