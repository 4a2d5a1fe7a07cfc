"""What detectors with a network of their own share: parameters of training, images held out, the fitted graph."""

from __future__ import annotations

import dataclasses
import hashlib
import json
from abc import abstractmethod
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, ClassVar, Generic, TypeVar

import numpy as np
import torch
from torch import nn

from blemish.core.network import CompiledNetwork
from blemish.core.storage import file_digest
from blemish.core.types import FloatArray, Prediction
from blemish.data.catalog import Catalog
from blemish.detectors.base import QUICK_EPOCHS, Detector
from blemish.detectors.good_images import normal_images
from blemish.detectors.memo import Memo
from blemish.detectors.parameters import refuse, require_fitted
from blemish.detectors.training.devices import DEVICES, PRECISIONS
from blemish.detectors.training.loop import Material, Objective, Recipe, train
from blemish.detectors.training.photographs import TrainingPhotographs, hold_out
from blemish.features.onnx_export import to_onnx
from blemish.features.pixels import PixelCache
from blemish.line.manifest import TYPE_OUTPUTS
from blemish.view.preprocessing import Preprocessing, standardise

FEWEST = 4
"""Good training images that a trained detector needs at least."""


Found = TypeVar("Found")
"""What a detector has found on its photographs before it trains, a kind of value for each."""


@dataclasses.dataclass(frozen=True)
class Prepared(Generic[Found]):
    """What a training begins with: its photographs, and what a first look at them has found."""

    photographs: TrainingPhotographs
    found: Found


