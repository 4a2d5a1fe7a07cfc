"""Masks that belong to another photograph: told by what is unusual in the photographs themselves.

A photograph's features are compared with those of good parts, which gives a coarse map of what is unusual.
Two masks are exchanged beyond doubt if each of two maps contradicts its own mask and fits the other's. Nothing
is said in a category whose maps do not agree with nearly all of the masks: there they know too little.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from scipy.stats import rankdata

from blemish.core.types import BoolArray, FloatArray
from blemish.explore.findings import Finding

MOST_MASKS = 400
"""Masks compared with each other in one category."""

_BANK_SIZE = 3000
_BANK_IMAGES = 60
_DOUBTFUL, _CONVINCING = 0.7, 0.8
_LEAST_GAIN = 0.25
_AGREEING = 0.9


class MaskAgreement:
    """Collects features of good parts, then deviations of masked photographs, and names exchanged masks.

    Args:
        n_normal: photographs of good parts that will be offered.
        seed: for the choice of feature vectors.
    """

    def __init__(self, n_normal: int, seed: int = 0) -> None:
        self._every = max(1, -(-n_normal // _BANK_IMAGES))
        self._per_image = max(1, _BANK_SIZE // max(1, min(n_normal, _BANK_IMAGES)))
        self._random = np.random.default_rng(seed)
        self._offered = 0
        self._bank: list[FloatArray] = []
        self._ready: tuple[FloatArray, FloatArray, FloatArray] | None = None
        self._paths: list[tuple[str, str]] = []
        self._maps: list[FloatArray] = []
        self._masks: list[BoolArray] = []

    def add_normal(self, features: FloatArray) -> None:
        """Offer the features (C x h x w) of a good part; some are kept."""
        if self._offered % self._every == 0:
            vectors = features.reshape(len(features), -1).T
            keep = self._random.permutation(len(vectors))[: self._per_image]
            self._bank.append(np.ascontiguousarray(vectors[keep], np.float32))
        self._offered += 1

    def add_masked(self, path: str, mask_path: str, features: FloatArray, mask: FloatArray) -> None:
        """Compare a photograph (features C x h x w) with the good parts, and keep its mask (share of each cell)."""
        if not self._bank or len(self._maps) >= MOST_MASKS or not mask.any():
            return
        self._paths.append((path, mask_path))
        self._maps.append(self._deviation(features))
        self._masks.append(_on_grid(mask, features.shape[1:]))

    def exchanged(self) -> list[Finding]:
        """A finding for each mask that was exchanged with another one."""
        if len(self._maps) < 3:
            return []
        agreement = agreements(np.stack(self._maps), np.stack(self._masks))
        findings = []
        for first, second in exchanged_pairs(agreement):
            for one, other in ((first, second), (second, first)):
                path, mask_path = self._paths[one]
                detail = (
                    f"it marks what is usual in {path}, and fits {self._paths[other][0]}, whose own mask fits "
                    "here: the two are exchanged; rename them."
                )
                own = float(agreement[one, one])
                findings.append(
                    Finding(
                        "mask-mismatch",
                        mask_path,
                        detail,
                        value=own,
                        normal_range=(_DOUBTFUL, 1.0),
                        other=self._paths[other][1],
                    )
                )
        return findings

    def _deviation(self, features: FloatArray) -> FloatArray:
        """Distance of each of the h x w vectors to the nearest one of a good part."""
        if self._ready is None:
            bank = np.concatenate(self._bank)
            spread = bank.std(axis=0) + np.float32(1e-6)
            bank = bank / spread
            self._ready = bank, np.asarray((bank**2).sum(axis=1), np.float32), spread
        bank, squares, spread = self._ready
        vectors = features.reshape(len(features), -1).T / spread
        products = (vectors * -2) @ bank.T
        products += squares
        nearest = products.min(axis=1) + (vectors**2).sum(axis=1)
        return np.asarray(np.sqrt(np.maximum(nearest, 0)), np.float32)


def agreements(maps: FloatArray, masks: BoolArray) -> npt.NDArray[np.float64]:
    """How well each of N maps (N x cells) fits each of N masks (N x cells): N x N areas under the ROC curve.

    Row i, column j: the chance that a cell inside mask j deviates more in photograph i than one outside. A mask
    of all cells or none fits nothing and everything: 0.5. Follows Mann and Whitney, 1947.
    """
    inside = masks.sum(axis=1).astype(np.float64)
    outside = masks.shape[1] - inside
    ranks = rankdata(maps, axis=1) @ masks.T.astype(np.float64)
    pairs = inside * outside
    wins = ranks - inside * (inside + 1) / 2
    return np.where(pairs > 0, wins / np.maximum(pairs, 1), 0.5)


def exchanged_pairs(agreement: npt.NDArray[np.float64]) -> list[tuple[int, int]]:
    """Pairs (i, j), i < j, where each map contradicts its own mask and fits the other's.

    None where fewer than 90 % of the remaining masks agree with their own maps.
    """
    own = np.diag(agreement)
    gain = np.minimum(agreement - own[:, None], (agreement - own[:, None]).T)
    fits = np.minimum(agreement, agreement.T) >= _CONVINCING
    doubtful = np.maximum(own[:, None], own[None, :]) <= _DOUBTFUL
    candidates = np.argwhere(np.triu(fits & doubtful & (gain >= _LEAST_GAIN), 1))
    taken: set[int] = set()
    pairs: list[tuple[int, int]] = []
    for i, j in sorted(candidates.tolist(), key=lambda pair: -gain[pair[0], pair[1]]):
        if not taken & {i, j}:
            taken |= {i, j}
            pairs.append((i, j))
    others = np.delete(own, list(taken))
    if others.size == 0 or np.mean(others > _DOUBTFUL) < _AGREEING:
        return []
    return sorted(pairs)


def _on_grid(mask: FloatArray, shape: tuple[int, ...]) -> BoolArray:
    """Cells of the features' grid that the mask touches."""
    height, width = shape
    rows = np.arange(mask.shape[0]) * height // mask.shape[0]
    columns = np.arange(mask.shape[1]) * width // mask.shape[1]
    cells = np.zeros((height, width), np.bool_)
    marked = np.argwhere(mask > 0)
    cells[rows[marked[:, 0]], columns[marked[:, 1]]] = True
    return cells.ravel()
