"""The classical detectors: each graph against scikit-learn's own score, and what little or odd input does."""

from __future__ import annotations

import dataclasses
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from good_images import first_good
from sklearn.covariance import EllipticEnvelope, LedoitWolf
from sklearn.decomposition import PCA
from sklearn.ensemble import IsolationForest
from sklearn.metrics import roc_auc_score
from sklearn.neighbors import LocalOutlierFactor
from sklearn.preprocessing import MinMaxScaler, StandardScaler
from sklearn.svm import OneClassSVM

from blemish.core.errors import CatalogError, UsageError
from blemish.core.folds import fold_positions
from blemish.core.images import read_image
from blemish.core.network import CompiledNetwork
from blemish.data.catalog import Catalog, open_catalog
from blemish.detectors.base import Detector
from blemish.detectors.classical.tabular import TabularDetector
from blemish.detectors.registry import create_detector, detector_info
from blemish.experiments.space import grid, setting_key, space_of
from blemish.features.handcrafted import HandcraftedVectors
from blemish.features.onnx_export import to_onnx
from blemish.features.pooled import PooledVectors
from blemish.features.projection import fit_projection, project
from blemish.line.handcrafted import feature_names
from blemish.line.rows import feature_row
from blemish.view.preprocessing import preprocess

SIZE = 128
NAMES = ("elliptic-envelope", "isolation-forest", "local-outlier-factor", "one-class-svm")
every_model = pytest.mark.parametrize("name", NAMES)

MODELS: dict[str, Callable[..., Any]] = {
    "elliptic-envelope": lambda **given: EllipticEnvelope(random_state=0, **given),
    "isolation-forest": lambda **given: IsolationForest(random_state=0, **given),
    "local-outlier-factor": lambda **given: LocalOutlierFactor(novelty=True, **given),
    "one-class-svm": OneClassSVM,
}

VARIANTS = [
    ("elliptic-envelope", {"covariance": "robust", "support_fraction": 0.9}),
    ("elliptic-envelope", {"covariance": "robust", "support_fraction": 1.0, "assume_centered": True}),
    ("isolation-forest", {}),
    ("isolation-forest", {"n_estimators": 40, "max_samples": 1.0, "max_features": 0.5}),
    ("isolation-forest", {"contamination": "auto", "max_samples": 20, "max_features": 3}),
    ("local-outlier-factor", {}),
    ("local-outlier-factor", {"n_neighbors": 7, "metric": "euclidean", "leaf_size": 5}),
    ("local-outlier-factor", {"metric": "manhattan", "contamination": "auto"}),
    ("local-outlier-factor", {"metric": "chebyshev"}),
    ("one-class-svm", {}),
    ("one-class-svm", {"nu": 0.3, "gamma": "auto"}),
    ("one-class-svm", {"nu": 0.2, "gamma": 0.02}),
    ("one-class-svm", {"kernel": "linear", "nu": 0.1}),
    ("one-class-svm", {"kernel": "poly", "degree": 2, "nu": 0.1}),
    ("one-class-svm", {"kernel": "poly", "degree": 3, "nu": 0.1, "gamma": "auto"}),
]


def make(name: str, **parameters: Any) -> TabularDetector:
    detector = create_detector(name, **{"size": SIZE, **parameters})
    assert isinstance(detector, TabularDetector)
    return detector


def own_parameters(detector: TabularDetector) -> dict[str, Any]:
    """Those of scikit-learn's model."""
    shared = {field.name for field in dataclasses.fields(TabularDetector)} | {"covariance"}
    return {name: value for name, value in detector.get_params().items() if name not in shared}


def on_sklearns_scale(detector: TabularDetector, model: Any, scores: Any) -> np.ndarray:
    """The detector's scores on the scale of scikit-learn's `score_samples`, larger for the less anomalous."""
    scores = np.asarray(scores, np.float64)
    logarithm = detector.name == "one-class-svm" and own_parameters(detector)["kernel"] == "rbf"
    return np.exp(-scores) * model.dual_coef_.sum() if logarithm else -scores


