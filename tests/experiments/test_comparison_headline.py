"""The headline of a comparison: whoever is named for ranking is named with what the threshold misses."""

from __future__ import annotations

import csv
import io
import math
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from blemish.experiments.benchmark.headline import headline
from blemish.experiments.benchmark.table import COLUMNS, INTERVALS, PLACES, Block, Row, Table

NOTHING = (math.nan,) * len(COLUMNS)
SHARES = st.floats(0, 1)


def table_of(*rows: Row) -> Table:
    return Table((Block("screw", rows), Block("mean", rows)))


def row(label: str, **figures: float) -> Row:
    values = tuple(figures.get(column.key, math.nan) for column in COLUMNS)
    return Row(label, values, NOTHING)


ROWS = st.lists(
    st.fixed_dictionaries(
        dict.fromkeys(("image_auroc", "f1", "recall", "false_reject"), SHARES) | {"ms": st.floats(0.1, 500)}
    ),
    min_size=1,
    max_size=6,
)


@given(ROWS)
def test_who_misses_half_is_never_praised_without_it(figures: list[dict[str, float]]) -> None:
    rows = [row(f"detector-{number}", **one) for number, one in enumerate(figures)]
    for sentence in re.split(r"(?<=\.) (?=[A-Za-z])", headline(table_of(*rows))):
        named = [one for one in rows if re.match(rf"{one.label}\b", sentence)]
        praised = re.search(r"\b(best|highest|better|well|fastest|good(?! part))\b", sentence)
        if not named or not praised:
            continue
        missed = 100 * (1 - named[0].value("recall"))
        if missed > 50:
            assert f"misses {missed:.1f} % of the defective parts" in sentence, sentence


def test_it_says_who_ranks_who_decides_and_who_is_fast() -> None:
    ranks = row("a", image_auroc=0.99, f1=0.3, recall=0.2, false_reject=0.0, ms=9.0)
    decides = row("b", image_auroc=0.95, f1=0.9, recall=0.85, false_reject=0.02, ms=5.0)
    fast = row("c", image_auroc=0.6, f1=0.1, recall=0.1, false_reject=0.0, ms=1.0)
    assert headline(table_of(ranks, decides, fast)) == (
        "a ranks parts best, with an image AUROC of 0.990, but at its threshold misses 80.0 % of the defective parts "
        "and rejects 0.0 % of the good parts. "
        "b has the highest F1 at its threshold, 0.900: it misses 15.0 % of the defective parts and rejects 2.0 % of "
        "the good parts. "
        "c is the fastest, at 1.0 ms an image, with an AUROC of 0.600; it misses 90.0 % of the defective parts and "
        "rejects 0.0 % of the good parts. a takes 9.0 ms."
    )


def test_guessing_is_called_so() -> None:
    said = headline(table_of(row("a", image_auroc=0.48, recall=0.0), row("b", image_auroc=0.3, recall=0.1)))
    assert said.startswith("No detector ranks parts better than guessing: a reaches an image AUROC of 0.480")
    assert "Every one of them misses more than half" in said
    assert headline(table_of(row("a"))) == "No detector has figures on every category."


def test_the_flat_table_has_every_figure_with_its_interval() -> None:
    figures = {column.key: 0.5 for column in COLUMNS}
    intervals = dict.fromkeys(INTERVALS, (0.4, 0.6))
    whole = Row("=a", tuple(figures.values()), NOTHING, intervals=intervals)
    table = table_of(whole, row("b"))
    first, second = csv.DictReader(io.StringIO(table.to_csv()))
    assert first["detector"] == "'=a"  # what begins like a formula stays text in a spreadsheet
    assert {key: float(first[key]) for key in PLACES} == figures
    assert [(float(first[f"{key}_low"]), float(first[f"{key}_high"])) for key in INTERVALS] == [
        (0.4, 0.6)
    ] * 3
    assert second["image_auroc"] == second["recall_low"] == ""
    assert table.intervals_to_json()["screw"]["=a"]["recall"] == [0.4, 0.6]


def test_intervals_need_parts_of_both_kinds() -> None:
    from types import SimpleNamespace
    from typing import Any

    from blemish.experiments.benchmark.table import comparison_table

    def result(category: str, n_anomalous: int) -> Any:
        cell = SimpleNamespace(category=category, candidate=SimpleNamespace(label="knn"), seed=0)
        metrics = {
            "n_normal": 20, "n_anomalous": n_anomalous, "recall": 0.5 if n_anomalous else None,
            "image_auroc": 0.9 if n_anomalous else None, "false_reject": {"rate": 0.1, "count": 2, "n": 20},
        }  # fmt: skip
        return SimpleNamespace(cell=cell, error="", metrics=metrics, timings={})

    both, good = comparison_table([result("screw", 10), result("plate", 0)]).blocks[:2]
    low, high = both.rows[0].interval("image_auroc")
    assert 0.5 < low < 0.9 < high <= 1
    assert both.rows[0].interval("false_reject") == pytest.approx((0.0123, 0.317), abs=1e-3)
    assert both.rows[0].interval("recall") == pytest.approx((0.187, 0.813), abs=1e-3)
    assert math.isnan(good.rows[0].interval("image_auroc")[0])
    assert good.rows[0].interval("false_reject") == both.rows[0].interval("false_reject")
