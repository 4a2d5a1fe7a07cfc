"""The greedy k-centre coreset by torch on a card: the picks of `blemish.detectors.memory.coreset`, but for rounding.

On a card one pass over all rows costs less than asking how it ended, so rows are not searched in blocks as on a
processor: pick after pick is queued, and nothing is read back until the end (Gonzalez, 1985; Roth et al., 2022,
algorithm 1).
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

_BLOCK = 1024
"""Picks of another coreset, to which distances are found at once."""

_ROWS = 65_536
"""Rows of which these distances are found at once: 256 MB."""


def greedy_coreset_on(
    device: torch.device, features: Tensor, size: int, start: int, begun: Sequence[int] = ()
) -> Tensor:
    """Choose rows so that every row is near a chosen one: each pick is the row farthest from all picks so far.

    Memory on the device is the features' own, and for each row three numbers.

    Args:
        device: where it is computed.
        features: N x D, float32 or float64.
        size: rows wanted.
        start: the first pick.
        begun: picks of another coreset to go on from; `start` means nothing then.

    Returns:
        int64 indices in the order of picking, on the CPU; fewer than `size` where only copies of picks are left.
    """
    rows = features.to(device)
    rows = rows - rows.mean(0)
    squares = (rows * rows).sum(1)
    # Centred, squared distances lose least to rounding; what is left of it must not tell copies apart.
    rounding = 16 * torch.finfo(rows.dtype).eps * squares.max()
    first = list(begun)[:size] or [start]
    nearest = _distances_to(rows, squares, torch.tensor(first, device=device))
    wanted = min(size, len(rows)) - len(first)
    picks = torch.empty(max(wanted, 0), dtype=torch.int64, device=device)
    far = torch.empty(max(wanted, 0), dtype=rows.dtype, device=device)
    for place in range(wanted):
        farthest, pick = nearest.max(0)
        picks[place], far[place] = pick, farthest
        chosen = rows.index_select(0, pick[None])[0]
        distances = torch.addmv(squares, rows, chosen, alpha=-2).add_(squares.index_select(0, pick[None]))
        torch.minimum(nearest, distances, out=nearest)
        nearest.index_fill_(0, pick[None], 0)
    # Distances of picks only fall: behind the first that is nothing but rounding all are copies.
    some = int((far > rounding).sum())
    return torch.cat([torch.tensor(first), picks[:some].cpu()])


def _distances_to(rows: Tensor, squares: Tensor, picks: Tensor) -> Tensor:
    """Squared distance of every row to the nearest of some, in blocks; that of the picks is 0."""
    nearest = torch.full_like(squares, torch.inf)
    for some in torch.split(picks, _BLOCK):
        chosen, chosen_squares = rows[some], squares[some]
        for place in range(0, len(rows), _ROWS):
            part = slice(place, place + _ROWS)
            distances = (
                torch.addmm(chosen_squares, rows[part], chosen.T, alpha=-2).amin(1).add_(squares[part])
            )
            nearest[part] = torch.minimum(nearest[part], distances)
    nearest[picks] = 0
    return nearest