@dataclasses.dataclass
class TrainedDetector(Detector, Generic[Found]):
    """A detector whose network is trained.

    A seeded share of the good images is held out: they tell when to stop, and afterwards what good images score as
    if unseen. `predict` runs the exported graph, as the line will.

    A subclass gives `prepare`, `make_objective`, `material` and `finish`; the last three are given
    what `prepare` has found.

    Attributes:
        epochs: most passes over the training images.
        batch_size: images a step.
        learning_rate: of the optimizer.
        patience: epochs without a better validation loss before training stops; 0 trains to the end.
        validation_share: share of the good images held out.
        examples_per_epoch: images in an epoch, some several times where there are fewer; 0 takes each once.
        precision: "float32", "bfloat16", or "auto".
        device: "cpu", "cuda", or "auto".

    After `fit`: `network_` (the fitted graph) and `history_` (for each epoch its losses, rate and seconds).
    """

    calibration: ClassVar[str] = "hold-out"

    epochs: int = 20
    batch_size: int = 8
    learning_rate: float = 1e-3
    patience: int = 5
    validation_share: float = 0.2
    examples_per_epoch: int = 0
    precision: str = "auto"
    device: str = "auto"
    _compiled: Memo[CompiledNetwork] = dataclasses.field(
        default_factory=Memo, init=False, repr=False, compare=False
    )

    @abstractmethod
    def prepare(self, photographs: TrainingPhotographs) -> Found:
        """Look at the photographs, and find what the training depends on.

        Raises:
            ImageError: one cannot be read.
        """

    @abstractmethod
    def make_objective(self, prepared: Prepared[Found]) -> Objective:
        """The networks to train, with weights drawn from torch's generator, which is seeded."""

    @abstractmethod
    def material(self, paths: Sequence[Path], training: bool, prepared: Prepared[Found]) -> Material:
        """Examples made of some of the photographs, augmented where they are for training."""

    @abstractmethod
    def finish(self, objective: Objective, prepared: Prepared[Found]) -> nn.Module:
        """The fitted graph, 1 x 3 x H x W in, score (1) and map (H x W) out, from the trained objective."""

    def recipe(self) -> Recipe:
        """How the network is trained."""
        return Recipe(
            epochs=self.epochs,
            batch_size=self.batch_size,
            learning_rate=self.learning_rate,
            patience=self.patience,
            seed=self.seed,
            examples_per_epoch=self.examples_per_epoch or None,
            precision=self.precision,
            device=self.device,
        )

    def learn(self, catalog: Catalog) -> None:
        """Train on the training images but those held out."""
        self.check_parameters()
        photographs = self.training_photographs(catalog)
        prepared = Prepared(photographs, self.prepare(photographs))
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(self.seed)
            objective = self.make_objective(prepared)
        history = train(
            self.name,
            objective,
            self.material(photographs.learnt, True, prepared),
            self.material(photographs.held_out, False, prepared),
            self.recipe(),
            self._identity(photographs),
        )
        self.network_ = self.finish(objective, prepared).eval().requires_grad_(False)
        self.history_ = history
        self._compiled.forget()

    def training_photographs(self, catalog: Catalog) -> TrainingPhotographs:
        """Those to learn from, and those held out: of the good training images here.

        Raises:
            CatalogError: there are too few, or defective ones where none belong.
        """
        good = normal_images(catalog, FEWEST)
        return TrainingPhotographs(*hold_out(good, self.validation_share, self.seed, self.groups_of(good)))

    def predict_files(self, paths: Sequence[Path]) -> Iterator[Prediction]:
        """Score photographs one by one, in order."""
        network, types = self._runtime(), self.defect_types
        contract, pixels = self.preprocessing(), PixelCache()
        for path in paths:
            yield prediction_of(network, standardise(pixels.read(path, contract), contract), types)

    def predict_unseen(self, catalog: Catalog, folds: int) -> Iterator[tuple[int, Prediction]]:
        """Score the good images held out from training, by the fitted network itself; `folds` is not used.

        Training once per fold would take `folds` times as long. The held-out images have said when to stop, so they
        are nearly, not wholly, unseen.
        """
        self.network()
        positions = {path: position for position, path in enumerate(catalog.train_normal())}
        held_out = [path for path in self.training_photographs(catalog).held_out if path in positions]
        predictions = self.predict_seen(held_out)
        yield from zip((positions[path] for path in held_out), predictions, strict=True)

    def network(self) -> nn.Module:
        """The fitted detector as one graph."""
        network: nn.Module = require_fitted(self, "network_")
        return network

    def quick_parameters(self) -> dict[str, Any]:
        """And at most 5 epochs."""
        return super().quick_parameters() | {"epochs": min(self.epochs, QUICK_EPOCHS)}

    def check_parameters(self) -> None:
        """Refuse values that cannot be meant.

        Raises:
            UsageError: a value is out of range.
        """
        self.check_size()
        wrong = {
            "bit_depth": not 8 <= self.bit_depth <= 16,
            "epochs": self.epochs < 1,
            "batch_size": self.batch_size < 1,
            "learning_rate": not 0 < self.learning_rate < 10,
            "patience": self.patience < 0,
            "examples_per_epoch": self.examples_per_epoch < 0,
            "validation_share": not 0 < self.validation_share < 1,
            "precision": self.precision not in PRECISIONS,
            "device": self.device not in DEVICES,
        }
        refuse(self, wrong)

    def _identity(self, photographs: TrainingPhotographs) -> str:
        """What is trained on what, for the checkpoint: SHA-256 over parameters and images."""
        # A training may go on elsewhere, and nothing else may change: the rates depend on the number of epochs.
        parameters = {name: value for name, value in self.key_parameters().items() if name != "device"}
        lines = [
            self.name,
            json.dumps(parameters, default=str, sort_keys=True),
            *map(file_digest, photographs.all),
        ]
        weights = parameters.get("weights")
        if weights not in (None, "random"):
            lines.append(file_digest(Path(weights)))
        return hashlib.sha256("\n".join(lines).encode()).hexdigest()

    def _runtime(self) -> CompiledNetwork:
        """The fitted graph as the line runs it, compiled once."""
        network, contract = self.whole_network(), self.preprocessing()
        further = TYPE_OUTPUTS if self.defect_types else ()
        unread = self.explains
        return self._compiled.recall(self.get_params(), lambda: compiled(network, contract, further, unread))


def compiled(
    network: nn.Module, contract: Preprocessing, further: Sequence[str] = (), unread: Sequence[str] = ()
) -> CompiledNetwork:
    """A detector's graph as the line runs it: `further` are names of outputs behind score and map, and `unread` of
    those behind them, which are not computed."""
    example = torch.zeros(1, 3, contract.height, contract.width)
    names = ("score", "map", *further)
    return CompiledNetwork(to_onnx(network, example, (*names, *unread)), outputs=names)


def prediction_of(network: CompiledNetwork, planes: FloatArray, types: Sequence[str] = ()) -> Prediction:
    """What a compiled graph says of one preprocessed 3 x H x W photograph; `types` names those it tells apart."""
    score, anomaly_map, *further = network(planes[None])
    said = Prediction(
        float(score.reshape(-1)[0]), np.array(anomaly_map, np.float32).reshape(planes.shape[1:])
    )
    if not types:
        return said
    probabilities, distance = further
    shares = dict(zip(types, probabilities.ravel().tolist(), strict=True))
    return dataclasses.replace(said, types=shares, type_distance=float(distance.reshape(-1)[0]))
