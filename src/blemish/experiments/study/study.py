"""The study: every cell chooses on validation first; only when all have, the test part is measured, once."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

from blemish.core.progress import task
from blemish.data.catalog import Catalog
from blemish.data.entries import TEST
from blemish.evaluation.thresholds import choose_thresholds
from blemish.experiments.search.final import Final
from blemish.experiments.search.trials import failure_sentence
from blemish.experiments.search.validation import Scores
from blemish.experiments.study.brightness import brightness_auroc
from blemish.experiments.study.cell import (
    Choice,
    choose_setting,
    images_of,
    measure_on_test,
    read_choice,
    read_test_scores,
    write_choice,
    write_test_scores,
)
from blemish.experiments.study.material import Material, SplitCatalog
from blemish.experiments.study.plan import COMBINATIONS, Category, Cell, Combination, Plan
from blemish.experiments.study.summary import number_or_none, summary_json


@dataclass(frozen=True)
class CellResult:
    """What came of a cell.

    Attributes:
        cell: which.
        choice: what was chosen on validation; None if that failed.
        final: the chosen setting on validation and test; None if something failed.
        error: the sentence that says why it failed; empty if it did not.
    """

    cell: Cell
    choice: Choice | None = None
    final: Final | None = None
    error: str = ""

    def to_json(self) -> dict[str, Any]:
        """The cell as JSON-ready values, without seconds."""
        cell = self.cell
        which = {
            "category": cell.category.name,
            "combination": cell.combination.name,
            "features": cell.combination.features,
            "split": cell.combination.split,
            "model": cell.model,
            "key": cell.key,
        }
        if self.choice is None or self.final is None:
            return which | {"error": self.error}
        return {
            **which,
            "trials": [trial.to_json() for trial in self.choice.trials],
            "fitted": self.choice.fitted,
            "chosen": self.choice.chosen.to_json(),
            **self.final.to_json(),
        }


@dataclass(frozen=True)
class Study:
    """A finished study.

    Attributes:
        plan: what was measured.
        results: one for each cell, by category, then combination, then model.
        splits: catalogs by category and split, where it was possible.
        brightness: by category, see `blemish.experiments.study.brightness.brightness_auroc`.
        measured: cells of which something was measured now; the others were found.
        seconds: how long this run took.
    """

    plan: Plan
    results: tuple[CellResult, ...]
    splits: dict[tuple[str, str], SplitCatalog]
    brightness: dict[str, float]
    measured: int
    seconds: float

    @property
    def failed(self) -> list[CellResult]:
        """Cells that failed."""
        return [result for result in self.results if result.error]

    @property
    def skipped(self) -> list[dict[str, str]]:
        """Photographs that were left out of a split, each once, with path and detail."""
        found = {one["path"]: one for split in self.splits.values() for one in split.skipped}
        return [found[path] for path in sorted(found)]

    def of(self, category: Category, combination: Combination) -> list[CellResult]:
        """The results of one combination on one category."""
        return [
            result
            for result in self.results
            if (result.cell.category, result.cell.combination) == (category, combination)
        ]

    def to_json(self) -> dict[str, Any]:
        """The whole study, JSON-ready; all that differs between two runs is under `timings`."""
        return {
            "models": list(self.plan.models),
            "combinations": [
                {"name": one.name, "features": one.features, "split": one.split} for one in COMBINATIONS
            ],
            "seed": self.plan.seed,
            "fixed": self.plan.fixed,
            "categories": {
                category.name: {
                    "digest": category.digest,
                    "brightness_auroc": number_or_none(self.brightness[category.name]),
                    "splits": {
                        split: {"name": of.catalog.split_name, "counts": of.catalog.counts()}
                        for (name, split), of in self.splits.items()
                        if name == category.name
                    },
                }
                for category in self.plan.categories
            },
            "cells": [result.to_json() for result in self.results],
            "summary": summary_json(self),
            "skipped": self.skipped,
            "timings": {
                "seconds": self.seconds,
                "measured_now": self.measured,
                "cells": [
                    {
                        "key": result.cell.key,
                        "seconds": sum(trial.seconds for trial in result.choice.trials),
                    }
                    for result in self.results
                    if result.choice
                ],
            },
        }


def run_study(plan: Plan, tell: Callable[[CellResult], None] = lambda result: None) -> Study:
    """Measure all cells that `plan.out` does not hold yet.

    First every cell of every category chooses its setting and its thresholds on validation. Only then is the test
    part read, and scored once by each cell. What is known is kept at once, so a run that was interrupted goes on
    where it was. A cell that fails is recorded, the others go on; it is tried again the next time.

    Args:
        plan: see `blemish.experiments.study.plan.open_study`.
        tell: called with each cell of which something was measured now, when it has chosen and when it is complete.

    Raises:
        BlemishError: `plan.out` cannot be written.
    """
    started = time.monotonic()
    material = Material(plan)
    cells = plan.all_cells()
    results = {cell.key: CellResult(cell, choice=read_choice(cell)) for cell in cells}
    unchosen = [cell for cell in cells if results[cell.key].choice is None]
    measured = {cell.key for cell in unchosen}
    with task("Study: choosing on validation, cell by cell", len(unchosen)) as advance:
        for cell in unchosen:
            results[cell.key] = _chosen(cell, material)
            tell(results[cell.key])
            advance(1)
    with task("Study: measuring on test, cell by cell", len(cells)) as advance:
        for cell in cells:
            results[cell.key], now = _measured(results[cell.key], material)
            if now:
                measured.add(cell.key)
                tell(results[cell.key])
            advance(1)
    return Study(
        plan=plan,
        results=tuple(results[cell.key] for cell in cells),
        splits=_possible_splits(plan, material),
        brightness={one.name: brightness_auroc(one, material) for one in plan.categories},
        measured=len(measured),
        seconds=time.monotonic() - started,
    )


def _chosen(cell: Cell, material: Material) -> CellResult:
    """Choose a cell's setting; a failure is recorded."""
    try:
        choice = choose_setting(cell, material.part(cell.category, cell.combination))
    except Exception as failure:  # one cell's failure must not end the study
        return CellResult(cell, error=failure_sentence(failure))
    write_choice(cell, choice)
    return CellResult(cell, choice)