@pytest.mark.parametrize(("name", "parameters"), VARIANTS, ids=str)
def test_each_graph_says_what_scikit_learn_says(name: str, parameters: dict[str, Any]) -> None:
    random = np.random.default_rng(1)
    good = random.normal(size=(90, 6)) @ random.normal(size=(6, 6)) + 0.5
    new = np.concatenate(
        [good[:20], good[:20] + random.normal(size=(20, 6)), 8 * random.normal(size=(20, 6))]
    )
    detector = make(name, **parameters)
    arrays = detector.fit_model(good)
    with torch.inference_mode():
        graph = detector.model_score(arrays).eval()(torch.from_numpy(new.astype(np.float32))).numpy()
    model = MODELS[name](**own_parameters(detector)).fit(good)
    seen = new.astype(np.float32)
    expected = model.score_samples(seen)
    found = on_sklearns_scale(detector, model, graph)
    scale = np.abs(expected).max()
    assert np.abs(found - expected).max() <= 1e-5 * scale
    # Relative to each score too, where it is no difference of larger ones.
    exact = np.abs(expected) > (
        1e-8 * scale if own_parameters(detector).get("kernel", "rbf") == "rbf" else scale
    )
    assert found[exact] == pytest.approx(expected[exact], rel=1e-5)


@every_model
@pytest.mark.parametrize(("features", "scaling"), [("deep-mid", "standard"), ("deep-last", "minmax")])
def test_the_whole_detector_is_the_pipeline_of_scikit_learn(
    name: str, features: str, scaling: str, catalog: Catalog, tested: list[Path]
) -> None:
    founded = {"covariance": "robust"} if name == "elliptic-envelope" else {}
    pooling = {"deep-mid": "mean", "deep-last": "extremes"}[features]
    given = {"features": features, "pooling": pooling, "scaling": scaling, "explained": 0.95, **founded}
    detector = make(name, **given).fit(catalog)
    vectors = PooledVectors(detector.extractor(), pooling)
    assert detector.extractor().backbone.taps == ((8, 16) if features == "deep-mid" else (32,))
    good = np.stack(list(vectors.stream(catalog.train_normal()))).astype(np.float64)
    new = np.stack(list(vectors.stream(tested))).astype(np.float64)
    scaler = (StandardScaler() if scaling == "standard" else MinMaxScaler()).fit(good)
    components = len(good) // 5 if name == "elliptic-envelope" else 0.95
    pca = PCA(components, svd_solver="full").fit(scaler.transform(good))
    given = own_parameters(detector)
    if name == "local-outlier-factor":
        given["n_neighbors"] = len(good) // 2
    model = MODELS[name](**given).fit(pca.transform(scaler.transform(good)))
    expected = model.score_samples(pca.transform(scaler.transform(new)))
    found = [prediction.score for prediction in detector.predict(tested)]
    assert on_sklearns_scale(detector, model, found) == pytest.approx(expected, rel=1e-4)


def test_what_is_far_away_is_still_ranked() -> None:
    # The kernel itself would be 0 in float32, and all of these alike.
    good = np.random.default_rng(5).normal(size=(30, 4))
    detector = make("one-class-svm")
    with torch.inference_mode():
        scores = detector.model_score(detector.fit_model(good))(
            torch.arange(20, 220, 40.0)[:, None].expand(5, 4)
        )
    assert (np.diff(scores.numpy()) > 100).all()


