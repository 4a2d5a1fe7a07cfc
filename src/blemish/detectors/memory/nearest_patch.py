"""The distance of patches to a memory bank, and feature maps to score and map by any distance."""

from __future__ import annotations

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from blemish.detectors.layers import PatchEmbedding, PatchScoring, UnitLength

EUCLIDEAN, COSINE = DISTANCES = "euclidean", "cosine"


def patch_embedding(neighbourhood: int, distance: str) -> nn.Module:
    """From feature maps to patch vectors: averaged, joined, and for the cosine brought to length 1."""
    embedding = PatchEmbedding(neighbourhood)
    return nn.Sequential(embedding, UnitLength()) if distance == COSINE else embedding


class NearestPatch(nn.Module):
    """Distance of every patch to its nearest vector in the memory bank, as a map; the mean to several if so asked.

    The bank is the weight of a 1 x 1 convolution: |f - b|^2 = |f|^2 + (|b|^2 - 2 b.f), whose second part is
    linear in f. Vectors are centred on the bank's mean first, which changes no distance and keeps the
    subtraction exact enough in float32.

    Args:
        bank: vectors, N x D.
        neighbours: how many of them a distance is the mean to.
        cosine: give half the square of each distance: of vectors of length 1, that is 1 less their cosine.
    """

    centre: Tensor
    weight: Tensor
    bias: Tensor

    def __init__(self, bank: Tensor, neighbours: int = 1, cosine: bool = False) -> None:
        super().__init__()
        self.cosine = cosine
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
            return self._distance(relative.amin(1, keepdim=True) + squares)
        nearest = torch.topk(relative, self.neighbours, dim=1, largest=False).values
        return self._distance(nearest + squares).mean(1, keepdim=True)

    def _distance(self, squares: Tensor) -> Tensor:
        """Distances from their squares, which rounding may bring below zero."""
        squares = squares.clamp(min=0)
        return squares / 2 if self.cosine else squares.sqrt()


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
