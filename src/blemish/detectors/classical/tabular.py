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
from blemish.core.images import read_image
from blemish.core.progress import task, track
from blemish.core.types import FloatArray, Prediction
from blemish.data.catalog import Catalog
from blemish.detectors.augmentation import NONE
from blemish.detectors.base import Detector
from blemish.detectors.classical.head import PooledHead, Projection, TabularHead
from blemish.detectors.frozen import BackboneDetector, BackboneWithHead
from blemish.detectors.good_images import normal_images
from blemish.detectors.inputs import files_of
from blemish.detectors.memo import Memo
from blemish.detectors.parameters import require_fitted
from blemish.features.handcrafted import row_vectors
from blemish.features.pooled import POOLINGS, PooledVectors, depth_taps
from blemish.features.projection import (
    SCALINGS,
    Arrays,
    Rows,
    fit_projection,
    fit_streamed_projection,
    project,
)
from blemish.features.rows import StreamedRows, Vectors
from blemish.features.together import Reads
from blemish.line.rows import DIRECT, DIRECT_PIXELS, PIXELS, ROW_FEATURES, raw_contract
from blemish.view.preprocessing import Preprocessing, seen
from blemish.view_planning.scale import USUAL_STRIDE

FEATURES = ("deep-mid", "deep-last", *ROW_FEATURES)
STREAMED = (PIXELS, DIRECT_PIXELS)
FEWEST = 5
FeatureRows = FloatArray | StreamedRows
"""Rows of features of photographs (N x D, float32): raw pixels are too many to be held, and are streamed."""

_BLOCK = 64  # rows scored at once: some models compare each with every good one


