"""What the report of a comparison draws: colours that hang on the detector, published figures beside measured ones."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import pytest

from blemish.core.charts import logarithmic_axis
from blemish.evaluation.figures import loss_figure
from blemish.experiments.benchmark.candidates import open_candidates
from blemish.experiments.benchmark.cell import CellResult, ComparedCell
from blemish.experiments.benchmark.figures import (
    colour,
    dash,
    roc_figure,
    score_figure,
    speed_figure,
    symbol,
    type_figure,
)
from blemish.experiments.benchmark.report import beside_published
from blemish.experiments.benchmark.table import COLUMNS, Block, Row, Table


def result(label: str) -> CellResult:
    """Four parts, scored by one detector."""
    metrics = {"threshold": 0.5, "per_defect_type": {"hole": {"image_auroc": 0.75}}}
    arrays = {"scores": np.array([0.1, 0.4, 0.3, 0.9]), "labels": np.array([False, False, True, True])}
    (candidate,) = open_candidates([label])
    cell = ComparedCell(candidate, "washer", 0, {}, key="key", folder=Path())
    return CellResult(cell, metrics=metrics, arrays=arrays)


def test_a_detector_keeps_its_colour_where_another_has_failed() -> None:
    columns = {"patchcore": 0, "padim": 1, "knn": 2}
    found = {label: result(label) for label in ("patchcore", "knn")}  # padim has failed
    curves = {
        line.name: line.line.color for line in roc_figure(found, columns).data if line.showlegend is not False
    }
    bars = {bar.name: bar.marker.color for bar in type_figure(found, columns, "image_auroc", "").data}
    assert curves == bars == {"patchcore": colour(0), "knn": colour(2)}


def test_parts_are_counted_in_whole_numbers() -> None:
    few, many = result("patchcore"), result("patchcore")
    many.arrays["scores"], many.arrays["labels"] = np.zeros(50), np.zeros(50, np.bool_)
    assert score_figure(few).layout.yaxis.dtick == 1
    assert score_figure(many).layout.yaxis.dtick is None


def test_no_two_of_thirty_detectors_look_alike_and_neighbours_do_not_without_colours() -> None:
    assert len({(colour(number), dash(number)) for number in range(30)}) == 30
    assert len({(colour(number), symbol(number)) for number in range(30)}) == 30
    assert all(
        dash(number) != dash(number + 1) and symbol(number) != symbol(number + 1) for number in range(7)
    )


def test_every_one_of_twenty_detectors_has_a_name_beside_its_point_or_in_the_legend() -> None:
    random = np.random.default_rng(0)
    rows = tuple(
        Row(
            f"detector-{number}",
            tuple(
                {"ms": 3 + number, "image_auroc": random.uniform(0.9, 1)}.get(c.key, math.nan)
                for c in COLUMNS
            ),
            (math.nan,) * len(COLUMNS),
        )
        for number in range(20)
    )
    figure = speed_figure(Block("mean", rows))
    assert len(figure.data) == 20 and figure.layout.showlegend
    assert any(trace.mode == "markers+text" for trace in figure.data)
    assert not speed_figure(Block("mean", rows[::19])).layout.showlegend


def test_published_figures_have_the_columns_that_any_of_them_fills() -> None:
    values = tuple(float(number) for number in range(len(COLUMNS)))
    places = {column.key: number for number, column in enumerate(COLUMNS)}
    row = Row("patchcore", values, (math.nan,) * len(values))
    blocks = Block("leather", (row,)), Block("screw", (row,)), Block("washer", (row,)), Block("mean", (row,))
    for category, more in (("leather", {"precision", "recall", "accuracy"}), ("screw", set())):
        shown = beside_published(category, Table(blocks))
        keys = [key for key, _ in shown["published_columns"]]
        assert set(keys) == {key for method in shown["published"] for key in method.figures}
        assert more <= set(keys)
        ((label, cells),) = shown["measured"]
        assert label == "patchcore"
        wanted = [places[key] for key in keys]
        assert cells == [COLUMNS[place].shown(values[place]) for place in wanted]
    assert beside_published("washer", Table(blocks))["published"] == []


@pytest.mark.parametrize(("low", "high"), [(0.0013, 0.023), (0.2, 0.9), (1e-6, 1e3), (3.1, 9.7)])
def test_ticks_of_a_logarithmic_axis_are_plain_and_inside(low: float, high: float) -> None:
    axis = logarithmic_axis(low, high)
    assert 2 <= len(axis["tickvals"]) <= 12
    assert all(low <= value <= high for value in axis["tickvals"])
    assert [float(text) for text in axis["ticktext"]] == pytest.approx(axis["tickvals"])
    assert axis["range"] == pytest.approx([math.log10(low), math.log10(high)])


@pytest.mark.parametrize("losses", [(0.5, 0.01, 0.002), (0.3, 0.3, 0.3), (0.2,)])
def test_every_loss_lies_inside_the_axis_and_between_ticks(losses: tuple[float, ...]) -> None:
    axis = loss_figure(
        [
            {"epoch": epoch, "training_loss": loss, "validation_loss": loss / 2}
            for epoch, loss in enumerate(losses)
        ]
    ).layout.yaxis
    low, high = (10**edge for edge in axis.range)
    assert axis.type == "log" and low < min(losses) / 2 and max(losses) < high and len(axis.tickvals) >= 1


def test_losses_below_zero_have_a_linear_axis() -> None:
    assert loss_figure([{"epoch": 1, "training_loss": -0.5}]).layout.yaxis.type is None
