"""The nearest vector of a large memory bank, found exactly by lower bounds of all distances: filter and refine.

With orthonormal directions V let a = Vx be a vector along them and r = |x - V'a| what is left. Then
|x - b|^2 >= |a_x - a_b|^2 + (r_x - r_b)^2, the squared distance of the joined vectors (a, r): one small matrix product
bounds all distances from below (Weber, Schek and Blott, "A Quantitative Analysis and Performance Study for
Similarity-Search Methods in High-Dimensional Spaces", VLDB 1998, filter and refine with other bounds). Whole distances
are computed only where the bound is below the nearest distance known so far. It is the brute force's answer: patches
that the bounds leave open are compared with the whole bank.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

BLOCK = 32
"""Bank vectors of which the least bound is found first."""

BLOCKS = 16
"""Blocks of a patch that are looked into; where the next one could hold a nearer vector, the whole bank is."""

_MOST_REFINED = 64
"""Whole distances of a patch that are computed one by one; where more are wanted, all are computed."""

_FEWEST = 4096
"""Vectors of a bank that is searched so: below, the product with the whole bank takes less than what is around it."""

_MOST_BOUNDS = 2**21
"""Bounds that are held at once, 8 MB, so that they stay in the processor's cache."""

_DIRECTIONS = (63, 127, 255)
_TRIED, _LEARNT_FROM = 256, 4096
_WORTH = 0.5
_BOUND, _REFINED = 48, 12
"""What else a bound costs, and a value of a distance computed alone, in multiplications of a large product."""

_ROUNDING = 1e-6
"""Of the squares that a squared distance is the difference of: so much a bound may be too high."""

_NEVER = 1e30


