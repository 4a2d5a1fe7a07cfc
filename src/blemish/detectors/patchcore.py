"""PatchCore: the distance of every patch to the nearest patch of good images.

Karsten Roth et al., "Towards Total Recall in Industrial Anomaly Detection", CVPR 2022, with two changes that can
be set back (`top=0`, `context=0`, or a preset): the image score is the mean of the highest 1 % of patch distances
(as in AnomalyDINO, Damm et al., 2025), and it is taken relative to the good images most like this one.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Mapping, Sequence
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
from blemish.detectors.coreset import greedy_coreset, random_projection
from blemish.detectors.frozen import BackboneWithHead, FrozenFeatureDetector, batch_of_one
from blemish.detectors.nets.nearest_patch import Context, PatchCoreHead, PatchEmbedding
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
    """What a fold's bank says of an image it has not seen: patch distances (h x w) and the mean patch (D)."""

    distances: Tensor
    descriptor: Tensor


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

    After `fit`: `memory_bank_` (vectors x D), `grid_` (h, w), and for the context `descriptors_`,
    `descriptor_scale_`, `scores_`, `slope_`.
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

    def fit(self, catalog: Catalog) -> Self:
        """Fill the memory bank from the normal training images, and learn what they score as if unseen."""
        self._check_parameters()
        paths = normal_images(catalog)
        pool = self._pool_of(paths)
        with task("Choosing the memory bank", None):
            self.memory_bank_ = self._bank_of(pool, pool.owners >= 0)
        self.descriptors_ = self.descriptor_scale_ = self.scores_ = None
        self.slope_ = 0.0
        if self.context and len(paths) >= _FEWEST_FOR_CONTEXT:
            held = self._cross_validate(paths, _FOLDS)
            self._learn_context(list(held.values()))
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
        positions, held = zip(*self._cross_validate(paths, folds).items(), strict=True)
        scoring = self._head().scoring
        raw = torch.stack([scoring(one.distances[None, None])[0][0] for one in held])
        descriptors = torch.stack([one.descriptor for one in held])
        for row, (position, one) in enumerate(zip(positions, held, strict=True)):
            distances = one.distances[None, None]
            if self.descriptors_ is not None:
                others = torch.arange(len(held)) != row
                context = self._context(descriptors[others], raw[others], self.slope_)
                distances = distances - context(one.descriptor[None])
            yield position, _prediction(*scoring(distances))

    def network(self) -> nn.Module:
        """The fitted detector as one graph."""
        return BackboneWithHead(self.extractor().backbone, self._head()).eval()

    def state(self) -> State:
        """The memory bank and the context, as arrays."""
        bank: Tensor = require_fitted(self, "memory_bank_")
        state: State = {"memory_bank": bank.numpy(), "grid": np.array(self.grid_)}
        if self.descriptors_ is not None:
            state |= {
                "descriptors": self.descriptors_.numpy(),
                "descriptor_scale": self.descriptor_scale_.numpy(),
                "scores": self.scores_.numpy(),
                "slope": np.array(self.slope_),
            }
        return state

    def restore(self, state: Mapping[str, npt.NDArray[Any]]) -> Self:
        """Become the detector whose `state` this is."""
        self.memory_bank_ = torch.from_numpy(state["memory_bank"])
        self.grid_ = (int(state["grid"][0]), int(state["grid"][1]))
        given = "descriptors" in state
        self.descriptors_ = torch.from_numpy(state["descriptors"]) if given else None
        self.descriptor_scale_ = torch.from_numpy(state["descriptor_scale"]) if given else None
        self.scores_ = torch.from_numpy(state["scores"]) if given else None
        self.slope_ = float(state["slope"]) if given else 0.0
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
            "sigma": self.sigma < 0,
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
        pool = self._memo[1] if self._memo[0] == tuple(paths) else self._pool_of(paths)
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
                        held[position] = _Held(head.nearest(patches)[0, 0], patches.mean((2, 3))[0])
                    advance(1)
        self._held = ((tuple(paths), folds), held)
        return held

    def _learn_context(self, held: list[_Held]) -> None:
        """Learn from normal images alone how far similar images foretell a score: a regression slope in [0, 1]."""
        scoring = self._head().scoring
        self.scores_ = torch.stack([scoring(one.distances[None, None])[0][0] for one in held])
        self.descriptors_ = torch.stack([one.descriptor for one in held])
        self.descriptor_scale_ = self.descriptors_.std(0) + 1e-6
        expected = torch.empty_like(self.scores_)
        for row in range(len(held)):
            others = torch.arange(len(held)) != row
            context = self._context(self.descriptors_[others], self.scores_[others], slope=1.0)
            expected[row] = context(self.descriptors_[row][None])[0]
        centred, deviations = expected - expected.mean(), self.scores_ - self.scores_.mean()
        slope = float((centred * deviations).sum() / (centred * centred).sum().clamp(min=1e-12))
        self.slope_ = min(max(slope, 0.0), 1.0)

    def _context(self, descriptors: Tensor, scores: Tensor, slope: float) -> Context:
        """The context of these normal images; of few images, at most a fifth are taken for similar."""
        assert self.descriptor_scale_ is not None
        similar = max(1, min(self.context, len(scores) // 5))
        return Context(descriptors, scores, self.descriptor_scale_, similar, slope)

    def _head(self, bank: Tensor | None = None) -> PatchCoreHead:
        """The head around a bank: the fitted one with its context, or a fold's without."""
        context = None
        if bank is None:
            bank = require_fitted(self, "memory_bank_")
            if self.descriptors_ is not None and self.scores_ is not None:
                context = self._context(self.descriptors_, self.scores_, self.slope_)
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