@pytest.mark.parametrize(
    ("name", "parameters"),
    [
        ("one-class-svm", {"kernel": "linear"}),
        ("one-class-svm", {"kernel": "poly", "degree": 3}),
        ("one-class-svm", {"explained": 0.0}),
        ("isolation-forest", {"max_features": 0.5, "features": "deep-last"}),
        ("local-outlier-factor", {"metric": "manhattan", "scaling": "minmax"}),
        ("elliptic-envelope", {"backbone": "resnet50", "weights": "random", "features": "deep-last"}),
    ],
    ids=str,
)
def test_every_graph_runs_on_the_line(
    name: str, parameters: dict[str, Any], catalog: Catalog, tested: list[Path]
) -> None:
    detector = make(name, **parameters).fit(catalog)
    contract = detector.preprocessing()
    runtime = CompiledNetwork(to_onnx(detector.network(), torch.zeros(1, 3, SIZE, SIZE), ["score", "map"]))
    for path, prediction in zip(tested, detector.predict(tested), strict=True):
        for image in (read_image(path), np.uint8(255) - read_image(path)):
            planes = preprocess(image, contract)[None]
            with torch.inference_mode():
                score, anomaly_map = detector.network()(torch.from_numpy(planes))
            score_there, map_there = runtime(planes)
            assert score_there.ravel()[0] == pytest.approx(float(score), rel=1e-3)
            assert np.unique(map_there).tolist() == np.unique(score_there).tolist()
            assert anomaly_map.shape == (SIZE, SIZE)
        assert np.unique(prediction.anomaly_map).tolist() == [prediction.score]


def test_scaling_and_components_are_those_of_scikit_learn() -> None:
    random = np.random.default_rng(2)
    rows = random.normal(size=(40, 12)) * np.arange(1, 13) + 5
    for scaling, scaler in (("standard", StandardScaler()), ("minmax", MinMaxScaler())):
        scaled = scaler.fit_transform(rows)
        learnt = fit_projection(rows, scaling, 0.9, None)
        expected = PCA(0.9, svd_solver="full").fit(scaled)
        assert np.abs(project(rows, learnt)) == pytest.approx(np.abs(expected.transform(scaled)), abs=1e-9)
        assert len(fit_projection(rows, scaling, 0.9, 3)["components"]) == 3
        assert project(rows, fit_projection(rows, scaling, 0.0, None)) == pytest.approx(scaled)


@pytest.mark.parametrize("count", [2, 5, 8])
def test_there_are_never_more_components_than_the_rows_have_directions(count: int) -> None:
    rows = np.random.default_rng(3).normal(size=(count, 30))
    learnt = fit_projection(np.concatenate([rows, rows]), "standard", 1.0, None)
    assert len(learnt["components"]) == count - 1


def test_a_column_that_hardly_varies_is_not_blown_up() -> None:
    rows = np.random.default_rng(4).normal(size=(20, 4))
    rows[:, 1], rows[:, 2] = 7, 1000 + 1e-4 * rows[:, 2]
    for scaling in ("standard", "minmax"):
        assert fit_projection(rows, scaling, 0.0, None)["scale"][1:3].tolist() == [1, 1]


@every_model
def test_five_images_are_enough_and_four_are_not(name: str, catalog: Catalog, tested: list[Path]) -> None:
    few = first_good(catalog, 5)
    detector = make(name).fit(few)
    unseen = dict(detector.cross_predict(few, 4))
    assert sorted(unseen) == list(range(5))
    said = [*unseen.values(), *detector.predict(tested)]
    assert np.isfinite([prediction.score for prediction in said]).all()
    assert sorted(dict(detector.cross_predict(few, 2))) == list(range(5))
    with pytest.raises(CatalogError, match="4 good training images and at least 5"):
        make(name).fit(first_good(catalog, 4))


@every_model
@pytest.mark.parametrize("explained", [0.0, 0.95, 1.0])
def test_more_columns_than_images(name: str, explained: float, catalog: Catalog, tested: list[Path]) -> None:
    detector = make(name, explained=explained).fit(catalog)
    components = detector.arrays_["components"]
    assert len(components) == 0 if explained == 0 else len(components) < 12
    if name == "elliptic-envelope":
        assert (
            len(make(name, explained=explained, covariance="robust").fit(catalog).arrays_["components"]) == 2
        )
    assert np.isfinite([prediction.score for prediction in detector.predict(tested)]).all()


