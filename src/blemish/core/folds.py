"""Which images are set aside: folds of a cross-validation, and a share that is held out."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from blemish.core.errors import UsageError


def fold_positions(n: int, folds: int, seed: int) -> list[npt.NDArray[np.intp]]:
    """Part 0 .. n-1 into `folds` shuffled parts of nearly equal size; each part is sorted.

    Raises:
        UsageError: fewer than 2 folds, which would leave nothing to learn from.
    """
    if folds < 2:
        raise UsageError(f"{folds} folds leave no image to learn from: choose 2 or more.")
    order = np.random.default_rng(seed).permutation(n)
    return [np.sort(part) for part in np.array_split(order, min(folds, n))]


def held_out_positions(count: int, share: float, seed: int) -> npt.NDArray[np.intp]:
    """Sorted positions of the `share` of `count` images that are held out: at least 1, and never all."""
    held = min(max(1, round(share * count)), count - 1)
    return np.sort(np.random.default_rng((seed, count)).permutation(count)[:held])