@dataclasses.dataclass
class TabularDetector(BackboneDetector):
    """A model of scikit-learn on features of the whole image.

    A subclass gives `fit_model` and `model_score`. At least 5 good images are needed.

    Attributes:
        features: "deep-mid" and "deep-last" are a frozen backbone's features pooled over space, after strides 8 and
            16 or after its last stage (`blemish.features.pooled`); "direct" are the handcrafted ones
            (`blemish.line.handcrafted`), "pixels" the raw ones at 224 x 224, "direct-pixels" both. The last three need
            no backbone: the network of their inspector is given a row of features (`blemish.line.rows`).
        pooling: of deep features: the "extremes" of a channel, which a small defect moves, its "max" alone, or its
            "mean".
        scaling: "standard" (mean 0, deviation 1) or "minmax" (0 to 1), learnt from the good training images.
        explained: share of their variance that the principal components kept explain together; 0 keeps all features.
            Of raw pixels at most 64 components are kept, found by incremental PCA.

    After `fit`: `arrays_`, all that was learnt.
    """

    augments: ClassVar[bool] = True
    moves_no_score: ClassVar[tuple[str, ...]] = ("contamination",)

    features: str = "deep-mid"
    pooling: str = "extremes"
    scaling: str = "standard"
    explained: float = 0.0
    _rows: Memo[tuple[FeatureRows, npt.NDArray[np.intp]]] = dataclasses.field(
        default_factory=Memo, init=False, repr=False, compare=False
    )

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

    def projection(self, rows: FeatureRows) -> Arrays:
        """How rows of good images (N x D) are scaled and reduced; no parameter of the model moves it.

        Raises:
            CatalogError: all rows are alike.
        """
        return self._projection(rows, self.most_components(len(rows)))

    def fit_rows(self, rows: FeatureRows, projection: Arrays | None = None) -> Self:
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
        self.n_images_ = len(rows)
        self._fitted_with = self.get_params()
        return self

    def score_rows(self, rows: FeatureRows) -> npt.NDArray[np.float64]:
        """Scores (N) of rows of features (N x D), by the graph that `predict` runs."""
        head = self._head(require_fitted(self, "arrays_"))
        with torch.inference_mode():
            scores = [head.score(torch.from_numpy(block)).numpy() for block in _blocks(rows)]
        return np.concatenate(scores).astype(np.float64) if scores else np.empty(0)

    def learn(self, catalog: Catalog) -> None:
        """Learn from the features of the normal training images."""
        self._check_parameters()
        paths = normal_images(catalog, FEWEST)
        rows, _ = self._rows.keep(self.key_of(paths), self._rows_to_learn(paths))
        with task("Fitting the model"):
            self.fit_rows(rows, self._projection(rows, self.most_components(len(paths))))

    def predict_files(self, paths: Sequence[Path]) -> Iterator[Prediction]:
        """Score photographs one by one, in order."""
        head = self._head(require_fitted(self, "arrays_"))
        for row in self.vectors().stream(paths):
            yield self._scored(head, row)

    def predict_unseen(self, catalog: Catalog, folds: int) -> Iterator[tuple[int, Prediction]]:
        """Score every normal training image as if unseen; see the base class. Features are read once for all folds."""
        require_fitted(self, "arrays_")
        paths = normal_images(catalog, FEWEST)
        rows, owners = self._rows.recall(self.key_of(paths), lambda: self._rows_to_learn(paths))
        kept = self.most_components(len(paths))  # of all, or a fold's distances would have fewer terms
        with task("Scoring good images as if unseen", len(paths)) as advance:
            for part in self.fold_parts(paths, folds, self.seed):
                others = _taken(rows, np.flatnonzero(~np.isin(owners, part)))
                head = self._head(self._learn(others, self._projection(others, kept)))
                unseen = (row for block in _blocks(_taken(rows, part)) for row in block)
                for position, row in zip(part.tolist(), unseen, strict=True):
                    yield position, self._scored(head, row)
                    advance(1)

    def network(self) -> nn.Module:
        """The fitted detector as one graph: backbone, pooling, scaling, principal components, model.

        With `row_features` it begins with the scaling.
        """
        head = self._head(require_fitted(self, "arrays_"))
        if self.row_features is not None:
            return head
        return BackboneWithHead(self.extractor().backbone, PooledHead(head, self.pooling)).eval()

    @property
    def row_features(self) -> str | None:
        """The features, where no backbone gives them."""
        return self.features if self.features in ROW_FEATURES else None

    def preprocessing(self) -> Preprocessing:
        """The contract between a photograph and the backbone's input; without a backbone, the size of the map."""
        return super().preprocessing() if self.row_features is None else Detector.preprocessing(self)

    def reads(self) -> Reads:
        """The backbone's feature maps, or the pixels; handcrafted features have a cache of their own."""
        if self.row_features is None:
            return super().reads()
        return Reads(
            contracts=()
            if self.features == DIRECT
            else (raw_contract(self.bit_depth, self.planned_view().view),)
        )

    def read_input(self, path: Path) -> FloatArray:
        """A photograph as the network's input: a picture, float32 3 x H x W, or a row of features, float32 D."""
        return super().read_input(path) if self.row_features is None else next(self.vectors().stream([path]))

    def read_at(self) -> tuple[int, ...]:
        """Strides at which the backbone is read.

        Raises:
            UsageError: there are no such features.
        """
        self._check_parameters()
        return depth_taps(self.features.removeprefix("deep-"), self.backbone)

    def finest_stride(self) -> int:
        """Stride of the finest tap; the usual one where no backbone is read."""
        return super().finest_stride() if self.row_features is None else USUAL_STRIDE

    def _check_parameters(self) -> None:
        """Refuse values that cannot be meant; those of the model are refused by scikit-learn."""
        wrong = {
            "features": (self.features not in FEATURES, FEATURES),
            "pooling": (self.pooling not in POOLINGS, tuple(POOLINGS)),
            "scaling": (self.scaling not in SCALINGS, SCALINGS),
            "explained": (not 0 <= self.explained <= 1, ("0 to 1",)),
        }
        for name, (bad, possible) in wrong.items():
            if bad:
                raise UsageError(
                    f"{name}={getattr(self, name)} is not possible for {self.name}: choose {' or '.join(possible)}."
                )
        if self.features in STREAMED and self.augment != NONE:
            raise UsageError(
                f"augment={self.augment} is not possible with features={self.features}, whose rows are streamed: "
                "choose other features, or augment=none."
            )

    def vectors(self) -> Vectors:
        """What turns files into rows of features."""
        if self.row_features is None:
            return PooledVectors(self.extractor(), self.pooling)
        self.check_size()
        return row_vectors(self.features, self.bit_depth, self.planned_view().view)

    def rows_of(self, paths: Sequence[Path]) -> FeatureRows:
        """Rows of features of photographs, in order; raw pixels are read when they are gone through.

        Raises:
            ImageError: a file cannot be read.
        """
        vectors = self.vectors()
        if self.features not in STREAMED:
            return np.stack(list(track(vectors.stream(paths), "Reading good images", len(paths))))
        return StreamedRows(vectors, paths)

    def _rows_to_learn(self, paths: Sequence[Path]) -> tuple[FeatureRows, npt.NDArray[np.intp]]:
        """Rows of photographs in order, then of their augmented copies, and of each row its photograph's position."""
        rows, owners, augmentation = self.rows_of(paths), list(range(len(paths))), self.augmented_by()
        if augmentation is None or isinstance(rows, StreamedRows):
            return rows, np.array(owners, np.intp)
        vectors = self.vectors()
        copied: list[FloatArray] = []
        for position, path in enumerate(track(paths, "Reading augmented copies")):
            image = seen(read_image(path, bit_depth=self.bit_depth), self.preprocessing())
            with files_of(augmentation.copies(image)) as copies:
                copied += vectors.stream(copies)
            owners += [position] * (len(rows) + len(copied) - len(owners))
        return np.concatenate([rows, np.stack(copied)]), np.array(owners, np.intp)

    def _projection(self, rows: FeatureRows, most: int | None) -> Arrays:
        """Of `most` components."""
        if isinstance(rows, StreamedRows):
            return fit_streamed_projection(rows.blocks, self.scaling, self.explained, most)
        return dict(fit_projection(rows.astype(np.float64), self.scaling, self.explained, most))

    def _learn(self, rows: FeatureRows, learnt: Arrays) -> Arrays:
        """Model from rows of good images (N x D) whose projection is `learnt`."""
        projected = reduced_rows(rows, learnt)
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")  # of degenerate input, which is judged by what comes of it
                arrays = self.fit_model(projected)
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


def reduced_rows(rows: FeatureRows, learnt: Arrays) -> Rows:
    """Rows scaled and reduced (N x K, float64) as their projection says."""
    if isinstance(rows, StreamedRows):
        return np.concatenate([project(block.astype(np.float64), learnt) for block in rows.blocks()])
    return project(rows.astype(np.float64), learnt)


def _blocks(rows: FeatureRows) -> Iterator[FloatArray]:
    """The rows in order, a few at a time."""
    if isinstance(rows, StreamedRows):
        yield from rows.blocks()
    else:
        yield from (rows[start : start + _BLOCK] for start in range(0, len(rows), _BLOCK))


def _taken(rows: FeatureRows, positions: npt.NDArray[np.intp]) -> FeatureRows:
    """Some of the rows."""
    return rows.take(positions.tolist()) if isinstance(rows, StreamedRows) else rows[positions]
