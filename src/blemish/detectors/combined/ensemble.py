"""An ensemble: several detectors judge, each on its own scale of what good images score."""

from __future__ import annotations

import dataclasses
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import numpy.typing as npt
import torch
from torch import nn

from blemish.core.errors import UsageError
from blemish.core.network import CompiledNetwork
from blemish.core.types import FloatArray, Prediction
from blemish.data.catalog import Catalog
from blemish.detectors.augmentation import NONE
from blemish.detectors.base import Detector
from blemish.detectors.chosen import ChosenDetector
from blemish.detectors.combined.ensemble_network import EnsembleNetwork, Member, Surprise, WithoutParts
from blemish.detectors.memo import Memo
from blemish.detectors.parameters import refuse, require_fitted
from blemish.detectors.registry import split_label
from blemish.detectors.trained import compiled, prediction_of
from blemish.detectors.training.session import TrainingSession, current_session, training_session
from blemish.features.pixels import PixelCache
from blemish.features.together import Reads, union_extractors
from blemish.view.preprocessing import Preprocessing, standardise

RULES = ("mean", "max")
_FOLDS = 4


@dataclasses.dataclass
class Calibrated:
    """A fitted member and what it says of unseen good images.

    Attributes:
        detector: fitted.
        scores: anomaly scores of good images scored as if unseen, sorted upwards.
        map_low, map_high: the median of its maps on them, and their highest value (99.5 % point).
    """

    detector: Detector
    scores: npt.NDArray[np.float64]
    map_low: float
    map_high: float


