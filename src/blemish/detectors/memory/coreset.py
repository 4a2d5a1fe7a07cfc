"""Greedy k-centre coreset selection, exact and by lazy blocks."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

# How many of the farthest points are searched among themselves between two passes over all points. So few as the
# patches of a small photograph are searched all at once: their distances to each other take less than the passes.
_BLOCK, _AT_ONCE = 256, 1024
_COLUMNS = 8  # in which rows that differ mostly do
_ROWS, _PICKS = 4096, 256  # of a product, so that its distances stay in the processor's cache


def drawn_row(count: int, seed: int) -> int:
    """The row of `count` that a coreset begins with."""
    return int(torch.randint(count, (1,), generator=torch.Generator().manual_seed(seed)))


def random_projection(features: Tensor, dimensions: int, seed: int) -> Tensor:
    """Project rows to fewer dimensions, keeping distances roughly (Johnson and Lindenstrauss, 1984).

    Args:
        features: N x D.
        dimensions: wanted; features of as many or fewer dimensions are returned as they are.
        seed: of the Gaussian projection.
    """
    if features.shape[1] <= dimensions:
        return features
    generator = torch.Generator().manual_seed(seed)
    matrix = torch.randn(features.shape[1], dimensions, generator=generator, dtype=features.dtype)
    projected: Tensor = features @ (matrix / dimensions**0.5)
    return projected


def first_of_equals(rows: Tensor) -> Tensor:
    """For each row the position of the first one equal to it, int64 N; its own where there is none.

    Args:
        rows: N x D, float32 or float64; two zeros are equal whatever their signs.
    """
    words = (rows[:, :: max(1, rows.shape[1] // _COLUMNS)] + 0.0).numpy()
    candidates = torch.from_numpy(
        np.flatnonzero(_counts(words) > 1)
    )  # most rows differ in a few columns already
    found = torch.arange(len(rows))
    if len(candidates):
        some = (rows[candidates] + 0.0).numpy()
        _, first, inverse = np.unique(_keys(some), return_index=True, return_inverse=True)
        found[candidates] = candidates[torch.from_numpy(first[inverse])]
    return found


def _counts(rows: npt.NDArray[np.floating]) -> npt.NDArray[np.intp]:
    """How often each row is there."""
    _, inverse, counts = np.unique(_keys(rows), return_inverse=True, return_counts=True)
    return np.asarray(counts[inverse])


def _keys(rows: npt.NDArray[np.floating]) -> npt.NDArray[np.void]:
    """The bits of each row as one value, which can be sorted."""
    rows = np.ascontiguousarray(rows)
    return rows.view(f"V{rows.itemsize * rows.shape[1]}").ravel()


def greedy_coreset(
    features: Tensor,
    size: int,
    seed: int = 0,
    block: int | None = None,
    start: int | None = None,
    begun: Sequence[int] = (),
    nearest: Tensor | None = None,
) -> Tensor:
    """Choose rows so that every row is near a chosen one: each pick is the row farthest from all picks so far.

    This is the 2-approximation of the k-centre problem (Gonzalez, 1985) that PatchCore uses (Roth et al.,
    2022, algorithm 1). It is computed lazily: among the `block` rows farthest from the picks, the greedy order
    is found on their own distances; a pick is the true one as long as it is not nearer than the next farthest
    row outside was. Then all distances are updated by one matrix product. The picks are those of the plain
    loop, more than ten times faster. Of rows that are equally far the first one is picked.

    Args:
        features: N x D, float32 or float64.
        size: rows wanted.
        seed: of the first pick.
        block: rows searched among themselves between two passes; None for as many as is quickest.
        start: the first pick itself.
        begun: picks of another coreset to go on from; `start` and `seed` mean nothing then.
        nearest: squared distance N of each row to the nearest of `begun`, where it is known; it is changed.

    Returns:
        int64 indices in the order of picking; fewer than `size` where only copies of picks are left.
    """
    count = len(features)
    if block is None:
        block = count if count <= _AT_ONCE else _BLOCK
    # What is left of rounding must not tell copies apart.
    features, squares = _centred(features)
    rounding = 16 * torch.finfo(features.dtype).eps * float(squares.max())
    picks = list(begun)[:size] or [drawn_row(count, seed) if start is None else start]
    if nearest is None or len(picks) < len(begun) or not begun:
        nearest = torch.full_like(squares, torch.inf)
        _update(nearest, features, squares, picks)
    while len(picks) < min(size, count):
        new = _greedy_in_block(nearest, features, squares, block, size - len(picks), rounding)
        if not new:
            break
        picks += new
        if len(picks) < min(size, count):  # nobody asks how far rows are from the last ones
            _update(nearest, features, squares, new)
    return torch.tensor(picks)


def nearest_by_group(features: Tensor, picks: Tensor, groups: Tensor, count: int) -> Tensor:
    """Squared distance of each row to the nearest pick of each group, G x N; infinite where a group has none.

    Args:
        features: N x D, float32 or float64.
        picks: M rows of them.
        groups: group of each pick, int64 M.
        count: groups, G.
    """
    features, squares = _centred(features)
    nearest = torch.full((count, len(features)), torch.inf, dtype=features.dtype)
    for group in range(count):
        some = picks[groups == group].tolist()
        if some:
            _update(nearest[group], features, squares, some)
    return nearest


def _centred(features: Tensor) -> tuple[Tensor, Tensor]:
    """Rows about their mean, and their squares: so squared distances lose least to rounding."""
    features = features - features.mean(0)
    return features, (features * features).sum(1)


def _greedy_in_block(
    nearest: Tensor, features: Tensor, squares: Tensor, block: int, wanted: int, rounding: float
) -> list[int]:
    """The next picks that are certain from the rows now farthest from all picks."""
    rows, outside = _farthest(nearest, block)
    left = nearest[rows].numpy()  # of its few hundred numbers an operation is done before torch has begun one
    some, some_squares = features[rows], squares[rows]
    distances = _relative_distances(some, some, some_squares).add_(some_squares[:, None]).numpy()
    picks: list[int] = []
    while len(picks) < min(wanted, len(rows)):
        best = int(left.argmax())
        farthest = float(left[best])
        # Rows outside the block can only have come nearer, so `outside` bounds them all; one as far may come before.
        if farthest <= rounding or (picks and farthest <= outside):
            break
        picks.append(int(rows[best]))
        np.minimum(left, distances[best], out=left)
        left[best] = 0
    return picks


def _farthest(nearest: Tensor, count: int) -> tuple[Tensor, float]:
    """The `count` rows that are farthest, of equals the first, in their order; and how far the next one is, or -1."""
    if len(nearest) <= count:
        return torch.arange(len(nearest)), -1.0
    outside = torch.topk(nearest, count + 1).values[-1]  # its indices are any of equals
    above = torch.nonzero(nearest > outside)[:, 0]
    equal = torch.nonzero(nearest == outside)[: count - len(above), 0]
    return torch.cat([above, equal]).sort().values, float(outside)


def _update(nearest: Tensor, features: Tensor, squares: Tensor, picks: list[int]) -> None:
    """Bring every row's squared distance to its nearest pick up to date with new picks, in place."""
    for some in torch.split(torch.tensor(picks), _PICKS):
        chosen, chosen_squares = features[some], squares[some]
        for start in range(0, len(features), _ROWS):
            rows = slice(start, start + _ROWS)
            distances = (
                _relative_distances(features[rows], chosen, chosen_squares).amin(1).add_(squares[rows])
            )
            nearest[rows] = torch.minimum(nearest[rows], distances)
    nearest[picks] = 0


def _relative_distances(left: Tensor, right: Tensor, right_squares: Tensor) -> Tensor:
    """Squared Euclidean distances of all pairs of rows, less the squares of the left ones."""
    return torch.addmm(right_squares, left, right.T, alpha=-2)
