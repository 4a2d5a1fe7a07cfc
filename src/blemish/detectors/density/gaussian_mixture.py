"""A Gaussian mixture of the patch features of good images.

As the density behind Oliver Rippel, Patrick Mertens and Dorit Merhof, "Modeling the Distribution of Normal Data in
Pre-Trained Deep Features for Anomaly Detection", ICPR 2020, with several Gaussians, and for every patch.
"""

from __future__ import annotations

import dataclasses
import warnings
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import ClassVar

import numpy as np
import torch
from sklearn import mixture
from sklearn.decomposition import PCA
from sklearn.exceptions import ConvergenceWarning
from torch import Tensor, nn

from blemish.core.errors import CatalogError
from blemish.core.progress import task, track
from blemish.core.types import Prediction
from blemish.data.catalog import Catalog
from blemish.detectors.density.gaussian_mixture_network import MixtureHead, MixtureLikelihood
from blemish.detectors.frozen import BackboneWithHead, FrozenFeatureDetector, IndexArray, batch_of_one
from blemish.detectors.good_images import normal_images
from blemish.detectors.layers import PatchEmbedding
from blemish.detectors.memo import Memo
from blemish.detectors.parameters import refuse, require_fitted
from blemish.detectors.tiled import TileNetworks, kept_patches, tiles_of_good

_ROUNDS = 30
"""Of expectation maximisation: twice as many moved no AUROC on painted defects by more than .003."""


@dataclasses.dataclass(frozen=True)
class _Sample:
    """Patches of good images drawn at random (N x D), the position of each one's image (N), and an image's grid."""

    vectors: Tensor
    owners: Tensor
    grid: tuple[int, int]


