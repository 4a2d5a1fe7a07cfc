"""The classifier: its head, Grad-CAM in closed form, its loss, and what it learns."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest
import torch
import torch.nn.functional as F
from hypothesis import given
from hypothesis import strategies as st
from torch import nn

from blemish.core.errors import CatalogError, UsageError
from blemish.data.catalog import Catalog, open_catalog
from blemish.data.sample_line import write_sample_line
from blemish.data.splits import supervised_split
from blemish.detectors.registry import create_detector
from blemish.detectors.supervised.classifier_network import (
    ClassifierHead,
    PlainTrunk,
    PrincipalAxes,
    TrunkWithHead,
    balancing_offset,
    log_odds_of_defect,
    pool,
)
from blemish.detectors.supervised.classifier_objective import ClassifierObjective, augmentation

QUICK = {"size": 128, "epochs": 12, "patience": 0}


@pytest.fixture(scope="module")
def catalog(tmp_path_factory: pytest.TempPathFactory) -> Catalog:
    out = tmp_path_factory.mktemp("labels")
    (folder,) = write_sample_line(out, ("washer",), train=16, good=12, per_defect_type=6, size=128)
    return supervised_split(open_catalog(folder))


def head_of(names: tuple[str, ...]) -> tuple[ClassifierHead, list[torch.Tensor]]:
    torch.manual_seed(0)
    head = ClassifierHead((5, 7), (8, 4), 32, names)
    nn.init.normal_(head.linear.weight)
    head.norm.running_mean.normal_()
    head.norm.running_var.uniform_(0.5, 2)
    return head.eval(), [torch.randn(1, 5, 8, 8), torch.randn(1, 7, 4, 4)]


def count(network: nn.Module) -> int:
    return sum(parameter.numel() for parameter in network.parameters())


def test_shapes_and_parameters_are_as_documented() -> None:
    trunk = PlainTrunk()
    maps = trunk(torch.rand(1, 3, 256, 256))
    assert [tuple(one.shape[1:]) for one in maps] == [(128, 32, 32), (128, 16, 16)]
    head = ClassifierHead((40, 112, 320), (48, 24, 12), 384, ("good", "defective"))
    maps = [torch.rand(1, width, side, side) for width, side in ((40, 48), (112, 24), (320, 12))]
    score, anomaly_map = head.eval()(maps)
    assert score.shape == (1,) and anomaly_map.shape == (384, 384)
    assert f"{count(trunk):,} parameters" in PlainTrunk.__doc__
    assert f"{count(head):,} parameters" in ClassifierHead.__doc__


@pytest.mark.parametrize("names", [("good", "defective"), ("good", "hole", "scratch", "stain")])
def test_the_map_is_the_gradient_weighted_activation(names: tuple[str, ...]) -> None:
    head, maps = head_of(names)
    maps = [one.requires_grad_(True) for one in maps]
    shares = torch.softmax(head.logits(pool(maps)), 1)[0]
    torch.log((1 - shares[0]) / shares[0]).backward()
    direct = np.zeros((32, 32))
    for one in maps:
        importance = one.grad[0].sum((1, 2))
        local = (one - one.mean((2, 3), keepdim=True))[0].detach()
        coarse = torch.einsum("c,chw->hw", importance, local)[None, None]
        direct += F.interpolate(coarse, (32, 32), mode="bilinear", align_corners=False)[0, 0].numpy()
    with torch.no_grad():
        score, anomaly_map = head(maps)
    assert np.allclose(anomaly_map, direct, atol=1e-4)
    assert float(score) == pytest.approx(float(torch.log((1 - shares[0]) / shares[0]).detach()), abs=1e-5)


def test_principal_axes_take_the_correlation_out() -> None:
    torch.manual_seed(0)
    maps = torch.einsum("cd,ndhw->nchw", torch.randn(5, 5), torch.randn(40, 5, 6, 6)) + 3
    rows = maps.transpose(0, 1).flatten(1)
    rotated = PrincipalAxes([rows.mean(1)], [torch.cov(rows)])([maps])[0].transpose(0, 1).flatten(1)
    covariance = torch.cov(rotated)
    assert torch.allclose(covariance, torch.diag(covariance.diagonal()), atol=1e-3)
    assert torch.allclose(covariance.diagonal().sum(), torch.cov(rows).trace(), rtol=1e-4), (
        "turned, not stretched"
    )
    assert torch.allclose(rotated.mean(1), torch.zeros(5), atol=1e-4)


def test_the_offset_is_that_of_a_balanced_logistic_regression() -> None:
    rng = np.random.default_rng(0)
    defective = rng.random(300) < 0.2
    scores = rng.normal(2.0, 1.0, 300) + 1.5 * defective
    offsets = np.linspace(0, 6, 6001)[:, None]
    losses = np.log1p(np.exp(np.where(defective, -1, 1) * (scores - offsets)))
    best = offsets[(losses[:, defective].mean(1) + losses[:, ~defective].mean(1)).argmin(), 0]
    assert balancing_offset(torch.tensor(scores), torch.tensor(defective)) == pytest.approx(best, abs=2e-3)


def test_pooling_is_mean_maximum_and_minimum() -> None:
    maps = [torch.randn(2, 3, 4, 4), torch.randn(2, 2, 2, 2)]
    direct = np.concatenate(
        [getattr(one.numpy(), name)((2, 3)) for one in maps for name in ("mean", "max", "min")], 1
    )
    assert np.allclose(pool(maps), direct, atol=1e-6)


def test_the_score_does_not_saturate() -> None:
    logits = torch.tensor([[0.0, 40.0, 41.0], [0.0, 80.0, 81.0], [90.0, 0.0, 0.0]])
    scores = log_odds_of_defect(logits)
    assert scores[1] > scores[0] + 30 and scores[2] < -80


def test_the_loss_is_weighted_and_smoothed() -> None:
    head, _ = head_of(("good", "hole", "stain"))
    pooled = torch.randn(6, 36)
    classes = torch.tensor([0, 1, 2, 0, 0, 1])
    objective = ClassifierObjective(head, None, [0.5, 1.0, 3.0], 0.1, 0.3, False).eval()
    logits = head.logits(pooled).detach().double().numpy()
    logs = logits - np.log(np.exp(logits).sum(1, keepdims=True))
    weights, total, norm = np.array([0.5, 1.0, 3.0]), 0.0, 0.0
    for row, one in zip(logs, classes.tolist(), strict=True):
        wanted = np.full(3, 0.1 / 3)
        wanted[one] += 0.9
        total -= (wanted * weights * row).sum()
        norm += weights[one]
    batch = {"pooled": pooled, "class": classes}
    assert float(objective.validation_loss(batch)) == pytest.approx(total / norm, rel=1e-4)
    ridge = 0.15 * float((head.linear.weight.detach().double() ** 2).sum())
    assert float(objective.loss(batch)) == pytest.approx(total / norm + ridge, rel=1e-4)


def test_it_tells_defective_parts_and_their_types(catalog: Catalog) -> None:
    settings = {**QUICK, "epochs": 30, "classes": "types"}
    detector = create_detector("classifier", **settings).fit(catalog)
    test = catalog.test()
    paths = [Path(path) for path in test["path"]]
    shares = list(detector.predict_types(paths))
    names = list(shares[0])
    assert names[0] == "good" and set(names) == set(test["defect_type"])
    scores = [prediction.score for prediction in detector.predict(paths)]
    for one, score in zip(shares, scores, strict=True):
        assert sum(one.values()) == pytest.approx(1, abs=1e-5)
        assert score == pytest.approx(np.log((1 - one["good"]) / one["good"]), abs=1e-2 + 1e-3 * abs(score))
    told = np.array([max(one, key=one.get) for one in shares]) == test["defect_type"].to_numpy()
    assert told.mean() > 2 / len(names)
    assert {"accuracy", "balanced_accuracy"} <= set(detector.metrics_)


def test_mirrored_copies_teach_that_a_side_means_nothing(tmp_path: Path) -> None:
    """Defects at the left alone: without mirrored copies one at the right tells less."""
    rng = np.random.default_rng(0)
    for split, kind, count in (("train", "good", 24), ("test", "good", 2), ("test", "spot", 24)):
        folder = tmp_path / "plate" / split / kind
        folder.mkdir(parents=True)
        for number in range(count):
            image = rng.normal(128, 12, (96, 96, 3)).clip(0, 255).astype(np.uint8)
            image[:, :48] //= 2  # the side is plain to see
            if kind == "spot":
                cv2.circle(image, (24, int(rng.integers(20, 76))), 7, (200, 60, 60), -1)
            cv2.imwrite(str(folder / f"{number:02d}.png"), image)
    catalog = supervised_split(open_catalog(tmp_path / "plate"), 0.9)
    path = tmp_path / "right.png"
    defective = next(p for p in catalog.table["path"] if "spot" in p)
    cv2.imwrite(str(path), cv2.imread(defective)[:, ::-1])
    scores = {}
    for mirrored in (False, True):
        detector = create_detector("classifier", **QUICK, mirrored=mirrored).fit(catalog)
        there, here = detector.predict([path, Path(defective)])
        scores[mirrored] = here.score - there.score
    assert abs(scores[True]) < abs(scores[False])


@pytest.mark.parametrize(
    "parameters",
    [
        {"backbone": "cnn"},
        {"backbone": "resnet18", "weights": "random"},
        {"backbone": "vgg11_bn", "weights": "random", "size": 64},
        {"backbone": "efficientnet_lite0"},
    ],
)
def test_every_trunk_can_be_trained(catalog: Catalog, parameters: dict[str, object]) -> None:
    settings = {**QUICK, "size": 96, "epochs": 1, "examples_per_epoch": 8, "precision": "float32"}
    few = catalog.subset(np.arange(len(catalog)) % 2 == 0)
    detector = create_detector("classifier", **{**settings, **parameters, "trainable": "all"}).fit(few)
    paths = [Path(path) for path in few.test()["path"]][:2]
    (first, second) = detector.predict(paths)
    odds = [np.log(one["defective"] / one["good"]) for one in detector.predict_types(paths)]
    assert [first.score, second.score] == pytest.approx(odds, abs=1e-3)


def test_photographs_may_be_trained_on_smaller_than_they_are_judged(catalog: Catalog) -> None:
    seen: set[tuple[int, ...]] = set()

    class Watched(PlainTrunk):
        def forward(self, images: torch.Tensor) -> list[torch.Tensor]:
            seen.add((*map(int, images.shape[2:]), self.training))
            return super().forward(images)

    few = catalog.subset(np.arange(len(catalog)) % 2 == 0)
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr("blemish.detectors.supervised.classifier.PlainTrunk", Watched)
        detector = create_detector(
            "classifier", preset="cnn", size=96, training_size=64, epochs=1, batch_size=8
        ).fit(few)
        prediction = next(detector.predict([Path(few.test()["path"].iloc[0])]))
    assert seen == {(64, 64, True), (96, 96, False)}
    assert prediction.anomaly_map.shape == (96, 96)


@pytest.mark.parametrize("classes", ["binary", "types"])
def test_mirrored_copies_are_judged_together(catalog: Catalog, tmp_path: Path, classes: str) -> None:
    few = catalog.subset(np.arange(len(catalog)) % 2 == 0)
    settings = {"size": 96, "training_size": 0, "epochs": 2, "batch_size": 8, "classes": classes}
    alone = create_detector("classifier", preset="fine-tuned", **settings, judges_mirrored=False).fit(few)
    together = create_detector("classifier", preset="fine-tuned", **settings)
    whole = alone.network()
    together.network_ = TrunkWithHead(whole.trunk, whole.head, together.judges_mirrored).eval()
    image = cv2.imread(few.test()["path"].iloc[0])
    paths = []
    for number, copy in enumerate((image, image[:, ::-1], image[::-1], image[::-1, ::-1])):
        paths.append(tmp_path / f"{number}.png")
        cv2.imwrite(str(paths[-1]), copy)
    first, *_ = both = list(together.predict(paths))
    assert [one.score for one in both] == pytest.approx([first.score] * 4, abs=1e-3)
    right, low, across = both[1].anomaly_map, both[2].anomaly_map, both[3].anomaly_map
    for flipped in (right[:, ::-1], low[::-1], across[::-1, ::-1]):
        assert np.allclose(flipped, first.anomaly_map, atol=1e-3)
    apart = [one.score for one in alone.predict(paths)]
    if classes == "binary":
        assert first.score == pytest.approx(np.mean(apart), abs=1e-3)
    assert np.ptp(apart) > 1e-2
    shares = next(together.predict_types(paths))
    assert first.score == pytest.approx(np.log((1 - shares["good"]) / shares["good"]), abs=1e-3)


def test_the_last_weights_are_kept_where_asked(catalog: Catalog) -> None:
    few = catalog.subset(np.arange(len(catalog)) % 2 == 0)
    settings = {"size": 96, "epochs": 4, "batch_size": 8, "patience": 0, "learning_rate": 1e-2}
    fitted = {
        keep: create_detector("classifier", preset="cnn", **settings, keep=keep).fit(few)
        for keep in ("best", "last")
    }
    losses = [[row["validation_loss"] for row in one.history_] for one in fitted.values()]
    assert losses[0] == losses[1] and int(np.argmin(losses[0])) < 3, "the best epoch is not the last"
    best, last = (one.network().state_dict()["trunk.end.0.weight"] for one in fitted.values())
    assert not np.array_equal(best, last)


@given(side=st.integers(16, 80), seed=st.integers(0, 2**31 - 1))
def test_augmentation_mirrors_only_where_it_may(side: int, seed: int) -> None:
    ramp = torch.arange(0, 240, 2, dtype=torch.uint8).expand(3, 120, 120).contiguous()
    torch.manual_seed(seed)
    crop = augmentation(side, mirrored=False)(ramp).float()
    assert crop.shape == (3, side, side)
    assert crop[:, :, -1].mean() > crop[:, :, 0].mean()
    torch.manual_seed(seed)
    both = [augmentation(side, mirrored=True)(ramp).float() for _ in range(24)]
    assert {bool(one[:, :, -1].mean() > one[:, :, 0].mean()) for one in both} == {True, False}


def test_what_cannot_be_meant_is_refused(washers: Path, catalog: Catalog) -> None:
    with pytest.raises(CatalogError, match="supervised_split"):
        create_detector("classifier", **QUICK).fit(open_catalog(washers))
    with pytest.raises(UsageError, match="trainable=all"):
        create_detector("classifier", **QUICK, backbone="cnn").fit(catalog)
    for size in (16, 160):
        with pytest.raises(UsageError, match=f"training_size={size}"):
            create_detector("classifier", "cnn", size=128, training_size=size).fit(catalog)
    with pytest.raises(UsageError, match="judges_mirrored=true needs trainable=all"):
        create_detector("classifier", **QUICK, judges_mirrored=True).fit(catalog)
    with pytest.raises(UsageError, match="keep=first"):
        create_detector("classifier", **QUICK, keep="first").fit(catalog)
    with pytest.raises(UsageError, match="classes=three"):
        create_detector("classifier", **QUICK, classes="three").fit(catalog)