@every_model
def test_copies_of_one_photograph_are_refused(name: str, catalog: Catalog, tmp_path: Path) -> None:
    (path, *_) = catalog.train_normal()
    for number in range(8):
        shutil.copy(path, tmp_path / f"{number}.png")
    with pytest.raises(
        CatalogError, match=r"1 different good training images \(7 more show the same pixels\)"
    ):
        make(name).fit(open_catalog(tmp_path))
    detector = make(name)
    rows = np.repeat(np.asarray(detector.rows_of([path])), 8, axis=0)
    with pytest.raises(CatalogError, match="8 good images are all alike"):
        detector.fit_rows(rows)


def test_an_envelope_of_two_rows_and_their_copies_is_finite(catalog: Catalog, tested: list[Path]) -> None:
    detector = make("elliptic-envelope", covariance="robust")
    detector.fit_rows(np.repeat(np.asarray(detector.rows_of(catalog.train_normal()[:2])), 10, axis=0))
    assert len(detector.arrays_["components"]) == 1
    assert np.isfinite([prediction.score for prediction in detector.predict(tested)]).all()


def test_a_fold_has_as_many_components_as_the_whole_envelope(catalog: Catalog) -> None:
    ten = first_good(catalog, 10)
    detector = make("elliptic-envelope", covariance="robust").fit(ten)
    rows = np.stack(list(PooledVectors(detector.extractor(), "extremes").stream(ten.train_normal()))).astype(
        np.float64
    )
    unseen = dict(detector.cross_predict(ten, 2))
    for part in fold_positions(10, 2, 0):
        learnt = fit_projection(np.delete(rows, part, axis=0), "standard", 0.0, 2)
        model = EllipticEnvelope(support_fraction=1.0, random_state=0)  # of fewer than ten rows
        model.fit(project(np.delete(rows, part, axis=0), learnt))
        expected = -model.score_samples(project(rows[part], learnt))
        assert [unseen[position].score for position in part.tolist()] == pytest.approx(expected, rel=1e-3)


@pytest.mark.parametrize("name", ["isolation-forest", "local-outlier-factor", "one-class-svm"])
def test_scoring_as_if_unseen_is_fitting_on_the_others_without_reading_again(
    name: str, washers: Path, tmp_path: Path
) -> None:
    catalog = open_catalog(shutil.copytree(washers, tmp_path / "washer"))
    detector = make(name).fit(catalog)
    slow = dict(Detector.cross_predict(detector, catalog, 3))
    shutil.rmtree(tmp_path / "washer")
    fast = dict(detector.cross_predict(catalog, 3))
    assert sorted(fast) == sorted(slow) == list(range(12))
    assert all(fast[position].score == slow[position].score for position in fast)


@every_model
def test_handcrafted_features_are_the_input_of_the_network(
    name: str, catalog: Catalog, tested: list[Path]
) -> None:
    detector = make(name, features="direct").fit(catalog)
    scores = [prediction.score for prediction in detector.predict(tested)]
    assert len(set(scores)) > 1 and np.isfinite(scores).all()
    assert len(detector.arrays_["centre"]) == len(feature_names())
    assert len(dict(detector.cross_predict(catalog, 3))) == 12
    rows = np.stack([feature_row(read_image(path), "direct") for path in tested])
    with torch.inference_mode():
        said = [detector.network()(torch.from_numpy(row)[None]) for row in rows]
    assert [float(score) for score, _ in said] == scores
    assert all((map_ == score).all() and map_.shape == (SIZE, SIZE) for score, map_ in said)


def test_a_shrunk_covariance_is_that_of_ledoit_and_wolf() -> None:
    random = np.random.default_rng(6)
    for count, columns in ((30, 80), (60, 5)):
        good = random.normal(size=(count, columns)) * np.arange(1, columns + 1)
        new = 3 * random.normal(size=(10, columns))
        detector = make("elliptic-envelope", support_fraction=1.0)
        with torch.inference_mode():
            found = detector.model_score(detector.fit_model(good))(torch.from_numpy(new.astype(np.float32)))
        expected = LedoitWolf().fit(good).mahalanobis(new.astype(np.float32))
        assert found.numpy() == pytest.approx(expected, rel=1e-5)


