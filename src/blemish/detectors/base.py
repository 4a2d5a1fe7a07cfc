"""The contract that every detector keeps, as scikit-learn estimators keep theirs."""

from __future__ import annotations

import dataclasses
from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, ClassVar, Self

import numpy as np
import numpy.typing as npt
from torch import nn

from blemish.core.errors import CatalogError, NotFittedError, UsageError
from blemish.core.folds import fold_positions
from blemish.core.preprocessing import Preprocessing
from blemish.core.types import Prediction
from blemish.data.catalog import Catalog
from blemish.features.together import Reads

State = dict[str, npt.NDArray[Any]]


@dataclasses.dataclass
class Detector(ABC):
    """Base of all detectors: a dataclass whose fields are its parameters.

    `__init__` only stores parameters; `fit` checks them, learns, writes attributes that end in `_` and returns
    self; nothing is learnt outside `fit`; the same seed gives the same result.

    Attributes:
        size: input height and width in pixels.
        bit_depth: bits that 16-bit photographs really use.
        seed: seed of everything random.

    A detector that says whether but not where (`gives_maps` is False) has a map that is its score everywhere.
    Where training has a history, `history_` holds for each epoch its number, losses, rate and seconds.
    """

    name: ClassVar[str] = ""
    gives_maps: ClassVar[bool] = True
    calibration: ClassVar[str] = "k-fold"
    size: int = 352
    bit_depth: int = 16
    seed: int = 0

    @abstractmethod
    def fit(self, catalog: Catalog) -> Self:
        """Learn from the catalog's training images.

        Raises:
            CatalogError: there are too few normal training images, or defective ones stand among them.
            UsageError: a parameter's value cannot be meant.
            ImageError: a training image cannot be read.
        """

    @abstractmethod
    def predict(self, paths: Sequence[Path]) -> Iterator[Prediction]:
        """Score photographs one by one, in order, in bounded memory.

        Raises:
            NotFittedError: before `fit`.
            ImageError: a file cannot be read.
        """

    @abstractmethod
    def network(self) -> nn.Module:
        """The fitted detector as one graph: a 1 x 3 x H x W preprocessed image in, score (1) and map (H x W) out."""

    def require_network(self) -> None:  # noqa: B027 (most can always give one)
        """Refuse, before anything is learnt, parameters with which `network` could never be given.

        Raises:
            UsageError: it could not.
        """

    @property
    def member_names(self) -> tuple[str, ...]:
        """Names of the detectors that this one is made of, where it is of several."""
        return ()

    def network_with_members(self) -> nn.Module:
        """The graph with one more output where there are parts: -log10 of the p-value by each of them."""
        return self.network()

    def reads(self) -> Reads:
        """What learning reads of every photograph, so that one pass decodes it once for all: its pixels, unless said.

        Raises:
            UsageError: a parameter's value cannot be meant.
        """
        return Reads(contracts=(self.preprocessing(),))

    @abstractmethod
    def preprocessing(self) -> Preprocessing:
        """The contract between a photograph and the network's input."""

    @abstractmethod
    def state(self) -> State:
        """All that `fit` learnt, as plain arrays by name."""

    @abstractmethod
    def restore(self, state: Mapping[str, npt.NDArray[Any]]) -> Self:
        """Become the detector whose `state` this is; parameters must be the same."""

    def cross_predict(self, catalog: Catalog, folds: int) -> Iterator[tuple[int, Prediction]]:
        """Score every normal training image as if unseen, by a detector fitted on the other folds.

        Yields the image's position in `catalog.train_normal()` and its prediction.
        """
        paths = catalog.train_normal()
        rows = np.flatnonzero((catalog.table["split"] == "train") & (catalog.table["label"] == "normal"))
        for held_out in fold_positions(len(paths), folds, self.seed):
            others = np.setdiff1d(np.arange(len(catalog)), rows[held_out])
            detector = self.clone().fit(catalog.subset(others))
            yield from zip(held_out.tolist(), detector.predict([paths[i] for i in held_out]), strict=True)

    def parameters(self) -> dict[str, Any]:
        """Parameters by name, as given."""
        return {field.name: getattr(self, field.name) for field in dataclasses.fields(self) if field.init}

    def clone(self) -> Self:
        """An unfitted detector with the same parameters."""
        return type(self)(**self.parameters())


def normal_images(catalog: Catalog, fewest: int = 2) -> list[Path]:
    """The catalog's normal training images.

    Raises:
        CatalogError: fewer than `fewest`, or defective images among the training images.
    """
    training = catalog.table[catalog.table["split"] == "train"]
    defective = training[training["label"] == "anomalous"]
    if len(defective):
        raise CatalogError(
            f"{len(defective)} training images of {catalog.root} are labelled defective, the first is "
            f"{defective['path'].iloc[0]}: this detector learns from good parts only; move them to test."
        )
    paths = catalog.train_normal()
    if len(paths) < fewest:
        raise CatalogError(
            f"{catalog.root} has {len(paths)} good training images and at least {fewest} are needed: "
            "photograph more good parts."
        )
    return paths


def refuse(detector: Detector, wrong: Mapping[str, bool]) -> None:
    """Refuse the first parameter that is wrong.

    Raises:
        UsageError: one is.
    """
    defaults = {field.name: field.default for field in dataclasses.fields(detector)}
    for name, bad in wrong.items():
        if bad:
            raise UsageError(
                f"{name}={getattr(detector, name)} is not possible for {detector.name}: the default is "
                f"{defaults[name]}, and blemish detectors shows them all."
            )


def refuse_size(detector: Detector) -> None:
    """Refuse a size that networks cannot halve as often as they do, or that no machine has memory for.

    Raises:
        UsageError: it is no multiple of 32 from 64 to 2048.
    """
    if detector.size % 32 or not 64 <= detector.size <= 2048:
        raise UsageError(
            f"size={detector.size} is not possible for {detector.name}: choose a multiple of 32 from 64 to 2048."
        )


def require_fitted(detector: Detector, attribute: str) -> Any:
    """The fitted attribute.

    Raises:
        NotFittedError: `fit` has not run.
    """
    value = getattr(detector, attribute, None)
    if value is None:
        raise NotFittedError(f"This {detector.name} detector has learnt nothing yet: call fit first.")
    return value
