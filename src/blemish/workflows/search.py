"""Find settings of a detector on validation images."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pydantic import Field

from blemish.core.errors import UsageError
from blemish.workflows.request import Request

if TYPE_CHECKING:
    from blemish.experiments.search.search import Search
    from blemish.experiments.trial import Trial


class SearchRequest(Request):
    """Find settings.

    Attributes:
        data: one category, with test photographs.
        detector, preset: as in the registry.
        out: folder for the trials, search.json, split.csv and report.html.
        space: "default", or a TOML or JSON file of values to try.
        trials: settings in all; 20 if None, or the whole grid by grid.
        method: "bayes" or "grid".
        split: what settings are judged on, see `blemish.experiments.split_catalog`.
        seed: of splits, detector and search.
        parameters: of the detector, that stay; a list stands for a tuple.
        category: of several categories in `data`, this one.
        bit_depth: bits that 16-bit photographs really use.
    """

    data: Path
    detector: str
    out: Path
    space: str = "default"
    trials: int | None = None
    method: str = "bayes"
    split: str = "test"
    seed: int = Field(default=0, ge=0)
    preset: str | None = None
    parameters: dict[str, Any] = Field(default_factory=dict)
    category: str | None = None
    bit_depth: int = Field(default=16, ge=8, le=16)


@dataclass(frozen=True)
class SearchResult:
    """A finished search.

    Attributes:
        search: what was tried, chosen and measured.
        split: the table of the photographs, split as they were for the search.
        report: the report's file.
    """

    search: Search
    split: Path
    report: Path

    @property
    def skipped(self) -> list[dict[str, str]]:
        """Photographs that were left out, each with path and detail."""
        return list(self.search.plan.split.skipped)

    def to_json(self) -> dict[str, Any]:
        """The search as JSON-ready values, as in `search.json`."""
        return {**self.search.to_json(), "skipped": self.skipped, "report": str(self.report)}


def search(request: SearchRequest, tell: Callable[[Trial], None] = lambda trial: None) -> SearchResult:
    """Try the settings that are missing, measure the best one on the test images, and write document and report.

    Args:
        request: what to search for.
        tell: called with each trial that was measured now.

    Raises:
        UsageError: a split, method, detector, parameter or space is not possible.
        CatalogError: there are too few photographs for the split.
        BlemishError: every trial failed, or `out` cannot be used.
    """
    from blemish.core.storage import write_json, write_text
    from blemish.data.categories import open_category
    from blemish.detectors.registry import detector_info
    from blemish.experiments.search.report import write_report
    from blemish.experiments.search.search import SearchPlan, run_search
    from blemish.experiments.space import open_space, with_tuples
    from blemish.experiments.split_catalog import SPLITS, split_catalog

    if request.split not in SPLITS:
        raise UsageError(f"There is no split {request.split}: choose one of {', '.join(SPLITS)}.")
    space = open_space(request.space, detector_info(request.detector))
    catalog = open_category(request.data, request.category)
    fixed = {name: with_tuples(value) for name, value in request.parameters.items()}
    plan = SearchPlan(
        split=split_catalog(catalog, request.split, request.out, request.seed, request.bit_depth),
        detector=request.detector,
        space=space,
        out=request.out,
        method=request.method,
        trials=request.trials,
        seed=request.seed,
        preset=request.preset,
        fixed={"bit_depth": request.bit_depth, **fixed},
    )
    found = run_search(plan, tell)
    result = SearchResult(found, request.out / "split.csv", request.out / "report.html")
    write_text(result.split, plan.split.catalog.table.to_csv(index=False))
    write_report(found, result.report)
    write_json(request.out / "search.json", result.to_json())
    return result
