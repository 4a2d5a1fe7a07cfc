"""Greedy k-centre coreset selection, exact and by lazy blocks."""

from __future__ import annotations

import torch
from torch import Tensor

# How many of the farthest points are searched among themselves between two passes over all points.
BLOCK = 256
_ROWS = 8192  # of a pass, so that its distances stay in the processor's cache


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


def greedy_coreset(features: Tensor, size: int, seed: int = 0, block: int = BLOCK) -> Tensor:
    """Choose rows so that every row is near a chosen one: each pick is the row farthest from all picks so far.

    This is the 2-approximation of the k-centre problem (Gonzalez, 1985) that PatchCore uses (Roth et al.,
    2022, algorithm 1). It is computed lazily: among the `block` rows farthest from the picks, the greedy order
    is found on their own distances; a pick is the true one as long as it is not nearer than the next farthest
    row outside was. Then all distances are updated by one matrix product. The picks are those of the plain
    loop, more than ten times faster.

    Args:
        features: N x D, float32 or float64.
        size: rows wanted.
        seed: of the first pick.
        block: rows searched among themselves between two passes.

    Returns:
        int64 indices in the order of picking; fewer than `size` where only copies of picks are left.
    """
    count = len(features)
    # Centred, squared distances lose least to rounding; what is left of it must not tell copies apart.
    features = features - features.mean(0)
    squares = (features * features).sum(1)
    rounding = 16 * torch.finfo(features.dtype).eps * float(squares.max())
    first = int(torch.randint(count, (1,), generator=torch.Generator().manual_seed(seed)))
    picks = [first]
    nearest = torch.full_like(squares, torch.inf)
    _update(nearest, features, squares, picks)
    while len(picks) < min(size, count):
        new = _greedy_in_block(nearest, features, squares, block, size - len(picks), rounding)
        if not new:
            break
        picks += new
        _update(nearest, features, squares, new)
    return torch.tensor(picks)


def _greedy_in_block(
    nearest: Tensor, features: Tensor, squares: Tensor, block: int, wanted: int, rounding: float
) -> list[int]:
    """The next picks that are certain from the rows now farthest from all picks."""
    values, rows = torch.topk(nearest, min(block + 1, len(nearest)))
    outside = float(values[-1]) if len(values) > block else -1.0
    rows, left = rows[:block], values[:block].clone()
    distances = _relative_distances(features[rows], features[rows], squares[rows]).add_(squares[rows, None])
    picks: list[int] = []
    while len(picks) < min(wanted, len(rows)):
        best = int(left.argmax())
        farthest = float(left[best])
        # Rows outside the block can only have come nearer, so `outside` bounds them all.
        if farthest <= rounding or farthest < outside:
            break
        picks.append(int(rows[best]))
        left = torch.minimum(left, distances[best])
        left[best] = 0
    return picks


def _update(nearest: Tensor, features: Tensor, squares: Tensor, picks: list[int]) -> None:
    """Bring every row's squared distance to its nearest pick up to date with new picks, in place."""
    chosen, chosen_squares = features[picks], squares[picks]
    for start in range(0, len(features), _ROWS):
        rows = slice(start, start + _ROWS)
        distances = _relative_distances(features[rows], chosen, chosen_squares).amin(1).add_(squares[rows])
        nearest[rows] = torch.minimum(nearest[rows], distances)
    nearest[picks] = 0


def _relative_distances(left: Tensor, right: Tensor, right_squares: Tensor) -> Tensor:
    """Squared Euclidean distances of all pairs of rows, less the squares of the left ones."""
    return torch.addmm(right_squares, left, right.T, alpha=-2)
