"""PatchCore: the distance of every patch to the nearest patch of good images.

Karsten Roth et al., "Towards Total Recall in Industrial Anomaly Detection", CVPR 2022, with two changes that can
be set back (`top=0`, `context=0`, or a preset): the image score is the mean of the highest 1 % of patch distances
(as in AnomalyDINO, Damm et al., 2025), and it is taken relative to the good images most like this one.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Self

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor, nn

from blemish.core.errors import UsageError
from blemish.core.progress import task, track
from blemish.core.types import Prediction
from blemish.data.catalog import Catalog
from blemish.detectors.base import State, fold_positions, normal_images, require_fitted
from blemish.detectors.context import LearntContext, learn_context
from blemish.detectors.coreset import greedy_coreset, random_projection
from blemish.detectors.frozen import BackboneWithHead, FrozenFeatureDetector, batch_of_one
from blemish.detectors.nets.nearest_patch import PatchCoreHead, PatchEmbedding
from blemish.detectors.registry import register

_PROJECTED = 64
_FOLDS = 4
_FEWEST_FOR_CONTEXT = 20


@dataclasses.dataclass
class _Pool:
    """Candidate patches for the bank: N x D vectors, and for each the position of its image."""

    vectors: Tensor
    owners: Tensor


@dataclasses.dataclass
class _Held:
    """What a fold's bank says of an image it has not seen: patch distances (h x w), the mean patch (D), and the
    weight of the score."""

    distances: Tensor
    descriptor: Tensor
    weight: Tensor | float


@register(
    "patchcore",
    summary="Nearest patch of good images; the default: strong everywhere, learns in a minute, no training.",
    learns_from="normal images",
    gives_maps=True,
    reference="Roth et al., Towards Total Recall in Industrial Anomaly Detection, CVPR 2022",
    presets={
        "paper": {"top": 0.0, "context": 0, "reweighting": 9, "coreset_ratio": 0.1},
        "quick": {"size": 256, "coreset_size": 1000, "pool": 40_000},
    },
)
@dataclasses.dataclass
class PatchCore(FrozenFeatureDetector):
    """PatchCore on any number of training images in bounded memory.

    Patches are streamed. Where they are more than `pool`, every image first gives only its own greedy coreset (the
    coreset of coresets keeps a constant-factor guarantee: Indyk et al., 2014), so memory does not grow with the number
    of images.

    Attributes:
        neighbourhood: patches are averaged over this many positions squared.
        coreset_size: vectors in the memory bank.
        coreset_ratio: when not 0, the bank's size as a share of all training patches instead.
        pool: most candidate patches held at once.
        top: share of the highest patch distances whose mean is the score; 0 takes the maximum.
        context: number of most similar good images that a score is relative to; 0 for none.
        reweighting: bank neighbours in the paper's weight of the score; 0 for none.
        sigma: smoothing of the map, in pixels of the input.
        calibration_images: most training images scored as if unseen.

    After `fit`: `memory_bank_` (vectors x D), `grid_` (h, w), and `context_` (None where there
    are too few images for one).
    """

    neighbourhood: int = 3
    coreset_size: int = 2000
    coreset_ratio: float = 0.0
    pool: int = 100_000
    top: float = 0.01
    context: int = 30
    reweighting: int = 0
    sigma: float = 4.0
    calibration_images: int = 1000
    context_: LearntContext | None = dataclasses.field(default=None, init=False, repr=False, compare=False)

    def fit(self, catalog: Catalog) -> Self:
        """Fill the memory bank from the normal training images, and learn what they score as if unseen."""
        self._check_parameters()
        # Parameters or files may have changed since an earlier fit.
        self._held: tuple[tuple[tuple[Path, ...], int], dict[int, _Held]] | None = None
        paths = normal_images(catalog)
        pool = self._pool_of(paths)
        with task("Choosing the memory bank", None):
            self.memory_bank_ = self._bank_of(pool, pool.owners >= 0)
        self.context_ = None
        if self.context and len(paths) >= _FEWEST_FOR_CONTEXT:
            scores, descriptors = self._scores_of(self._cross_validate(paths, _FOLDS).values())
            self.context_ = learn_context(descriptors, scores, self.context)
        return self

    def predict(self, paths: Sequence[Path]) -> Iterator[Prediction]:
        """Score photographs one by one, in order."""
        head = self._head()
        for maps in self.extractor().stream(paths):
            with torch.inference_mode():
                yield _prediction(*head(batch_of_one(maps)))

    def cross_predict(self, catalog: Catalog, folds: int) -> Iterator[tuple[int, Prediction]]:
        """Score normal training images (at most `calibration_images`) as if unseen; see the base class.

        The context of each image is learnt from the other images alone.
        """
        require_fitted(self, "memory_bank_")
        paths = normal_images(catalog)
        held = self._cross_validate(paths, folds)
        scoring = self._head().scoring
        context = self.context_
        if context is not None:
            scores, descriptors = self._scores_of(held.values())
            context = dataclasses.replace(context, scores=scores, descriptors=descriptors)
        for row, (position, one) in enumerate(held.items()):
            distances = one.distances[None, None]
            if context is not None:
                distances = distances - context.network(without=row)(one.descriptor[None])
            score, anomaly_map = scoring(distances)
            yield position, _prediction(score * one.weight, anomaly_map)

    def network(self) -> nn.Module:
        """The fitted detector as one graph."""
        return BackboneWithHead(self.extractor().backbone, self._head()).eval()

    def state(self) -> State:
        """The memory bank and the context, as arrays."""
        bank: Tensor = require_fitted(self, "memory_bank_")
        state: State = {"memory_bank": bank.numpy(), "grid": np.array(self.grid_)}
        if self.context_ is not None:
            state |= {
                "descriptors": self.context_.descriptors.numpy(),
                "descriptor_scale": self.context_.scale.numpy(),
                "scores": self.context_.scores.numpy(),
                "similar": np.array(self.context_.similar),
                "slope": np.array(self.context_.slope),
            }
        return state

    def restore(self, state: Mapping[str, npt.NDArray[Any]]) -> Self:
        """Become the detector whose `state` this is."""
        self.memory_bank_ = torch.from_numpy(state["memory_bank"])
        self.grid_ = (int(state["grid"][0]), int(state["grid"][1]))
        self.context_ = None
        if "scores" in state:
            self.context_ = LearntContext(
                descriptors=torch.from_numpy(state["descriptors"]),
                scale=torch.from_numpy(state["descriptor_scale"]),
                scores=torch.from_numpy(state["scores"]),
                similar=int(state["similar"]),
                slope=float(state["slope"]),
            )
        return self

    def _check_parameters(self) -> None:
        """Refuse values that cannot be meant."""
        wrong = {
            "neighbourhood": self.neighbourhood < 1 or self.neighbourhood % 2 == 0,
            "coreset_size": self.coreset_size < 1,
            "coreset_ratio": not 0 <= self.coreset_ratio <= 1,
            "pool": self.pool < 1000,
            "top": not 0 <= self.top <= 1,
            "context": self.context < 0,
            "reweighting": self.reweighting < 0,
            "sigma": not 0 <= self.sigma <= self.size,
            "calibration_images": self.calibration_images < 2,
        }
        for name, bad in wrong.items():
            if bad:
                raise UsageError(
                    f"{name}={getattr(self, name)} is not possible for patchcore: see blemish detectors."
                )

    def _pool_of(self, paths: list[Path]) -> _Pool:
        """Candidates from all images, in bounded memory."""
        embedding = PatchEmbedding(self.neighbourhood)
        extractor = self.extractor()
        vectors, owners = [], []
        stream = extractor.stream(paths)
        for position, maps in enumerate(track(stream, "Reading good images", len(paths))):
            patches = embedding(batch_of_one(maps))
            self.grid_ = (int(patches.shape[2]), int(patches.shape[3]))
            rows = patches.flatten(2)[0].T.contiguous()
            most = max(1, self.pool // len(paths))
            if len(rows) > most:
                rows = rows[greedy_coreset(random_projection(rows, _PROJECTED, self.seed), most, self.seed)]
            vectors.append(rows)
            owners.append(torch.full((len(rows),), position))
        self._patches = len(paths) * self.grid_[0] * self.grid_[1]
        self._memo = (tuple(paths), _Pool(torch.cat(vectors), torch.cat(owners)))
        return self._memo[1]

    def _bank_of(self, pool: _Pool, keep: Tensor) -> Tensor:
        """The greedy coreset of the pool's rows to keep."""
        candidates = pool.vectors[keep]
        size = round(self.coreset_ratio * self._patches) if self.coreset_ratio else self.coreset_size
        projected = random_projection(candidates, _PROJECTED, self.seed)
        return candidates[greedy_coreset(projected, max(1, size), self.seed)]

    def _cross_validate(self, paths: list[Path], folds: int) -> dict[int, _Held]:
        """Distances of images to the bank of the other folds, by position; every fold's bank is a coreset too."""
        remembered = getattr(self, "_held", None)
        if remembered is not None and remembered[0] == (tuple(paths), folds):
            return dict(remembered[1])
        memo = getattr(self, "_memo", None)
        pool = memo[1] if memo is not None and memo[0] == tuple(paths) else self._pool_of(paths)
        chosen = np.random.default_rng(self.seed).permutation(len(paths))[: self.calibration_images]
        embedding = PatchEmbedding(self.neighbourhood)
        held: dict[int, _Held] = {}
        with task("Scoring good images as if unseen", len(chosen)) as advance:
            for part in fold_positions(len(paths), folds, self.seed):
                outside = ~torch.isin(pool.owners, torch.from_numpy(part))
                head = self._head(self._bank_of(pool, outside))
                scored = [int(position) for position in part if position in set(chosen.tolist())]
                stream = self.extractor().stream([paths[position] for position in scored])
                for position, maps in zip(scored, stream, strict=True):
                    with torch.inference_mode():
                        patches = embedding(batch_of_one(maps))
                        distances = head.nearest(patches)
                        weight = head.reweighting(patches, distances) if head.reweighting else 1.0
                    held[position] = _Held(distances[0, 0], patches.mean((2, 3))[0], weight)
                    advance(1)
        self._held = ((tuple(paths), folds), held)
        return held

    def _scores_of(self, held: Iterable[_Held]) -> tuple[Tensor, Tensor]:
        """Scores and mean patches of images that were scored as if unseen."""
        images = list(held)
        scoring = self._head().scoring
        scores = [scoring(one.distances[None, None])[0] for one in images]
        return torch.cat(scores), torch.stack([one.descriptor for one in images])

    def _head(self, bank: Tensor | None = None) -> PatchCoreHead:
        """The head around a bank: the fitted one with its context, or a fold's without."""
        context = None
        if bank is None:
            bank = require_fitted(self, "memory_bank_")
            context = self.context_.network() if self.context_ is not None else None
        return PatchCoreHead(
            bank,
            self.grid_,
            (self.size, self.size),
            neighbourhood=self.neighbourhood,
            top=self.top,
            sigma=self.sigma,
            reweighting=self.reweighting,
            context=context,
        ).eval()


def _prediction(score: Tensor, anomaly_map: Tensor) -> Prediction:
    return Prediction(float(score[0]), anomaly_map.numpy().astype(np.float32, copy=True))
