"""Compare the classical detectors by features and split."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pydantic import Field

from blemish.workflows.request import Request

if TYPE_CHECKING:
    from blemish.experiments.study.results import CellResult, Study


class StudyRequest(Request):
    """Compare the classical detectors.

    Attributes:
        data: folders of one or several categories, with test photographs.
        out: folder for the cells, study.json and report.html.
        models: names of classical detectors; all four if None.
        seed: of splits, painted defects and models.
        parameters: of all models; a list stands for a tuple.
        bit_depth: bits that 16-bit photographs really use.
    """

    data: tuple[Path, ...]
    out: Path
    models: tuple[str, ...] | None = None
    seed: int = Field(default=0, ge=0)
    parameters: dict[str, Any] = Field(default_factory=dict)
    bit_depth: int = Field(default=16, ge=8, le=16)


@dataclass(frozen=True)
class StudyResult:
    """A finished study.

    Attributes:
        study: what was chosen and measured.
        report: the report's file.
    """

    study: Study
    report: Path

    def to_json(self) -> dict[str, Any]:
        """The study as JSON-ready values, as in `study.json`."""
        from blemish.experiments.study.document import study_document

        return {**study_document(self.study), "report": str(self.report)}


def study(request: StudyRequest, tell: Callable[[CellResult], None] = lambda result: None) -> StudyResult:
    """Measure the cells that are missing, and write document and report.

    Args:
        request: what to study.
        tell: called with each cell of which something was measured now.

    Raises:
        UsageError: a model or parameter is not possible, or two categories have one name.
        CatalogError: a folder cannot be used.
        BlemishError: `out` cannot be written.
    """
    from blemish.core.storage import write_json
    from blemish.experiments.space import with_tuples
    from blemish.experiments.study.plan import MODELS, open_study
    from blemish.experiments.study.report import write_report
    from blemish.experiments.study.study import run_study

    models = MODELS if request.models is None else request.models
    fixed = {name: with_tuples(value) for name, value in request.parameters.items()}
    fixed = {"bit_depth": request.bit_depth, **fixed}
    found = run_study(open_study(request.data, request.out, models, request.seed, fixed), tell)
    result = StudyResult(found, request.out / "report.html")
    write_report(found, result.report)
    write_json(request.out / "study.json", result.to_json())
    return result
