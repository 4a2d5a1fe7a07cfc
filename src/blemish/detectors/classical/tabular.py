"""What the classical detectors share: one row of features an image, scaled, reduced, and scored by a small model.

They say whether, not where: their maps are the score everywhere.
"""

from __future__ import annotations

import dataclasses
import warnings
from abc import abstractmethod
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, ClassVar, Self

import numpy as np
import numpy.typing as npt
import torch
from torch import nn

from blemish.core.errors import CatalogError, UsageError
from blemish.core.folds import fold_positions
from blemish.core.images import read_image
from blemish.core.progress import task, track
from blemish.core.types import FloatArray, Prediction
from blemish.data.catalog import Catalog
from blemish.detectors.base import normal_images, require_fitted
from blemish.detectors.classical.head import Projection, TabularHead
from blemish.detectors.classical.projection import SCALINGS, Arrays, Rows, fit_projection, project
from blemish.detectors.frozen import BackboneDetector, BackboneWithHead
from blemish.detectors.inputs import files_of
from blemish.detectors.memo import Memo
from blemish.features.handcrafted import HandcraftedVectors
from blemish.features.pooled import PooledVectors, depth_taps

DIRECT = "direct"
FEATURES = ("deep-mid", "deep-last", DIRECT)
FEWEST = 5
_BLOCK = 64  # rows scored at once: some models compare each with every good one


@dataclasses.dataclass(frozen=True)
class _Copies:
    """Rows of augmented copies (D each), and of each the position of its photograph."""

    rows: list[FloatArray]
    owners: npt.NDArray[np.intp]

    def joined_to(self, rows: FloatArray, without: npt.NDArray[np.intp] | None = None) -> FloatArray:
        """Rows of photographs (N x D), and those of the copies but of the photographs in `without`."""
        kept = np.flatnonzero(~np.isin(self.owners, [] if without is None else without)).tolist()
        return np.concatenate([rows, np.stack([self.rows[one] for one in kept])]) if kept else rows


