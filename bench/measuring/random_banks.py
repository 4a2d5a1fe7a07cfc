"""Scores of good photographs by memory banks of many random choices of them, in one pass over the features.

The bank of a choice is what its photographs' own coresets hold together. The distance of a patch to it is the least of
those to the photographs in it, so that each photograph is compared with every other once, and all banks, those of the
folds too, follow by taking minima.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from blemish.core.folds import fold_positions
from blemish.core.progress import track
from blemish.detectors.frozen import batch_of_one
from blemish.detectors.layers import enlarging_matrix
from blemish.detectors.memory.nearest_patch import EUCLIDEAN, patch_embedding
from blemish.detectors.memory.patch_pool import choose_bank
from blemish.detectors.memory.patchcore import PatchCore
from blemish.evaluation.disturbances import in_other_brightness
from blemish.features.extraction import FeatureExtractor, FeatureMaps
from blemish.features.pixels import PixelCache

FOLDS, SIMILAR = PatchCore.calibration_folds, PatchCore.context
_FEWEST_FOR_CONTEXT = 20
_FINER = 2
"""The map is smoothed on this many points a patch, not on every pixel."""

FloatArray = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Choice:
    """Photographs that are calibrated on, in the order of their folds, and where each fold begins."""

    order: npt.NDArray[np.intp]
    starts: npt.NDArray[np.intp]

    def fold_of(self, count: int) -> npt.NDArray[np.intp]:
        """The fold of each of so many photographs, -1 of those that were not chosen."""
        folds = np.full(count, -1)
        folds[self.order] = np.searchsorted(self.starts, np.arange(len(self.order)), side="right") - 1
        return folds


def drawn(groups: npt.NDArray[np.integer], n: int, seed: int) -> Choice:
    """All photographs of n of the groups, drawn by chance, in the folds that a fit would make of them."""
    names = np.unique(groups)
    chosen = np.random.default_rng((n, seed)).permutation(names)[:n]
    members = np.flatnonzero(np.isin(groups, chosen))
    parts = fold_positions(len(members), FOLDS, seed, groups[members].tolist())
    starts = np.cumsum([0, *(len(part) for part in parts)])[:-1]
    return Choice(members[np.concatenate(parts)], starts)


class Photographs:
    """The features of a set's good photographs: their own coresets, and all patches when they are wanted."""

    def __init__(self, paths: Sequence[Path], size: int, each: int, seed: int = 0) -> None:
        detector = PatchCore(size=size)
        detector.look_as(detector.plan_view(list(paths)))
        self.paths = list(paths)
        self.extractor: FeatureExtractor = detector.extractor()
        self.embedding = patch_embedding(detector.neighbourhood, EUCLIDEAN)
        banks, means = [], []
        for patches in track(self.patches(1.0), "Choosing coresets", len(paths)):
            banks.append(choose_bank(patches, each, seed))
            means.append(patches.mean(0))
        self.descriptors, self.centre = torch.stack(means), torch.stack(means).mean(0)
        self.bank = torch.cat(banks) - self.centre
        self.squares = (self.bank * self.bank).sum(1)[:, None]
        # Distances are kept as whole numbers, of which a processor takes minima many at once.
        self.step = 4 * float(self.squares.max().sqrt()) / np.iinfo(np.uint16).max
        sigma = detector.sigma * self.grid[0] * _FINER / self.extractor.contract.height
        self.rows, self.columns = (enlarging_matrix(side, side * _FINER, sigma).numpy() for side in self.grid)

    @property
    def grid(self) -> tuple[int, int]:
        """Rows and columns of patches."""
        _, height, width = self.extractor.shapes[0]
        return height, width

    def patches(self, brightness: float, images: Sequence[int] | None = None) -> Iterator[Tensor]:
        """The patches of each photograph, or of these, P x D, with its grey levels times `brightness`."""
        paths = self.paths if images is None else [self.paths[image] for image in images]
        for maps in self.extractor.stream(paths) if brightness == 1 else self._relit(paths, brightness):
            yield self.embedding(batch_of_one(maps)).flatten(2)[0].T.contiguous()

    def _relit(self, paths: Sequence[Path], brightness: float) -> Iterator[FeatureMaps]:
        pixels = PixelCache()
        for path in paths:
            picture = pixels.read(path, self.extractor.contract)
            yield self.extractor.extract_resized(in_other_brightness(picture, brightness))

    def to_each(self, patches: Tensor) -> npt.NDArray[np.uint16]:
        """Distances of patches to the coreset of each photograph, N x P, in steps."""
        centred = patches - self.centre
        relative = torch.addmm(self.squares, self.bank, centred.T, alpha=-2)
        nearest = relative.view(len(self.paths), -1, len(patches)).amin(1) + (centred * centred).sum(1)
        steps = nearest.clamp_(min=0).sqrt_().div_(self.step).round_().clamp_(max=np.iinfo(np.uint16).max)
        return steps.numpy().astype(np.uint16)

    def score(self, distances: npt.NDArray[np.uint16]) -> FloatArray:
        """Scores of B maps of distances, B x P: the highest value of each once it is smoothed."""
        maps = distances.reshape(-1, *self.grid).astype(np.float32)
        return np.asarray((self.rows @ maps @ self.columns.T).max((1, 2)) * self.step, np.float64)


def scores(
    photographs: Photographs, choices: Sequence[Choice], images: Sequence[int], brightness: float = 1.0
) -> Iterator[FloatArray]:
    """Scores of each of these photographs under every choice: of one that was chosen by the bank without its fold."""
    folds = [choice.fold_of(len(photographs.paths)) for choice in choices]
    for image, rows in zip(images, photographs.patches(brightness, images), strict=True):
        to_each = photographs.to_each(rows)
        nearest = np.empty((len(choices), to_each.shape[1]), np.uint16)
        for place, choice in enumerate(choices):
            of_folds = np.stack([to_each[part].min(0) for part in np.split(choice.order, choice.starts[1:])])
            own = folds[place][image]
            nearest[place] = (of_folds if own < 0 else np.delete(of_folds, own, 0)).min(0)
        yield photographs.score(nearest)


def in_context(photographs: Photographs, choice: Choice, plain: FloatArray, others: FloatArray) -> None:
    """Make scores relative to those of similar good photographs, in place.

    As `blemish.detectors.memory.context` does, for all at once; only that it does not put photographs together that
    look exactly alike.

    Args:
        photographs: of the set.
        choice: which of them are calibrated on.
        plain: their scores and those of the rest, N.
        others: the same of the rest in other light, N; their likeness is taken from these photographs as they are.
    """
    held, n = choice.order, len(choice.order)
    if n < _FEWEST_FOR_CONTEXT:
        return
    descriptors = photographs.descriptors / (photographs.descriptors[held].std(0) + 1e-6)
    distances = torch.cdist(descriptors, descriptors[held])
    distances[held, torch.arange(n)] = torch.inf
    nearest = torch.topk(distances, max(1, min(SIMILAR, n // 5)), largest=False).indices.numpy()
    actual = plain[held]
    foretold = actual[nearest].mean(1)
    general = np.full(len(plain), actual.mean())
    general[held] = (actual.sum() - actual) / (n - 1)
    expected = foretold[held] - foretold[held].mean()
    slope = float(np.clip(expected @ (actual - actual.mean()) / max(expected @ expected, 1e-12), 0, 1))
    plain -= slope * (foretold - general)
    others -= slope * (foretold - general)
