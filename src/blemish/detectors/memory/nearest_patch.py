"""The distance of patches to a memory bank, and feature maps to score and map by any distance."""

from __future__ import annotations

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from blemish.detectors.layers import PatchEmbedding, PatchScoring, UnitLength
from blemish.detectors.memory.bounded_search import BoundedSearch, learn_search
from blemish.detectors.tiled import LocalHead

EUCLIDEAN, COSINE = DISTANCES = "euclidean", "cosine"


_MOST_DISTANCES = 2**24
"""Distances of patches to bank vectors that are held at once, 64 MB."""


def patch_embedding(neighbourhood: int, distance: str) -> nn.Module:
    """From feature maps to patch vectors: averaged, joined, and for the cosine brought to length 1."""
    embedding = PatchEmbedding(neighbourhood)
    return nn.Sequential(embedding, UnitLength()) if distance == COSINE else embedding


class NearestPatch(nn.Module):
    """Distance of every patch to its nearest vector in the memory bank, as a map; the mean to several if so asked.

    The bank is the weight of a 1 x 1 convolution: |f - b|^2 = |f|^2 + (|b|^2 - 2 b.f), whose second part is
    linear in f. Vectors are centred on the bank's mean first, which changes no distance and keeps the
    subtraction exact enough in float32. A large bank is searched by lower bounds, with the same result
    (`blemish.detectors.memory.bounded_search`).

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
        self.search = learn_search(centred) if self.neighbours == 1 else None
        # A search multiplies matrices, and what is stored has their shapes: the exporter would add reshaped copies.
        weight, bias = -2 * centred, (centred * centred).sum(1)
        self.register_buffer("weight", weight if self.search else weight[:, :, None, None])
        self.register_buffer("bias", bias[:, None] if self.search else bias)

    def forward(self, patches: Tensor) -> Tensor:
        """Distances N x 1 x h x w of patches N x D x h x w; those of a large map are found in parts of its rows."""
        rows, columns = patches.shape[2:]
        if self.search is not None:
            return self._searched(patches, self.search)
        at_once = max(1, _MOST_DISTANCES // (columns * len(self.bias)))
        if at_once >= rows:
            return self._of(patches)
        # The first part may be shorter, so that all others are alike.
        starts = [0, *range(rows % at_once or at_once, rows, at_once)]
        return torch.cat(
            [
                self._of(patches[:, :, top:bottom])
                for top, bottom in zip(starts, [*starts[1:], rows], strict=True)
            ],
            2,
        )

    def numbers(self, patches: Tensor) -> Tensor:
        """Which vector is the nearest of each patch, of patches 1 x D x h x w: float32 1 x 1 x h x w, whole numbers."""
        if self.search is not None:
            found = (self.weight @ _rows(patches - self.centre).T + self.bias).argmin(0)
            return found.reshape(1, 1, *patches.shape[2:]).to(torch.float32)
        relative = F.conv2d(patches - self.centre, self.weight, self.bias)
        return relative.argmin(1, keepdim=True).to(torch.float32)

    def _searched(self, patches: Tensor, search: BoundedSearch) -> Tensor:
        rows = _rows(patches - self.centre)
        squares = search(rows, self.weight, self.bias) + (rows * rows).sum(1)
        return self._distance(squares.reshape(len(patches), 1, *patches.shape[2:]))

    def _of(self, patches: Tensor) -> Tensor:
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


def _rows(patches: Tensor) -> Tensor:
    """Patches N x D x h x w one below the other, (N h w) x D."""
    return patches.permute(0, 2, 3, 1).reshape(-1, patches.shape[1])


class DistanceHead(LocalHead):
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

    def local(self, maps: Sequence[Tensor]) -> Tensor:
        """Distances 1 x 1 x h x w of feature maps, 1 x C x h x w each."""
        return self._distances(self.embedding(maps))

    def nearest(self, maps: Sequence[Tensor]) -> Tensor:
        """Distances of patches, and which vector of the bank is nearest: 1 x 2 x h x w."""
        assert isinstance(self.distance, NearestPatch)  # whoever has a bank says so
        patches = self.embedding(maps)
        return torch.cat([self._distances(patches), self.distance.numbers(patches)], 1)

    def _distances(self, patches: Tensor) -> Tensor:
        distances: Tensor = self.distance(patches)
        return distances if self.foreground is None else distances * self.foreground(patches)
