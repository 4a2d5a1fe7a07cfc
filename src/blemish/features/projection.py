"""Scaling and principal components, learnt from rows of good images: for tables, and before every classical model."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import numpy.typing as npt
from sklearn.decomposition import PCA, IncrementalPCA
from sklearn.preprocessing import MinMaxScaler, StandardScaler

from blemish.core.errors import CatalogError
from blemish.core.types import FloatArray

Rows = npt.NDArray[np.float64]
"""One row an image, one column a feature."""

Arrays = dict[str, npt.NDArray[Any]]
"""What was learnt, by name."""

SCALINGS = ("standard", "minmax")
MOST_STREAMED = 64
"""Most principal components of rows that are not held in memory."""

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
        `centre` (D), `scale` (D), `components` (K x D, K = 0 for no reduction) and `explained` (K), the share of the
        scaled rows' variance that each explains.

    Raises:
        CatalogError: all rows are alike.
    """
    minmax = MinMaxScaler().fit(rows)
    _refuse_copies(minmax.data_range_, len(rows))
    centre, scale = _centre_and_scale(StandardScaler().fit(rows), minmax, scaling)
    scaled = (rows - centre) / scale
    if explained == 0 and most is None:
        return {**no_projection(rows.shape[1]), "centre": centre, "scale": scale}
    # The second solver is the faster one for many rows, and does not take fewer rows than columns.
    solver = "full" if len(rows) <= rows.shape[1] else "covariance_eigh"
    pca = PCA(svd_solver=solver).fit(scaled)
    shares = pca.explained_variance_ratio_
    varying = _varying(pca)
    enough = int(np.searchsorted(np.cumsum(shares), explained)) + 1 if explained else varying
    return _kept(pca, min(enough, varying, varying if most is None else most), centre, scale)


def fit_streamed_projection(
    blocks: Callable[[], Iterator[FloatArray]], scaling: str, explained: float, most: int | None
) -> Arrays:
    """As `fit_projection`, of rows that are never all in memory: by incremental PCA, in two passes over their blocks.

    Args:
        blocks: gives the rows (float32, n x D each) anew whenever called; the first block has most.
        scaling, explained, most: as of `fit_projection`; at most 64 components are kept, and at least one.

    Raises:
        CatalogError: all rows are alike.

    References:
        Ross, Lim, Lin and Yang, "Incremental Learning for Robust Visual Tracking", IJCV 2008; scikit-learn.
    """
    scalers = StandardScaler(), MinMaxScaler()
    count, first = 0, 0
    for rows in blocks():
        for scaler in scalers:
            scaler.partial_fit(rows)
        count, first = count + len(rows), first or len(rows)
    standard, minmax = scalers
    _refuse_copies(minmax.data_range_, count)
    centre, scale = _centre_and_scale(standard, minmax, scaling)
    pca = IncrementalPCA(min(first, count - 1, MOST_STREAMED, most or MOST_STREAMED), copy=False)
    for rows in blocks():
        rows -= centre.astype(np.float32)
        rows /= scale.astype(np.float32)
        pca.partial_fit(rows)
    enough = (
        int(np.searchsorted(np.cumsum(pca.explained_variance_ratio_), explained)) + 1 if explained else count
    )
    return _kept(pca, min(enough, _varying(pca)), centre, scale)


def _kept(pca: Any, kept: int, centre: Rows, scale: Rows) -> Arrays:
    """A fitted scaling, and the first components that come behind it."""
    return {
        "centre": centre + scale * pca.mean_,
        "scale": scale,
        "components": np.asarray(pca.components_[:kept]),
        "explained": np.asarray(pca.explained_variance_ratio_[:kept]),
    }


def _varying(pca: Any) -> int:
    """How many components vary at all."""
    return max(1, int(np.count_nonzero(pca.explained_variance_ratio_ > _NOTHING)))


def no_projection(columns: int) -> Arrays:
    """What `fit_projection` gives of rows that are to stay as they are."""
    nothing = {"components": np.empty((0, columns)), "explained": np.empty(0)}
    return {"centre": np.zeros(columns), "scale": np.ones(columns), **nothing}


def project(rows: Rows, learnt: dict[str, Rows]) -> Rows:
    """Rows as `fit_projection` has learnt to scale and reduce them: N x K, or N x D without components."""
    scaled = (rows - learnt["centre"]) / learnt["scale"]
    return scaled @ learnt["components"].T if len(learnt["components"]) else scaled


def _refuse_copies(ranges: Rows, rows: int) -> None:
    """Refuse rows of which no column (D ranges) varies.

    Raises:
        CatalogError: so it is.
    """
    if not ranges.any():
        raise CatalogError(
            f"The {rows} good images are all alike to this detector, so nothing can be learnt of how good parts "
            "differ: give photographs of different parts, not copies of one."
        )


def _centre_and_scale(standard: StandardScaler, minmax: MinMaxScaler, scaling: str) -> tuple[Rows, Rows]:
    """What is taken from each column, and what it is divided by then, of fitted scalers."""
    if scaling == "standard":
        centre, scale = np.asarray(standard.mean_), np.array(standard.scale_)
    else:
        centre, scale = np.asarray(minmax.data_min_), 1 / np.asarray(minmax.scale_)
    largest = np.maximum(np.abs(minmax.data_min_), np.abs(minmax.data_max_))
    scale[minmax.data_range_ <= _CONSTANT * largest] = 1
    return centre, scale
