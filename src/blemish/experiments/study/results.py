"""What a study has found: a result for each cell, and what they were measured on."""

from __future__ import annotations

from dataclasses import dataclass

from blemish.experiments.categories import Category
from blemish.experiments.final import Final
from blemish.experiments.split_catalog import SplitCatalog
from blemish.experiments.study.choice import Choice
from blemish.experiments.study.plan import Combination, StudyCell, StudyPlan


@dataclass(frozen=True)
class CellResult:
    """What came of a cell.

    Attributes:
        cell: which.
        choice: what was chosen on validation; None if that failed.
        final: the chosen setting on validation and test; None if something failed.
        error: the sentence that says why it failed; empty if it did not.
    """

    cell: StudyCell
    choice: Choice | None = None
    final: Final | None = None
    error: str = ""


@dataclass(frozen=True)
class Study:
    """A finished study.

    Attributes:
        plan: what was measured.
        results: one for each cell, by category, then combination, then model.
        splits: by category and split, where it was possible.
        brightness: by category, see `blemish.experiments.study.brightness.brightness_auroc`.
        measured: cells of which something was measured now; the others were found.
        seconds: how long this run took.
    """

    plan: StudyPlan
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