@dataclasses.dataclass
class Ensemble(Detector):
    """Detectors that learn from good images, combined by p-values.

    A member's score becomes -log10 of its p-value among the scores of unseen good images, with an exponential tail
    beyond them, so that a reconstruction error of 0.03 and a distance of 4 can be added. `rule` "mean" is Fisher's
    combination; "max" rejects what any one member finds surprising. All members read the image at the same size.

    Attributes:
        members: names, or NAME:PRESET.
        rule: "mean" or "max".
        weights: files with the weights of the members' networks, each as "NAME=FILE".

    After `fit`: `members_`, the fitted members with what they are calibrated on.
    """

    name: ClassVar[str] = "ensemble"
    measures: ClassVar[str] = "-log10 of the combined p-value"
    augments: ClassVar[bool] = True
    later: ClassVar[tuple[str, ...]] = ("weights",)

    members: tuple[str, ...] = ("patchcore", "feature-autoencoder")
    rule: str = "mean"
    weights: tuple[str, ...] = ()
    _compiled: Memo[CompiledNetwork] = dataclasses.field(
        default_factory=Memo, init=False, repr=False, compare=False
    )

    @property
    def member_names(self) -> tuple[str, ...]:
        """Names of the members, in the order of the network's third output."""
        return tuple(self.members)

    def learn(self, catalog: Catalog) -> None:
        """Fit every member, and let each score good images as if unseen."""
        fitted = []
        for place, member in enumerate(self._unfitted()):
            with training_session(_session_of(place)):
                fitted.append(_calibrated(member.fit(catalog), catalog))
        self.members_ = fitted
        self._compiled.forget()

    def predict_files(self, paths: Sequence[Path]) -> Iterator[Prediction]:
        """Score photographs one by one, in order."""
        network, contract, pixels = self.network(), self.preprocessing(), PixelCache()
        graph = self._compiled.recall(self.get_params(), lambda: compiled(network, contract))
        for path in paths:
            yield prediction_of(graph, standardise(pixels.read(path, contract), contract))

    def predict_unseen(self, catalog: Catalog, folds: int) -> Iterator[tuple[int, Prediction]]:
        """Combine what the members say of good images as if unseen, where all of them say something."""
        members: list[Calibrated] = require_fitted(self, "members_")
        with tempfile.TemporaryDirectory() as folder:
            said = []
            for place, one in enumerate(members):
                scores: dict[int, float] = {}
                shape = (len(catalog.train_normal()), self.size, self.size)
                # On disk: the maps of all images of all members would not fit in memory.
                maps = np.memmap(Path(folder) / f"{place}.maps", np.float32, "w+", shape=shape)
                for position, prediction in one.detector.cross_predict(catalog, folds):
                    scores[position], maps[position] = prediction.score, prediction.anomaly_map
                said.append((scores, maps))
            common = sorted(set.intersection(*(set(scores) for scores, _ in said)))
            for position in common:
                each = [(scores[position], np.array(maps[position])) for scores, maps in said]
                yield position, self._combined(each)

    def network(self) -> nn.Module:
        """The fitted ensemble as one graph."""
        return WithoutParts(self.whole_network()).eval()

    def chosen(self) -> dict[str, Any]:
        """What each member has chosen, as {"student-teacher scoring": "robust"}."""
        return {
            f"{label} {name}": value
            for label, one in zip(self.members, self.members_, strict=True)
            for name, value in one.detector.chosen().items()
        }

    def whole_network(self) -> EnsembleNetwork:
        """The graph with a third output: the surprise of every member, -log10 of its p-value."""
        members: list[Calibrated] = require_fitted(self, "members_")
        networks = []
        for one in members:
            contract = one.detector.preprocessing()
            surprise = Surprise(one.scores)
            network = one.detector.network()
            networks.append(Member(network, contract.mean, contract.std, surprise, one.map_low, one.map_high))
        return EnsembleNetwork(networks, self.rule).eval()

    def choose_augment(self, catalog: Catalog) -> None:
        """Nothing for all: every member chooses for itself."""

    def reads(self) -> Reads:
        """What the members read, and pixels."""
        said = [super().reads(), *(member.reads() for member in self._unfitted())]
        extractors = [extractor for one in said for extractor in one.extractors]
        contracts = [contract for one in said for contract in one.contracts]
        return Reads(
            tuple(server for server, _ in union_extractors(extractors)), tuple(dict.fromkeys(contracts))
        )

    def preprocessing(self) -> Preprocessing:
        """Pixels 0 to 255 at the common size; members standardise them themselves."""
        filters = {member.preprocessing().interpolation for member in self._unfitted()}
        if len(filters) > 1:
            raise UsageError(
                f"The members {', '.join(self.members)} resize photographs by different filters "
                f"({', '.join(sorted(filters))}): choose members of one filter."
            )
        planned = self.planned_view()
        return Preprocessing(
            height=planned.height,
            width=planned.width,
            mean=(0.0, 0.0, 0.0),
            std=(1.0, 1.0, 1.0),
            interpolation=filters.pop(),
            bit_depth=self.bit_depth,
            view=planned.view,
        )

    def _unfitted(self) -> list[Detector]:
        """The members, each at the ensemble's size.

        Raises:
            UsageError: there are fewer than two, one is unknown, needs defects to learn from, or shows no place.
        """
        refuse(
            self,
            {
                "members": len(self.members) < 2 or len(set(self.members)) < len(self.members),
                "rule": self.rule not in RULES,
                "weights": any(not all(one.partition("=")) for one in self.weights),
            },
        )
        made = []
        files = {name: Path(file) for name, _, file in (one.partition("=") for one in self.weights)}
        for label in self.members:
            name, preset = split_label(label)
            if name == self.name:
                raise UsageError("An ensemble cannot be a member of an ensemble: name its members instead.")
            common: dict[str, Any] = {"size": self.size, "bit_depth": self.bit_depth, "seed": self.seed}
            if self.augment != NONE:  # or a member keeps what its preset says
                common["augment"] = self.augment
            member = ChosenDetector(label, name, preset, common, files).make()
            if member.learns_from_defects():
                raise UsageError(f"{label} learns from defects and cannot be a member: choose others.")
            if not member.gives_maps:
                raise UsageError(f"{label} shows no place and cannot be a member: choose others.")
            member.check_augment()
            made.append(member.look_as(self.planned_view()))
        return made

    def _combined(self, said: Sequence[tuple[float, FloatArray]]) -> Prediction:
        """Scores and maps of the members as the network combines them."""
        members: list[Calibrated] = self.members_
        surprises, maps = [], []
        for one, (score, anomaly_map) in zip(members, said, strict=True):
            surprises.append(float(Surprise(one.scores)(torch.tensor([score]))[0]))
            maps.append((anomaly_map - one.map_low) / (one.map_high - one.map_low))
        combine = np.max if self.rule == "max" else np.mean
        return Prediction(float(combine(surprises)), combine(np.stack(maps), axis=0).astype(np.float32))


def _calibrated(detector: Detector, catalog: Catalog) -> Calibrated:
    """What a fitted detector says of good images scored as if unseen."""
    scores, medians, maxima = [], [], []
    for _, prediction in detector.cross_predict(catalog, _FOLDS):
        scores.append(prediction.score)
        medians.append(float(np.median(prediction.anomaly_map)))
        maxima.append(float(prediction.anomaly_map.max()))
    low, high = float(np.median(medians)), float(np.quantile(maxima, 0.995))
    return Calibrated(detector, np.sort(np.asarray(scores, np.float64)), low, max(high, low + 1e-6))


def _session_of(place: int) -> TrainingSession:
    """The session of one member: two members of one kind must not share a checkpoint."""
    session = current_session()
    folder = session.folder / f"member-{place}" if session.folder else None
    return dataclasses.replace(session, folder=folder)
