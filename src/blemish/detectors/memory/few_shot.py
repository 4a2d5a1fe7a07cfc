"""Few shots: a detector from 1 to 16 good photographs.

`nearest` after Simon Damm et al., "AnomalyDINO: Boosting Patch-based Few-shot Anomaly Detection with DINOv2", WACV
2025: nearest patch, turned copies in the bank, the background masked. `subspace` after Camile Lendering, Erkut Akdag,
Egor Bondarev, "SubspaceAD: Training-Free Few-Shot Anomaly Detection via Subspace Modeling", CVPR 2026: the residual of
principal components, here its length, not its square. Both on any backbone.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import ClassVar

import numpy as np
import torch
from torch import Tensor, nn

from blemish.core.progress import task, track
from blemish.core.types import ByteArray, Prediction
from blemish.data.catalog import Catalog
from blemish.detectors.augmentation import COPIES
from blemish.detectors.bank_sources import ITSELF, BankSources, Copy, grid_places
from blemish.detectors.copies import Copies
from blemish.detectors.frozen import BackboneWithHead, FrozenFeatureDetector, batch_of_one, said_by
from blemish.detectors.good_images import normal_images
from blemish.detectors.layers import PatchScoring
from blemish.detectors.memo import Memo
from blemish.detectors.memory.foreground import Foreground, border_of, learn_foreground
from blemish.detectors.memory.nearest_patch import (
    COSINE,
    DISTANCES,
    EUCLIDEAN,
    DistanceHead,
    NearestPatch,
    patch_embedding,
)
from blemish.detectors.memory.patch_pool import augmented_patches, bank_rows, turned_patches
from blemish.detectors.memory.subspace import SubspaceResidual, learn_subspace
from blemish.detectors.parameters import refuse, require_fitted
from blemish.detectors.turned_copies import exact_copies
from blemish.features.pixels import PixelCache
from blemish.features.together import Reads


@dataclasses.dataclass(frozen=True)
class _Shot:
    """A good photograph: patches of its turned copies (N x D each), of itself (D x h x w), and of augmented copies; and
    of the patches of all copies the places (N x 3 each)."""

    copies: list[Tensor]
    upright: Tensor
    augmented: list[Tensor] = dataclasses.field(default_factory=list)
    places: list[Tensor] = dataclasses.field(default_factory=list)


@dataclasses.dataclass(frozen=True)
class _Good:
    """What is known of good patches: the memory bank or the subspace, which are the part, how many (h, w) an image
    has, and which of all patches the bank holds."""

    known: Tensor | SubspaceResidual
    foreground: Foreground | None
    grid: tuple[int, int]
    rows: Tensor | None = None


@dataclasses.dataclass
class FewShot(FrozenFeatureDetector):
    """Few-shot detection; one good photograph is enough.

    Of more than `images` good photographs, as many are taken at random by the seed; the others serve calibration.
    The image's score is the mean of the highest `top` share of the patch distances.

    Attributes:
        method: "nearest" for the distance to the nearest good patch, "subspace" for the distance from the
            principal components of good patches.
        distance: to the nearest patch: "euclidean", or "cosine", which is 1 less the cosine.
        images: most good photographs learnt from, 1 to 16.
        rotations: turned copies of each, at equal angles; 1 for none but itself.
        masking: whether the background is masked where it can be told for certain
            (`blemish.detectors.memory.foreground.learn_foreground` has the rule).
        neighbourhood: patches are averaged over this many positions squared.
        bank_size: most vectors in the memory bank of `nearest`; beyond it, their greedy coreset.
        pool: most candidate patches held at once.
        explained: share of the variance that the components of `subspace` hold.
        top: share of the highest patch distances whose mean is the score; 0 takes the maximum.
        sigma: smoothing of the map, in pixels of the input.
        calibration_images: most photographs scored as if unseen beyond those learnt from.

    After `fit`: `good_` (what is known of good patches) and `sources_` (where those of a memory bank come from).
    """

    name: ClassVar[str] = "few-shot"
    measures: ClassVar[str] = "distance from good patches"
    augments: ClassVar[bool] = True
    later: ClassVar[tuple[str, ...]] = ("distance",)

    method: str = "nearest"
    distance: str = EUCLIDEAN
    images: int = 16
    rotations: int = 8
    masking: bool = True
    neighbourhood: int = 3
    bank_size: int = 5000
    pool: int = 100_000
    explained: float = 0.99
    top: float = 0.01
    sigma: float = 4.0
    calibration_images: int = 1000
    _shots: Memo[dict[int, _Shot]] = dataclasses.field(
        default_factory=Memo, init=False, repr=False, compare=False
    )

    def reads(self) -> Reads:
        """The backbone's feature maps, and pixels to turn."""
        return dataclasses.replace(super().reads(), contracts=(self.preprocessing(),))

    def learn(self, catalog: Catalog) -> None:
        """Learn from turned copies of a few good photographs."""
        self._check_parameters()
        paths = normal_images(catalog, fewest=1)
        shots = self._shots.keep(self.key_of(paths), self._shots_of(paths))
        with task("Choosing the memory bank", None):
            self.good_ = self._learn(shots.values())
        self.sources_ = None if self.good_.rows is None else self._sources(shots, self.good_.rows, paths)

    def bank_sources(self) -> BankSources | None:
        """Where the stored vectors come from; None of a subspace."""
        require_fitted(self, "good_")
        return self.sources_

    def predict_files(self, paths: Sequence[Path]) -> Iterator[Prediction]:
        """Score photographs one by one, in order."""
        return self.scored_by(self._head(require_fitted(self, "good_")), paths)

    def predict_unseen(self, catalog: Catalog, folds: int) -> Iterator[tuple[int, Prediction]]:
        """Score normal training images as if unseen; see the base class.

        Those learnt from are scored by what the other folds teach. Those that were not taken (see `images`) are unseen
        as they are, unless one of their group was. Where there is but one good photograph, its own eight exact copies
        (quarter turns, mirrored or not) are scored, all under position 0, each against a bank without that copy: that
        is less than other photographs would tell, so expect more false rejects than calibrated until there are some.
        """
        require_fitted(self, "good_")
        paths = normal_images(catalog, fewest=1)
        shots = self._shots.recall(self.key_of(paths), lambda: self._shots_of(paths))
        if len(paths) == 1:
            yield from ((0, prediction) for prediction in self._of_own_copies(paths[0], shots[0]))
            return
        taken, groups = sorted(shots), self.groups_of(paths) or range(len(paths))
        taught = {groups[position] for position in taken}
        unseen = [
            position for position in self._drawn(paths)[self.images :] if groups[position] not in taught
        ]
        unseen = unseen[: self.calibration_images]
        yield from zip(unseen, self.predict_seen([paths[position] for position in unseen]), strict=True)
        if unseen and len(taught) == 1:
            return
        with task("Scoring good images as if unseen", len(taken)) as advance:
            for part in self.fold_parts([paths[position] for position in taken], folds, self.seed):
                held_out = [taken[place] for place in part]
                head = self._head(self._learn(shot for key, shot in shots.items() if key not in held_out))
                for position in held_out:
                    advance(1)
                    maps = self.extractor().extract(paths[position])
                    yield position, said_by(head, batch_of_one(maps))

    def network(self) -> nn.Module:
        """The fitted detector as one graph."""
        return BackboneWithHead(self.extractor().backbone, self._head(require_fitted(self, "good_"))).eval()

    def _check_parameters(self) -> None:
        """Refuse values that cannot be meant."""
        wrong = {
            "method": self.method not in ("nearest", "subspace"),
            "distance": self.distance not in (DISTANCES if self.method == "nearest" else (EUCLIDEAN,)),
            "images": not 1 <= self.images <= 16,
            "rotations": not 1 <= self.rotations <= 360,
            "neighbourhood": self.neighbourhood < 1 or self.neighbourhood % 2 == 0,
            "bank_size": self.bank_size < 1,
            "pool": self.pool < 1000,
            "explained": not 0 < self.explained < 1,
            "top": not 0 <= self.top <= 1,
            "sigma": not 0 <= self.sigma <= self.size,
            "calibration_images": self.calibration_images < 0,
        }
        refuse(self, wrong)

    def _drawn(self, paths: list[Path]) -> list[int]:
        """Positions of all good photographs in the order in which the seed draws them."""
        order: list[int] = np.random.default_rng(self.seed).permutation(len(paths)).tolist()
        return order

    def _shots_of(self, paths: list[Path]) -> dict[int, _Shot]:
        """The photographs learnt from, by position."""
        taken = sorted(self._drawn(paths)[: self.images])
        most = max(1, self.pool // (len(taken) * (self.rotations + self.maps_each() - 1)))
        return {
            position: self._shot_of(paths[position], most) for position in track(taken, "Turning good images")
        }

    def _shot_of(self, path: Path, most: int) -> _Shot:
        """Patches of a photograph, of its turned and of its augmented copies, at most `most` of each copy."""
        upright, embedding, augmentation = self._patches_of(path), self._embedding(), self.augmented_by()
        grid = int(upright.shape[2]), int(upright.shape[3])
        copies, augmented, places = list[Tensor](), list[Tensor](), list[Tensor]()
        itself = upright.flatten(2)[0].T, torch.from_numpy(grid_places(*grid))
        for rows, at in (itself, *turned_patches(self.extractor(), embedding, path, self.rotations)):
            kept = self._thinned(rows := rows.contiguous(), most)
            copies.append(rows[kept])
            places.append(at[kept])
        if augmentation is not None:
            more = augmented_patches(self.extractor(), embedding, path, augmentation)
            for number, rows in enumerate(more, self.rotations):
                kept = self._thinned(rows := rows.contiguous(), most)
                augmented.append(rows[kept])
                places.append(torch.from_numpy(grid_places(*grid, number))[kept])
        return _Shot(copies, upright[0], augmented, places)

    def _sources(self, shots: Mapping[int, _Shot], rows: Tensor, paths: list[Path]) -> BankSources:
        """Where rows of all that the shots hold come from."""
        places = torch.cat([torch.cat(shot.places) for shot in shots.values()])[rows]
        counts = torch.tensor([sum(map(len, shot.places)) for shot in shots.values()])
        owners = torch.tensor(list(shots)).repeat_interleave(counts)[rows]
        turns, augmentation = Copies(turns=self.rotations), self.augmented_by()
        made = [Copy(turns, number) for number in range(len(turns))]
        made += [] if augmentation is None else [Copy(augmentation, number) for number in range(COPIES)]
        return BankSources(paths, owners.numpy(), places.numpy(), (ITSELF, *made), self.good_.grid)

    def _image_of(self, path: Path) -> ByteArray:
        """The photograph at the input's size, uint8 RGB."""
        return PixelCache().read(path, self.preprocessing())

    def _embedding(self) -> nn.Module:
        """From feature maps to patch vectors."""
        return patch_embedding(self.neighbourhood, self.distance)

    def _patches_of(self, path: Path) -> Tensor:
        """Patch vectors 1 x D x h x w of a photograph."""
        patches: Tensor = self._embedding()(batch_of_one(self.extractor().extract(path)))
        return patches

    def _thinned(self, rows: Tensor, most: int) -> Tensor:
        """Which of the patches are kept: far ones to find the nearest among, random ones to learn a variance from."""
        if self.method == "nearest" or len(rows) <= most:
            return bank_rows(rows, most, self.seed)
        return torch.from_numpy(np.random.default_rng(self.seed).permutation(len(rows))[:most])

    def _learn(self, shots: Iterable[_Shot]) -> _Good:
        """What photographs teach."""
        known = list(shots)
        rows = torch.cat([copy for shot in known for copy in (*shot.copies, *shot.augmented)])
        _, *sides = known[0].upright.shape
        grid, foreground = (int(sides[0]), int(sides[1])), None
        if self.masking:
            foreground = learn_foreground(
                [shot.upright for shot in known], border_of(self.extractor(), self.neighbourhood)
            )
        if self.method == "subspace":
            return _Good(learn_subspace(rows, self.explained), foreground, grid)
        chosen = bank_rows(rows, self.bank_size, self.seed)
        return _Good(rows[chosen], foreground, grid, chosen)

    def _of_own_copies(self, path: Path, shot: _Shot) -> Iterator[Prediction]:
        """The only photograph's exact copies, each scored without itself and without augmented ones."""
        for quarters, mirrored, copy in exact_copies(self._image_of(path)):
            left_out = None if mirrored else quarters * self.rotations / 4
            others = [rows for number, rows in enumerate(shot.copies) if number != left_out]
            if not others:
                continue
            head = self._head(self._learn([_Shot(others, shot.upright)]))
            yield said_by(head, batch_of_one(self.extractor().extract_resized(copy)))

    def _head(self, good: _Good) -> DistanceHead:
        """The head around what is known of good patches."""
        known, cosine = good.known, self.distance == COSINE
        distance = known if isinstance(known, SubspaceResidual) else NearestPatch(known, cosine=cosine)
        scoring = PatchScoring(good.grid, (self.size, self.size), self.top, self.sigma)
        return DistanceHead(self._embedding(), distance, scoring, good.foreground).eval()
