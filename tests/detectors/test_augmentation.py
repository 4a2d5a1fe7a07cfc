"""Augmentation as an option of every detector: what is done to photographs, where copies go, and how "auto" chooses."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, ClassVar

import cv2
import numpy as np
import pytest
import torch
from good_images import first_good
from sklearn.metrics import roc_auc_score
from torch import nn

from blemish.core.errors import UsageError
from blemish.core.types import ByteArray, Prediction
from blemish.data.catalog import Catalog, open_catalog
from blemish.data.defect_files import write_image
from blemish.detectors.augmentation import TRANSFORMS, TRIED, Augmentation
from blemish.detectors.augmentation_choice import FEWEST, choose_augmentation, gain
from blemish.detectors.base import Detector
from blemish.detectors.check_subject import Subject
from blemish.detectors.parameter_types import check_types
from blemish.detectors.registry import create_detector, detector_info, detector_names
from blemish.detectors.training import loop
from blemish.detectors.training.session import TrainingSession, training_session

ALL = ",".join(TRANSFORMS)
SHORT: dict[str, Any] = {
    "size": 64,
    "coreset_size": 100,
    "copies": "none",
    "epochs": 1,
    "examples_per_epoch": 8,
    "batch_size": 4,
}
SHORT |= {"precision": "float32", "members": ("knn", "padim"), "distillation_steps": 1, "n_estimators": 10}


def make(name: str, **parameters: Any) -> Detector:
    known = detector_info(name).parameters
    return create_detector(name, **{k: v for k, v in {**SHORT, **parameters}.items() if k in known})


def photograph(seed: int = 0, side: int = 48) -> ByteArray:
    return np.random.default_rng(seed).integers(60, 180, (side, side, 3), dtype=np.uint8)


def test_flips_mirror_and_nothing_else() -> None:
    image = photograph()
    mirrored = [image[:, ::-1], image[::-1], image[::-1, ::-1]]
    copies = [Augmentation("flips", seed).copy(image, number) for seed in range(60) for number in range(4)]
    kinds = [
        next((kind for kind, one in enumerate([image, *mirrored]) if np.array_equal(copy, one)), None)
        for copy in copies
    ]
    assert None not in kinds
    across, down = (np.mean([kind in wanted for kind in kinds]) for wanted in ((1, 3), (2, 3)))
    assert 0.4 < across < 0.6 and 0.04 < down < 0.18, "half of them left to right, a tenth top to bottom"


def test_turns_are_small_and_bring_nothing_black_in() -> None:
    bright = np.full((48, 64, 3), 200, np.uint8)
    mask = np.zeros((48, 64), np.bool_)
    mask[20:28, 48:56] = True
    bright[mask] = 90
    angles = []
    for number in range(12):
        copy, moved = Augmentation("turns", 0).copy_with_mask(bright, mask, number)
        assert copy.shape == bright.shape and copy.min() >= 85
        assert np.mean((copy[..., 0] < 145) == moved) > 0.98, "the mask moves with the photograph"
        centre = np.argwhere(moved).mean(0) - (23.5, 31.5)
        angles.append(np.degrees(np.arctan2(-centre[0], centre[1])))
    assert np.ptp(angles) > 5 and np.abs(angles).max() < 11


@pytest.mark.parametrize("name", ["jitter", "brightness"])
def test_light_moves_no_pixel(name: str) -> None:
    image = photograph()
    for number in range(6):
        copy = Augmentation(name, 0).copy(image, number)
        assert not np.array_equal(copy, image)
        assert np.corrcoef(copy.ravel(), image.ravel())[0, 1] > 0.95
        assert 0.75 < copy.mean() / image.mean() < 1.25


def test_another_light_leaves_masks_and_grey_photographs_what_they_are() -> None:
    grey = photograph()[..., :1].repeat(3, 2)
    mask = np.zeros(grey.shape[:2], np.bool_)
    mask[4:9, 5:12] = True
    blurred, colours = [], []
    for number in range(40):
        copy, moved = Augmentation("light", 0).copy_with_mask(grey, mask, number)
        assert np.array_equal(moved, mask) and (copy == copy[..., :1]).all()
        coloured = Augmentation("light", 0).copy(photograph(), number).astype(float)
        colours.append(coloured[..., 0].mean() / coloured[..., 2].mean())
        edges = [cv2.Laplacian(image[..., 0], cv2.CV_64F).std() / image.std() for image in (copy, grey)]
        blurred.append(edges[0] / edges[1])
        whole = cv2.GaussianBlur(copy, (0, 0), 3), cv2.GaussianBlur(grey, (0, 0), 3)
        assert np.corrcoef(whole[0].ravel(), whole[1].ravel())[0, 1] > 0.97, "nothing moves"
    assert max(colours) / min(colours) > 1.1, "red and blue go apart"
    assert max(blurred) > 0.95 and min(blurred) < 0.9, "some are sharp, some a little blurred"


def test_a_copy_depends_on_pixels_and_seed_alone() -> None:
    one, other = photograph(1), photograph(2)
    augmentation = Augmentation(ALL, 3)
    torch.manual_seed(0)
    before = torch.get_rng_state()
    first = [augmentation.copy(one, 0), augmentation.copy(other, 0)]
    assert torch.equal(torch.get_rng_state(), before), "nobody else's random numbers are used up"
    again = [augmentation.copy(other, 0), augmentation.copy(one, 0)][::-1]
    assert all(map(np.array_equal, first, again))
    assert not np.array_equal(first[0], Augmentation(ALL, 4).copy(one, 0))
    copies = augmentation.copies(one)
    assert len(copies) == 4 and not any(np.array_equal(copies[0], copy) for copy in copies[1:])
    assert Augmentation("flips", 0).copies(np.zeros((32, 32, 3), np.uint8)) == [], (
        "copies of one kind count once"
    )


@pytest.fixture(scope="module")
def plain(tmp_path_factory: pytest.TempPathFactory) -> Subject:
    """Plain parts with some defects among the training images, and without."""
    return Subject.of(make("knn"), tmp_path_factory.mktemp("plain"))


def learnable(detector: Detector, subject: Subject) -> Catalog:
    return Subject.of(detector, subject.folder).catalog if detector.learns_from_defects() else subject.catalog


@pytest.mark.parametrize("name", detector_names())
def test_every_detector_learns_from_copies(
    name: str, plain: Subject, monkeypatch: pytest.MonkeyPatch
) -> None:
    if name == "ensemble":
        pytest.skip("its members do")
    catalog = learnable(make(name), plain)
    made: list[int] = []
    transformed = Augmentation.both
    monkeypatch.setattr(
        Augmentation, "both", lambda self, *planes: made.append(1) or transformed(self, *planes)
    )
    called = Augmentation.__call__
    monkeypatch.setattr(Augmentation, "__call__", lambda self, image: made.append(1) or called(self, image))
    assert make(name).augmented_by() is None
    detector = make(name, augment=ALL)
    if not detector.augments:
        with pytest.raises(UsageError, match=f"augment={ALL} is not possible for {name}, which learns"):
            detector.fit(catalog)
        return
    detector.fit(catalog)
    assert made and detector.get_params()["augment"] == ALL
    scores = [prediction.score for _, prediction in detector.cross_predict(catalog, 2)]
    assert np.isfinite(scores).all() and len(scores) <= len(catalog.train_normal())


def test_an_ensemble_hands_it_to_its_members() -> None:
    ensemble = create_detector("ensemble", members=("cae:founded", "knn"))
    assert [member.augment for member in ensemble._unfitted()] == ["flips,jitter", "none"]
    assert [member.augment for member in ensemble.set_params(augment="turns")._unfitted()] == [
        "turns",
        "turns",
    ]


@pytest.mark.parametrize("name", ["knn", "padim", "elliptic-envelope"])
def test_copies_of_a_photograph_stay_in_its_fold(name: str, tmp_path: Path) -> None:
    """An odd one among good photographs is as odd as ever where it is scored as if unseen."""
    rng = np.random.default_rng(0)
    for number in range(8):
        image = np.full((64, 64, 3), 120.0) + rng.normal(0, 4, (64, 64, 3))
        if number == 5:
            image[10:50, 10:50] += 80 * rng.random((40, 40, 1))
        write_image(tmp_path / "good" / f"{number}.png", np.clip(image, 0, 255).astype(np.uint8))
    catalog = open_catalog(tmp_path / "good")
    scores = []
    for augment in ("none", "flips,jitter"):
        detector = make(name, augment=augment, coreset_size=10_000).fit(catalog)
        unseen = dict(detector.cross_predict(catalog, 4))
        scores.append(np.array([unseen[position].score for position in range(8)]))
    for one in scores:
        assert one.argmax() == 5 and one[5] > 1.5 * np.sort(one)[-2]


def test_an_interrupted_training_sees_the_same_copies(
    catalog: Catalog, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def untrained() -> Detector:
        return make("cae", augment=ALL, epochs=3)

    whole = untrained().fit(catalog).network().state_dict()
    write = loop.write_checkpoint

    def write_and_stop(path: Path, identity: str, checkpoint: Any) -> None:
        write(path, identity, checkpoint)
        if checkpoint.progress.epoch == 2:
            raise KeyboardInterrupt

    monkeypatch.setattr(loop, "write_checkpoint", write_and_stop)
    with training_session(TrainingSession(tmp_path)), pytest.raises(KeyboardInterrupt):
        untrained().fit(catalog)
    monkeypatch.undo()
    with training_session(TrainingSession(tmp_path, resume=True)):
        resumed = untrained().fit(catalog)
    assert len(resumed.history_) == 3
    assert all(torch.equal(whole[name], value) for name, value in resumed.network().state_dict().items())


def test_keys_are_as_before_where_nothing_is_augmented() -> None:
    detector = make("knn")
    assert "augment" not in detector.key_parameters() and "augment" in detector.get_params()
    assert detector.set_params(augment="flips").key_parameters()["augment"] == "flips"


@pytest.mark.parametrize("augment", ["flip", "flips,flips", "", "none,flips", "auto,flips"])
def test_what_is_no_transform_is_refused(augment: str, catalog: Catalog) -> None:
    detector = make("knn", augment=augment)
    for refuse in (lambda: check_types(detector), lambda: detector.fit(catalog)):
        with pytest.raises(
            UsageError, match=r"augment=.* is not possible for knn: choose none, auto, or of flips"
        ):
            refuse()


@dataclasses.dataclass
class AsTheyAre(Detector):
    """Takes no copies."""

    def learn(self, catalog: Catalog) -> None:
        self.count_ = len(catalog)

    def network(self) -> nn.Module:
        raise NotImplementedError


def test_a_detector_that_takes_no_copies_says_so(catalog: Catalog) -> None:
    AsTheyAre().fit(catalog)
    with pytest.raises(UsageError, match="augment=flips is not possible for AsTheyAre, which learns"):
        AsTheyAre(augment="flips").fit(catalog)


@dataclasses.dataclass
class Told(AsTheyAre):
    """Scores by what it is told: how far painted defects lie above good photographs with each augmentation."""

    augments: ClassVar[bool] = True
    apart: tuple[tuple[str, float], ...] = ()

    def predict_files(self, paths: Sequence[Path]) -> Iterator[Prediction]:
        for path in paths:
            noise = np.random.default_rng(len(path.read_bytes())).normal()
            far = dict(self.apart).get(self.augment, dict(self.apart)["none"])
            yield Prediction(float(noise + far * ("painted-" in str(path))), np.zeros((1, 1), np.float32))


@pytest.mark.parametrize(
    ("apart", "chosen"),
    [
        ({"none": 1.0}, "none"),
        ({"none": 1.0, "flips": 0.0, "turns": 0.5}, "none"),
        ({"none": 0.5, "jitter": 3.0}, "jitter"),
        ({"none": 0.5, "flips": 2.0, "jitter": 2.5, "flips,jitter": 4.0}, "flips,jitter"),
        ({"none": 0.5, "flips": 2.0, "jitter": 2.5, "flips,jitter": 0.0}, "jitter"),
    ],
    ids=str,
)
def test_auto_takes_what_tells_painted_defects_better(
    apart: dict[str, float], chosen: str, catalog: Catalog
) -> None:
    detector = Told(size=64, apart=tuple(apart.items()), augment="auto")
    choice = choose_augmentation(detector, catalog)
    assert choice.augment == chosen and set(choice.auroc) >= {"none", *TRIED}
    assert all(f"{name} {value:.3f}" in choice.why for name, value in choice.auroc.items())


def test_auto_needs_some_photographs(catalog: Catalog) -> None:
    few = first_good(catalog, FEWEST - 1)
    choice = choose_augmentation(Told(apart=(("none", 1.0),)), few)
    assert choice.augment == "none" and "too few" in choice.why


def test_what_auto_came_to_mean_is_used_and_said(catalog: Catalog, monkeypatch: pytest.MonkeyPatch) -> None:
    def choose(detector: Detector, catalog: Catalog) -> Any:
        return dataclasses.replace(choice, augment="jitter")

    choice = choose_augmentation(Told(apart=(("none", 1.0),)), first_good(catalog, 5))
    monkeypatch.setattr("blemish.detectors.base.choose_augmentation", choose)
    auto = make("knn", augment="auto").fit(catalog)
    same = make("knn", augment="jitter").fit(catalog)
    assert torch.equal(auto.memory_bank_, same.memory_bank_)
    assert auto.chosen()["augment"] == "jitter" and same.chosen() == {}
    assert auto.key_parameters() == same.key_parameters() and auto.augment == "auto"


def test_the_gain_is_the_difference_of_the_aurocs_and_its_error_that_of_many_draws() -> None:
    rng = np.random.default_rng(0)

    def drawn(count: int, far: float) -> tuple[np.ndarray, np.ndarray]:
        common = rng.normal(far, 1, count)
        return common + rng.normal(0, 0.5, count), 1.2 * common + rng.normal(0, 0.5, count)

    found = []
    for _ in range(300):
        good, bad = drawn(25, 0), drawn(40, 1)
        of = [roc_auc_score([0] * 25 + [1] * 40, [*g, *b]) for g, b in zip(good, bad, strict=True)]
        difference, error = gain(good, bad)
        assert difference == pytest.approx(of[1] - of[0])
        found.append((difference, error))
    differences, errors = zip(*found, strict=True)
    assert np.mean(errors) == pytest.approx(np.std(differences), rel=0.2)


def test_the_founded_preset_is_the_founding_projects() -> None:
    founded = create_detector("cae", "founded")
    plain = detector_info("cae").presets["plain"]
    assert {name: founded.get_params()[name] for name in plain} == plain
    assert founded.size == 128 and founded.augment == "flips,jitter"
    across, down, jitter = founded.augmented_by()._transform.transforms
    assert (across.p, down.p) == (0.5, 0.1)
    ranges = (jitter.brightness, jitter.contrast, jitter.saturation, jitter.hue)
    assert [tuple(one) for one in ranges] == [(0.8, 1.2), (0.8, 1.2), (0.85, 1.15), (-0.02, 0.02)]
