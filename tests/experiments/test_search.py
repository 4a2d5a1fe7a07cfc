"""The search as a user meets it: judged on validation, measured once on test, resumed, and told in a report."""

from __future__ import annotations

import copy
import json
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from sklearn.metrics import recall_score, roc_auc_score

from blemish.core.errors import BlemishError, CatalogError
from blemish.core.types import Prediction
from blemish.data import splits
from blemish.data.catalog import Catalog, open_catalog
from blemish.data.entries import VALIDATION
from blemish.data.painted_splits import normal_split
from blemish.data.sample_line import write_sample_line
from blemish.detectors.memory.patchcore import PatchCore
from blemish.detectors.registry import create_detector
from blemish.experiments.validation import learning_split, validate

Call = Callable[..., Any]
# Without copies, whose choice takes longer than all the rest and is judged elsewhere.
SPACE = "size = [96, 128]\ncoreset_size = [60, 100]\ncopies = ['none']\n"
SMALL = {"size": 96, "coreset_size": 60, "copies": "none"}


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A small category: 18 good parts to learn from, 12 good and 18 defective to test."""
    out = tmp_path_factory.mktemp("line")
    (folder,) = write_sample_line(out, ("washer",), train=18, good=12, per_defect_type=3, size=128)
    return folder


@pytest.fixture(scope="module")
def space(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("space") / "space.toml"
    path.write_text(SPACE)
    return path


def arguments(data: Path, space: Path, out: Path, *more: object) -> list[str]:
    given = [
        "search",
        data,
        "--detector",
        "patchcore",
        "--space",
        space,
        "--out",
        out,
        "--method",
        "grid",
        "--json",
    ]
    return [str(one) for one in [*given, *more]]


@pytest.fixture(scope="module")
def searched(
    blemish: Call, data: Path, space: Path, tmp_path_factory: pytest.TempPathFactory
) -> tuple[Path, Any]:
    """A finished search over four settings: its folder and its document."""
    out = tmp_path_factory.mktemp("search")
    outcome = blemish(*arguments(data, space, out))
    assert outcome.status == 0, outcome.stderr
    return out, outcome.document


def without_times(document: dict[str, Any]) -> dict[str, Any]:
    kept = copy.deepcopy(document)
    del kept["timings"], kept["report"]
    return kept


def test_the_figures_are_those_of_the_chosen_setting_fitted_by_hand(
    searched: tuple[Path, Any], data: Path
) -> None:
    out, document = searched
    catalog = splits.test_split(open_catalog(data))
    assert document["split"] == catalog.split_name == "test set 40 % test, 60 % validation, 3 folds, seed 0"
    assert json.loads((out / "search.json").read_text()) == document
    detector = create_detector("patchcore", **document["chosen"]["setting"]).fit(catalog)

    def scored(rows: Any) -> tuple[np.ndarray, np.ndarray]:
        scores = [prediction.score for prediction in detector.predict([Path(path) for path in rows["path"]])]
        return (rows["label"] == "anomalous").to_numpy(), np.array(scores)

    validation = catalog.validation()
    folds = [float(roc_auc_score(*scored(validation[validation["fold"] == fold]))) for fold in range(3)]
    assert document["chosen"]["folds"] == pytest.approx(folds)
    assert document["chosen"]["auroc"] == pytest.approx(np.mean(folds))
    assert document["chosen"]["auroc"] == max(trial["auroc"] for trial in document["trials"])
    labels, scores = scored(catalog.test())
    assert document["test"]["auroc"] == pytest.approx(roc_auc_score(labels, scores))
    assert document["test"]["settings_measured"] == 1
    assert not document["refitted_for_test"]
    labels_seen, scores_seen = scored(validation)
    for threshold in document["thresholds"]:
        assert threshold["seen"]["split"] == f"validation of {catalog.split_name}"
        assert threshold["test"]["recall"] == pytest.approx(recall_score(labels, scores > threshold["value"]))
        assert threshold["validation"]["recall"] == pytest.approx(
            recall_score(labels_seen, scores_seen > threshold["value"])
        )
    quantile = next(one for one in document["thresholds"] if one["rule"] == "quantile")
    assert quantile["value"] == pytest.approx(scores_seen[~labels_seen].max())
    assert open_catalog(out / "split.csv").counts() == catalog.counts()


def test_the_test_images_are_looked_at_once_and_last(
    blemish: Call, data: Path, space: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[set[str]] = []
    predict = PatchCore.predict

    def watched(self: PatchCore, paths: Sequence[Path]) -> Iterator[Prediction]:
        asked.append({str(path) for path in paths})
        return predict(self, paths)

    monkeypatch.setattr(PatchCore, "predict", watched)
    tested = set(splits.test_split(open_catalog(data)).test()["path"])
    assert blemish(*arguments(data, space, tmp_path)).status == 0
    touched = [number for number, paths in enumerate(asked) if paths & tested]
    assert touched == [len(asked) - 1] and asked[-1] == tested
    count = len(asked)
    assert blemish(*arguments(data, space, tmp_path)).status == 0
    assert len(asked) == count, "nothing is measured again"


def test_it_goes_on_after_a_kill_and_ends_the_same(
    searched: tuple[Path, Any], blemish: Call, data: Path, space: Path, tmp_path: Path
) -> None:
    command = [sys.executable, "-m", "blemish", *arguments(data, space, tmp_path)]
    with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True) as running:
        assert running.stderr is not None
        for line in running.stderr:
            if line.startswith("1: "):
                break
        running.send_signal(signal.SIGKILL)
    assert not (tmp_path / "search.json").exists() and not (tmp_path / "final.json").exists()
    outcome = blemish(*arguments(data, space, tmp_path))
    assert outcome.status == 0, outcome.stderr
    assert 0 < outcome.document["timings"]["measured_now"] < 4
    assert without_times(outcome.document) == without_times(searched[1])
    again = blemish(*arguments(data, space, tmp_path))
    assert again.document["timings"]["measured_now"] == 0
    assert without_times(again.document) == without_times(searched[1])


def test_a_setting_that_fails_is_recorded_and_the_others_go_on(
    blemish: Call, data: Path, tmp_path: Path
) -> None:
    (tmp_path / "space.json").write_text('{"size": [100, 96], "coreset_size": [60], "copies": ["none"]}')
    outcome = blemish(*arguments(data, tmp_path / "space.json", tmp_path / "out"))
    assert outcome.status == 0, outcome.stderr
    failed, fine = outcome.document["trials"]
    assert "size=100 is not possible" in failed["error"]
    assert outcome.document["chosen"] == fine
    assert "1 setting failed" in (tmp_path / "out" / "report.html").read_text("utf-8")
    (tmp_path / "space.json").write_text('{"size": [100, 101]}')
    outcome = blemish(*arguments(data, tmp_path / "space.json", tmp_path / "out"))
    assert outcome.status == 1 and "All 2 settings of patchcore failed; the first: size=100" in outcome.stderr


@pytest.mark.parametrize("split", ["train", "normal"])
def test_painted_defects_decide_where_no_test_image_may(
    blemish: Call, data: Path, space: Path, tmp_path: Path, split: str
) -> None:
    outcome = blemish(*arguments(data, space, tmp_path, "--split", split, "--trials", 2, "--seed", 3))
    assert outcome.status == 0, outcome.stderr
    document = outcome.document
    assert "defects painted into 75 %" in document["split"] and "seed 3" in document["split"]
    assert document["counts"]["test"] == open_catalog(data).counts()["test"], "the whole test set is kept"
    assert document["refitted_for_test"] == (split == "normal")
    assert len(document["trials"]) == 2
    paths = [Path(path) for path in open_catalog(tmp_path / "split.csv").validation()["path"]]
    assert {path.is_relative_to(tmp_path / "painted") for path in paths} == {True, False}


def test_more_trials_go_on_and_a_further_chosen_setting_is_counted(
    blemish: Call, data: Path, tmp_path: Path
) -> None:
    (tmp_path / "space.toml").write_text(
        "size = [64]\ncopies = ['none']\ncoreset_size = {low = 5, high = 90}\ntop = {low = 0.0, high = 1.0}\n"
    )
    given = (
        "search",
        data,
        "--detector",
        "patchcore",
        "--space",
        tmp_path / "space.toml",
        "--out",
        tmp_path / "out",
    )
    chosen = set()
    for trials in (1, 3, 6):
        outcome = blemish(*given, "--trials", trials, "--json")
        assert outcome.status == 0, outcome.stderr
        document = outcome.document
        assert len(document["trials"]) == trials
        chosen.add(json.dumps(document["chosen"]["setting"], sort_keys=True))
        assert document["test"]["settings_measured"] == len(chosen)
    assert document["importance"] == {} and "too few" in document["importance_note"]


def test_detectors_that_need_defects_learn_from_the_other_folds(data: Path, tmp_path: Path) -> None:
    detector = create_detector("unet")
    for catalog in (splits.test_split(open_catalog(data)), normal_split(open_catalog(data), folder=tmp_path)):
        validation = catalog.validation()
        for fold in (*catalog.folds, None):
            learning = learning_split(catalog, detector, fold).table
            learnt = learning.loc[learning["split"] == "train", "path"]
            assert learnt.is_unique, "none twice"
            own = set(validation.loc[validation["fold"] == fold, "path"]) if fold is not None else set()
            assert not own & set(learnt)
            others = validation[(validation["fold"] != fold) & (validation["label"] == "anomalous")]
            assert set(others["path"]) <= set(learnt) and len(others)
            assert not set(learnt) & set(catalog.test()["path"])
    good = normal_split(open_catalog(data))
    with pytest.raises(CatalogError, match="unet learns from labelled defects"):
        learning_split(good, detector, 0)


def test_every_image_of_a_fold_is_scored_by_what_has_not_learnt_from_it(data: Path, tmp_path: Path) -> None:
    catalog = normal_split(open_catalog(data), folder=tmp_path)
    found = validate(lambda: create_detector("patchcore", **SMALL), catalog)
    assert found.detector is None
    for fold, scores in zip(catalog.folds, found.folds, strict=True):
        table = catalog.table[(catalog.table["split"] == VALIDATION) & (catalog.table["fold"] == fold)]
        learnt = catalog.table[(catalog.table["split"] == "train") & (catalog.table["fold"] != fold)]
        alone = catalog.subset(learnt.index)
        detector = create_detector("patchcore", **SMALL).fit(alone)
        expected = [one.score for one in detector.predict([Path(path) for path in table["path"]])]
        assert scores.scores == pytest.approx(expected)
        assert (scores.labels == (table["label"] == "anomalous")).all()
    with pytest.raises(CatalogError, match="no validation folds"):
        validate(lambda: create_detector("patchcore", **SMALL), open_catalog(data))


def test_scores_that_are_not_finite_are_refused(data: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    catalog: Catalog = splits.test_split(open_catalog(data))
    shape = np.zeros((4, 4), np.float32)
    monkeypatch.setattr(PatchCore, "predict", lambda self, paths: (Prediction(np.nan, shape) for _ in paths))
    with pytest.raises(BlemishError, match="not finite"):
        validate(lambda: create_detector("patchcore", **SMALL), catalog)


def test_what_cannot_be_read_or_stands_twice_is_left_out_and_named(
    blemish: Call, data: Path, space: Path, tmp_path: Path
) -> None:
    copied = Path(shutil.copytree(data, tmp_path / "washer"))
    (copied / "train" / "good" / "001.png").write_bytes(b"no image")
    shutil.copy(copied / "test" / "good" / "000.png", copied / "train" / "good" / "copy.png")
    outcome = blemish(*arguments(copied, space, tmp_path / "out", "--trials", 1))
    assert outcome.status == 0, outcome.stderr
    left_out = {Path(one["path"]).name: one["detail"] for one in outcome.document["skipped"]}
    assert set(left_out) == {"001.png", "copy.png"} and "is a copy of" in left_out["copy.png"]
    assert outcome.document["counts"]["train"] == {"good": 17}
    assert "copy.png" in (tmp_path / "out" / "report.html").read_text("utf-8")


@pytest.mark.parametrize(
    ("options", "status", "said"),
    [
        (("--split", "half"), 2, "no split half"),
        (("--method", "luck"), 2, "no method luck"),
        (("--trials", 0), 2, "0 trials"),
        (("--set", "luck=7"), 2, "luck"),
        (("--preset", "magic"), 2, "magic"),
        (("--space", "nowhere.toml"), 2, "nowhere.toml"),
        (("--detector", "oracle"), 2, "oracle"),
    ],
)
def test_what_is_wrong_is_said_in_one_sentence(
    blemish: Call,
    data: Path,
    space: Path,
    tmp_path: Path,
    options: tuple[object, ...],
    status: int,
    said: str,
) -> None:
    outcome = blemish(*arguments(data, space, tmp_path / "out", *options))
    assert outcome.status == status and said in outcome.stderr and "Traceback" not in outcome.stderr


def test_text_names_the_result_and_the_next_step(
    searched: tuple[Path, Any], blemish: Call, data: Path, space: Path
) -> None:
    out, document = searched
    given = [one for one in arguments(data, space, out) if one != "--json"]
    outcome = blemish(*given)
    assert outcome.status == 0
    assert f"mean AUROC of {document['chosen']['auroc']:.3f}" in outcome.stdout
    assert "0 of 4 trials measured now" in outcome.stdout
    assert f"Next: blemish fit {out / 'split.csv'} --detector patchcore --set" in outcome.stdout


@pytest.mark.browser
def test_the_report_draws_itself_and_asks_nobody(report_page: Any, searched: tuple[Path, Any]) -> None:
    with report_page(searched[0] / "report.html") as page:
        page.wait_for_selector(
            "html[data-drawn='3']"
        )  # history and the two histograms: too few trials for more
        assert "trials are too few" in page.inner_text("main")
        assert page.locator("tr.chosen").count() == 1
        assert "saw 7 good and" in page.inner_text("main")


def test_ctrl_c_keeps_the_trials(blemish: Call, data: Path, tmp_path: Path) -> None:
    space = tmp_path / "space.toml"
    # So many that the signal, sent after the first, arrives long before the last.
    count = 10
    space.write_text(f"size = [96]\ncoreset_size = {list(range(40, 40 + count))}\ncopies = ['none']\n")
    command = [sys.executable, "-m", "blemish", *arguments(data, space, tmp_path)]
    said = []
    with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True) as running:
        assert running.stderr is not None
        for line in running.stderr:
            if line.startswith("0: ") and line not in said:  # interrupted in the middle, it is printed again
                running.send_signal(signal.SIGINT)
            said.append(line)
    assert running.returncode == 130
    assert "The trials so far are kept: go on with the same command.\n" in said
    kept = len({line for line in said if line.partition(":")[0].isdecimal()})
    measured_now = blemish(*arguments(data, space, tmp_path)).document["timings"]["measured_now"]
    # A trial may be kept just before the signal and told of just after.
    assert count - kept - 1 <= measured_now <= count - kept < count
