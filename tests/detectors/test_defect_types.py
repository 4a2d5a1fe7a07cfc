"""Defect types: calibrated probabilities, the distance to labelled defects, and what is none of these."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from scipy.optimize import minimize_scalar
from scipy.special import log_softmax
from sklearn.neighbors import NearestNeighbors

from blemish.core.types import NONE_OF_THESE
from blemish.data.catalog import Catalog, open_catalog
from blemish.data.splits import supervised_split
from blemish.detectors.registry import create_detector
from blemish.detectors.supervised.defect_types import (
    RATE,
    Labelled,
    distances_to_others,
    fit_temperature,
    learn_types,
    share_recognised,
)
from blemish.line.runtime import Inspector
from blemish.making.build import build_inspector

QUICK = {"size": 96, "epochs": 10, "examples_per_epoch": 128, "patience": 0, "classes": "types"}


@pytest.fixture(scope="module")
def half(plates: Path) -> Catalog:
    """Half of the labelled plates to learn from."""
    return supervised_split(open_catalog(plates))


def paths_of(catalog: Catalog) -> list[Path]:
    return [Path(path) for path in catalog.test()["path"]]


@given(seed=st.integers(0, 10_000), scale=st.floats(0.2, 8.0))
def test_the_temperature_is_that_of_the_lowest_cross_entropy(seed: int, scale: float) -> None:
    rng = np.random.default_rng(seed)
    types = rng.integers(0, 4, 60)
    logits = scale * (rng.normal(0, 1, (60, 4)) + 1.5 * np.eye(4)[types])
    right = 61 / 64
    wanted = np.where(np.eye(4)[types] > 0, right, (1 - right) / 3)

    def loss(log_temperature: float) -> float:
        return float(-(wanted * log_softmax(logits / np.exp(log_temperature), 1)).sum(1).mean())

    best = minimize_scalar(loss, bounds=(np.log(0.05), np.log(20)), method="bounded")
    found = fit_temperature(torch.tensor(logits), torch.tensor(types))
    assert np.log(found) == pytest.approx(best.x, abs=0.02)


def test_a_few_right_answers_make_nobody_certain() -> None:
    types = torch.arange(3).repeat(2)
    logits = 30 * torch.eye(3)[types]
    temperature = fit_temperature(logits, types)
    surest = torch.softmax(logits / temperature, 1).amax(1)
    assert torch.allclose(surest, torch.full((6,), 7 / 9), atol=0.01), "the rule of succession"
    assert fit_temperature(logits[:0], types[:0]) == fit_temperature(logits[:, :1], types * 0) == 1


def test_distances_are_those_to_the_nearest_other_one() -> None:
    torch.manual_seed(0)
    features = torch.randn(40, 12)
    nearest = NearestNeighbors(n_neighbors=2, metric="cosine").fit(features.numpy())
    expected = nearest.kneighbors(features.numpy())[0][:, 1]
    assert np.allclose(distances_to_others(features), expected, atol=1e-5)


def test_types_are_left_out_in_turn_to_see_how_well_unknown_ones_are_told() -> None:
    rng = np.random.default_rng(0)
    types = np.repeat(np.arange(3), 20)
    compared = np.ones(60, np.bool_)
    apart = torch.tensor(20 * np.eye(3, 8)[types] + rng.normal(0, 1, (60, 8)), dtype=torch.float32)
    alike = torch.tensor(rng.normal(0, 1, (60, 8)), dtype=torch.float32)
    assert share_recognised(apart, types, compared) == 1
    found = share_recognised(alike, types, compared)
    direct = []
    for left_out in range(3):
        known = types != left_out
        among = NearestNeighbors(n_neighbors=2, metric="cosine").fit(alike[known])
        limit = np.sort(among.kneighbors(alike[known])[0][:, 1])[36]  # the 37th of 40 for a tenth
        direct += (among.kneighbors(alike[~known], 1)[0][:, 0] > limit).tolist()
    assert found == pytest.approx(np.mean(direct)) and found < 0.4
    assert share_recognised(alike[:20], types[:20], compared[:20]) is None, "one type alone"


@pytest.mark.parametrize(("per_type", "alone", "limited"), [(4, 1, False), (5, 1, True), (3, 0, False)])
def test_too_few_labelled_defects_set_no_limit(per_type: int, alone: int, limited: bool) -> None:
    """Nine are needed, and the only one of its type is none of them."""
    torch.manual_seed(0)
    types = np.array([0] * per_type + [1] * per_type + [2] * alone)
    every = np.ones(len(types), np.bool_)
    labelled = Labelled(torch.randn(len(types), 8), types, every, every)
    calibration = learn_types(["a", "b", "c"], labelled, torch.randn(len(types), 4)).calibration
    assert calibration.n_distances == 2 * per_type
    assert (calibration.limit is not None) == limited


def test_known_types_exceed_the_limit_as_seldom_as_promised() -> None:
    rng = np.random.default_rng(0)
    beyond = []
    for _ in range(200):
        features = torch.tensor(rng.normal(0, 1, (60, 16)) + 1.0, dtype=torch.float32)
        types = np.arange(59) % 2
        every = np.ones(59, np.bool_)
        learnt = learn_types(["a", "b"], Labelled(features[:59], types, every, every), torch.randn(59, 3))
        _, distance = learnt(torch.zeros(1, 3), features[59:])
        beyond.append(float(distance) > (learnt.calibration.limit or 9))
    assert 0.03 < np.mean(beyond) < RATE + 0.08


def test_the_line_says_what_the_laboratory_says(half: Catalog, tmp_path: Path) -> None:
    detector = create_detector("classifier", **QUICK)
    build_inspector(half, tmp_path / "plate.blemish", detector)
    inspector, paths = Inspector.load(tmp_path / "plate.blemish"), paths_of(half)
    assert inspector.manifest.detector.types == detector.defect_types == ("frame", "line", "spot")
    right = []
    for path, mine, kind in zip(paths, detector.predict(paths), half.test()["defect_type"], strict=True):
        said = inspector.inspect(path)
        theirs = inspector.predict(_pixels(path))
        assert sum(mine.types.values()) == pytest.approx(1, abs=1e-5)
        assert dict(theirs.types) == pytest.approx(dict(mine.types), abs=1e-3)
        assert theirs.type_distance == pytest.approx(mine.type_distance, abs=1e-3)
        if said.verdict == "pass":
            assert said.type is None and not said.types
        elif kind != "good":
            right.append(said.type == kind)
    assert np.mean(right) > 0.7


def test_a_type_never_seen_is_none_of_these(half: Catalog, tmp_path: Path) -> None:
    table = half.table
    known = half.subset(~((table["split"] == "train") & (table["defect_type"] == "frame")))
    build_inspector(known, tmp_path / "plate.blemish", create_detector("classifier", **QUICK))
    inspector = Inspector.load(tmp_path / "plate.blemish")
    tests = half.test()
    rows = zip(tests["path"], tests["defect_type"], strict=True)
    said = [(kind, inspector.inspect(Path(path)).type) for path, kind in rows]
    strange = [one == NONE_OF_THESE for kind, one in said if one and kind == "frame"]
    usual = [one == NONE_OF_THESE for kind, one in said if one and kind in ("line", "spot")]
    assert np.mean(strange) > 0.5 > np.mean(usual)


@pytest.mark.parametrize("mirrored", [False, True])
def test_a_network_trained_whole_tells_types_too(half: Catalog, tmp_path: Path, mirrored: bool) -> None:
    few = half.subset(np.arange(len(half)) % 2 == 0)
    settings = {"size": 64, "training_size": 0, "epochs": 1, "batch_size": 8, "precision": "float32"}
    detector = create_detector(
        "classifier", preset="fine-tuned", classes="types", **settings, judges_mirrored=mirrored
    ).fit(few)
    calibration = detector.type_calibration()
    assert calibration is not None and calibration.limit is None, "a few held out are too few"
    path = paths_of(few)[0]
    (said,) = detector.predict([path])
    with torch.inference_mode():
        outputs = detector.whole_network()(torch.from_numpy(detector.read_input(path))[None])
    score, _, types, distance, _ = (one.numpy() for one in outputs)
    assert said.score == pytest.approx(float(score[0]), abs=1e-3)
    assert list(said.types.values()) == pytest.approx(types.tolist(), abs=1e-3)
    assert said.type_distance == pytest.approx(float(distance[0]), abs=1e-3)


def test_two_classes_tell_no_types(half: Catalog) -> None:
    detector = create_detector("classifier", **{**QUICK, "classes": "binary", "epochs": 1}).fit(half)
    assert detector.defect_types == () and detector.type_calibration() is None
    (said,) = detector.predict(paths_of(half)[:1])
    assert not said.types and said.type_distance is None


def _pixels(path: Path) -> np.ndarray:
    from blemish.core.images import read_image

    return read_image(path)
