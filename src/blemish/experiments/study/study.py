"""The study: every cell chooses on validation first; only when all have, the test images are looked at, once."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import replace

from blemish.core.progress import task
from blemish.data.catalog import Catalog
from blemish.data.entries import TEST
from blemish.experiments.final import Final
from blemish.experiments.split_catalog import SplitCatalog
from blemish.experiments.study.brightness import brightness_auroc
from blemish.experiments.study.choice import (
    Choice,
    choose_setting,
    images_of,
    measure_on_test,
    read_choice,
    read_test_scores,
    write_choice,
    write_test_scores,
)
from blemish.experiments.study.inputs import StudyInputs
from blemish.experiments.study.plan import StudyCell, StudyPlan
from blemish.experiments.study.results import CellResult, Study
from blemish.experiments.trial import failure_sentence
from blemish.experiments.validation import Scores


def run_study(plan: StudyPlan, tell: Callable[[CellResult], None] = lambda result: None) -> Study:
    """Measure all cells that `plan.out` does not hold yet.

    First every cell of every category chooses its setting and its thresholds on validation. Only then are the test
    images read, and scored once by each cell. What is known is kept at once, so a run that was interrupted goes on
    where it was. A cell that fails is recorded, the others go on; it is tried again the next time.

    Args:
        plan: see `blemish.experiments.study.plan.open_study`.
        tell: called with each cell of which something was measured now, when it has chosen and when it is complete.

    Raises:
        BlemishError: `plan.out` cannot be written.
    """
    started = time.monotonic()
    inputs = StudyInputs(plan)
    cells = plan.cells()
    results = {cell.key: CellResult(cell, choice=read_choice(cell)) for cell in cells}
    unchosen = [cell for cell in cells if results[cell.key].choice is None]
    measured = {cell.key for cell in unchosen}
    with task("Study: choosing on validation, cell by cell", len(unchosen)) as advance:
        for cell in unchosen:
            results[cell.key] = _chosen(cell, inputs)
            tell(results[cell.key])
            advance(1)
    with task("Study: measuring on test, cell by cell", len(cells)) as advance:
        for cell in cells:
            results[cell.key], now = _measured(results[cell.key], inputs)
            if now:
                measured.add(cell.key)
                tell(results[cell.key])
            advance(1)
    return Study(
        plan=plan,
        results=tuple(results[cell.key] for cell in cells),
        splits=_possible_splits(plan, inputs),
        brightness={one.name: brightness_auroc(one, inputs) for one in plan.categories},
        measured=len(measured),
        seconds=time.monotonic() - started,
    )


def _chosen(cell: StudyCell, inputs: StudyInputs) -> CellResult:
    """Choose a cell's setting; a failure is recorded."""
    try:
        choice = choose_setting(cell, inputs.choosing(cell.category, cell.combination))
    except Exception as failure:  # one cell's failure must not end the study
        return CellResult(cell, error=failure_sentence(failure, "this setting"))
    write_choice(cell, choice)
    return CellResult(cell, choice)


def _measured(result: CellResult, inputs: StudyInputs) -> tuple[CellResult, bool]:
    """The result with its test scores, and whether they were measured now; a failure is recorded."""
    cell, choice = result.cell, result.choice
    if choice is None:
        return result, False
    test, now = None, False
    try:
        split = inputs.split(cell.category, cell.combination.split)
        if not split.held_back.empty:
            test, now = split.held_back.measured_once(
                read_test_scores(cell, choice.chosen),
                lambda catalog: _test_scores(cell, choice, inputs, catalog),
                lambda scores: write_test_scores(cell, choice.chosen, scores),
            )
        # The key fixes all that the choice depends on, so no other setting was ever measured on these test images.
        final = Final.judged(choice.validation, test, split.name)
    except Exception as failure:
        return replace(result, error=failure_sentence(failure, "this setting")), False
    return replace(result, final=final), now


def _test_scores(cell: StudyCell, choice: Choice, inputs: StudyInputs, catalog: Catalog) -> Scores:
    paths, labels = images_of(catalog, TEST)
    rows = inputs.choosing(cell.category, cell.combination)
    test = inputs.rows(cell.category, cell.combination).of(paths)
    return measure_on_test(cell, rows, choice.chosen, test, labels)


def _possible_splits(plan: StudyPlan, inputs: StudyInputs) -> dict[tuple[str, str], SplitCatalog]:
    """Split catalogs of all categories, but for those that cannot be made."""
    found = {}
    for category in plan.categories:
        for split in dict.fromkeys(combination.split for combination in plan.combinations):
            try:
                found[category.name, split] = inputs.split(category, split)
            except Exception:  # told with each of its cells
                continue
    return found