def test_a_shrunk_covariance_forgets_the_images_farthest_away() -> None:
    random = np.random.default_rng(7)
    good = random.normal(size=(40, 20))
    led_astray = np.concatenate([good, 30 + random.normal(size=(2, 20))])
    detector = make("elliptic-envelope")
    assert np.abs(detector.fit_model(led_astray)["location"]).max() < 1
    assert np.abs(make("elliptic-envelope", support_fraction=1.0).fit_model(led_astray)["location"]).min() > 1


@pytest.mark.parametrize("pooling", ["mean", "max", "extremes"])
def test_the_graph_pools_as_the_rows_do(pooling: str, catalog: Catalog, tested: list[Path]) -> None:
    detector = make("isolation-forest", pooling=pooling).fit(catalog)
    for path, prediction in zip(tested, detector.predict(tested), strict=True):
        with torch.inference_mode():
            score, _ = detector.network()(torch.from_numpy(detector.read_input(path))[None])
        assert float(score) == pytest.approx(prediction.score, rel=1e-4)


def test_a_small_defect_moves_the_extremes_and_hardly_the_means(catalog: Catalog) -> None:
    labels = (catalog.test()["label"] == "anomalous").to_numpy()
    tests = [Path(path) for path in catalog.test()["path"]]

    def ranked(**parameters: Any) -> float:
        detector = make("one-class-svm", **parameters).fit(catalog)
        return float(roc_auc_score(labels, [one.score for one in detector.predict(tests)]))

    assert ranked() > ranked(pooling="mean", explained=0.95) + 0.1


def test_handcrafted_features_are_scored_as_scikit_learn_does(catalog: Catalog, tested: list[Path]) -> None:
    vectors = HandcraftedVectors()
    good, new = (
        np.stack(list(vectors.stream(paths))).astype(np.float64) for paths in (catalog.train_normal(), tested)
    )
    detector = make("one-class-svm", features="direct", explained=0.0).fit(catalog)
    scale = np.where(np.ptp(good, axis=0) <= 1e-5 * np.abs(good).max(axis=0), 1, good.std(axis=0))
    centre = good.mean(axis=0)
    model = OneClassSVM(nu=0.001).fit((good - centre) / scale)
    found = [prediction.score for prediction in detector.predict(tested)]
    expected = model.score_samples((new - centre) / scale)
    assert on_sklearns_scale(detector, model, found) == pytest.approx(expected, rel=1e-3)


@pytest.mark.parametrize(
    ("name", "parameter", "value"),
    [
        ("one-class-svm", "features", "deep"),
        ("one-class-svm", "pooling", "median"),
        ("elliptic-envelope", "covariance", "full"),
        ("one-class-svm", "scaling", "robust"),
        ("one-class-svm", "explained", 1.5),
        ("one-class-svm", "explained", float("nan")),
        ("one-class-svm", "nu", 0.0),
        ("one-class-svm", "kernel", "sigmoid"),
        ("one-class-svm", "gamma", "wide"),
        ("isolation-forest", "n_estimators", 0),
        ("isolation-forest", "max_samples", 1.5),
        ("isolation-forest", "contamination", 0.9),
        ("local-outlier-factor", "n_neighbors", 0),
        ("local-outlier-factor", "metric", "cosine"),
        ("local-outlier-factor", "leaf_size", 0),
        ("elliptic-envelope", "support_fraction", 1.5),
        ("elliptic-envelope", "contamination", 0.0),
        ("elliptic-envelope", "size", 100),
    ],
)
def test_values_that_cannot_be_meant_are_refused(
    name: str, parameter: str, value: Any, catalog: Catalog
) -> None:
    with pytest.raises(UsageError) as refused:
        make(name, **{parameter: value}).fit(catalog)
    sentence = str(refused.value)
    assert parameter in sentence and str(value) in sentence
    assert sentence.endswith(".") and "\n" not in sentence


