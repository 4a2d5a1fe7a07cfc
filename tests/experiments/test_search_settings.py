"""What is set beside a space of settings: it stays in every trial, and is said; what contradicts itself is refused."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from sklearn.metrics import roc_auc_score

from blemish.core.errors import BlemishError, UsageError
from blemish.data import splits
from blemish.data.catalog import open_catalog
from blemish.detectors.classical.tabular import TabularDetector
from blemish.detectors.registry import create_detector, detector_info
from blemish.experiments.search import search as searching
from blemish.experiments.space import free_space, grid, open_space, setting_key, space_of
from blemish.experiments.study.plan import open_study
from blemish.workflows.search import SearchRequest, search

Call = Callable[..., Any]
DIRECT = ("--set", "features=direct", "--set", "size=64")
INFO = detector_info("one-class-svm")
SPACE = INFO.space
LEFT = {"gamma": SPACE["gamma"], "degree": SPACE["degree"]}


def searched(blemish: Call, data: Path, out: Path, *more: object) -> Any:
    given = ("search", data, "--detector", "one-class-svm", *DIRECT, "--out", out, "--json", *more)
    return blemish(*given)


@pytest.fixture
def made(monkeypatch: pytest.MonkeyPatch) -> list[dict[str, Any]]:
    """Parameters of every classical detector that is fitted."""
    seen: list[dict[str, Any]] = []
    fit = TabularDetector.fit

    def watched(self: TabularDetector, *given: Any, **named: Any) -> Any:
        seen.append(self.get_params())
        return fit(self, *given, **named)

    monkeypatch.setattr(TabularDetector, "fit", watched)
    return seen


@pytest.mark.parametrize("method", ["grid", "bayes"])
def test_every_trial_really_runs_with_what_is_set(
    method: str, blemish: Call, washers: Path, tmp_path: Path, made: list[dict[str, Any]]
) -> None:
    outcome = searched(
        blemish, washers, tmp_path, "--method", method, "--set", "nu=0.2", "--set", "kernel=rbf"
    )
    assert outcome.status == 0, outcome.stderr
    document = outcome.document
    assert len(document["trials"]) == 4 and len(made) >= 4
    assert {(one["nu"], one["kernel"], one["features"], one["size"]) for one in made} == {
        (0.2, "rbf", "direct", 64)
    }
    tried = {setting_key(trial["setting"]) for trial in document["trials"]}
    assert tried == {setting_key(setting) for setting in grid(space_of(LEFT, "it", INFO))}
    with sqlite3.connect(tmp_path / "study.sqlite3") as stored:
        names = {name for (name,) in stored.execute("select distinct param_name from trial_params")}
    assert names == {"gamma", "degree"}
    assert document["taken_out"] == {"nu": 0.2, "kernel": "rbf"} and document["space"] == LEFT
    assert document["fixed"] == {
        "bit_depth": 16,
        "features": "direct",
        "size": 64,
        "nu": 0.2,
        "kernel": "rbf",
    }
    said = "one-class-svm: nu=0.2, kernel=rbf stay as set; of the default space gamma, degree are tried."
    assert said in outcome.stderr
    page = (tmp_path / "report.html").read_text("utf-8")
    assert "Taken out of the default space" in page and "nu=0.2, kernel=rbf" in page


def test_a_trial_s_figures_are_those_of_what_is_set(blemish: Call, washers: Path, tmp_path: Path) -> None:
    """The folds of a trial, computed again by hand; with the kernel that the space has first they are others."""
    outcome = searched(blemish, washers, tmp_path, "--method", "grid", "--set", "kernel=linear")
    catalog = splits.test_split(open_catalog(washers))
    validation = catalog.validation()

    def folds(kernel: str, setting: dict[str, Any]) -> list[float]:
        given = {"features": "direct", "size": 64, "kernel": kernel, **setting}
        detector = create_detector("one-class-svm", **given).fit(catalog)
        scores = [one.score for one in detector.predict([Path(path) for path in validation["path"]])]
        labels = (validation["label"] == "anomalous").to_numpy()
        places = [(validation["fold"] == fold).to_numpy() for fold in catalog.folds]
        return [float(roc_auc_score(labels[place], np.array(scores)[place])) for place in places]

    trial = outcome.document["trials"][0]
    assert "kernel" not in trial["setting"]
    assert trial["folds"] == pytest.approx(folds("linear", trial["setting"]))
    assert trial["folds"] != pytest.approx(folds("rbf", trial["setting"]))


@pytest.mark.parametrize("method", ["grid", "bayes"])
def test_where_all_is_set_there_is_one_trial(
    method: str, blemish: Call, washers: Path, tmp_path: Path
) -> None:
    given = ("--set", "nu=0.2", "--set", "kernel=rbf", "--set", "gamma=scale", "--set", "degree=2")
    outcome = searched(blemish, washers, tmp_path, "--method", method, *given)
    assert outcome.status == 0, outcome.stderr
    document = outcome.document
    assert [trial["setting"] for trial in document["trials"]] == [{}]
    assert document["space"] == {} and set(document["taken_out"]) == set(SPACE)
    assert "nothing: all is set" in (tmp_path / "report.html").read_text("utf-8")
    assert "nothing is tried" in outcome.stderr
    again = searched(blemish, washers, tmp_path, "--method", method, *given)
    assert again.document["timings"]["measured_now"] == 0


def test_a_space_of_the_user_s_that_names_what_is_set_is_refused(
    blemish: Call, washers: Path, tmp_path: Path
) -> None:
    space = tmp_path / "space.toml"
    space.write_text("nu = [0.1, 0.2]\n")
    outcome = searched(blemish, washers, tmp_path / "out", "--space", space, "--set", "nu=0.2")
    assert outcome.status == 2 and not (tmp_path / "out").exists()
    assert outcome.stderr == f"nu=0.2 is set, and {space} has values of nu to try: leave one of them out.\n"


def test_a_preset_goes_before_the_default_space_and_after_a_file(tmp_path: Path) -> None:
    info = detector_info("student-teacher")
    preset = next(preset for preset in info.presets.values() if set(preset) & set(info.space))
    space = open_space("default", info)
    left = free_space(space, "default", {}, preset)
    assert set(left) == set(space) - set(preset) and set(left) < set(space)
    assert free_space(space, "space.toml", {}, preset) == space


def test_what_is_set_of_student_teacher_is_not_searched(
    monkeypatch: pytest.MonkeyPatch, washers: Path, tmp_path: Path
) -> None:
    plans = []

    def planned(plan: searching.SearchPlan, *_: Any) -> Any:
        plans.append(plan)
        raise BlemishError("Nothing is trained here.")

    monkeypatch.setattr(searching, "run_search", planned)
    request = SearchRequest(
        data=washers, detector="student-teacher", out=tmp_path, parameters={"epochs": 2, "size": 128}
    )
    with pytest.raises(BlemishError, match="Nothing is trained"):
        search(request)
    (plan,) = plans
    assert {"epochs", "size"} <= set(detector_info("student-teacher").space)
    assert plan.space and not {"epochs", "size"} & set(plan.space)
    assert plan.taken_out == {"epochs": 2, "size": 128}
    for setting in grid(plan.space):
        detector = plan.make(setting)
        assert (detector.get_params()["epochs"], detector.get_params()["size"]) == (2, 128)


def test_a_study_takes_what_is_set_out_of_each_model_s_grid(tmp_path: Path, washers: Path) -> None:
    models = ["one-class-svm", "isolation-forest"]

    def grids(settings: dict[str, Any]) -> dict[str, int]:
        plan = open_study([washers], tmp_path, models, settings=settings)
        return {model: len(grid(plan.space(model))) for model in models}

    assert grids({}) == {"one-class-svm": 12, "isolation-forest": 16}
    assert grids({"kernel": "linear"}) == {"one-class-svm": 4, "isolation-forest": 16}
    assert grids({"isolation-forest.max_samples": 1.0}) == {"one-class-svm": 12, "isolation-forest": 8}
    plan = open_study(
        [washers], tmp_path, models, settings={"one-class-svm.kernel": "poly", "n_estimators": 100}
    )
    assert plan.taken_out() == {
        "one-class-svm": {"kernel": "poly"},
        "isolation-forest": {"n_estimators": 100},
    }
    for cell in plan.cells():
        tried = [cell.detector(setting).get_params() for setting in cell.settings()]
        name, value = ("kernel", "poly") if cell.model == "one-class-svm" else ("n_estimators", 100)
        assert {one[name] for one in tried} == {value}
    with pytest.raises(UsageError, match="--set scaling is not possible for one model of a study alone"):
        open_study([washers], tmp_path, models, settings={"one-class-svm.scaling": "none"})
