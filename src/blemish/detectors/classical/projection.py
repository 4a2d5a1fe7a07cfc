"""Scaling and principal components, learnt from rows of good images: what stands before every classical model."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
from sklearn.decomposition import PCA
from sklearn.preprocessing import MinMaxScaler, StandardScaler

from blemish.core.errors import CatalogError

Rows = npt.NDArray[np.float64]
"""One row an image, one column a feature."""

Arrays = dict[str, npt.NDArray[Any]]
"""What was learnt, by name."""

SCALINGS = ("standard", "minmax")

_CONSTANT = 1e-5  # of its size: a column that varies less than rounding may move it
_NOTHING = 1e-10  # of the variance


def fit_projection(rows: Rows, scaling: str, explained: float, most: int | None) -> dict[str, Rows]:
    """Learn how rows are scaled and reduced: `(row - centre) / scale @ components.T`.

    Args:
        rows: N x D, N at least 2.
        scaling: "standard" to mean 0 and deviation 1, "minmax" to 0 to 1. A column that does not vary, or by less than
            1e-5 of its size, is only shifted.
        explained: share of the variance that the principal components kept explain together; 0 for none, and no
            reduction, unless `most` asks for one: then all that vary are candidates.
        most: most components kept, or None; there are never more than the rows have directions.

    Returns:
        `centre` (D), `scale` (D) and `components` (K x D, K = 0 for no reduction).

    Raises:
        CatalogError: all rows are alike.
    """
    if not np.ptp(rows, axis=0).any():
        raise CatalogError(
            f"The {len(rows)} good images are all alike to this detector, so nothing can be learnt of how good parts "
            "differ: give photographs of different parts, not copies of one."
        )
    centre, scale = _scaler(rows, scaling)
    scaled = (rows - centre) / scale
    if explained == 0 and most is None:
        return {"centre": centre, "scale": scale, "components": np.empty((0, rows.shape[1]))}
    # The second solver is the faster one for many rows, and does not take fewer rows than columns.
    solver = "full" if len(rows) <= rows.shape[1] else "covariance_eigh"
    pca = PCA(svd_solver=solver).fit(scaled)
    shares = pca.explained_variance_ratio_
    varying = max(1, int(np.count_nonzero(shares > _NOTHING)))
    enough = int(np.searchsorted(np.cumsum(shares), explained)) + 1 if explained else varying
    kept = min(enough, varying, varying if most is None else most)
    return {
        "centre": centre + scale * pca.mean_,
        "scale": scale,
        "components": np.asarray(pca.components_[:kept]),
    }


def project(rows: Rows, learnt: dict[str, Rows]) -> Rows:
    """Rows as `fit_projection` has learnt to scale and reduce them: N x K, or N x D without components."""
    scaled = (rows - learnt["centre"]) / learnt["scale"]
    return scaled @ learnt["components"].T if len(learnt["components"]) else scaled


def _scaler(rows: Rows, scaling: str) -> tuple[Rows, Rows]:
    """What is taken from each column, and what it is divided by then."""
    if scaling == "standard":
        standard = StandardScaler().fit(rows)
        centre, scale = np.asarray(standard.mean_), np.array(standard.scale_)
    else:
        minmax = MinMaxScaler().fit(rows)
        centre, scale = np.asarray(minmax.data_min_), 1 / np.asarray(minmax.scale_)
    scale[np.ptp(rows, axis=0) <= _CONSTANT * np.abs(rows).max(axis=0)] = 1
    return centre, scale
