"""Stress: what an inspector bears, measured at its own decision on test photographs that it has not learnt from."""

from __future__ import annotations

import json
import shutil
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from blemish import open_catalog
from blemish.core.errors import CatalogError, UsageError
from blemish.core.explanation import STOPPED
from blemish.core.storage import file_digest
from blemish.core.types import ByteArray
from blemish.evaluation.disturbances import DISTURBANCES, disturbances_named
from blemish.evaluation.stress import measure_stress, plan_stress
from blemish.evaluation.stress_result import Promise, Stress, headline
from blemish.line.runtime import Inspector
from blemish.workflows.stress import StressRequest, stress

Call = Callable[..., Any]
PROMISE = Promise(0.05, 0.1)
SOME = ("brightness", "blur")


def brightest(image: ByteArray) -> float:
    """A judge whose curve is known: the highest grey level."""
    return float(image.max())


@pytest.fixture
def lamps(tmp_path: Path) -> Path:
    """Ten good photographs whose brightest level is 100 to 109, and six defective ones of 201 to 206, of two types."""
    levels = [("train/good", number, 100) for number in range(3)]
    levels += [("test/good", number, 100 + number) for number in range(10)]
    levels += [
        (f"test/{kind}", n, 201 + n)
        for n in range(6)
        for kind in ("spot", "line")
        if n % 2 == (kind == "line")
    ]
    for folder, number, level in levels:
        path = tmp_path / "lamps" / folder / f"{number}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        image = np.random.default_rng(number).integers(30, 90, (24, 24, 1), np.uint8).repeat(3, 2)
        image[8:16, 8:16] = level
        Image.fromarray(image).save(path)
    return tmp_path / "lamps"


def measured(
    folder: Path, names: tuple[str, ...] = SOME, steps: int = 2, limit: int | None = None, **more: Any
) -> Stress:
    plan = plan_stress(open_catalog(folder), frozenset(), disturbances_named(names), steps, limit, seed=0)
    return measure_stress(plan, more.pop("judges", [brightest, brightest]), 120.0, PROMISE, **more)


def test_figures_are_those_that_the_scores_give(lamps: Path) -> None:
    found = measured(lamps)
    brightness, blur = found.curves
    assert [point.strength for point in brightness.points] == [0.7, 0.85, 1.0, 1.15, 1.3]
    rejected = [
        sum(round((100 + n) * factor) > 120 for n in range(10)) for factor in (0.7, 0.85, 1, 1.15, 1.3)
    ]
    passed = [sum(round((201 + n) * factor) <= 120 for n in range(6)) for factor in (0.7, 0.85, 1, 1.15, 1.3)]
    assert [point.false_rejects.count for point in brightness.points] == rejected == [0, 0, 0, 5, 10]
    assert [point.escapes.count for point in brightness.points] == passed
    assert all(point.auroc == 1 and point.auroc_interval[0] > 0.5 for point in brightness.points)
    assert [point.false_rejects.n for point in blur.points] == [10, 10, 10]
    assert found.undisturbed.false_rejects.count == 0 and found.types == {"good": 10, "line": 3, "spot": 3}
    assert found.judged == found.wanted == 16 and not found.failed and not found.stopped


def test_words_name_the_strengths_that_are_borne(lamps: Path) -> None:
    found = measured(lamps)
    brightness, blur = (curve.in_words(PROMISE) for curve in found.curves)
    assert brightness.startswith(
        "Brightness: holds from -30 % to no change. At +15 % it rejects 5 of 10 good parts (50.0 %, 5.0 times"
    )
    assert "so few parts do not prove it" in brightness and blur.startswith("Blur: holds up to 2 px.")
    assert "go over twice the promise (20.0 % of good parts) under brightness" in headline(found)
    over = found.curves[0].points[-1]
    assert over.is_surely_over(PROMISE) and over.times(PROMISE) == 10
    assert (
        json.loads(json.dumps(found.to_json(), allow_nan=False))["disturbances"][0]["points"][3]["over"]
        is True
    )


def test_a_sample_is_drawn_alike_of_good_and_defective_and_of_every_type(lamps: Path) -> None:
    few = measured(lamps, limit=8)
    assert few.types == {"good": 4, "line": 2, "spot": 2}
    again = plan_stress(open_catalog(lamps), frozenset(), disturbances_named(SOME), 1, 8, seed=0)
    other = plan_stress(open_catalog(lamps), frozenset(), disturbances_named(SOME), 1, 8, seed=1)
    first = plan_stress(open_catalog(lamps), frozenset(), disturbances_named(SOME), 1, 8, seed=0)
    assert again.photographs == first.photographs != other.photographs
    assert measured(lamps, limit=15).types["good"] == 9  # what one class lacks the other gives


def test_without_defects_false_rejects_alone_are_said(lamps: Path) -> None:
    for kind in ("spot", "line"):
        shutil.rmtree(lamps / "test" / kind)
    found = measured(lamps)
    words = found.curves[0].in_words(PROMISE)
    assert "AUROC" not in words and "efects passed" not in words and "holds from" in words
    assert found.to_json()["undisturbed"]["auroc"] is None
    assert headline(found).endswith("Without defective parts nothing is said of escapes and AUROC.")


def test_without_good_parts_escapes_alone_are_said(lamps: Path) -> None:
    shutil.rmtree(lamps / "test/good")
    found = measured(lamps)
    assert "holds" not in found.curves[0].in_words(PROMISE) and "efects passed" in found.curves[0].in_words(
        PROMISE
    )
    assert headline(found).endswith("nothing is said of false rejects.")


