"""What detectors with a network of their own share: parameters of training, images held out, the fitted graph."""

from __future__ import annotations

import dataclasses
import hashlib
import json
from abc import abstractmethod
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, ClassVar, Self

import numpy as np
import numpy.typing as npt
import torch
from torch import nn

from blemish.core.folds import held_out_positions
from blemish.core.network import CompiledNetwork
from blemish.core.preprocessing import Preprocessing, standardise
from blemish.core.storage import file_digest
from blemish.core.types import FloatArray, Prediction
from blemish.data.catalog import Catalog
from blemish.detectors.base import Detector, State, normal_images, refuse, refuse_size, require_fitted
from blemish.detectors.training.devices import DEVICES, PRECISIONS
from blemish.detectors.training.loop import Material, Objective, Recipe, train
from blemish.features.onnx_export import to_onnx
from blemish.features.pixels import PixelCache

FEWEST = 4
"""Good training images that a trained detector needs at least."""


@dataclasses.dataclass
class TrainedDetector(Detector):
    """A detector whose network is trained.

    A seeded share of the good images is held out: they tell when to stop, and afterwards what good images score as
    if unseen. `predict` runs the exported graph, as the line will.

    A subclass gives `preprocessing`, `make_objective`, `material`, `finish` and `empty_network`.

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

    @abstractmethod
    def make_objective(self) -> Objective:
        """The networks to train, with weights drawn from torch's generator, which is seeded."""

    @abstractmethod
    def material(self, paths: Sequence[Path], training: bool) -> Material:
        """Examples made of good images, augmented where they are for training."""

    @abstractmethod
    def finish(self, objective: Objective, learnt: Sequence[Path], held_out: Sequence[Path]) -> nn.Module:
        """The fitted graph, 1 x 3 x H x W in, score (1) and map (H x W) out, from the trained objective."""

    @abstractmethod
    def empty_network(self, state: Mapping[str, npt.NDArray[Any]]) -> nn.Module:
        """A graph as `finish` returns it, whose weights are yet to be loaded; `state` tells shapes where needed."""

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

    def preprocessing(self) -> Preprocessing:
        """Pixels in [0, 1], as an autoencoder with a sigmoid can reconstruct them."""
        zero, full = (0.0, 0.0, 0.0), (255.0, 255.0, 255.0)
        return Preprocessing(height=self.size, width=self.size, mean=zero, std=full, bit_depth=self.bit_depth)

    def fit(self, catalog: Catalog) -> Self:
        """Train on the training images but those held out."""
        self.check_parameters()
        self._train(*self.parts(catalog))
        return self

    def parts(self, catalog: Catalog) -> tuple[list[Path], list[Path]]:
        """Photographs to learn from, and those held out: of the good training images here.

        Raises:
            CatalogError: there are too few, or defective ones where none belong.
        """
        paths = normal_images(catalog, FEWEST)
        held = set(held_out_positions(len(paths), self.validation_share, self.seed).tolist())
        learnt = [path for position, path in enumerate(paths) if position not in held]
        return learnt, [path for position, path in enumerate(paths) if position in held]

    def _train(self, learnt: Sequence[Path], held_out: Sequence[Path]) -> None:
        """Train, and keep the fitted graph."""
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(self.seed)
            objective = self.make_objective()
        self.history_ = train(
            self.name,
            objective,
            self.material(learnt, True),
            self.material(held_out, False),
            self.recipe(),
            self._identity([*learnt, *held_out]),
        )
        self.network_ = self.finish(objective, learnt, held_out).eval().requires_grad_(False)
        self._compiled: CompiledNetwork | None = None

    def predict(self, paths: Sequence[Path]) -> Iterator[Prediction]:
        """Score photographs one by one, in order."""
        network = self._runtime()
        contract, pixels = self.preprocessing(), PixelCache()
        for path in paths:
            yield prediction_of(network, standardise(pixels.read(path, contract), contract))

    def cross_predict(self, catalog: Catalog, folds: int) -> Iterator[tuple[int, Prediction]]:
        """Score the good images held out from training, by the fitted network itself; `folds` is not used.

        Training once per fold would take `folds` times as long. The held-out images have said when to stop, so they
        are nearly, not wholly, unseen.
        """
        self.network()
        positions = {path: position for position, path in enumerate(catalog.train_normal())}
        held_out = [path for path in self.parts(catalog)[1] if path in positions]
        predictions = self.predict(held_out)
        yield from zip((positions[path] for path in held_out), predictions, strict=True)

    def network(self) -> nn.Module:
        """The fitted detector as one graph."""
        network: nn.Module = require_fitted(self, "network_")
        return network

    def state(self) -> State:
        """Weights and buffers of the graph, by name."""
        return {name: value.numpy() for name, value in self.network().state_dict().items()}

    def restore(self, state: Mapping[str, npt.NDArray[Any]]) -> Self:
        """Become the detector whose `state` this is."""
        network = self.empty_network(state)
        network.load_state_dict({name: torch.from_numpy(value.copy()) for name, value in state.items()})
        self.network_ = network.eval().requires_grad_(False)
        self.history_ = []
        self._compiled = None
        return self

    def check_parameters(self) -> None:
        """Refuse values that cannot be meant.

        Raises:
            UsageError: a value is out of range.
        """
        refuse_size(self)
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

    def _identity(self, paths: Sequence[Path]) -> str:
        """What is trained on what, for the checkpoint: SHA-256 over parameters and images."""
        # A training may go on elsewhere, and nothing else may change: the rates depend on the number of epochs.
        parameters = {name: value for name, value in self.parameters().items() if name != "device"}
        lines = [self.name, json.dumps(parameters, default=str, sort_keys=True), *map(file_digest, paths)]
        weights = parameters.get("weights")
        if weights not in (None, "random"):
            lines.append(file_digest(Path(weights)))
        return hashlib.sha256("\n".join(lines).encode()).hexdigest()

    def _runtime(self) -> CompiledNetwork:
        """The fitted graph as the line runs it, compiled once."""
        network = self.network()
        compiled: CompiledNetwork | None = getattr(self, "_compiled", None)
        if compiled is None:
            contract = self.preprocessing()
            example = torch.zeros(1, 3, contract.height, contract.width)
            compiled = CompiledNetwork(to_onnx(network, example, ["score", "map"]))
            self._compiled = compiled
        return compiled


def prediction_of(network: CompiledNetwork, planes: FloatArray) -> Prediction:
    """Score and map of one preprocessed 3 x H x W photograph by a compiled graph."""
    score, anomaly_map = network(planes[None])
    return Prediction(
        float(score.reshape(-1)[0]), np.array(anomaly_map, np.float32).reshape(planes.shape[1:])
    )
