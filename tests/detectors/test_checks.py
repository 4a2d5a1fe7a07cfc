"""`check_detector` finds what it is for: a detector that breaks one clause is told which, and an honest one passes."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, Self

import numpy as np
import pytest
import torch
from torch import Tensor, nn

import blemish as bl
from blemish.core.errors import ContractError
from blemish.detectors import checks
from blemish.detectors.check_subject import Subject
from blemish.view.preprocessing import Preprocessing


class Deviation(nn.Module):
    def __init__(self, mean: Tensor) -> None:
        super().__init__()
        self.register_buffer("mean", mean)

    def forward(self, image: Tensor) -> tuple[Tensor, Tensor]:
        anomaly_map = (image - self.mean).abs().mean(1)[0]
        return anomaly_map.amax().reshape(1), anomaly_map


@dataclasses.dataclass
class Honest(bl.Detector):
    size: int = 64

    def learn(self, catalog: bl.Catalog) -> None:
        planes = [self.read_input(path) for path in bl.normal_images(catalog)]
        self.mean_ = torch.from_numpy(np.mean(planes, axis=0))[None]

    def network(self) -> nn.Module:
        return Deviation(bl.require_fitted(self, "mean_"))


@dataclasses.dataclass
class CountsUp(Honest):
    def __post_init__(self) -> None:
        self.seed = [self.seed]  # type: ignore[assignment]


@dataclasses.dataclass
class KnowsBefore(Honest):
    def __post_init__(self) -> None:
        self.mean_ = torch.zeros(1, 3, 64, 64)


class NoDataclass(Honest):
    pass


@dataclasses.dataclass
class Forgives(Honest):
    def set_params(self, **parameters: Any) -> Self:
        vars(self).update(parameters)
        return self


@dataclasses.dataclass
class TakesDefects(Honest):
    def learn(self, catalog: bl.Catalog) -> None:
        bl.normal_images(catalog.subset((catalog.table["label"] == "normal").to_numpy()))
        self.mean_ = torch.from_numpy(
            np.mean(
                [self.read_input(Path(p)) for p in catalog.table.query("split == 'train'")["path"]], axis=0
            )
        )[None]


@dataclasses.dataclass
class FailsOnNothing(Honest):
    def learn(self, catalog: bl.Catalog) -> None:
        self.mean_ = torch.from_numpy(np.stack([self.read_input(p) for p in catalog.train_normal()]).mean(0))[
            None
        ]


@dataclasses.dataclass
class LeavesThings(Honest):
    def learn(self, catalog: bl.Catalog) -> None:
        super().learn(catalog)
        self.count = 3


@dataclasses.dataclass
class ChangesSize(Honest):
    def learn(self, catalog: bl.Catalog) -> None:
        super().learn(catalog)
        self.bit_depth = 8


@dataclasses.dataclass
class ReturnsNothing(Honest):
    def fit(self, data: Any) -> Self:
        super().fit(data)
        return None  # type: ignore[return-value]


@dataclasses.dataclass
class SpeaksUnfitted(Honest):
    def network(self) -> nn.Module:
        return Deviation(getattr(self, "mean_", torch.zeros(1, 3, self.size, self.size)))


@dataclasses.dataclass
class ScoresInTensors(Honest):
    def predict_files(self, paths: Sequence[Path]) -> Iterator[bl.Prediction]:
        for one in super().predict_files(paths):
            yield bl.Prediction(np.float32(one.score), one.anomaly_map)  # type: ignore[arg-type]


@dataclasses.dataclass
class SharesMemory(Honest):
    def predict_files(self, paths: Sequence[Path]) -> Iterator[bl.Prediction]:
        held = np.empty((self.size, self.size), np.float32)
        for one in super().predict_files(paths):
            held[:] = one.anomaly_map
            yield bl.Prediction(one.score, held)


@dataclasses.dataclass
class SkipsBroken(Honest):
    def predict_files(self, paths: Sequence[Path]) -> Iterator[bl.Prediction]:
        for path in paths:
            try:
                yield from super().predict_files([path])
            except bl.ImageError:
                yield bl.Prediction(0.0, np.zeros((self.size, self.size), np.float32))


@dataclasses.dataclass
class UpsideDown(Honest):
    def predict_files(self, paths: Sequence[Path]) -> Iterator[bl.Prediction]:
        for one in super().predict_files(paths):
            yield bl.Prediction(-one.score, one.anomaly_map)


@dataclasses.dataclass
class FlatMaps(Honest):
    def predict_files(self, paths: Sequence[Path]) -> Iterator[bl.Prediction]:
        for one in super().predict_files(paths):
            yield bl.Prediction(one.score, np.full_like(one.anomaly_map, one.score))


@dataclasses.dataclass
class Dice(Honest):
    def learn(self, catalog: bl.Catalog) -> None:
        super().learn(catalog)
        self.mean_ += torch.from_numpy(np.random.default_rng().normal(0, 0.01, self.mean_.shape)).float()


@dataclasses.dataclass
class KeepsTheFirst(Honest):
    def learn(self, catalog: bl.Catalog) -> None:
        bl.normal_images(catalog)
        if not hasattr(self, "first"):
            super().learn(catalog)
            self.first = self.mean_
        self.mean_ = nn.functional.interpolate(self.first, self.size)


@dataclasses.dataclass
class SpeaksOn(Honest):
    def network(self) -> nn.Module:
        return Deviation(nn.functional.interpolate(self.mean_, self.size))


@dataclasses.dataclass
class LearnsOn(Honest):
    def predict_files(self, paths: Sequence[Path]) -> Iterator[bl.Prediction]:
        for one in super().predict_files(paths):
            yield one
            self.mean_ = self.mean_ * 0.999


@dataclasses.dataclass
class OtherNetwork(Honest):
    def predict_files(self, paths: Sequence[Path]) -> Iterator[bl.Prediction]:
        for one in super().predict_files(paths):
            yield bl.Prediction(one.score * 1.1, one.anomaly_map)


@dataclasses.dataclass
class ByHeart(Honest):
    def cross_predict(self, catalog: bl.Catalog, folds: int) -> Iterator[tuple[int, bl.Prediction]]:
        yield from enumerate(self.predict(catalog.train_normal()))


@dataclasses.dataclass
class LooksAnywhere(Honest):
    def preprocessing(self) -> Preprocessing:
        return super().preprocessing().model_copy(update={"view": None})


BROKEN: dict[type[bl.Detector], tuple[str, str]] = {
    NoDataclass: ("check_parameters", "decorate NoDataclass"),
    CountsUp: ("check_init_only_stores", "seed is"),
    KnowsBefore: ("check_init_only_stores", "mean_ before"),
    Forgives: ("check_get_and_set_params", "not refused by a UsageError"),
    TakesDefects: ("check_defects_are_not_learnt", "not refused by a CatalogError"),
    FailsOnNothing: ("check_no_images_are_refused", "it raised ValueError"),
    LooksAnywhere: ("check_looks_through_its_view", "without it"),
    LeavesThings: ("check_fit_returns_self", "count"),
    ChangesSize: ("check_fit_returns_self", "changes parameters"),
    ReturnsNothing: ("check_fit_returns_self", "does not return"),
    SpeaksUnfitted: ("check_unfitted_is_refused", "not refused by a NotFittedError"),
    ScoresInTensors: ("check_predictions", "a score is"),
    SharesMemory: ("check_predictions", "share memory"),
    SkipsBroken: ("check_a_broken_photograph_is_named", "not refused by a ImageError"),
    UpsideDown: ("check_defects_score_higher", "it is 0.0"),
    FlatMaps: ("check_maps_show_defects", "of 12 defective"),
    Dice: ("check_a_seed_repeats_everything", "scores otherwise"),
    KeepsTheFirst: ("check_changed_parameters_count", "than a fresh one"),
    SpeaksOn: ("check_changed_parameters_count", "not refused by a NotFittedError"),
    LearnsOn: ("check_predicting_learns_nothing", "backwards"),
    OtherNetwork: ("check_the_network_says_the_same", "in torch it differs"),
    ByHeart: ("check_good_images_are_scored_as_if_unseen", "no higher"),
}


def test_an_honest_detector_passes() -> None:
    bl.check_detector(Honest())


@pytest.mark.parametrize("kind", BROKEN)
def test_a_broken_clause_is_named(kind: type[bl.Detector], tmp_path: Path) -> None:
    name, how = BROKEN[kind]
    check = getattr(checks, name)
    assert check in checks.CHECKS
    subject = Subject.of(kind(), tmp_path)
    with pytest.raises(ContractError, match=how) as found:
        checks.run_check(check, subject)
    sentence = str(found.value)
    assert sentence.startswith(f"{kind.__name__} breaks the contract of detectors, ") and sentence.endswith(
        "."
    )


def test_the_first_broken_clause_ends_the_checks() -> None:
    with pytest.raises(ContractError, match="SpeaksUnfitted breaks"):
        bl.check_detector(SpeaksUnfitted())
