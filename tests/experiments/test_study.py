"""The study as a user meets it: chosen on validation, measured once on test, resumed, and told in a report."""

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

import cv2
import numpy as np
import pytest
from sklearn.metrics import f1_score, roc_auc_score

from blemish.core.types import FloatArray
from blemish.data import splits
from blemish.data.catalog import open_catalog
from blemish.data.sample_line import write_sample_line
from blemish.detectors.registry import create_detector
from blemish.features.handcrafted import HandcraftedVectors
from blemish.features.pooled import PooledVectors

Call = Callable[..., Any]
QUICK = "one-class-svm,local-outlier-factor"
NAMES = ["direct x (i)", "direct x (ii)", "deep-last x (i)", "deep-last x (ii)", "deep-mid x (ii)"]


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A small category: 24 good parts to learn from, 12 good and 18 defective to test."""
    out = tmp_path_factory.mktemp("line")
    (folder,) = write_sample_line(out, ("washer",), train=24, good=12, per_defect_type=3, size=64)
    return folder


def arguments(data: Path, out: Path, models: str = QUICK, *more: object) -> list[str]:
    given = ["study", data, "--out", out, "--models", models, "--set", "size=64", "--json", *more]
    return [str(one) for one in given]


@pytest.fixture(scope="module")
def studied(blemish: Call, data: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Any]:
    """A finished study of two models: its folder and its document."""
    out = tmp_path_factory.mktemp("study")
    outcome = blemish(*arguments(data, out))
    assert outcome.status == 0, outcome.stderr
    return out, outcome.document


def without_times(document: dict[str, Any]) -> dict[str, Any]:
    kept = copy.deepcopy(document)
    del kept["timings"], kept["report"]
    return kept


def cell(document: dict[str, Any], combination: str, model: str) -> dict[str, Any]:
    (found,) = [
        one for one in document["cells"] if (one["combination"], one["model"]) == (combination, model)
    ]
    return dict(found)


def what_was_chosen(document: dict[str, Any]) -> list[Any]:
    """Of every cell all that validation has decided."""
    return [
        [one["combination"], one["model"], one["trials"], one["chosen"]]
        + [[rule["value"], rule["seen"], rule["validation"]] for rule in one["thresholds"]]
        for one in document["cells"]
    ]


def test_five_combinations_with_every_model_and_setting(studied: tuple[Path, Any], data: Path) -> None:
    out, document = studied
    assert json.loads((out / "study.json").read_text()) == document
    assert [one["name"] for one in document["combinations"]] == NAMES == list(document["summary"])
    assert len(document["cells"]) == 10
    sizes = {"one-class-svm": (12, 7), "local-outlier-factor": (32, None)}
    for one in document["cells"]:
        settings, fitted = sizes[one["model"]]
        assert len(one["trials"]) == settings and len(one["chosen"]["folds"]) == 3
        assert one["fitted"] == fitted or one["model"] == "local-outlier-factor"
        assert one["chosen"]["auroc"] == max(trial["auroc"] for trial in one["trials"])
        assert one["test"]["settings_measured"] == 1
        assert one["test"]["auroc"] == document["summary"][one["combination"]][one["model"]]["test_auroc"]
        assert {rule["rule"] for rule in one["thresholds"]} == {"f1", "youden", "deviations", "quantile"}
    by_split = document["categories"]["washer"]["splits"]
    assert by_split["test"]["name"].startswith("test set 40 % test, 60 % validation, 3 folds")
    assert by_split["train"]["counts"]["test"] == open_catalog(data).counts()["test"]


@pytest.mark.parametrize("model", QUICK.split(","))
def test_the_figures_are_those_of_the_chosen_setting_fitted_by_hand(
    model: str, studied: tuple[Path, Any], data: Path
) -> None:
    found = cell(studied[1], "deep-last x (i)", model)
    catalog = splits.test_split(open_catalog(data))
    founded = {"features": "deep-last", "pooling": "mean", "explained": 0.95, "size": 64}
    detector = create_detector(model, **founded, **found["chosen"]["setting"]).fit(catalog)

    def scored(rows: Any) -> tuple[np.ndarray, np.ndarray]:
        scores = [prediction.score for prediction in detector.predict([Path(path) for path in rows["path"]])]
        return (rows["label"] == "anomalous").to_numpy(), np.array(scores)

    validation = catalog.validation()
    folds = [float(roc_auc_score(*scored(validation[validation["fold"] == fold]))) for fold in range(3)]
    assert found["chosen"]["folds"] == pytest.approx(folds)
    labels, scores = scored(catalog.test())
    assert found["test"]["auroc"] == pytest.approx(roc_auc_score(labels, scores))
    (rule,) = [one for one in found["thresholds"] if one["rule"] == "f1"]
    assert rule["seen"]["split"] == f"validation of {catalog.split_name}"
    assert rule["test"]["f1"] == pytest.approx(f1_score(labels, scores > rule["value"]))


def test_a_grid_search_chooses_the_same(
    studied: tuple[Path, Any], blemish: Call, data: Path, tmp_path: Path
) -> None:
    given = ["search", data, "--detector", "one-class-svm", "--method", "grid", "--split", "test"]
    given += [
        "--set",
        "features=direct",
        "--set",
        "explained=0.95",
        "--set",
        "size=64",
        "--out",
        tmp_path,
        "--json",
    ]
    searched = blemish(*given).document
    found = cell(studied[1], "direct x (i)", "one-class-svm")
    assert searched["chosen"]["setting"] == found["chosen"]["setting"]
    for one, other in zip(searched["trials"], found["trials"], strict=True):
        assert one["setting"] == other["setting"]
        assert one["folds"] == pytest.approx(other["folds"])
    assert searched["test"]["auroc"] == pytest.approx(found["test"]["auroc"])


def test_raw_pixels_are_studied_without_holding_them(blemish: Call, data: Path, tmp_path: Path) -> None:
    given = (
        "study",
        data,
        "--out",
        tmp_path,
        "--features",
        "pixels",
        "--models",
        "elliptic-envelope",
        "--json",
    )
    document = blemish(*given).document
    assert [one["name"] for one in document["combinations"]] == ["pixels x (i)", "pixels x (ii)"]
    found = cell(document, "pixels x (i)", "elliptic-envelope")
    catalog = splits.test_split(open_catalog(data))
    setting = {"features": "pixels", "explained": 0.95, "covariance": "robust", **found["chosen"]["setting"]}
    detector = create_detector("elliptic-envelope", **setting).fit(catalog)
    test = catalog.test()
    scores = [one.score for one in detector.predict([Path(path) for path in test["path"]])]
    expected = roc_auc_score((test["label"] == "anomalous").to_numpy(), scores)
    assert found["test"]["auroc"] == pytest.approx(expected, abs=0.02)  # single precision may turn a pair
    refused = blemish("study", data, "--out", tmp_path, "--features", "direct,colour")
    assert refused.status == 2 and "no features colour in a study" in refused.stderr


def test_no_test_image_is_read_before_all_have_chosen(
    blemish: Call, data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[tuple[set[str], int]] = []
    tested = set(splits.test_split(open_catalog(data)).test()["path"])

    def watched(stream: Callable[..., Iterator[FloatArray]]) -> Callable[..., Iterator[FloatArray]]:
        def read(self: Any, paths: Sequence[Path]) -> Iterator[FloatArray]:
            chosen = len(list(tmp_path.glob("cells/*/choice.json")))
            asked.append(({str(path) for path in paths}, chosen))
            return stream(self, paths)

        return read

    for vectors in (HandcraftedVectors, PooledVectors):
        monkeypatch.setattr(vectors, "stream", watched(vectors.stream))
    assert blemish(*arguments(data, tmp_path, "one-class-svm")).status == 0
    read = [(paths & tested, chosen) for paths, chosen in asked]
    assert {chosen for paths, chosen in read if paths} == {5}, "after all five cells have chosen"
    assert set.union(*(paths for paths, _ in read)) == tested
    count = len(asked)
    assert blemish(*arguments(data, tmp_path, "one-class-svm")).status == 0
    assert len(asked) == count, "nothing is read again"


def test_other_test_images_change_nothing_that_was_chosen(
    studied: tuple[Path, Any], blemish: Call, data: Path, tmp_path: Path
) -> None:
    copied = Path(shutil.copytree(data, tmp_path / data.name))
    random = np.random.default_rng(0)
    tested = splits.test_split(open_catalog(copied)).test()["path"].tolist()
    for path in tested:  # images that are like no part, nor like each other
        blots = random.integers(0, 256, (8, 8, 3), dtype=np.uint8)
        cv2.imwrite(path, cv2.resize(blots, (96, 96), interpolation=cv2.INTER_CUBIC))
    outcome = blemish(*arguments(copied, tmp_path / "out"))
    assert outcome.status == 0, outcome.stderr
    assert what_was_chosen(outcome.document) == what_was_chosen(studied[1])
    pairs = zip(outcome.document["cells"], studied[1]["cells"], strict=True)
    assert sum(one["test"] != other["test"] for one, other in pairs) >= 8, "but the test is on others"


def test_it_goes_on_after_a_kill_and_ends_the_same(
    studied: tuple[Path, Any], blemish: Call, data: Path, tmp_path: Path
) -> None:
    command = [sys.executable, "-m", "blemish", *arguments(data, tmp_path)]
    with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True) as running:
        assert running.stderr is not None
        for line in running.stderr:
            if line.startswith("one-class-svm on washer, direct x (ii): AUROC"):
                break
        running.send_signal(signal.SIGKILL)
    kept = {path: path.read_bytes() for path in tmp_path.glob("cells/*/choice.json")}
    assert 3 <= len(kept) < 10 and not (tmp_path / "study.json").exists()
    outcome = blemish(*arguments(data, tmp_path))
    assert outcome.status == 0, outcome.stderr
    assert {path: path.read_bytes() for path in kept} == kept
    assert without_times(outcome.document) == without_times(studied[1])
    assert 0 < outcome.document["timings"]["measured_now"] <= 10


@pytest.mark.parametrize("name", ["choice.json", "test.json"])
def test_a_cell_that_is_not_whole_is_measured_again(
    name: str, studied: tuple[Path, Any], blemish: Call, data: Path, tmp_path: Path
) -> None:
    out = Path(shutil.copytree(studied[0], tmp_path / "out"))
    damaged = next(out.glob(f"cells/*/{name}"))
    damaged.write_bytes(damaged.read_bytes()[:100])
    outcome = blemish(*arguments(data, out))
    assert outcome.document["timings"]["measured_now"] == 1
    assert without_times(outcome.document) == without_times(studied[1])


def test_a_combination_that_is_not_possible_is_recorded_and_the_others_go_on(
    blemish: Call, data: Path, tmp_path: Path
) -> None:
    copied = Path(shutil.copytree(data, tmp_path / data.name))
    shutil.rmtree(copied / "test")
    shutil.rmtree(copied / "ground_truth")
    outcome = blemish(*arguments(copied, tmp_path / "out", "one-class-svm"))
    assert outcome.status == 1
    cells = outcome.document["cells"]
    errors = {one["combination"]: one["error"] for one in cells if "error" in one}
    assert list(errors) == ["direct x (i)", "deep-last x (i)"]
    assert all("has no test images to part" in error for error in errors.values())
    assert all(one["chosen"]["auroc"] > 0 and one["test"] is None for one in cells if "error" not in one)
    page = (tmp_path / "out" / "report.html").read_text("utf-8")
    assert "2 cells failed" in page and "No model has a test AUROC" in page
    assert "FAILED  one-class-svm on washer, direct x (i)" in outcome.stderr


def test_five_images_end_in_a_sentence_or_in_figures(blemish: Call, data: Path, tmp_path: Path) -> None:
    copied = Path(shutil.copytree(data, tmp_path / data.name))
    for path in sorted((copied / "train" / "good").iterdir())[5:]:
        path.unlink()
    outcome = blemish(*arguments(copied, tmp_path / "out", "elliptic-envelope"))
    assert outcome.status == 1
    for one in outcome.document["cells"]:
        if one["split"] == "train":
            assert "different good training images" in one["error"]
        else:
            assert 0 <= one["test"]["auroc"] <= 1


@pytest.mark.parametrize(
    ("given", "said"),
    [
        (("--models", "patchcore"), "no model patchcore"),
        (("--models", ""), "at least one"),
        (("--models", "one-class-svm,one-class-svm"), "each model once"),
        (("--set", "features=direct"), "--set features is not possible"),
        (("--set", "luck=7"), "luck"),
        (("--set", "scaling"), "NAME=VALUE"),
    ],
)
def test_what_is_wrong_is_said_before_anything_is_measured(
    given: tuple[str, str], said: str, blemish: Call, data: Path, tmp_path: Path
) -> None:
    outcome = blemish("study", data, "--out", tmp_path / "out", *given)
    assert outcome.status == 2 and said in outcome.stderr
    assert not (tmp_path / "out").exists()


def test_text_names_the_result(studied: tuple[Path, Any], blemish: Call, data: Path) -> None:
    out, document = studied
    outcome = blemish(*(one for one in arguments(data, out) if one != "--json"))
    assert outcome.status == 0
    best = max(one["test"]["auroc"] for one in document["cells"])
    assert f"an image AUROC of {best:.3f}" in outcome.stdout
    assert "best of 10" in outcome.stdout and "0 of 10 cells measured now" in outcome.stdout
    lines = [line for line in outcome.stdout.splitlines() if "deep-mid x (ii)" in line]
    auroc = cell(document, "deep-mid x (ii)", "one-class-svm")["test"]["auroc"]
    assert f"{auroc:.3f}" in lines[0]


def test_where_brightness_alone_tells_it_says_so(
    studied: tuple[Path, Any], blemish: Call, data: Path, tmp_path: Path
) -> None:
    told = studied[1]["categories"]["washer"]["brightness_auroc"]
    assert 0.1 < told < 0.9 and "brightness alone" not in (studied[0] / "report.html").read_text("utf-8")
    copied = Path(shutil.copytree(data, tmp_path / data.name))
    for path in (copied / "test" / "good").iterdir():
        cv2.imwrite(str(path), cv2.imread(str(path)) // 2)
    outcome = blemish(*arguments(copied, tmp_path / "out", "one-class-svm"))
    assert outcome.document["categories"]["washer"]["brightness_auroc"] == 1.0
    assert "In washer brightness alone tells" in (tmp_path / "out" / "report.html").read_text("utf-8")


@pytest.mark.browser
def test_the_report_draws_itself_and_asks_nobody(report_page: Any, studied: tuple[Path, Any]) -> None:
    with report_page(studied[0] / "report.html") as page:
        # Two of the summary, five of bars, and for each combination ROC curves and two models' scores.
        page.wait_for_selector(f"html[data-drawn='{2 + 5 + 5 * (1 + 2)}']")
        assert page.locator(".cells .confusion").count() == 10
        chosen = cell(studied[1], "direct x (i)", "one-class-svm")
        panel = page.locator(".cells .panel").first
        figures = dict(
            zip(panel.locator("dt").all_inner_texts(), panel.locator("dd").all_inner_texts(), strict=True)
        )
        assert figures["AUROC"] == f"{chosen['test']['auroc']:.3f}"
        assert figures["F1"] == f"{chosen['thresholds'][0]['test']['f1']:.3f}"
        assert figures["Threshold"] == f"{chosen['thresholds'][0]['value']:.4g}"
        counts = [int(text) for text in panel.locator(".confusion b").all_inner_texts()]
        assert sum(counts) == chosen["test"]["n_normal"] + chosen["test"]["n_anomalous"]
        tested = studied[1]["cells"][0]["test"]
        all_rejected = 2 * tested["n_anomalous"] / (2 * tested["n_anomalous"] + tested["n_normal"])
        assert f"Rejecting every test image would have an F1 of {all_rejected:.3f}" in page.inner_text("main")
        page.locator("details summary").first.click()
        assert "saw, on validation" in page.locator("details").first.inner_text().lower()