def test_nothing_is_judged_that_was_learnt_from(lamps: Path) -> None:
    shutil.rmtree(lamps / "test")
    with pytest.raises(CatalogError, match="no test photographs to disturb"):
        measured(lamps)
    shutil.copytree(lamps / "train", lamps / "test")
    learnt = frozenset(file_digest(path) for path in lamps.rglob("*.png"))
    with pytest.raises(CatalogError, match="has learnt from all 3"):
        plan_stress(open_catalog(lamps), learnt, disturbances_named(SOME), 1, None, 0)
    one = frozenset([file_digest(lamps / "test/good/1.png")])
    plan = plan_stress(open_catalog(lamps), one, disturbances_named(SOME), 1, None, 0)
    assert plan.learnt == 1 and {Path(row.path).name for row in plan.photographs} == {"0.png", "2.png"}


def test_what_cannot_be_read_is_named_and_the_others_go_on(lamps: Path) -> None:
    (lamps / "test/good/3.png").write_bytes(b"no photograph")
    found = measured(lamps)
    assert [one.path.name for one in found.failed] == ["3.png"] and found.undisturbed.false_rejects.n == 9


def test_grey_photographs_have_no_white_balance(lamps: Path) -> None:
    found = measured(lamps, ("white-balance", "brightness"))
    assert [curve.disturbance.name for curve in found.curves] == ["brightness"]
    assert found.left_out == ("White balance: all photographs are grey.",)


def test_what_does_not_change_a_photograph_is_judged_once_and_each_judge_by_one_thread(lamps: Path) -> None:
    calls: list[int] = []
    busy = threading.Lock()

    def judge(image: ByteArray) -> float:
        assert busy.acquire(blocking=False)
        calls.append(1)
        busy.release()
        return brightest(image)

    measured(lamps, ("white-balance", "blur"), steps=3, judges=[judge])
    assert len(calls) == 16 * (1 + 3)  # itself, and three blurs


def test_ctrl_c_keeps_what_was_measured_and_the_same_request_goes_on(
    fitted: Path, washers: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    request = StressRequest(inspector=fitted, data=washers, out=tmp_path, of=("brightness",), steps=1)
    plain = Inspector.predict
    judged: list[int] = []

    def predict(inspector: Inspector, image: ByteArray) -> Any:
        judged.append(1)
        if len(judged) == 3 * 5 + 1:  # as if it had come there
            raise KeyboardInterrupt
        return plain(inspector, image)

    monkeypatch.setattr(Inspector, "predict", predict)
    monkeypatch.setattr("blemish.evaluation.stress.MOST_WORKERS", 1)
    stopped = stress(request)
    assert stopped.stress.stopped and stopped.exit_status == STOPPED and not stopped.complete
    assert sum(stopped.stress.types.values()) == 5 and "Stopped early" in stopped.report.read_text("utf-8")
    judged.clear()
    judged += [0] * 100
    whole = stress(request)
    assert whole.complete and len(judged) - 100 == 13 * 3 and whole.stress.judged == 13
    monkeypatch.undo()
    anew = stress(request.model_copy(update={"out": tmp_path / "anew"}))
    assert without_times(anew.to_json()) == without_times(whole.to_json())
    assert json.loads((tmp_path / "stress.json").read_text()) == whole.to_json()


def without_times(document: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in document.items() if name not in ("seconds", "report")}


def test_undisturbed_figures_are_those_of_evaluate(
    blemish: Call, fitted: Path, washers: Path, tmp_path: Path
) -> None:
    said = blemish("stress", fitted, washers, "--out", tmp_path / "s", "--of", "blur", "--steps", 1, "--json")
    known = blemish("evaluate", fitted, washers, "--out", tmp_path / "e", "--json").document
    plain = said.document["undisturbed"]
    assert said.status == 0 and plain["auroc"] == known["image_auroc"]
    assert plain["false_rejects"] == known["false_reject"] and plain["escapes"] == known["escape"]
    assert "Judging" not in said.stdout
    page = (tmp_path / "s/report.html").read_text("utf-8")
    assert "as it is" in page and "Sigma in pixels" in page and '="http' not in page.split("<script>")[0]


def test_the_verb_prints_a_sentence_a_disturbance(
    blemish: Call, fitted: Path, washers: Path, tmp_path: Path
) -> None:
    said = blemish(
        "stress", fitted, washers, "--out", tmp_path, "--of", "jpeg,shift", "--steps", 1, "--limit", 6
    )
    assert said.status == 0 and "\nShift: " in said.stdout and "JPEG: " in said.stdout
    assert "3 good parts and 3 defective parts under 2 disturbances" in said.stdout
    for wrong in (("--of", "smoke"), ("--steps", 0), ("--limit", 0)):
        refused = blemish("stress", fitted, washers, "--out", tmp_path, *wrong)
        assert refused.status == 2 and "Traceback" not in refused.stderr
    with pytest.raises(UsageError, match="smoke"):
        stress(StressRequest(inspector=fitted, data=washers, out=tmp_path, of=("smoke",)))


def test_every_disturbance_has_a_curve_and_a_picture_in_the_report(
    washers: Path, fitted: Path, tmp_path: Path
) -> None:
    result = stress(StressRequest(inspector=fitted, data=washers, out=tmp_path, steps=1, limit=2))
    page = result.report.read_text("utf-8")
    for one in DISTURBANCES.values():
        assert f'<section class="category" id="{one.name}"' in page
        assert page.count(f"{one.in_words(one.ends[0])} of ") >= 1
    assert page.count('class="chart"') == 2 * len(DISTURBANCES)