class BoundedSearch(nn.Module):
    """Squared distance of patches to the nearest of many vectors, less the patch's own square.

    Args:
        centred: the bank's vectors, N x D, centred.
        directions: orthonormal columns, D x K, along which most of them lies.
    """

    directions: Tensor
    joined: Tensor
    joined_bias: Tensor
    largest: Tensor

    def __init__(self, centred: Tensor, directions: Tensor) -> None:
        super().__init__()
        self.at_once = max(1, _MOST_BOUNDS // len(centred))
        joined, bias = joined_bank(centred, directions)
        self.register_buffer("directions", directions)
        self.register_buffer("joined", joined)
        self.register_buffer("joined_bias", bias)
        self.register_buffer("largest", (centred * centred).sum(1).max())

    def forward(self, rows: Tensor, weight: Tensor, bias: Tensor) -> Tensor:
        """Least of weight x + bias, P, for centred patches x in rows, P x D.

        Args:
            rows: P x D.
            weight: -2 times the bank, N x D.
            bias: the bank's squares, N x 1.
        """
        squares = (rows * rows).sum(1)
        parts = torch.split(rows, self.at_once), torch.split(squares, self.at_once)
        found = [self._of(some, own, weight, bias) for some, own in zip(*parts, strict=True)]
        nearest, unproven = (torch.cat(one) for one in zip(*found, strict=True))
        # All at once, as each product reads the whole bank.
        left = torch.nonzero(unproven, as_tuple=True)[0]
        nearest[left] = (weight @ rows[left].T + bias).amin(0)
        return nearest

    def _of(self, rows: Tensor, squares: Tensor, weight: Tensor, bias: Tensor) -> tuple[Tensor, Tensor]:
        """The least for each patch among those that its bounds leave, and whether these do not prove it."""
        rounding = _ROUNDING * (squares + self.largest)
        bounds = self.bounds(rows, squares).reshape(len(rows), -1, BLOCK)
        least, blocks = bounds.amin(2).topk(BLOCKS + 1, largest=False)
        looked = blocks[:, :BLOCKS, None]
        inside = bounds.gather(1, looked.expand(-1, -1, BLOCK)).flatten(1)
        numbers = (looked * BLOCK + torch.arange(BLOCK)).flatten(1)
        # Any whole distance says how low a bound has to be; that of the lowest bound is likely the nearest.
        likely = numbers.gather(1, inside.argmin(1, keepdim=True))[:, 0]
        highest = _squares(rows, weight[likely], bias[likely]) + rounding
        wanted = inside <= highest[:, None]
        too_many = wanted.to(torch.int64).sum(1) > _MOST_REFINED
        patch, place = torch.nonzero(wanted & ~too_many[:, None], as_tuple=True)
        number = numbers[patch, place]
        refined = torch.full_like(inside, _NEVER)
        refined[patch, place] = _squares(rows[patch], weight[number], bias[number])
        nearest = refined.amin(1)
        return nearest, too_many | (least[:, BLOCKS] <= nearest + rounding)

    def bounds(self, rows: Tensor, squares: Tensor) -> Tensor:
        """Lower bounds, P x at least N, of squared distances less the patches' own squares."""
        along = rows @ self.directions
        across = (squares - (along * along).sum(1)).clamp(min=0).sqrt()
        return torch.cat([along, across[:, None]], 1) @ self.joined + self.joined_bias


def _squares(rows: Tensor, weights: Tensor, biases: Tensor) -> Tensor:
    """Squared distances, less the patches' own squares, of patches to a vector each."""
    return ((rows * weights).sum(1, keepdim=True) + biases)[:, 0]


def joined_bank(centred: Tensor, directions: Tensor) -> tuple[Tensor, Tensor]:
    """-2 times the bank along the directions and what is left of it, (K + 1) x M, and its squares, M.

    M is a multiple of `BLOCK`; the vectors that fill it up are never the nearest.
    """
    along = centred @ directions
    squares = (centred * centred).sum(1)
    across = (squares - (along * along).sum(1)).clamp(min=0).sqrt()
    joined = torch.cat([along, across[:, None]], 1)
    missing = -len(centred) % BLOCK
    filled = torch.cat([joined, joined.new_zeros(missing, joined.shape[1])])
    bias = torch.cat([squares, squares.new_full((missing,), _NEVER)])
    return (-2 * filled).T.contiguous(), bias


def learn_search(centred: Tensor) -> BoundedSearch | None:
    """The search of a bank, N x D centred, with as many of its principal directions as make it fastest; None where
    comparing with all vectors is about as fast.

    Judged on some of the bank's vectors, each searched for among the others, which lie farther from it than good
    patches do: multiplications of the bounds, of the whole distances, and of what the bounds leave open.
    """
    count, dimensions = centred.shape
    if count < _FEWEST:
        return None
    some = centred[:: max(1, count // _LEARNT_FROM)]
    axes = torch.linalg.eigh(some.T @ some)[1].flip(1)
    trial = _Trial(centred)
    costs = {number: trial.cost(axes[:, :number]) for number in _DIRECTIONS if 2 * number < dimensions}
    best = min(costs, key=lambda number: costs[number], default=0)
    if not best or costs[best] > _WORTH * count * dimensions:
        return None
    return BoundedSearch(centred, axes[:, :best].contiguous())


class _Trial:
    """Some of a bank's vectors, and their whole distances to the others."""

    def __init__(self, centred: Tensor) -> None:
        self._centred = centred
        self._rows = torch.arange(0, len(centred), max(1, len(centred) // _TRIED))
        self._distances = (centred * centred).sum(1) - 2 * centred[self._rows] @ centred.T
        self._distances[torch.arange(len(self._rows)), self._rows] = _NEVER

    def cost(self, directions: Tensor) -> float:
        """Multiplications for a patch with the bounds of these directions."""
        count, dimensions = self._centred.shape
        search = BoundedSearch(self._centred, directions)
        rows = self._centred[self._rows]
        bounds = search.bounds(rows, (rows * rows).sum(1))
        bounds[torch.arange(len(rows)), self._rows] = _NEVER
        wanted = (bounds <= self._distances.gather(1, bounds[:, :count].argmin(1, keepdim=True))).sum(1)
        next_block = bounds.reshape(len(rows), -1, BLOCK).amin(2).kthvalue(BLOCKS + 1, 1).values
        unproven = (next_block <= self._distances.amin(1)) | (wanted > _MOST_REFINED)
        refined = float(wanted.clamp(max=_MOST_REFINED).double().mean())
        bounded = directions.numel() + count * (directions.shape[1] + 1 + _BOUND)
        whole = float(unproven.double().mean()) * count
        return bounded + (refined * _REFINED + whole) * dimensions
