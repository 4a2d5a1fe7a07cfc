"""PatchCore: the distance of every patch to the nearest patch of good images.

Karsten Roth et al., "Towards Total Recall in Industrial Anomaly Detection", CVPR 2022, with one change that can be set
back (`score="patches"`, `top=0`, or a preset): the image score is the highest value of the smoothed map.
"""

from __future__ import annotations

import dataclasses
import functools
import operator
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import torch
from torch import Tensor, nn

from blemish.core.progress import task
from blemish.core.types import Prediction
from blemish.data.catalog import Catalog
from blemish.detectors.bank_sources import BankSources
from blemish.detectors.copies import AUTO, NONE, Copies, can_be_meant
from blemish.detectors.frozen import (
    BackboneWithHead,
    FrozenFeatureDetector,
    batch_of_one,
    prediction_of,
)
from blemish.detectors.good_images import normal_images
from blemish.detectors.layers import PatchScoring, UnitLength, farthest_patches
from blemish.detectors.memo import Memo
from blemish.detectors.memory.bank import Bank, BankRecipe
from blemish.detectors.memory.context import LearntContext, learn_context
from blemish.detectors.memory.copies_choice import ALWAYS, FEWEST, CopiesChoice, Trial, choose_copies
from blemish.detectors.memory.foreground import Foreground, border_of, learn_foreground
from blemish.detectors.memory.nearest_patch import COSINE, DISTANCES, EUCLIDEAN, NearestPatch, patch_embedding
from blemish.detectors.memory.patch_pool import (
    MOST_OTHERS,
    MOST_TURNED,
    PatchPool,
    gather_copies,
    gather_patches,
)
from blemish.detectors.memory.patchcore_network import Context, PatchCoreHead
from blemish.detectors.memory.reduction import NeighbourhoodAverage, Projection
from blemish.detectors.memory.suspicious import trusted_pool
from blemish.detectors.parameters import refuse, require_fitted
from blemish.detectors.tiled import TileNetworks, stitched_distances
from blemish.features.backbones import Backbone
from blemish.features.cropping import CentreCropped
from blemish.features.extraction import FeatureMaps
from blemish.features.learning_device import (
    computed_there,
    in_float32,
    learning_device,
    on_learning_device,
)
from blemish.features.together import Reads

MAP, PATCHES = SCORES = "map", "patches"
_FEWEST_FOR_CONTEXT = 5
"""Photographs for each that counts as similar: of fewer the most similar ones are not alike."""

_FOREGROUND_IMAGES = 16
_FEW = 8 * MOST_OTHERS
"""Together, copies that are always made fill an eighth of the bank at most."""
_EACH_COPY = 64


