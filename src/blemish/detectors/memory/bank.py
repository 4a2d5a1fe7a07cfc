"""Memory banks out of a pool of patches: of all photographs, and of all but some, to score those as if unseen."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Sequence

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from blemish.detectors.memory.patch_pool import PatchPool, bank_rows, distances_to_begun
from blemish.detectors.memory.reduction import Projection, learn_projection


@dataclasses.dataclass(frozen=True)
class Bank:
    """Stored vectors (N x K); where patches are reduced to K values by principal components, how; and which rows of the
    pool they are, where that is known."""

    vectors: Tensor
    projection: Projection | None
    rows: Tensor | None = None


@dataclasses.dataclass(frozen=True)
class BankRecipe:
    """How a bank is chosen: the greedy coreset of the pool.

    Attributes:
        size: vectors.
        seed: of the first choice.
        components: principal components of the good patches to which they are reduced before; 0 for none.
    """

    size: int
    seed: int
    components: int = 0

    def of(self, pool: PatchPool) -> Bank:
        """The bank of all candidates."""
        return self._chosen(pool, torch.arange(len(pool.owners)), None if self.components else pool.begun)

    def without(self, pool: PatchPool, parts: Sequence[npt.NDArray[np.intp]]) -> Iterator[Bank]:
        """For each part of the photographs, by their positions, the bank of all others, one after another.

        What the bank of all has of them is taken first, and the gaps are filled. How far each patch is from what is
        taken is found once for all parts: that is most of the work.
        """
        whole = self.of(pool).rows
        assert whole is not None  # only a fitted detector has forgotten them
        owned = torch.full_like(pool.owners, len(parts))
        for number, part in enumerate(parts):
            owned[torch.isin(pool.owners, torch.from_numpy(part))] = number
        nearest = None
        if not self.components and len(whole) < len(
            owned
        ):  # else each bank has components of its own, or all
            nearest = distances_to_begun(pool.vectors, whole, owned[whole], 1 + len(parts), self.seed)
        for number in range(len(parts)):
            kept = torch.nonzero(owned != number)[:, 0]
            begun = torch.searchsorted(kept, whole[owned[whole] != number])
            others = torch.arange(1 + len(parts)) != number
            yield self._chosen(pool, kept, begun, None if nearest is None else nearest[others].amin(0)[kept])

    def _chosen(
        self, pool: PatchPool, kept: Tensor, begun: Tensor | None, nearest: Tensor | None = None
    ) -> Bank:
        """The bank of some candidates, which goes on from some of them."""
        candidates, projection = pool.vectors[kept], None
        if self.components:
            projection = learn_projection(candidates, self.components, self.seed)
            candidates = projection.of_rows(candidates)
        rows = bank_rows(candidates, self.size, self.seed, begun, nearest)
        return Bank(candidates[rows], projection, kept[rows])
