"""What a comparison and a study say in words: footnotes of the table, and how far validation and test lie apart."""

from __future__ import annotations

import math
from types import SimpleNamespace
from typing import Any

import pytest

from blemish.cli.benchmark import print_comparison
from blemish.experiments.benchmark.table import COLUMNS, Block, Row, Table, comparison_table
from blemish.experiments.study.summary import gap_in_words, mean_by_model, subclasses


def test_the_terminal_says_what_failed_and_what_was_tested_on_fewer(
    capsys: pytest.CaptureFixture[str],
) -> None:
    nothing = (math.nan,) * len(COLUMNS)
    taught = Row("taught", (0.9,) * len(COLUMNS), nothing, remark="learnt from 30 labelled test photographs")
    failed = Row("broken", nothing, nothing, note="failed: too few photographs")
    block = Block("screw", (Row("whole", (0.8,) * len(COLUMNS), nothing), taught, failed))
    print_comparison(Table((block, Block("grid", block.rows), Block("mean", block.rows))))
    said = capsys.readouterr().out
    assert said.count("taught (1)") == said.count("broken (2)") == 3
    assert said.count("(1) taught: learnt from 30 labelled test photographs") == 1
    assert said.count("(2) broken: failed: too few photographs") == 1
    assert "System Mean" in said


def test_subclasses_have_means_of_their_own(capsys: pytest.CaptureFixture[str]) -> None:
    def result(category: str, auroc: float) -> Any:
        cell = SimpleNamespace(category=category, candidate=SimpleNamespace(label="knn"), seed=0)
        return SimpleNamespace(cell=cell, error="", metrics={"image_auroc": auroc}, timings={})

    results = [result("carpet", 0.9), result("screw", 0.6), result("grid", 0.8), result("other", 0.5)]
    table = comparison_table(results, {"carpet": "texture", "grid": "texture", "screw": "object"})
    document = table.to_json(timed=False)
    aurocs = {title: rows["knn"]["image_auroc"] for title, rows in document.items()}
    assert aurocs["Mean of texture"] == pytest.approx(0.85)
    assert aurocs["Mean of object"] == 0.6 and aurocs["mean"] == pytest.approx(0.7)
    print_comparison(table)
    said = capsys.readouterr().out
    assert said.index("other") < said.index("Mean of texture") < said.index("Mean of object")
    assert said.index("Mean of object") < said.index("System Mean")
    assert comparison_table(results[:1], {"carpet": "texture"}).shown[0].title == "carpet"
    assert len(comparison_table(results[:1], {"carpet": "texture"}).shown) == 1


def test_a_study_has_means_of_subclasses_too() -> None:
    aurocs = {"carpet": 0.9, "grid": 0.7, "screw": 0.5}
    groups = {"carpet": "texture", "grid": "texture", "screw": ""}
    categories = [
        SimpleNamespace(name=name, catalog=SimpleNamespace(subclass=groups[name])) for name in aurocs
    ]

    def of(category: Any, combination: Any) -> list[Any]:
        auroc = aurocs[category.name]
        final = SimpleNamespace(
            test_ranking=lambda: SimpleNamespace(auroc=lambda: auroc), test_interval=lambda: (0, 1)
        )
        choice = SimpleNamespace(chosen=SimpleNamespace(auroc=auroc))
        return [SimpleNamespace(cell=SimpleNamespace(model="svm"), choice=choice, final=final)]

    study: Any = SimpleNamespace(plan=SimpleNamespace(categories=categories, models=("svm",)), of=of)
    found = subclasses(study)
    assert {name: [one.name for one in members] for name, members in found.items()} == {
        "texture": ["carpet", "grid"]
    }
    combination: Any = None
    assert mean_by_model(study, found["texture"], combination)["svm"].test == pytest.approx(0.8)
    study.plan.categories = categories[:1]
    assert subclasses(study) == {}


@pytest.mark.parametrize(
    ("validation", "test", "said"),
    [
        (0.9, 0.85, "Validation and test agree."),
        (0.85, 0.9, "Validation and test agree."),
        (0.9, 0.75, "Test is below validation, by 0.150."),
        (0.9, 0.7, "Test is far below validation, by 0.200."),
        (0.7, 0.8, "Test is above validation, by 0.100."),
        (0.375, 0.729, "Test is far above validation, by 0.354."),
        (math.nan, 0.7, ""),
    ],
)
def test_the_gap_between_validation_and_test_has_its_word(validation: float, test: float, said: str) -> None:
    assert gap_in_words(validation, test) == said
