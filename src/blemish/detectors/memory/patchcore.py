"""PatchCore: the distance of every patch to the nearest patch of good images.

Karsten Roth et al., "Towards Total Recall in Industrial Anomaly Detection", CVPR 2022, with two changes that can
be set back (`top=0`, `context=0`, or a preset): the image score is the mean of the highest 1 % of patch distances
(as in AnomalyDINO, Damm et al., 2025), and it is taken relative to the good images most like this one.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import torch
from torch import Tensor, nn

from blemish.core.progress import task
from blemish.core.types import Prediction
from blemish.data.catalog import Catalog
from blemish.detectors.base import normal_images, refuse, require_fitted
from blemish.detectors.frozen import BackboneWithHead, FrozenFeatureDetector, batch_of_one, prediction_of
from blemish.detectors.layers import PatchScoring, UnitLength
from blemish.detectors.memo import Memo
from blemish.detectors.memory.context import LearntContext, learn_context
from blemish.detectors.memory.foreground import Foreground, border_of, learn_foreground
from blemish.detectors.memory.nearest_patch import COSINE, DISTANCES, EUCLIDEAN, patch_embedding
from blemish.detectors.memory.patch_pool import PatchPool, choose_bank, gather_patches
from blemish.detectors.memory.patchcore_network import Context, PatchCoreHead
from blemish.detectors.memory.reduction import NeighbourhoodAverage, Projection, learn_projection
from blemish.features.backbones import Backbone
from blemish.features.cropping import CentreCropped
from blemish.features.together import Reads

_FOLDS = 4
_FEWEST_FOR_CONTEXT = 20
_FOREGROUND_IMAGES = 16


@dataclasses.dataclass(frozen=True)
class _Bank:
    """Stored vectors (N x K) and, where patches are reduced to K values by principal components, how."""

    vectors: Tensor
    projection: Projection | None


@dataclasses.dataclass
class _Held:
    """What a fold's bank says of an image it has not seen: patch distances (h x w), the mean patch (D), and the
    weight of the score."""

    distances: Tensor
    descriptor: Tensor
    weight: Tensor | float


@dataclasses.dataclass
class PatchCore(FrozenFeatureDetector):
    """PatchCore on any number of training images in bounded memory.

    Patches are streamed. Where they are more than `pool`, every image first gives only its own greedy coreset (the
    coreset of coresets keeps a constant-factor guarantee: Indyk et al., 2014), so memory does not grow with the number
    of images.

    Attributes:
        crop: side in pixels of the middle of the input that is read, the rest of the map gets its lowest value; 0
            reads all.
        neighbourhood: patches are averaged over this many positions squared.
        distance: to the nearest patch: "euclidean", or "cosine", which is 1 less the cosine.
        rotations: copies of each image, turned by equal angles, that fill the bank; 1 for itself alone.
        masking: whether the background is masked where it can be told for certain
            (`blemish.detectors.memory.foreground.learn_foreground` has the rule).
        dimensions: numbers that a patch is reduced to; 0 keeps all.
        reduction: how: "pca" by principal components of the good patches, "average" by adaptive averages of whole
            neighbourhoods as in the paper's code.
        coreset_size: vectors in the memory bank.
        coreset_ratio: when not 0, the bank's size as a share of all training patches instead; 1 keeps the whole pool.
        pool: most candidate patches held at once.
        top: share of the highest patch distances whose mean is the score; 0 takes the maximum.
        context: number of most similar good images that a score is relative to; 0 for none.
        reweighting: bank neighbours in the paper's weight of the score, which is of Euclidean distances; 0 for none.
        sigma: smoothing of the map, in pixels of the input.
        calibration_images: most training images scored as if unseen.

    After `fit`: `memory_bank_` (vectors x D), `grid_` (h, w), `projection_` (None unless patches are reduced by
    principal components), `context_` (None where there are too few images for one), and `foreground_` (None unless it
    is masked by).
    """

    name: ClassVar[str] = "patchcore"
    measures: ClassVar[str] = "distance to the nearest good patch"
    augments: ClassVar[bool] = True
    reads_any_shape: ClassVar[bool] = True
    later: ClassVar[tuple[str, ...]] = ("distance", "rotations", "masking")

    crop: int = 0
    neighbourhood: int = 3
    distance: str = EUCLIDEAN
    rotations: int = 1
    masking: bool = False
    dimensions: int = 0
    reduction: str = "pca"
    coreset_size: int = 2000
    coreset_ratio: float = 0.0
    pool: int = 100_000
    top: float = 0.01
    context: int = 30
    reweighting: int = 0
    sigma: float = 4.0
    calibration_images: int = 1000
    context_: LearntContext | None = dataclasses.field(default=None, init=False, repr=False, compare=False)
    projection_: Projection | None = dataclasses.field(default=None, init=False, repr=False, compare=False)
    foreground_: Foreground | None = dataclasses.field(default=None, init=False, repr=False, compare=False)
    _patches: Memo[PatchPool] = dataclasses.field(default_factory=Memo, init=False, repr=False, compare=False)
    _held: Memo[dict[int, _Held]] = dataclasses.field(
        default_factory=Memo, init=False, repr=False, compare=False
    )

    def reads(self) -> Reads:
        """The backbone's feature maps, and pixels to turn."""
        reads = super().reads()
        return reads if self.rotations == 1 else dataclasses.replace(reads, contracts=(self.preprocessing(),))

    def learn(self, catalog: Catalog) -> None:
        """Fill the memory bank from the normal training images, and learn what they score as if unseen."""
        self._check_parameters()
        self._held.forget()  # files may have changed since an earlier fit
        paths = normal_images(catalog)
        pool = self._patches.keep(self.key_of(paths), self._pool_of(paths))
        with task("Choosing the memory bank", None):
            bank = self._bank_of(pool, pool.owners >= 0)
        self.foreground_ = self._foreground_of(paths)
        context = None
        if self.context and len(paths) >= _FEWEST_FOR_CONTEXT:
            held = self._cross_validate(paths, _FOLDS).values()
            scores, descriptors = self._scores_of(held, self._scoring(pool.grid))
            context = learn_context(descriptors, scores, self.context)
        self.memory_bank_, self.projection_, self.context_ = bank.vectors, bank.projection, context
        self.grid_ = pool.grid

    def predict_files(self, paths: Sequence[Path]) -> Iterator[Prediction]:
        """Score photographs one by one, in order."""
        return self.scored_by(self._fitted_head(), paths)

    def predict_unseen(self, catalog: Catalog, folds: int) -> Iterator[tuple[int, Prediction]]:
        """Score normal training images (at most `calibration_images`) as if unseen; see the base class.

        The context of each image is learnt from the other images alone.
        """
        require_fitted(self, "memory_bank_")
        paths = normal_images(catalog)
        held = self._cross_validate(paths, folds)
        scoring, context = self._scoring(self.grid_), self.context_
        if context is not None:
            scores, descriptors = self._scores_of(held.values(), scoring)
            context = dataclasses.replace(context, scores=scores, descriptors=descriptors)
        for row, (position, one) in enumerate(held.items()):
            distances = one.distances[None, None]
            if context is not None:
                distances = distances - context.network(without=row)(one.descriptor[None])
            score, anomaly_map = scoring(distances)
            yield position, prediction_of(score * one.weight, anomaly_map)

    def network(self) -> nn.Module:
        """The fitted detector as one graph."""
        return BackboneWithHead(self.extractor().backbone, self._fitted_head()).eval()

    def any_shape(self) -> bool:
        """A crop is of a square."""
        return super().any_shape() and not self.crop

    def quick_parameters(self) -> dict[str, Any]:
        """And a crop that shrinks with the size."""
        quick = super().quick_parameters()
        unit = self.size_unit
        return quick | ({"crop": self.crop * quick["size"] // self.size // unit * unit} if self.crop else {})

    def _check_parameters(self) -> None:
        """Refuse values that cannot be meant."""
        wrong = {
            "crop": self.crop != 0 and (self.crop % self.size_unit != 0 or not 64 <= self.crop <= self.size),
            "neighbourhood": self.neighbourhood < 1 or self.neighbourhood % 2 == 0,
            "distance": self.distance not in DISTANCES,
            "rotations": not 1 <= self.rotations <= 360,
            "dimensions": self.dimensions < 0,
            "reduction": self.reduction not in ("pca", "average"),
            "coreset_size": self.coreset_size < 1,
            "coreset_ratio": not 0 <= self.coreset_ratio <= 1,
            "pool": self.pool < 1000,
            "top": not 0 <= self.top <= 1,
            "context": self.context < 0,
            "reweighting": self.reweighting < 0 or (self.reweighting > 0 and self.distance == COSINE),
            "sigma": not 0 <= self.sigma <= self.size,
            "calibration_images": self.calibration_images < 2,
        }
        refuse(self, wrong)

    @property
    def read_size(self) -> int:
        """Side in pixels of the middle that is read."""
        return self.crop or self.size

    def _load_backbone(self) -> Backbone:
        backbone = super()._load_backbone()
        return CentreCropped(backbone, self.crop) if self.crop else backbone

    def _embedding(self) -> nn.Module:
        """From feature maps to patch vectors, before any principal components."""
        if self.dimensions and self.reduction == "average":
            channels = self.extractor().backbone.channels
            average = NeighbourhoodAverage(channels, self.neighbourhood, self.dimensions)
            return nn.Sequential(average, UnitLength()) if self.distance == COSINE else average
        return patch_embedding(self.neighbourhood, self.distance)

    def _foreground_of(self, paths: list[Path]) -> Foreground | None:
        """What tells the part from the background on a few of the images, where that is asked for and clear."""
        if not self.masking:
            return None
        few = sorted(np.random.default_rng(self.seed).permutation(len(paths))[:_FOREGROUND_IMAGES].tolist())
        stream = self.extractor().stream([paths[position] for position in few])
        images = [self._embedding()(batch_of_one(maps))[0] for maps in stream]
        return learn_foreground(images, border_of(self.extractor(), self.neighbourhood))

    def _pool_of(self, paths: list[Path]) -> PatchPool:
        """Candidates from all images, in bounded memory."""
        return gather_patches(
            self.extractor(),
            self._embedding(),
            paths,
            self.pool,
            self.seed,
            self.rotations,
            self.augmented_by(),
        )

    def _bank_of(self, pool: PatchPool, keep: Tensor) -> _Bank:
        """The greedy coreset of the pool's rows to keep."""
        candidates, projection = pool.vectors[keep], None
        if self.dimensions and self.reduction == "pca":
            projection = learn_projection(candidates, self.dimensions, self.seed)
            candidates = projection.of_rows(candidates)
        size = round(self.coreset_ratio * pool.patches) if self.coreset_ratio else self.coreset_size
        return _Bank(choose_bank(candidates, max(1, size), self.seed), projection)

    def _cross_validate(self, paths: list[Path], folds: int) -> dict[int, _Held]:
        """Distances of images to the bank of the other folds, by position; every fold's bank is a coreset too."""
        return self._held.recall((self.key_of(paths), folds), lambda: self._held_out(paths, folds))

    def _held_out(self, paths: list[Path], folds: int) -> dict[int, _Held]:
        pool = self._patches.recall(self.key_of(paths), lambda: self._pool_of(paths))
        chosen = self.drawn(paths, self.calibration_images, self.seed)
        held: dict[int, _Held] = {}
        with task("Scoring good images as if unseen", len(chosen)) as advance:
            for part in self.fold_parts(paths, folds, self.seed):
                outside = ~torch.isin(pool.owners, torch.from_numpy(part))
                head = self._head(self._bank_of(pool, outside), pool.grid)
                scored = [int(position) for position in part if position in set(chosen.tolist())]
                stream = self.extractor().stream([paths[position] for position in scored])
                for position, maps in zip(scored, stream, strict=True):
                    with torch.inference_mode():
                        embedded = head.embedding(batch_of_one(maps))
                        patches, distances = head.distances(embedded)
                        weight = head.reweighting(patches, distances) if head.reweighting else 1.0
                    held[position] = _Held(distances[0, 0], embedded.mean((2, 3))[0], weight)
                    advance(1)
        return held

    def _scores_of(self, held: Iterable[_Held], scoring: PatchScoring) -> tuple[Tensor, Tensor]:
        """Scores and mean patches of images that were scored as if unseen."""
        images = list(held)
        scores = [scoring(one.distances[None, None])[0] for one in images]
        return torch.cat(scores), torch.stack([one.descriptor for one in images])

    def _scoring(self, grid: tuple[int, int]) -> PatchScoring:
        planned, margin = self.planned_view(), (self.size - self.read_size) // 2
        read = (planned.height - 2 * margin, planned.width - 2 * margin)
        return PatchScoring(grid, read, self.top, self.sigma, margin)

    def _fitted_head(self) -> PatchCoreHead:
        bank = _Bank(require_fitted(self, "memory_bank_"), self.projection_)
        return self._head(bank, self.grid_, None if self.context_ is None else self.context_.network())

    def _head(self, bank: _Bank, grid: tuple[int, int], context: Context | None = None) -> PatchCoreHead:
        """The head around a bank of patches on a grid."""
        return PatchCoreHead(
            bank.vectors,
            embedding=self._embedding(),
            projection=bank.projection,
            scoring=self._scoring(grid),
            reweighting=self.reweighting,
            context=context,
            foreground=self.foreground_,
            cosine=self.distance == COSINE,
        ).eval()
