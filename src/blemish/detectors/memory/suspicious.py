"""What a good photograph shares with no other: a defect, most likely, which a memory bank should not hold for good.

The greedy coreset takes what is far from all else first, so that a defect among the good photographs is in the bank for
certain, and its like passes from then on. A patch knows its photograph: a vector of the bank has *support* as far as
other photographs have a patch like it. A vector that is far from all patches of others stands alone; a photograph with
one that stands far out is suspicious, and those of its vectors that stand out a little go with it.

The thought is that of SoftPatch (Xi Jiang et al., "SoftPatch: Unsupervised Anomaly Detection with Noisy Data", NeurIPS
2022), which takes out the patches of the highest local outlier factor, always. Here a clean bank stays as it is: it
takes a vector that stands out as those of good parts seldom do.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping, Sequence

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from blemish.core.outliers import deviations
from blemish.detectors.memory.coreset import random_projection
from blemish.detectors.memory.patch_pool import PatchPool, bank_rows

LEAST_DEVIATIONS = 5.0
"""Robust standard deviations of the vectors' support from which a vector makes its photograph suspicious."""

BESIDE = 1.5
"""And from which the other vectors of a suspicious photograph go with it."""

MOST_PHOTOGRAPHS = 0.2
"""Share of the photographs that are suspected at most, those that stand out most: what more show is no defect."""

FEWEST = 8
"""Photographs below which nothing tells what is usual."""

MOST_VECTORS = 20_000
"""Vectors up to which a bank is looked at: the time grows with their number times that of the pool."""

_PROJECTED, _ROWS, _ROUNDS = 64, 8192, 3


@dataclasses.dataclass(frozen=True)
class TrustedBank:
    """The vectors of a memory bank, and whose were not stored.

    Attributes:
        rows: of the pool, in the order of choice.
        trusted: which of the pool may be stored, bool M.
        photographs: those of which some vectors are not stored, with how many robust standard deviations the one that
            stands out most does.
    """

    rows: Tensor
    trusted: Tensor
    photographs: Mapping[int, float]


def trusted_bank(
    vectors: Tensor,
    owners: Tensor,
    parts: Tensor,
    choose: Callable[[Tensor], Tensor],
    seed: int,
    own: int | None = None,
) -> TrustedBank:
    """Choose a bank, look for vectors in it that stand alone, and choose it anew without what is suspicious.

    That is done up to three times, as one defect hides behind another. Where nothing is suspicious the bank is the one
    that was chosen first.

    Args:
        vectors: the pool, M x D.
        owners: the number of each vector's photograph, M.
        parts: the number of each vector's group of photographs, M: the same where each is its own.
        choose: from some of the pool's vectors, which of them are the bank.
        seed: of the projection that distances are measured in.
        own: how many of the vectors, from the first on, are of photographs themselves and not of copies, of which a
            turned or relit one may stand alone without any defect; all where None.
    """
    chosen, found = choose(vectors), dict[int, float]()
    trusted = torch.ones(len(vectors), dtype=torch.bool)
    if len(torch.unique(parts)) < FEWEST or len(chosen) > MOST_VECTORS:
        return TrustedBank(chosen, trusted, found)
    projected = random_projection(vectors, _PROJECTED, seed)
    most = max(1, int(MOST_PHOTOGRAPHS * len(torch.unique(owners))))
    for _ in range(_ROUNDS):
        pool, pool_parts = projected[trusted], parts[trusted]
        judged = chosen if own is None else chosen[chosen < own]
        if not len(judged):
            break
        support = support_distances(projected[judged], parts[judged], pool, pool_parts).numpy()
        new = _standing_out(owners[judged], deviations(support), found, most - len(found))
        if not new:
            break
        found |= new
        theirs = torch.nonzero(trusted & torch.isin(owners, torch.tensor(list(found))))[:, 0]
        of_theirs = support_distances(projected[theirs], parts[theirs], pool, pool_parts).numpy()
        trusted[theirs[torch.from_numpy(deviations(of_theirs, support) > BESIDE)]] = False
        rows = torch.nonzero(trusted)[:, 0]
        chosen = rows[choose(vectors[rows])]
    return TrustedBank(chosen, trusted, found)


def _standing_out(
    owners: Tensor, away: npt.NDArray[np.float64], known: Mapping[int, float], most: int
) -> dict[int, float]:
    """Photographs not known yet with a vector that stands alone, and how far: at most `most`, the farthest."""
    found: dict[int, float] = {}
    for owner, deviation in zip(owners.tolist(), away.tolist(), strict=True):
        if deviation > LEAST_DEVIATIONS and owner not in known:
            found[owner] = max(deviation, found.get(owner, 0.0))
    return dict(sorted(found.items(), key=lambda one: -one[1])[:most])


def trusted_pool(
    pool: PatchPool, groups: Sequence[str] | None, size: int, seed: int, own: int | None = None
) -> PatchPool:
    """The pool without what is suspicious, and the bank that was chosen of it.

    Args:
        pool: candidates of all photographs.
        groups: of each photograph the group that it is of; None where each is its own.
        size: vectors in the bank.
        seed: of the choice.
        own: how many of the candidates, from the first on, are of photographs themselves and not of copies.
    """
    owners = pool.owners
    parts = owners if groups is None else torch.from_numpy(np.unique(groups, return_inverse=True)[1])[owners]
    bank = trusted_bank(pool.vectors, owners, parts, lambda rows: bank_rows(rows, size, seed), seed, own)
    rows = torch.nonzero(bank.trusted)[:, 0]
    return dataclasses.replace(
        pool.kept(rows) if bank.photographs else pool,
        suspicious=bank.photographs,
        begun=torch.searchsorted(rows, bank.rows),
    )


def support_distances(vectors: Tensor, parts: Tensor, pool: Tensor, pool_parts: Tensor) -> Tensor:
    """Distance of each vector to the nearest one in the pool of another part; infinite where all are of its own.

    Args:
        vectors: N x D.
        parts: of each the number of its photograph, or of the group of photographs that it is of, N.
        pool: M x D.
        pool_parts: of each, M.
    """
    centre = pool.mean(0)  # centred, squared distances lose least to rounding
    vectors = vectors - centre
    squares = (vectors * vectors).sum(1)
    nearest = torch.full_like(squares, torch.inf)
    for start in range(0, len(pool), _ROWS):
        rows = pool[start : start + _ROWS] - centre
        distances = torch.addmm((rows * rows).sum(1)[None], vectors, rows.T, alpha=-2)
        distances[parts[:, None] == pool_parts[None, start : start + _ROWS]] = torch.inf
        nearest = torch.minimum(nearest, distances.amin(1) + squares)
    return nearest.clamp(min=0).sqrt()
