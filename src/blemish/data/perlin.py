"""Perlin noise: smooth random fields whose bumps have one size, and the random areas that they cut out."""

from __future__ import annotations

import numpy as np

from blemish.core.types import BoolArray, FloatArray


def perlin_noise(shape: tuple[int, int], cells: tuple[int, int], rng: np.random.Generator) -> FloatArray:
    """Gradient noise, float32 H x W, about -1 to 1, zero on the corners of `cells` rows and columns of cells.

    Perlin, "Improving noise", SIGGRAPH 2002: random unit gradients on a lattice, faded by 6t^5 - 15t^4 + 10t^3.
    """
    angles = rng.uniform(0, 2 * np.pi, (cells[0] + 1, cells[1] + 1))
    rows = (np.arange(shape[0]) + 0.5) * cells[0] / shape[0]
    columns = (np.arange(shape[1]) + 0.5) * cells[1] / shape[1]
    row, column = rows.astype(int)[:, None], columns.astype(int)[None]
    down, right = (rows - rows.astype(int))[:, None], (columns - columns.astype(int))[None]

    def corner(below: int, beside: int) -> np.ndarray:
        angle = angles[row + below, column + beside]
        return np.asarray(np.cos(angle) * (right - beside) + np.sin(angle) * (down - below))

    across, along = _fade(right), _fade(down)
    upper = corner(0, 0) * (1 - across) + corner(0, 1) * across
    lower = corner(1, 0) * (1 - across) + corner(1, 1) * across
    return np.asarray(np.sqrt(2) * (upper * (1 - along) + lower * along), dtype=np.float32)


def perlin_mask(
    shape: tuple[int, int], rng: np.random.Generator, threshold: float = 0.2, finest: int = 4
) -> BoolArray:
    """Random areas, bool H x W: where Perlin noise, of 1 to a side / `finest` cells, is above the threshold."""
    most = [max(0, int(np.log2(max(side // finest, 1)))) for side in shape]
    rows, columns = (2 ** int(rng.integers(0, one + 1)) for one in most)
    return perlin_noise(shape, (rows, columns), rng) > threshold


def _fade(t: np.ndarray) -> np.ndarray:
    return np.asarray(t**3 * (t * (6 * t - 15) + 10))
