"""The ensemble: scores made comparable by what good images score, and combined."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from blemish.core.errors import UsageError
from blemish.data.catalog import open_catalog
from blemish.detectors.combined.ensemble_network import Surprise
from blemish.detectors.registry import create_detector
from blemish.line.runtime import Inspector

scores_of_good_images = st.lists(st.floats(-1e3, 1e3, width=32), min_size=1, max_size=60)


def surprise(normal: list[float] | np.ndarray, score: float) -> float:
    return float(Surprise(np.asarray(normal, np.float64))(torch.tensor([score], dtype=torch.float32))[0])


@given(scores_of_good_images, st.floats(-2e3, 2e3), st.floats(0.5, 100))
def test_a_higher_score_is_never_less_surprising(normal: list[float], score: float, more: float) -> None:
    assert surprise(normal, score + more) >= surprise(normal, score) - 1e-4


def test_at_the_scores_themselves_it_is_the_p_value() -> None:
    normal = np.random.default_rng(0).normal(10, 2, 199)
    for rank in (20, 100, 180, 199):
        score = np.sort(normal)[rank - 1]
        share = (1 + (normal >= score).sum()) / 200
        assert surprise(normal, score) == pytest.approx(-np.log10(share), abs=1e-3)


def test_beyond_the_highest_it_goes_on_as_the_tail_does() -> None:
    normal = np.random.default_rng(1).exponential(1.0, 5000)
    highest = normal.max()
    # Of an exponential distribution a score 2 higher is e^2 times rarer.
    rise = surprise(normal, highest + 2) - surprise(normal, highest)
    assert rise == pytest.approx(2 / np.log(10), rel=0.15)


def test_members_of_one_kind_of_score_and_another_agree(washers: Path) -> None:
    catalog = open_catalog(washers)
    ensemble = create_detector("ensemble", size=128, members=("patchcore:quick", "knn")).fit(catalog)
    paths = [Path(path) for path in catalog.test()["path"]]
    combined = np.array([prediction.score for prediction in ensemble.predict(paths)])
    each = []
    for one in ensemble.members_:
        said = [prediction.score for prediction in one.detector.predict(paths)]
        each.append([surprise(one.scores, score) for score in said])
    assert combined == pytest.approx(np.mean(each, axis=0), rel=2e-3, abs=2e-3)
    loudest = create_detector("ensemble", size=128, members=("patchcore:quick", "knn"), rule="max")
    loudest.fit(catalog)
    assert [p.score for p in loudest.predict(paths)] == pytest.approx(
        np.max(each, axis=0), rel=2e-3, abs=2e-3
    )


def test_an_inspection_shows_who_said_what(
    washers: Path, tmp_path: Path, blemish: Callable[..., object]
) -> None:
    out = tmp_path / "both.blemish"
    members = 'members=["patchcore:quick", "knn"]'
    fitted = blemish("fit", washers, "--out", out, "--detector", "ensemble", "--size", 128, "--set", members)
    assert fitted.status == 0, fitted.stderr
    assert Inspector.load(out).manifest.detector.parts == ("patchcore:quick", "knn")
    defect = next((washers / "test").glob("hole/*.png"))
    outcome = blemish("inspect", out, defect, "--json")
    parts = outcome.document[0]["parts"]
    assert parts.keys() == {"patchcore:quick", "knn"} and all(0 < p <= 1 for p in parts.values())
    text = blemish("inspect", out, defect)
    assert "patchcore:quick p " in text.stdout


@pytest.mark.parametrize(
    ("parameters", "sentence"),
    [
        ({"members": ("patchcore",)}, "members="),
        ({"members": ("patchcore", "patchcore")}, "members="),
        ({"members": ("patchcore", "unet")}, "learns from defects"),
        ({"members": ("patchcore", "ensemble")}, "cannot be a member of an ensemble"),
        ({"members": ("patchcore", "no-such")}, "no detector no-such"),
        ({"rule": "median"}, "rule=median"),
    ],
)
def test_what_cannot_be_meant_is_refused(washers: Path, parameters: dict[str, object], sentence: str) -> None:
    with pytest.raises(UsageError, match=sentence):
        create_detector("ensemble", size=128, **parameters).fit(open_catalog(washers))
