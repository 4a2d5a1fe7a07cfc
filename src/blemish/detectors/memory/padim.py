"""PaDiM: a Gaussian of good features at every position of the image.

Thomas Defard et al., "PaDiM: a Patch Distribution Modeling Framework for Anomaly Detection and Localization", ICPR
2020 workshops. It models positions: for parts that always lie the same way, or surfaces that look alike everywhere.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import torch
from torch import Tensor, nn

from blemish.core.errors import UsageError
from blemish.core.progress import task, track
from blemish.core.types import Prediction
from blemish.data.catalog import Catalog
from blemish.detectors.frozen import BackboneWithHead, FrozenFeatureDetector, batch_of_one
from blemish.detectors.good_images import normal_images
from blemish.detectors.memo import Memo
from blemish.detectors.memory.padim_network import MahalanobisHead, PositionEmbedding
from blemish.detectors.moments import PositionMoments
from blemish.detectors.parameters import refuse, require_fitted
from blemish.features.transformers import Transformer

_BATCH = 16
_MOST_BYTES = 512 * 2**20


@dataclasses.dataclass
class Padim(FrozenFeatureDetector):
    """PaDiM with streamed moments: memory does not depend on the number of images.

    The artifact holds a D x D float32 matrix for each position, D = `dimensions`: 10 MB by default (16 x 16
    positions), 125 MB with the preset `resnet18` (56 x 56), 237 MB with `wide` (14 x 14: the published 56 x 56 of
    550 dimensions would be 3.8 GB). More than 512 MiB is refused. Learning holds sums of twice that size, scoring good
    images as if unseen three times those.

    Attributes:
        dimensions: channels kept of those that the taps have together, chosen at random by the seed.
        stride: of the tap whose grid carries the Gaussians; finer taps are averaged to it, coarser ones repeated. All
            taps of a vision transformer have its patch for stride.
        regularisation: added to the variance of every channel.
        prior: weight of the mean covariance of all positions in each one's own, in images per dimension; 0 for none,
            as in the paper. Fewer images than dimensions say nothing of most directions at a position of its own.
        sigma: smoothing of the map, in pixels of the input.

    After `fit`: `means_` (positions x D), `whitening_` (inverse Cholesky factors, positions x D x D), `channels_` (D).
    """

    name: ClassVar[str] = "padim"
    measures: ClassVar[str] = "Mahalanobis distance"
    reads_any_shape: ClassVar[bool] = True
    augments: ClassVar[bool] = True
    decided: ClassVar[tuple[str, ...]] = ("size", "taps", "stride")

    size: int = 256
    taps: tuple[int, ...] = (4, 8, 16)
    dimensions: int = 100
    stride: int = 16
    regularisation: float = 0.01
    prior: float = 1.0
    sigma: float = 4.0
    _sums: Memo[PositionMoments] = dataclasses.field(
        default_factory=Memo, init=False, repr=False, compare=False
    )

    def learn(self, catalog: Catalog) -> None:
        """Learn mean and covariance at every position from the normal training images."""
        self._check_parameters()
        paths = normal_images(catalog)
        self._check_memory()
        channels = self._choose_channels()
        moments = self._sums.keep(self.key_of(paths), self._moments_of(paths, channels))
        with task("Factoring the covariances"):
            self.means_, self.whitening_ = moments.gaussians(self.regularisation, self.prior)
        self.channels_ = channels

    def predict_files(self, paths: Sequence[Path]) -> Iterator[Prediction]:
        """Score photographs one by one, in order."""
        return self.scored_by(self._fitted_head(), paths)

    def predict_unseen(self, catalog: Catalog, folds: int) -> Iterator[tuple[int, Prediction]]:
        """Score every normal training image as if unseen; see the base class.

        A fold's sums are subtracted from the sums of all, which is exact: nothing is fitted anew.
        """
        channels: Tensor = require_fitted(self, "channels_")
        paths = normal_images(catalog)
        whole = self._sums.recall(self.key_of(paths), lambda: self._moments_of(paths, channels))
        with task("Scoring good images as if unseen", len(paths)) as advance:
            for part in self.fold_parts(paths, folds, self.seed):
                held_out = [paths[position] for position in part]
                others = whole.without(self._moments_of(held_out, channels))
                head = self._head(*others.gaussians(self.regularisation, self.prior))
                for position, prediction in zip(part.tolist(), self.scored_by(head, held_out), strict=True):
                    advance(1)
                    yield position, prediction

    def network(self) -> nn.Module:
        """The fitted detector as one graph."""
        return BackboneWithHead(self.extractor().backbone, self._fitted_head()).eval()

    def usual_parameters(self, transformer: Transformer) -> dict[str, Any]:
        """And the only stride that a vision transformer has."""
        return super().usual_parameters(transformer) | {"stride": transformer.patch}

    def _check_parameters(self) -> None:
        """Refuse values that cannot be meant."""
        wrong = {
            "dimensions": self.dimensions < 1,
            "stride": self.transformer is None and self.stride not in self.taps,
            "regularisation": not 0 < self.regularisation < np.inf,
            "prior": not 0 <= self.prior < np.inf,
            "sigma": not 0 <= self.sigma <= self.size,
        }
        refuse(self, wrong)
        if self.transformer is not None and self.stride != self.transformer.patch:
            raise UsageError(
                f"stride={self.stride} is not possible with {self.backbone}, all of whose taps have the stride "
                f"{self.transformer.patch}: leave it out."
            )

    def _check_memory(self) -> None:
        """Refuse matrices that no artifact should carry."""
        rows, columns = self._grid()
        wanted = min(self.dimensions, sum(self.extractor().backbone.channels))
        needed = 4 * rows * columns * wanted**2
        if needed > _MOST_BYTES:
            raise UsageError(
                f"padim would need {needed / 1e6:,.0f} MB for {rows} x {columns} positions of {wanted} dimensions, "
                f"more than {_MOST_BYTES / 1e6:,.0f} MB: choose a larger stride, fewer dimensions or a smaller size."
            )

    def _grid(self) -> tuple[int, int]:
        """Rows and columns of the positions."""
        extractor = self.extractor()
        _, rows, columns = extractor.shapes[extractor.backbone.strides.index(self.stride)]
        return int(rows), int(columns)

    def _choose_channels(self) -> Tensor:
        """A seeded random choice of the taps' channels, ascending."""
        count = sum(self.extractor().backbone.channels)
        chosen = np.random.default_rng(self.seed).permutation(count)[: self.dimensions]
        return torch.from_numpy(np.sort(chosen))

    def _moments_of(self, paths: Sequence[Path], channels: Tensor) -> PositionMoments:
        """Sums over photographs, a few at a time."""
        rows, columns = self._grid()
        embedding = PositionEmbedding((rows, columns), channels)
        moments = PositionMoments.empty(rows * columns, len(channels))
        waiting: list[Tensor] = []
        features = self.good_features(paths)
        for _, maps in track(features, "Reading good images", len(paths) * self.maps_each()):
            waiting.append(embedding(batch_of_one(maps)).flatten(2).transpose(1, 2))
            if len(waiting) == _BATCH:
                moments.add(torch.cat(waiting))
                waiting.clear()
        if waiting:
            moments.add(torch.cat(waiting))
        return moments

    def _fitted_head(self) -> MahalanobisHead:
        return self._head(require_fitted(self, "means_"), self.whitening_)

    def _head(self, means: Tensor, whitening: Tensor) -> MahalanobisHead:
        """The head around Gaussians."""
        return MahalanobisHead(
            means, whitening, self.channels_, self._grid(), self.input_sides, self.sigma
        ).eval()