@dataclasses.dataclass
class GaussianMixture(FrozenFeatureDetector):
    """A Gaussian mixture with full covariances, fitted by expectation maximisation (scikit-learn).

    Memory does not grow with the number of images: every image gives `pool` / images of its patches, drawn at random.

    Attributes:
        neighbourhood: patches are averaged over this many positions squared.
        components: Gaussians of the mixture; fewer where there are not 10 patches for each dimension of each.
        dimensions: principal components that the mixture is fitted on; in the others all its Gaussians are one.
        regularisation: added to every variance, as a share of the mean variance of the patches.
        pool: most patches that it is fitted on.
        top: share of the highest negative log likelihoods whose mean is the score; 0 takes the maximum.
        sigma: smoothing of the map, in pixels of the input.
        calibration_images: most training images scored as if unseen.

    After `fit`: `mixture_` (the fitted likelihood, patches in, negative log likelihoods out) and `grid_` (h, w).
    """

    name: ClassVar[str] = "gaussian-mixture"
    measures: ClassVar[str] = "negative log-likelihood"
    reads_any_shape: ClassVar[bool] = True
    reads_tiles: ClassVar[bool] = True
    augments: ClassVar[bool] = True

    neighbourhood: int = 3
    components: int = 20
    dimensions: int = 64
    regularisation: float = 0.01
    pool: int = 30_000
    top: float = 0.01
    sigma: float = 4.0
    calibration_images: int = 1000
    _sampled: Memo[_Sample] = dataclasses.field(default_factory=Memo, init=False, repr=False, compare=False)

    def learn(self, catalog: Catalog) -> None:
        """Fit the mixture on patches of the normal training images."""
        self._check_parameters()
        paths = normal_images(catalog)
        sample = self._sampled.keep(self.key_of(paths), self._sample_of(paths))
        with task("Fitting the mixture", None):
            self.mixture_ = self._likelihood_of(sample.vectors)
        self.grid_ = sample.grid

    def predict_files(self, paths: Sequence[Path]) -> Iterator[Prediction]:
        """Score photographs one by one, in order."""
        return self.scored_by(self._head(require_fitted(self, "mixture_"), self.grid_), paths)

    def predict_unseen(self, catalog: Catalog, folds: int) -> Iterator[tuple[int, Prediction]]:
        """Score normal training images (at most `calibration_images`) as if unseen; see the base class."""
        require_fitted(self, "mixture_")
        paths = normal_images(catalog)
        sample = self._sampled.recall(self.key_of(paths), lambda: self._sample_of(paths))

        def head_without(part: IndexArray) -> nn.Module:
            outside = ~torch.isin(sample.owners, torch.from_numpy(part))
            return self._head(self._likelihood_of(sample.vectors[outside]), sample.grid)

        yield from self.scored_by_fold(paths, folds, self.calibration_images, head_without)

    def network(self) -> nn.Module:
        """The fitted detector as one graph."""
        head = self._head(require_fitted(self, "mixture_"), self.grid_)
        return BackboneWithHead(self.extractor().backbone, head).eval()

    def tile_networks(self) -> TileNetworks:
        """The fitted detector as two graphs, one of a tile."""
        return self.networks_of_tiles(self._head(require_fitted(self, "mixture_"), self.grid_))

    def _check_parameters(self) -> None:
        """Refuse values that cannot be meant."""
        wrong = {
            "neighbourhood": self.neighbourhood < 1 or self.neighbourhood % 2 == 0,
            "components": not 1 <= self.components <= 1000,
            "dimensions": self.dimensions < 1,
            "regularisation": not 0 < self.regularisation < np.inf,
            "pool": self.pool < 1000,
            "top": not 0 <= self.top <= 1,
            "sigma": not 0 <= self.sigma <= self.size,
            "calibration_images": self.calibration_images < 2,
        }
        refuse(self, wrong)

    def _sample_of(self, paths: Sequence[Path]) -> _Sample:
        """Patches drawn at random, as many of every image and of each of its augmented copies."""
        each = max(1, self.pool // (len(paths) * self.maps_each()))
        embedding = PatchEmbedding(self.neighbourhood)
        if self.planned_view().tiled:
            return self._sample_of_tiles(paths, each)
        vectors, owners, grid = [], [], (0, 0)
        stream = track(self.good_features(paths), "Reading good images", len(paths) * self.maps_each())
        for position, maps in stream:
            patches = embedding(batch_of_one(maps))
            grid = (int(patches.shape[2]), int(patches.shape[3]))
            rng = np.random.default_rng((self.seed, position))
            drawn = torch.from_numpy(rng.permutation(grid[0] * grid[1])[:each])
            vectors.append(patches.flatten(2)[0].T[drawn])
            owners.append(torch.full((len(drawn),), position))
        return _Sample(torch.cat(vectors), torch.cat(owners), grid)

    def _sample_of_tiles(self, paths: Sequence[Path], each: int) -> _Sample:
        """Patches drawn at random from photographs read in tiles, about as many of every tile."""
        extractor, embedding = self.extractor(), PatchEmbedding(self.neighbourhood)
        vectors, owners = [], []
        tiles = tiles_of_good(extractor, paths)
        for number, (position, tile, maps) in enumerate(tiles):
            rows = kept_patches(embedding, tile, maps)
            rng = np.random.default_rng((self.seed, number))
            drawn = rng.permutation(len(rows))[: max(1, each // len(extractor.tiling.tiles))]
            vectors.append(rows[torch.from_numpy(drawn)])
            owners.append(torch.full((len(drawn),), position))
        _, height, width = extractor.shapes[0]
        return _Sample(torch.cat(vectors), torch.cat(owners), (height, width))

    def _likelihood_of(self, rows: Tensor) -> MixtureLikelihood:
        """The mixture of patches N x D.

        Raises:
            CatalogError: the features are broken, or all alike.
        """
        values = rows.double().numpy()
        pca = PCA(svd_solver="covariance_eigh", random_state=self.seed).fit(values)
        spread = float(pca.explained_variance_.mean())
        if not 0 < spread < np.inf:
            raise CatalogError(
                "The patches of the good images are all alike, or no numbers: photograph parts that differ, or check "
                "that the backbone's weights are whole."
            )
        floor = self.regularisation * spread
        kept = min(self.dimensions, len(pca.components_))
        coordinates = ((values - pca.mean_) @ pca.components_[:kept].T).astype(np.float32)
        most = max(1, len(rows) // (10 * kept))
        fitted = mixture.GaussianMixture(
            min(self.components, most),
            reg_covar=floor,
            max_iter=_ROUNDS,
            init_params="k-means++",  # the same whatever the threads, which k-means is not
            random_state=self.seed,
        )
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", ConvergenceWarning)
            fitted.fit(coordinates)
        learnt = (fitted.weights_, fitted.means_, fitted.precisions_cholesky_)
        weights, means, precisions = (torch.from_numpy(one).double() for one in learnt)
        variances = torch.from_numpy(pca.explained_variance_[kept:]) + floor
        mean, axes = torch.from_numpy(pca.mean_), torch.from_numpy(pca.components_)
        return MixtureLikelihood(mean, axes, variances, weights, means, precisions).eval()

    def _head(self, likelihood: MixtureLikelihood, grid: tuple[int, int]) -> MixtureHead:
        """The head around a mixture for patches on a grid."""
        scoring = self.patch_scoring(grid, self.top, self.sigma)
        return MixtureHead(PatchEmbedding(self.neighbourhood), likelihood, scoring).eval()