def _measured(result: CellResult, material: Material) -> tuple[CellResult, bool]:
    """The result with its test part, and whether that was measured now; a failure is recorded."""
    cell, choice = result.cell, result.choice
    if choice is None:
        return result, False
    try:
        catalog = material.split(cell.category, cell.combination.split).catalog
        test, now = read_test_scores(cell, choice.chosen), False
        if test is None and not catalog.test().empty:
            test, now = _test_scores(cell, choice, material, catalog), True
        thresholds = choose_thresholds(
            choice.validation.labels, choice.validation.scores, f"validation of {catalog.split_name}"
        )
    except Exception as failure:
        return replace(result, error=failure_sentence(failure)), False
    if test is not None and now:
        write_test_scores(cell, choice.chosen, test)
    # The key fixes all that the choice depends on, so no other setting was ever measured on this test part.
    final = Final(choice.validation, test, thresholds, refitted=False, measured=1)
    return replace(result, final=final), now


def _test_scores(cell: Cell, choice: Choice, material: Material, catalog: Catalog) -> Scores:
    paths, labels = images_of(catalog, TEST)
    part = material.part(cell.category, cell.combination)
    rows = material.rows(cell.category, cell.combination).of(paths)
    return measure_on_test(cell, part, choice.chosen, rows, labels)


def _possible_splits(plan: Plan, material: Material) -> dict[tuple[str, str], SplitCatalog]:
    """Split catalogs of all categories, but for those that cannot be made."""
    found = {}
    for category in plan.categories:
        for split in dict.fromkeys(combination.split for combination in COMBINATIONS):
            try:
                found[category.name, split] = material.split(category, split)
            except Exception:  # told with each of its cells
                continue
    return found
