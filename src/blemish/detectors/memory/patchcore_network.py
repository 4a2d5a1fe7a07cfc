"""PatchCore's network: the nearest patch, the paper's weight of the score, and what good images alike score."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from blemish.detectors.layers import PatchScoring
from blemish.detectors.memory.nearest_patch import NearestPatch
from blemish.detectors.tiled import LocalHead


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


class Reweighting(nn.Module):
    """PatchCore's weight of the score (Roth et al., 2022, equation 7).

    A patch whose nearest bank vector lies alone in the bank is more anomalous than one whose nearest vector
    has company at the same distance: 1 - exp(d*) / sum of exp(d) over the `neighbours` bank vectors around the
    nearest one, that one included. These are found ahead for all of the bank, or, where few photographs are weighed,
    for each when it is asked for.
    """

    bank: Tensor
    around: Tensor | None

    def __init__(self, bank: Tensor, neighbours: int, ahead: bool = True) -> None:
        super().__init__()
        self.neighbours = neighbours
        self.register_buffer("bank", bank)
        # In parts: all distances of the paper's tenth of all patches would not fit in memory.
        parts = torch.split(bank, 1024)
        self.register_buffer("around", torch.cat([self._near(rows) for rows in parts]) if ahead else None)

    def _near(self, rows: Tensor) -> Tensor:
        """Positions of the bank vectors around M x D of them, M x neighbours."""
        return torch.cdist(rows, self.bank).topk(self.neighbours, largest=False).indices

    def forward(self, patches: Tensor, distances: Tensor) -> Tensor:
        """Weight (1) for the most anomalous patch of 1 x D x h x w patches with 1 x 1 x h x w distances."""
        vectors = patches.flatten(2)[0].T
        patch = vectors[distances.flatten().argmax()]
        nearest = ((self.bank - patch) ** 2).sum(1).argmin()
        around = self._near(self.bank[nearest][None])[0] if self.around is None else self.around[nearest]
        others = self.bank[around]
        to_others = ((others - patch) ** 2).sum(1).sqrt()
        highest = distances.amax()
        # exp(d* - m) / sum exp(d - m): the same ratio, without overflow.
        shift = to_others.amax()
        share = torch.exp(highest - shift) / torch.exp(to_others - shift).sum()
        return (1 - share).reshape(1)


class PatchCoreHead(LocalHead):
    """Feature maps to score and map: embedding, projection, nearest patch, foreground, context, scoring."""

    def __init__(
        self,
        bank: Tensor,
        *,
        embedding: nn.Module,
        scoring: PatchScoring,
        projection: nn.Module | None = None,
        reweighting: int = 0,
        context: Context | None = None,
        foreground: nn.Module | None = None,
        cosine: bool = False,
        weighs_many: bool = True,
    ) -> None:
        super().__init__()
        self.embedding = embedding
        self.projection = projection or nn.Identity()
        self.to_bank = NearestPatch(bank, cosine=cosine)
        self.foreground = foreground
        self.scoring = scoring
        self.reweighting = (
            Reweighting(bank, min(reweighting, len(bank)), weighs_many) if reweighting else None
        )
        self.context = context

    def said(self, maps: Sequence[Tensor]) -> tuple[Tensor, Tensor, Tensor]:
        """Score (1), map (H x W) and distances, of which context and weight have made nothing yet."""
        embedded = self.embedding(maps)
        patches, nearest = self.distances(embedded)
        relative = nearest
        if self.context is not None:
            relative = nearest - self.context(embedded.mean((2, 3)))
        score, anomaly_map = self.scoring(relative)
        if self.reweighting is not None:  # the paper's weight is of plain distances
            score = score * self.reweighting(patches, nearest)
        return score, anomaly_map, nearest

    def local(self, maps: Sequence[Tensor]) -> Tensor:
        """Distances 1 x 1 x h x w of feature maps, 1 x C x h x w each, without what context and weight make of them."""
        return self.distances(self.embedding(maps))[1]

    def nearest(self, maps: Sequence[Tensor]) -> Tensor:
        """Distances of patches, and which vector of the bank is nearest: 1 x 2 x h x w."""
        patches, distances = self.distances(self.embedding(maps))
        return torch.cat([distances, self.to_bank.numbers(patches)], 1)

    def distances(self, embedded: Tensor) -> tuple[Tensor, Tensor]:
        """Patches as the bank holds them, 1 x K x h x w, and their distances, 1 x 1 x h x w, of patch vectors."""
        patches = self.projection(embedded)
        nearest = self.to_bank(patches)
        return patches, nearest if self.foreground is None else nearest * self.foreground(embedded)