@dataclasses.dataclass
class _Held:
    """What a fold's bank says of an image it has not seen: patch distances (h x w), the mean patch (D), and the
    weight of the score; and the mean of its farthest patches as the bank holds them (K), None in tiles."""

    distances: Tensor
    descriptor: Tensor
    weight: Tensor | float
    pooled: Tensor | None = None


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
        copies: what fills the bank besides the images: "none", "turn8" (or another number of equal angles), "mirror",
            "shift" (by half a patch), "relit", several with commas between, or "auto": relit, and of the others what
            helps on images held out and on defects painted on them (`blemish.detectors.memory.copies_choice`).
        masking: whether the background is masked where it can be told for certain
            (`blemish.detectors.memory.foreground.learn_foreground` has the rule).
        dimensions: numbers that a patch is reduced to; 0 keeps all.
        reduction: how: "pca" by principal components of the good patches, "average" by adaptive averages of whole
            neighbourhoods as in the paper's code.
        coreset_size: vectors in the memory bank.
        coreset_ratio: when not 0, the bank's size as a share of all training patches instead; 1 keeps the whole pool.
        robust: whether what one good photograph alone shows is left out of the bank, as it may be a defect (see
            `blemish.detectors.memory.suspicious`).
        pool: most candidate patches held at once.
        score: "map" for the highest value of the smoothed map, so that score and map are one thing, or "patches" for
            the mean of the highest patch distances.
        top: share of these; 0 takes the maximum.
        context: number of most similar good images that a score is relative to; 0 for none. Five times as many have
            to be there, and it is of whole photographs: there is none where they are read in tiles.
        reweighting: bank neighbours in the paper's weight of the score, which is of Euclidean distances of patches; 0
            for none.
        sigma: smoothing of the map, in pixels of the input; 8 is one patch.
        calibration_images: most training images scored as if unseen.

    After `fit`: `memory_bank_` (vectors x D), `sources_` (where these come from), `grid_` (h, w), `suspicious_`
    (photographs with patches that no other has and the bank does not hold, and how far they stand out), `projection_`
    (None unless patches are reduced by principal components), `copies_choice_` (None unless `copies` is "auto"),
    `context_` (None where there are too few images for one), and `foreground_` (None unless it is masked by).
    """

    name: ClassVar[str] = "patchcore"
    measures: ClassVar[str] = "distance to the nearest good patch"
    augments: ClassVar[bool] = True
    reads_any_shape: ClassVar[bool] = True
    reads_tiles: ClassVar[bool] = True
    later: ClassVar[tuple[str, ...]] = ("distance", "masking")
    calibration_folds: ClassVar[int] = 10

    size: int = 448
    crop: int = 0
    neighbourhood: int = 3
    distance: str = EUCLIDEAN
    copies: str = AUTO
    masking: bool = False
    dimensions: int = 0
    reduction: str = "pca"
    coreset_size: int = 2800
    coreset_ratio: float = 0.0
    robust: bool = True
    pool: int = 100_000
    score: str = MAP
    top: float = 0.01
    context: int = 30
    reweighting: int = 0
    sigma: float = 8.0
    calibration_images: int = 1000
    context_: LearntContext | None = dataclasses.field(default=None, init=False, repr=False, compare=False)
    copies_choice_: CopiesChoice | None = dataclasses.field(
        default=None, init=False, repr=False, compare=False
    )
    projection_: Projection | None = dataclasses.field(default=None, init=False, repr=False, compare=False)
    foreground_: Foreground | None = dataclasses.field(default=None, init=False, repr=False, compare=False)
    _patches: Memo[PatchPool] = dataclasses.field(default_factory=Memo, init=False, repr=False, compare=False)
    _held: Memo[dict[int, _Held]] = dataclasses.field(
        default_factory=Memo, init=False, repr=False, compare=False
    )

    def reads(self) -> Reads:
        """The backbone's feature maps, and pixels to turn; nothing of what is read in tiles."""
        reads = super().reads()
        return (
            reads
            if self.copies == NONE or self.planned_view().tiled
            else dataclasses.replace(reads, contracts=(self.preprocessing(),))
        )

    def learn(self, catalog: Catalog) -> None:
        """Fill the memory bank from the normal training images, and learn what they score as if unseen."""
        self._check_parameters()
        self._held.forget()  # files may have changed since an earlier fit
        paths = normal_images(catalog)
        self.copies_choice_ = None
        pool = self._patches.keep(self.key_of(paths), self._pool_of(paths))
        with task("Choosing the memory bank", None):
            bank = self._recipe(pool).of(pool)
        self.foreground_ = self._foreground_of(paths)
        context = None
        if (
            self.context > 0
            and not self.planned_view().tiled
            and len(paths) >= _FEWEST_FOR_CONTEXT * self.context
        ):
            held = self._cross_validate(paths, self.calibration_folds)
            scores, descriptors = self._scores_of(held.values(), self._scoring(pool.grid))
            context = learn_context(descriptors, scores, self.context, self._parts_of(paths, held))
        self.memory_bank_, self.projection_, self.context_ = bank.vectors, bank.projection, context
        assert bank.rows is not None  # only a fitted bank has forgotten them
        self.sources_ = pool.sources(paths, bank.rows, (self.size - self.read_size) // 2)
        self.grid_, self.suspicious_ = pool.grid, {paths[one]: away for one, away in pool.suspicious.items()}

    def suspicious(self) -> dict[Path, float]:
        """Photographs with patches that no other has and the bank does not hold."""
        return dict(require_fitted(self, "suspicious_"))

    def predict_files(self, paths: Sequence[Path]) -> Iterator[Prediction]:
        """Score photographs one by one, in order."""
        return self.scored_by(self._fitted_head(), paths)

    def predict_unseen(self, catalog: Catalog, folds: int) -> Iterator[tuple[int, Prediction]]:
        """Score normal training images (at most `calibration_images`) as if unseen; see the base class.

        The context of each image is learnt from the images of other parts alone.
        """
        require_fitted(self, "memory_bank_")
        paths = normal_images(catalog)
        held = self._cross_validate(paths, folds)
        scoring, context = self._scoring(self.grid_), self.context_
        if context is not None:
            scores, descriptors = self._scores_of(held.values(), scoring)
            context = dataclasses.replace(
                context, scores=scores, descriptors=descriptors, parts=self._parts_of(paths, held)
            )
        for row, (position, one) in enumerate(held.items()):
            distances, farthest = one.distances[None, None], float(one.distances.max())
            if context is not None:
                distances = distances - context.network(without=row)(one.descriptor[None])
            score, anomaly_map = scoring(distances)
            said = prediction_of(score * one.weight, anomaly_map, farthest)
            pooled = None if one.pooled is None else one.pooled.numpy()
            yield position, dataclasses.replace(said, pooled=pooled)

    def network(self) -> nn.Module:
        """The fitted detector as one graph."""
        return BackboneWithHead(self.extractor().backbone, self._fitted_head()).eval()

    def bank_sources(self) -> BankSources:
        """Where the stored vectors come from."""
        sources: BankSources = require_fitted(self, "sources_")
        return sources

    def tile_networks(self) -> TileNetworks:
        """The fitted detector as two graphs, one of a tile."""
        return self.networks_of_tiles(self._fitted_head())

    def check_tiles(self) -> None:
        """Refuse what needs a photograph in one piece."""
        super().check_tiles()
        whole = ("crop", "masking", "reweighting")
        self.refuse_in_tiles(*(name for name in whole if getattr(self, name)))
        self.refuse_in_tiles(*(["copies"] if self.copies not in (AUTO, NONE) else []))

    def any_shape(self) -> bool:
        """A crop is of a square."""
        return super().any_shape() and not self.crop

    def quick_parameters(self) -> dict[str, Any]:
        """And a crop that shrinks with the size, and no copies."""
        quick = super().quick_parameters() | {"copies": NONE}
        unit = self.size_unit
        return quick | ({"crop": self.crop * quick["size"] // self.size // unit * unit} if self.crop else {})

    def _check_parameters(self) -> None:
        """Refuse values that cannot be meant."""
        wrong = {
            "crop": self.crop != 0 and (self.crop % self.size_unit != 0 or not 64 <= self.crop <= self.size),
            "neighbourhood": self.neighbourhood < 1 or self.neighbourhood % 2 == 0,
            "distance": self.distance not in DISTANCES,
            "copies": not can_be_meant(self.copies),
            "dimensions": self.dimensions < 0,
            "reduction": self.reduction not in ("pca", "average"),
            "coreset_size": self.coreset_size < 1,
            "coreset_ratio": not 0 <= self.coreset_ratio <= 1,
            "pool": self.pool < 1000,
            "score": self.score not in SCORES,
            "top": not 0 <= self.top <= 1,
            "context": self.context < 0,
            "reweighting": self.reweighting < 0
            or (self.reweighting > 0 and (self.distance == COSINE or self.score == MAP)),
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
        """Candidates from all images and their copies, in bounded memory."""
        own = gather_patches(
            self.extractor(), self._embedding(), paths, self.pool, self.seed, self.augmented_by()
        )
        pool = functools.reduce(operator.add, self._pools_of_copies(paths, own), own)
        if not self.robust:
            return pool
        size = self._recipe(pool).size
        return trusted_pool(pool, self.groups_of(paths), size, self.seed, own=len(own.vectors))

    def _pools_of_copies(self, paths: list[Path], own: PatchPool) -> list[PatchPool]:
        """Candidates from copies of each kind that is used; which, is chosen first where that is left to the fit."""
        if self.copies == AUTO and self.copies_choice_ is None:
            choice, pools = self._choose_copies(paths, own)
            if self.planned_view().tiled:
                self.copies_choice_ = choice
                return pools
            self.copies_choice_ = choice.with_always()
            return [*pools, *self._copies_of(paths, ALWAYS)]
        chosen = self.copies_choice_
        return self._copies_of(paths, Copies.written(self.copies) if chosen is None else chosen.copies)

    def _copies_of(self, paths: list[Path], copies: Copies) -> list[PatchPool]:
        """Candidates from copies of each kind; of those that nobody has asked for so few that they cannot crowd out the
        photographs as they are, from which they lie far."""
        read, few = (self.extractor(), self._embedding(), paths), max(1, self.coreset_size // _FEW)
        always = self.copies_choice_ is not None
        each = {kind: few if always and kind == ALWAYS else self._each_copy() for kind in copies.kinds()}
        return [gather_copies(*read, kind, most, self.seed) for kind, most in each.items()]

    def _choose_copies(self, paths: list[Path], own: PatchPool) -> tuple[CopiesChoice, list[PatchPool]]:
        if self.planned_view().tiled:
            return CopiesChoice(Copies(), "photographs that are read in tiles are not copied"), []
        if len(paths) < FEWEST:
            why = f"{len(paths)} good photographs are too few to choose on"
            return CopiesChoice(Copies(), why), []
        scoring = self._scoring(own.grid)
        trial = Trial(
            self.extractor(),
            self._embedding(),
            paths,
            own,
            distances=lambda bank: computed_there(NearestPatch(bank, cosine=self.distance == COSINE)),
            score_of=lambda distances: float(scoring(distances)[0]),
            bank=self.coreset_size,
            each=self._each_copy(),
            seed=self.seed,
        )
        return choose_copies(trial)

    def _each_copy(self) -> int:
        """Most candidates of one copy: all copies of a kind together are no more than the images' own."""
        return max(1, min(_EACH_COPY, self.pool // MOST_TURNED))

    def chosen(self) -> dict[str, Any]:
        """And the copies."""
        choice = self.copies_choice_
        return super().chosen() | ({} if choice is None else choice.to_json())

    def more_photographs(self) -> dict[str, Any]:
        """The learning curve that the choice of copies has measured."""
        choice = self.copies_choice_
        return {} if choice is None or choice.more is None else choice.more.to_json()

    def _recipe(self, pool: PatchPool) -> BankRecipe:
        """How a bank is chosen from the pool: of a size that is given, or a share of all patches."""
        size = max(1, round(self.coreset_ratio * pool.patches) if self.coreset_ratio else self.coreset_size)
        return BankRecipe(size, self.seed, self.dimensions if self.reduction == "pca" else 0)

    def _cross_validate(self, paths: list[Path], folds: int) -> dict[int, _Held]:
        """Distances of images to the bank of the other folds, by position; every fold's bank is a coreset too."""
        return self._held.recall((self.key_of(paths), folds), lambda: self._held_out(paths, folds))

    def _held_out(self, paths: list[Path], folds: int) -> dict[int, _Held]:
        pool = self._patches.recall(self.key_of(paths), lambda: self._pool_of(paths))
        chosen = self.drawn(paths, self.calibration_images, self.seed)
        held: dict[int, _Held] = {}
        parts = self.fold_parts(paths, folds, self.seed)
        with task("Scoring good images as if unseen", len(chosen)) as advance:
            for part, bank in zip(parts, self._recipe(pool).without(pool, parts), strict=True):
                head = self._head(bank, pool.grid, weighs_many=False)
                scored = [int(position) for position in part if position in set(chosen.tolist())]
                if self.extractor().contract.tiled:
                    for position, tiles in zip(
                        scored, self.extractor().stream_tiles([paths[one] for one in scored]), strict=True
                    ):
                        distances = stitched_distances(self.extractor(), head, tiles)
                        held[position] = _Held(distances[0, 0], torch.zeros(0), 1.0)
                        advance(1)
                    continue
                stream = self.extractor().stream([paths[position] for position in scored])
                head = on_learning_device(head)
                for position, maps in zip(scored, stream, strict=True):
                    held[position] = _held_by(head, maps)
                    advance(1)
        return held

    def _scores_of(self, held: Iterable[_Held], scoring: PatchScoring) -> tuple[Tensor, Tensor]:
        """Scores and mean patches of images that were scored as if unseen."""
        images = list(held)
        scores = [scoring(one.distances[None, None])[0] for one in images]
        return torch.cat(scores), torch.stack([one.descriptor for one in images])

    def _parts_of(self, paths: list[Path], positions: Iterable[int]) -> Tensor | None:
        """The number of the part that each of some images is of; None where each is of its own."""
        groups = self.groups_of(paths)
        if groups is None:
            return None
        return torch.from_numpy(np.unique([groups[one] for one in positions], return_inverse=True)[1])

    def _scoring(self, grid: tuple[int, int]) -> PatchScoring:
        top = None if self.score == MAP else self.top
        if self.planned_view().tiled:
            return self.patch_scoring(grid, top, self.sigma)
        planned, margin = self.planned_view(), (self.size - self.read_size) // 2
        read = (planned.height - 2 * margin, planned.width - 2 * margin)
        return PatchScoring(grid, read, top, self.sigma, margin)

    def _fitted_head(self) -> PatchCoreHead:
        bank = Bank(require_fitted(self, "memory_bank_"), self.projection_)
        return self._head(bank, self.grid_, None if self.context_ is None else self.context_.network())

    def _head(
        self, bank: Bank, grid: tuple[int, int], context: Context | None = None, weighs_many: bool = True
    ) -> PatchCoreHead:
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
            weighs_many=weighs_many,
        ).eval()


def _held_by(head: PatchCoreHead, maps: FeatureMaps) -> _Held:
    """What a head says of an image that it has not seen."""
    with torch.inference_mode(), in_float32():
        embedded = head.embedding(batch_of_one(maps, learning_device()))
        patches, distances = head.distances(embedded)
        weight = head.reweighting(patches, distances).cpu() if head.reweighting else 1.0
        pooled = farthest_patches(patches, distances)
    return _Held(distances[0, 0].cpu(), embedded.mean((2, 3))[0].cpu(), weight, pooled.cpu())