@dataclasses.dataclass
class TabularDetector(BackboneDetector):
    """A model of scikit-learn on features of the whole image.

    A subclass gives `fit_model` and `model_score`. At least 5 good images are needed.

    Attributes:
        features: "deep-mid" and "deep-last" are a frozen backbone's features averaged over space, after strides 8 and
            16 or after its last stage (`blemish.features.pooled`); "direct" are the handcrafted ones
            (`blemish.features.handcrafted`), with which there is no network, and so no inspector.
        scaling: "standard" (mean 0, deviation 1) or "minmax" (0 to 1), learnt from the good training images.
        explained: share of their variance that the principal components kept explain together; 0 keeps all features.

    After `fit`: `arrays_`, all that was learnt.
    """

    augments: ClassVar[bool] = True
    moves_no_score: ClassVar[tuple[str, ...]] = ("contamination",)

    features: str = "deep-mid"
    scaling: str = "standard"
    explained: float = 0.95
    _rows: Memo[FloatArray] = dataclasses.field(default_factory=Memo, init=False, repr=False, compare=False)
    _copies: Memo[_Copies] = dataclasses.field(default_factory=Memo, init=False, repr=False, compare=False)

    @abstractmethod
    def fit_model(self, rows: Rows) -> Arrays:
        """Fit scikit-learn's model to projected rows (N x K): its arrays by name.

        Raises:
            ValueError: a parameter of the model cannot be meant.
        """

    @abstractmethod
    def model_score(self, arrays: Arrays) -> nn.Module:
        """The fitted model as a graph: projected rows (N x K) in, scores (N) out."""

    def most_components(self, rows: int) -> int | None:
        """Most principal components that the model can bear with so many rows; None for any number."""
        return None

    def score_parameters(self, rows: int) -> dict[str, Any]:
        """What moves the scores of a model of so many rows: with these equal, two settings give the same scores.

        A subclass leaves out what moves no score, and resolves what comes to the same.
        """
        return {name: value for name, value in self.get_params().items() if name not in self.moves_no_score}

    def projection(self, rows: FloatArray) -> Arrays:
        """How rows of good images (N x D) are scaled and reduced; no parameter of the model moves it.

        Raises:
            CatalogError: all rows are alike.
        """
        return self._projection(rows, self.most_components(len(rows)))

    def fit_rows(self, rows: FloatArray, projection: Arrays | None = None) -> Self:
        """Learn from rows of features of good images (N x D), as `fit` does from the images themselves.

        Args:
            rows: as `vectors` reads them.
            projection: of these rows, where it is known.

        Raises:
            CatalogError: there are fewer than 5 rows, or they are too much alike.
            UsageError: a parameter's value cannot be meant.
        """
        self._check_parameters()
        if len(rows) < FEWEST:
            raise CatalogError(
                f"{len(rows)} good images are too few for {self.name}: give at least {FEWEST}."
            )
        self.arrays_ = self._learn(rows, self.projection(rows) if projection is None else projection)
        self._fitted_with = self.get_params()
        return self

    def score_rows(self, rows: FloatArray) -> npt.NDArray[np.float64]:
        """Scores (N) of rows of features (N x D), by the graph that `predict` runs."""
        head = self._head(require_fitted(self, "arrays_"))
        blocks = [rows[start : start + _BLOCK] for start in range(0, len(rows), _BLOCK)]
        with torch.inference_mode():
            scores = [head.score(torch.from_numpy(block)).numpy() for block in blocks]
        return np.concatenate(scores).astype(np.float64) if scores else np.empty(0)

    def learn(self, catalog: Catalog) -> None:
        """Learn from the features of the normal training images."""
        self._check_parameters()
        paths = normal_images(catalog, FEWEST)
        rows = self._rows.keep(self.key_of(paths), self._rows_of(paths))
        copies = self._copies.keep(self.key_of(paths), self._copies_of(paths))
        with task("Fitting the model"):
            joined = copies.joined_to(rows)
            self.fit_rows(joined, self._projection(joined, self.most_components(len(paths))))

    def predict_files(self, paths: Sequence[Path]) -> Iterator[Prediction]:
        """Score photographs one by one, in order."""
        head = self._head(require_fitted(self, "arrays_"))
        for row in self.vectors().stream(paths):
            yield self._scored(head, row)

    def cross_predict(self, catalog: Catalog, folds: int) -> Iterator[tuple[int, Prediction]]:
        """Score every normal training image as if unseen; see the base class. Features are read once for all folds."""
        require_fitted(self, "arrays_")
        paths = normal_images(catalog, FEWEST)
        rows = self._rows.recall(self.key_of(paths), lambda: self._rows_of(paths))
        copies = self._copies.recall(self.key_of(paths), lambda: self._copies_of(paths))
        kept = self.most_components(len(paths))  # of all, or a fold's distances would have fewer terms
        with task("Scoring good images as if unseen", len(paths)) as advance:
            for part in fold_positions(len(paths), folds, self.seed):
                others = copies.joined_to(np.delete(rows, part, axis=0), without=part)
                head = self._head(self._learn(others, self._projection(others, kept)))
                for position in part.tolist():
                    yield position, self._scored(head, rows[position])
                    advance(1)

    def network(self) -> nn.Module:
        """The fitted detector as one graph: backbone, means over space, scaling, principal components, model.

        Raises:
            UsageError: the features are handcrafted.
        """
        head = self._head(require_fitted(self, "arrays_"))
        self.require_network()
        return BackboneWithHead(self.extractor().backbone, head).eval()

    def require_network(self) -> None:
        """Refuse handcrafted features, which no network computes.

        Raises:
            UsageError: the features are handcrafted.
        """
        if self.features == DIRECT:
            raise UsageError(
                f"{self.name} with features=direct cannot become an inspector, for no network computes handcrafted "
                "features: choose features=deep-mid, or compare it with blemish study."
            )

    def read_at(self) -> tuple[int, ...]:
        """Strides at which the backbone is read.

        Raises:
            UsageError: the features are handcrafted, or no such.
        """
        self.require_network()
        if self.features not in FEATURES:
            self._check_parameters()
        return depth_taps(self.features.removeprefix("deep-"), self.backbone)

    def _check_parameters(self) -> None:
        """Refuse values that cannot be meant; those of the model are refused by scikit-learn."""
        wrong = {
            "features": (self.features not in FEATURES, FEATURES),
            "scaling": (self.scaling not in SCALINGS, SCALINGS),
            "explained": (not 0 <= self.explained <= 1, ("0 to 1",)),
        }
        for name, (bad, possible) in wrong.items():
            if bad:
                raise UsageError(
                    f"{name}={getattr(self, name)} is not possible for {self.name}: choose {' or '.join(possible)}."
                )

    def vectors(self) -> HandcraftedVectors | PooledVectors:
        """What turns files into rows of features."""
        if self.features == DIRECT:
            return HandcraftedVectors(self.bit_depth)
        return PooledVectors(self.extractor())

    def _rows_of(self, paths: Sequence[Path]) -> FloatArray:
        stream = self.vectors().stream(paths)
        return np.stack(list(track(stream, "Reading good images", len(paths))))

    def _copies_of(self, paths: Sequence[Path]) -> _Copies:
        """Rows of the photographs' augmented copies, which are made of them at their own size."""
        rows: list[FloatArray] = []
        owners: list[int] = []
        augmentation, vectors = self.augmented_by(), self.vectors()
        if augmentation is not None:
            for position, path in enumerate(track(paths, "Reading augmented copies")):
                image = read_image(path, bit_depth=self.bit_depth)
                with files_of(augmentation.copies(image)) as copies:
                    rows += vectors.stream(copies)
                owners += [position] * (len(rows) - len(owners))
        return _Copies(rows, np.array(owners, np.intp))

    def _projection(self, rows: FloatArray, most: int | None) -> Arrays:
        """Of `most` components."""
        return dict(fit_projection(rows.astype(np.float64), self.scaling, self.explained, most))

    def _learn(self, rows: FloatArray, learnt: Arrays) -> Arrays:
        """Model from rows of good images (N x D) whose projection is `learnt`."""
        exact = rows.astype(np.float64)
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")  # of degenerate input, which is judged by what comes of it
                arrays = self.fit_model(project(exact, learnt))
        except ValueError as error:
            cause = " ".join(str(error).split()).rstrip(".")
            raise UsageError(f"{self.name} cannot be fitted: {cause}; see blemish detectors.") from error
        arrays = {**learnt, **arrays}
        if not all(np.isfinite(array).all() for array in arrays.values()):
            raise CatalogError(
                f"The {len(rows)} good images are too few or too much alike for {self.name}: photograph more good "
                "parts, or choose local-outlier-factor."
            )
        # As the line computes; places of nodes and numbers of neighbours stay whole.
        return {name: a.astype(np.float32) if a.dtype.kind == "f" else a for name, a in arrays.items()}

    def _head(self, arrays: Arrays) -> TabularHead:
        return TabularHead(Projection(arrays), self.model_score(arrays), (self.size, self.size)).eval()

    def _scored(self, head: TabularHead, row: FloatArray) -> Prediction:
        with torch.inference_mode():
            score = float(head.score(torch.from_numpy(row)[None])[0])
        return Prediction(score, np.full((self.size, self.size), score, np.float32))
