"""Use cases called from Python: what the verbs say, and what they guard, whoever calls."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from blemish.core.errors import ArtifactError, CatalogError, UsageError
from blemish.core.storage import file_digest
from blemish.data.catalog import open_catalog
from blemish.line.results import Result
from blemish.line.runtime import Inspector
from blemish.workflows.check import CheckRequest, check
from blemish.workflows.compare_image import CompareImageRequest, compare_image
from blemish.workflows.evaluate import EvaluateRequest, evaluate
from blemish.workflows.fit import FitRequest, FitResult, fit
from blemish.workflows.inspect import InspectRequest, Save, inspect

Command = Callable[..., Any]

TIMES = {"seconds", "made", "latency_ms", "decode_ms", "fit_seconds"}


def without_times(document: Any) -> Any:
    if isinstance(document, dict):
        return {name: without_times(value) for name, value in document.items() if name not in TIMES}
    return [without_times(one) for one in document] if isinstance(document, list) else document


@pytest.fixture(scope="module")
def learnt(washers: Path, tmp_path_factory: pytest.TempPathFactory) -> FitResult:
    """What `fit` says from Python of the inspector that the fixture `fitted` makes by the verb."""
    out = tmp_path_factory.mktemp("learnt")
    return fit(
        FitRequest(
            data=washers,
            out=out / "washer.blemish",
            size=128,
            parameters={"coreset_size": 100, "copies": "none"},
            category="ring",
            report=out / "report.html",
        )
    )


def test_fit_gives_the_verbs_document_and_prints_nothing(
    learnt: FitResult, washers: Path, tmp_path: Path, blemish: Command, capfd: pytest.CaptureFixture[str]
) -> None:
    given = ("--size", 128, "--set", "coreset_size=100", "--set", "copies=none", "--category", "ring")
    outcome = blemish("fit", washers, "--out", tmp_path / "washer.blemish", *given, "--json")
    said, expected = learnt.to_json(), outcome.document
    for document in (said, expected):
        for name in ("path", "report", "megabytes", "parity_error"):
            document.pop(name)
    assert list(said) == list(expected)
    assert without_times(said) == without_times(expected)
    assert said["category"] == "ring", "a category has the name that it is given"
    assert capfd.readouterr().out == ""


def test_fit_hands_on_what_the_artifact_says(learnt: FitResult) -> None:
    manifest = Inspector.load(Path(learnt.summary.path)).manifest
    assert learnt.summary.manifest == manifest.model_copy(update={"members": ()})
    assert learnt.report and manifest.name in learnt.report.read_text("utf-8")


def test_an_opened_catalog_is_learnt_from_and_the_folder_is_not_asked(washers: Path, tmp_path: Path) -> None:
    catalog = replace(open_catalog(washers), category="mine")
    request = FitRequest(data=tmp_path / "nowhere", out=tmp_path / "x.blemish", quick=True)
    result = fit(request, catalog)
    assert (result.summary.category, result.n_test) == ("mine", 18)


def test_names_are_refused_before_anything_is_read(tmp_path: Path) -> None:
    for names in ({"out": "x.zip"}, {"out": "x.blemish", "report": "x.pdf"}):
        with pytest.raises(UsageError, match=r"x\.(zip|pdf)"):
            fit(FitRequest.model_validate({"data": tmp_path / "nowhere", **names}))


def test_evaluate_gives_the_verbs_document(
    fitted: Path, washers: Path, tmp_path: Path, blemish: Command
) -> None:
    result = evaluate(EvaluateRequest(inspector=fitted, data=washers, out=tmp_path))
    assert result.complete and json.loads((tmp_path / "metrics.json").read_text()) == result.to_json()
    said = blemish("evaluate", fitted, washers, "--out", tmp_path, "--json").document
    assert without_times(result.to_json()) == without_times(said)


def test_a_report_names_the_inspector_never_the_file_on_a_shelf(
    fitted: Path, washers: Path, tmp_path: Path
) -> None:
    stored = tmp_path / "0001-d604acebc718.blemish"
    shutil.copy(fitted, stored)
    for title in (None, "ring, version 3"):
        asked = EvaluateRequest(inspector=stored, data=washers, out=tmp_path, title=title)
        page = evaluate(asked).report.read_text("utf-8")
        assert f"<h1>{title or 'washer'}: evaluation</h1>" in page
        assert "0001-d604acebc718" not in page


def test_another_file_than_the_one_meant_is_not_evaluated(
    fitted: Path, washers: Path, tmp_path: Path
) -> None:
    digest = file_digest(fitted)
    right = EvaluateRequest(inspector=fitted, data=washers, out=tmp_path, digest=digest)
    assert evaluate(right).complete
    with pytest.raises(ArtifactError):
        evaluate(right.model_copy(update={"digest": "0" * 64}))


def test_what_a_supervised_detector_has_learnt_from_is_never_judged_by(washers: Path, tmp_path: Path) -> None:
    out = tmp_path / "supervised.blemish"
    taken = fit(
        FitRequest(data=washers, out=out, detector="classifier", quick=True, parameters={"epochs": 1})
    ).summary
    assert taken.n_labelled > 0
    measured = evaluate(EvaluateRequest(inspector=out, data=washers, out=tmp_path)).evaluation
    assert len(measured.images) == 18 - taken.n_labelled
    learnt = set(taken.manifest.training.supervision.digests)  # type: ignore[union-attr]
    assert not learnt & {file_digest(image.path) for image in measured.images}
    catalog = open_catalog(washers)
    only = catalog.subset([file_digest(Path(path)) in learnt for path in catalog.table["path"]])
    with pytest.raises(CatalogError, match="has learnt from all"):
        evaluate(EvaluateRequest(inspector=out, data=washers, out=tmp_path), only)


def test_inspect_tells_each_result_as_it_comes(fitted: Path, washers: Path, tmp_path: Path) -> None:
    (tmp_path / "broken.png").write_bytes(b"no photograph")
    told: list[Result] = []
    paths, out = (washers / "test", tmp_path / "broken.png"), tmp_path / "out"
    found = inspect(InspectRequest(inspector=fitted, paths=paths, out=out, save=Save.REJECTS), told.append)
    assert told == list(found.results) and len(told) == 19 and not found.complete
    assert found.to_json() == json.loads((out / "results.json").read_text())
    rejected = [result for result in told if result.verdict == "reject"]
    assert {result.overlay for result in told} - {None} == {result.overlay for result in rejected}
    assert told[-1].kind and told[-1].inspection is None
    good = InspectRequest(inspector=fitted, paths=(washers / "train" / "good" / "000.png",))
    assert inspect(good).complete == (inspect(good).to_json()[0]["verdict"] == "pass")


def test_inspectors_of_one_name_are_told_apart_by_their_files(
    fitted: Path, washers: Path, tmp_path: Path
) -> None:
    for name in ("old.blemish", "new.blemish"):
        shutil.copy(fitted, tmp_path / name)
    inspectors = (tmp_path / "old.blemish", tmp_path / "new.blemish", tmp_path / "new.blemish")
    image = washers / "test" / "hole" / "000.png"
    result = compare_image(CompareImageRequest(image=image, inspectors=inspectors, out=tmp_path / "out"))
    named = [one["inspector"] for one in result.to_json()["detectors"]]
    assert named == ["washer (old.blemish)", "washer (new.blemish) (1)", "washer (new.blemish) (2)"]
    assert json.loads((tmp_path / "out" / "compare.json").read_text()) == result.to_json()


def test_check_finds_what_is_wrong(washers: Path, tmp_path: Path) -> None:
    assert check(CheckRequest(data=washers)).complete
    shutil.copytree(washers, tmp_path / "washer")
    (tmp_path / "washer" / "train" / "good" / "000.png").write_bytes(b"no photograph")
    found = check(CheckRequest(data=tmp_path / "washer"))
    (category,) = found.to_json()["categories"]
    assert not found.complete and category["problems"][0]["path"].endswith("000.png")