def test_a_degree_below_one_is_refused(catalog: Catalog) -> None:
    with pytest.raises(UsageError, match="degree=0"):
        make("one-class-svm", kernel="poly", degree=0).fit(catalog)


@pytest.mark.parametrize("rows", [60, 270], ids="{} rows".format)
@every_model
def test_settings_with_the_same_score_parameters_score_the_same(name: str, rows: int) -> None:
    random = np.random.default_rng(rows)
    good = (random.normal(size=(rows, 6)) @ random.normal(size=(6, 6))).astype(np.float32)
    new = np.concatenate([good[:5], 2 * random.normal(size=(20, 6))]).astype(np.float32)
    small = {"n_estimators": [10, 20]} if name == "isolation-forest" else {}
    space = space_of({**detector_info(name).space, **small}, name, detector_info(name))
    found: dict[str, np.ndarray] = {}
    for setting in grid(space):
        detector = make(name, explained=0.95, **setting)  # without components "scale" is "auto"
        scores = detector.fit_rows(good).score_rows(new)
        same = found.setdefault(setting_key(detector.score_parameters(rows)), scores)
        assert (scores == same).all(), setting
    forest = {60: 4, 270: 8}[rows]  # from 257 rows on, "auto" is not all of them
    different = {"one-class-svm": 7, "isolation-forest": forest, "local-outlier-factor": 4}.get(name, 4)
    if name == "local-outlier-factor" and rows == 60:
        different = 3  # of 60 rows, at most 30 are neighbours
    assert len(found) == different
    if name != "elliptic-envelope":  # principal components are centred, whether that is assumed or not
        assert len({tuple(scores) for scores in found.values()}) == different, "the others differ"


@every_model
def test_rows_are_learnt_and_scored_as_the_images_they_come_from(
    name: str, catalog: Catalog, tested: list[Path]
) -> None:
    by_image = make(name, features="deep-last").fit(catalog)
    vectors = by_image.vectors()
    rows = np.stack(list(vectors.stream(catalog.train_normal())))
    new = np.stack(list(vectors.stream(tested)))
    by_rows = make(name, features="deep-last")
    by_rows.fit_rows(rows, by_rows.projection(rows))
    expected = [prediction.score for prediction in by_image.predict(tested)]
    assert by_rows.score_rows(new) == pytest.approx(expected, rel=1e-5)
    assert by_rows.score_rows(new[:0]).shape == (0,)
    many = np.concatenate([new] * 20)
    assert by_rows.score_rows(many) == pytest.approx(np.tile(expected, 20), rel=1e-5)
    with pytest.raises(CatalogError, match="4 good images are too few"):
        make(name).fit_rows(rows[:4])


def test_what_is_left_to_the_fit_is_said_as_a_number() -> None:
    rows = np.random.default_rng(3).normal(size=(30, 4)).astype(np.float32)
    svm = create_detector("one-class-svm", explained=0.0)
    assert isinstance(svm, TabularDetector)
    assert svm.fit_rows(rows).chosen()["gamma"] == pytest.approx(1 / 4), "four columns of variance 1"
    forest = create_detector("isolation-forest")
    assert isinstance(forest, TabularDetector) and forest.fit_rows(rows).chosen() == {"max_samples": 30}
    factor = create_detector("local-outlier-factor")
    assert isinstance(factor, TabularDetector) and factor.fit_rows(rows).chosen() == {"n_neighbors": 15}
    for name, given in (
        ("one-class-svm", {"gamma": 0.5}),
        ("one-class-svm", {"kernel": "linear"}),
        ("isolation-forest", {"max_samples": 8}),
        ("local-outlier-factor", {"n_neighbors": 5}),
    ):
        made = create_detector(name, **given)
        assert isinstance(made, TabularDetector) and made.fit_rows(rows).chosen() == {}
