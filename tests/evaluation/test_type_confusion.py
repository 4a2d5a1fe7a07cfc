"""The confusion matrix of defect types against a second count, and in the report."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn import metrics as reference

from blemish.core.storage import file_digest
from blemish.core.types import NONE_OF_THESE
from blemish.evaluation.result import ScoredImage
from blemish.evaluation.type_confusion import PASSED, TypeConfusion, calibration_error
from blemish.line.artifact import read_artifact

LEARNT = ("hole", "scratch")
SHOWN = ("good", *LEARNT, "stain")


def scored(truth: str, said: str, share: float = 0.8) -> ScoredImage:
    types = {} if said == PASSED else {"hole": share, "scratch": 1 - share}
    return ScoredImage(
        path=Path("part.png"), name="part.png", anomalous=truth != "good", defect_type=truth,
        score=0.0 if said == PASSED else 2.0, anomaly_map=np.zeros((2, 2), np.float32), mask_path=None,
        inspect_ms=1.0, decode_ms=1.0, types=types, type=None if said == PASSED else said,
    )  # fmt: skip


@given(
    pairs=st.lists(
        st.tuples(st.sampled_from(SHOWN), st.sampled_from((PASSED, *LEARNT, NONE_OF_THESE))),
        min_size=1,
        max_size=60,
    )
)
def test_counts_and_rates_are_those_of_scikit_learn(pairs: list[tuple[str, str]]) -> None:
    confusion = TypeConfusion.of([scored(*pair) for pair in pairs], LEARNT, 1.0)
    truths, said = zip(*pairs, strict=True)
    for name in LEARNT:
        rates = reference.precision_recall_fscore_support(truths, said, labels=[name], zero_division=0)
        for mine, theirs in ((confusion.precision(name), rates[0][0]), (confusion.recall(name), rates[1][0])):
            assert (mine.value if mine.n else 0) == pytest.approx(theirs)
    told = [(truth, one) for truth, one in pairs if truth in LEARNT and one != PASSED]
    assert (confusion.accuracy.count, confusion.accuracy.n) == (sum(a == b for a, b in told), len(told))
    strange = [one for truth, one in pairs if truth == "stain" and one != PASSED]
    unknown = confusion.recognised_as_unknown
    assert (unknown.count, unknown.n) == (strange.count(NONE_OF_THESE), len(strange))
    assert confusion.counts.sum() == len(pairs)
    assert json.loads(json.dumps(confusion.to_json(), allow_nan=False))


def test_the_calibration_error_is_that_of_a_direct_count() -> None:
    rng = np.random.default_rng(0)
    sure = rng.uniform(0.2, 1, 500)
    right = rng.random(500) < sure**2
    direct = 0.0
    for low in np.arange(0, 1, 0.1):
        inside = (sure >= low) & (sure < low + 0.1)
        if inside.any():
            direct += inside.mean() * abs(right[inside].mean() - sure[inside].mean())
    assert calibration_error(sure.tolist(), right.tolist()) == pytest.approx(direct, abs=1e-6)
    assert calibration_error([1.0, 1.0], [True, True]) == 0
    assert np.isnan(calibration_error([], []))


def test_evaluate_judges_types_by_photographs_never_learnt_from(
    blemish: Callable[..., Any], plates: Path, typed: Path, tmp_path: Path
) -> None:
    evaluated = blemish("evaluate", typed, plates, "--out", tmp_path, "--json")
    document = evaluated.document
    types, supervision = document["types"], read_artifact(typed).manifest.training.supervision
    assert types["learnt"] == ["frame", "line", "spot"]
    judged = {
        kind: sum(
            file_digest(path) not in supervision.digests for path in (plates / "test" / kind).glob("*.png")
        )
        for kind in ("good", *types["learnt"])
    }
    assert {truth: sum(row.values()) for truth, row in types["confusion"].items()} == judged
    assert types["accuracy"]["rate"] > 0.6 and 0 <= types["calibration_error"] <= 1
    for kind in types["learnt"]:
        assert types["per_type"][kind]["recall"]["count"] == types["confusion"][kind][kind]
    said = blemish("evaluate", typed, plates, "--out", tmp_path)
    assert "none of these" in said.stdout and "named the type of" in said.stdout


def test_the_report_shows_the_matrix(
    blemish: Callable[..., Any], plates: Path, typed: Path, tmp_path: Path, report_page: Any
) -> None:
    document = blemish("evaluate", typed, plates, "--out", tmp_path, "--json").document
    with report_page(tmp_path / "report.html") as page:
        head = page.locator("table.named thead th").all_inner_texts()
        assert head == ["Shown", "passed", "frame", "line", "spot", "none of these", "Recall", "Precision"]
        row = page.locator("table.named tbody tr").nth(1)
        shown = [0 if text == "·" else int(text) for text in row.locator("td.cell").all_inner_texts()]
        assert shown == list(document["types"]["confusion"]["frame"].values())
        assert row.locator("td.hit").count() == 1
        assert page.get_by_text("Defect types", exact=True).count() == 1
        assert "spot, called spot" in page.locator(".exhibits").all_inner_texts()[-2]


def test_who_tells_no_types_has_no_matrix(
    blemish: Callable[..., Any], washers: Path, fitted: Path, tmp_path: Path
) -> None:
    assert "types" not in blemish("evaluate", fitted, washers, "--out", tmp_path, "--json").document
    assert 'table class="named"' not in (tmp_path / "report.html").read_text()
