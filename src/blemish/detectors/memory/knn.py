"""k nearest neighbours: the mean distance of every patch to its nearest patches of good images.

After Liron Bergman, Niv Cohen and Yedid Hoshen, "Deep Nearest Neighbor Anomaly Detection", 2020, and their "Sub-Image
Anomaly Detection with Deep Pyramid Correspondences" (SPADE), 2020, on a bounded memory bank.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import ClassVar

import torch
from torch import Tensor, nn

from blemish.core.progress import task
from blemish.core.types import Prediction
from blemish.data.catalog import Catalog
from blemish.detectors.bank_sources import BankSources
from blemish.detectors.frozen import BackboneWithHead, FrozenFeatureDetector, IndexArray
from blemish.detectors.good_images import normal_images
from blemish.detectors.layers import PatchEmbedding
from blemish.detectors.memo import Memo
from blemish.detectors.memory.nearest_patch import DistanceHead, NearestPatch
from blemish.detectors.memory.patch_pool import PatchPool, bank_rows, choose_bank, gather_patches
from blemish.detectors.parameters import refuse, require_fitted
from blemish.detectors.tiled import TileNetworks


@dataclasses.dataclass
class NearestNeighbours(FrozenFeatureDetector):
    """k nearest neighbours of patches, Euclidean.

    A patch's distance is the mean over its `neighbours` nearest bank vectors: one odd vector in the bank cannot excuse
    a defect alone. The image's score is the mean of the highest `top` of these distances: the mean over all patches
    would drown a defect of a few patches in hundreds of good ones, and the maximum would hang on a single patch.

    Attributes:
        neighbours: bank vectors that a distance is averaged over.
        neighbourhood: patches are averaged over this many positions squared; 1 leaves them as they are.
        coreset_size: vectors in the memory bank, a greedy coreset of all patches.
        pool: most candidate patches held at once.
        top: share of the highest patch distances whose mean is the score; 0 takes the maximum.
        sigma: smoothing of the map, in pixels of the input.
        calibration_images: most training images scored as if unseen.

    After `fit`: `memory_bank_` (vectors x D), `sources_` (where these come from) and `grid_` (h, w).
    """

    name: ClassVar[str] = "knn"
    measures: ClassVar[str] = "mean distance to the nearest good patches"
    reads_any_shape: ClassVar[bool] = True
    reads_tiles: ClassVar[bool] = True
    augments: ClassVar[bool] = True

    neighbours: int = 5
    neighbourhood: int = 3
    coreset_size: int = 4000
    pool: int = 100_000
    top: float = 0.01
    sigma: float = 4.0
    calibration_images: int = 1000
    _patches: Memo[PatchPool] = dataclasses.field(default_factory=Memo, init=False, repr=False, compare=False)

    def learn(self, catalog: Catalog) -> None:
        """Fill the memory bank from the normal training images."""
        self._check_parameters()
        paths = normal_images(catalog)
        pool = self._patches.keep(self.key_of(paths), self._pool_of(paths))
        with task("Choosing the memory bank", None):
            rows = bank_rows(pool.vectors, self.coreset_size, self.seed)
        self.memory_bank_, self.sources_ = pool.vectors[rows], pool.sources(paths, rows)
        self.grid_ = pool.grid

    def predict_files(self, paths: Sequence[Path]) -> Iterator[Prediction]:
        """Score photographs one by one, in order."""
        return self.scored_by(self._head(require_fitted(self, "memory_bank_"), self.grid_), paths)

    def predict_unseen(self, catalog: Catalog, folds: int) -> Iterator[tuple[int, Prediction]]:
        """Score normal training images (at most `calibration_images`) as if unseen; see the base class."""
        require_fitted(self, "memory_bank_")
        paths = normal_images(catalog)
        pool = self._patches.recall(self.key_of(paths), lambda: self._pool_of(paths))

        def head_without(part: IndexArray) -> nn.Module:
            outside = ~torch.isin(pool.owners, torch.from_numpy(part))
            return self._head(choose_bank(pool.vectors[outside], self.coreset_size, self.seed), pool.grid)

        yield from self.scored_by_fold(paths, folds, self.calibration_images, head_without)

    def network(self) -> nn.Module:
        """The fitted detector as one graph."""
        head = self._head(require_fitted(self, "memory_bank_"), self.grid_)
        return BackboneWithHead(self.extractor().backbone, head).eval()

    def bank_sources(self) -> BankSources:
        """Where the stored vectors come from."""
        sources: BankSources = require_fitted(self, "sources_")
        return sources

    def tile_networks(self) -> TileNetworks:
        """The fitted detector as two graphs, one of a tile."""
        return self.networks_of_tiles(self._head(require_fitted(self, "memory_bank_"), self.grid_))

    def _check_parameters(self) -> None:
        """Refuse values that cannot be meant."""
        wrong = {
            "neighbours": self.neighbours < 1,
            "neighbourhood": self.neighbourhood < 1 or self.neighbourhood % 2 == 0,
            "coreset_size": self.coreset_size < self.neighbours,
            "pool": self.pool < 1000,
            "top": not 0 <= self.top <= 1,
            "sigma": not 0 <= self.sigma <= self.size,
            "calibration_images": self.calibration_images < 2,
        }
        refuse(self, wrong)

    def _pool_of(self, paths: list[Path]) -> PatchPool:
        """Candidates from all images, in bounded memory."""
        embedding = PatchEmbedding(self.neighbourhood)
        return gather_patches(
            self.extractor(), embedding, paths, self.pool, self.seed, augmentation=self.augmented_by()
        )

    def _head(self, bank: Tensor, grid: tuple[int, int]) -> DistanceHead:
        """The head around a bank of patches on a grid."""
        scoring = self.patch_scoring(grid, self.top, self.sigma)
        return DistanceHead(
            PatchEmbedding(self.neighbourhood), NearestPatch(bank, self.neighbours), scoring
        ).eval()
