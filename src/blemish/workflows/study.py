"""Compare the classical detectors by features and split."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pydantic import Field

from blemish.core.progress import say
from blemish.workflows.data_request import GroupedRequest
from blemish.workflows.fields import BackboneName, BitDepth, Categories, Settings, WeightsFiles
from blemish.workflows.request import Outcome

if TYPE_CHECKING:
    from blemish.experiments.study.results import CellResult, Study


class StudyRequest(GroupedRequest):
    """Compare the classical detectors."""

    data: Categories
    out: Path = Field(description="Folder for the cells, study.json and report.html.")
    models: tuple[str, ...] | None = Field(
        None, description="Names with commas between; all four classical ones if absent."
    )
    features: tuple[str, ...] | None = Field(
        None,
        description="direct, deep-last, deep-mid, pixels or direct-pixels, with commas between; the first three if "
        "absent.",
    )
    seed: int = Field(0, ge=0, description="The same seed gives the same document.")
    backbone: BackboneName = None
    weights: WeightsFiles = Field({})
    parameters: Settings = Field(
        {},
        description="A parameter of all models that have it, or of one as MODEL.NAME=VALUE; repeat for more.",
    )
    bit_depth: BitDepth = 16


@dataclass(frozen=True)
class StudyResult(Outcome):
    """A finished study.

    Attributes:
        study: what was chosen and measured.
        report: the report's file.
    """

    study: Study
    report: Path

    @property
    def complete(self) -> bool:
        """Whether no cell failed."""
        return not self.study.failed

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
        UsageError: a model or option is not possible, or two categories have one name.
        CatalogError: a folder cannot be used.
        BlemishError: `out` cannot be written.
    """
    from blemish.core.storage import write_json
    from blemish.detectors.chosen import with_settings
    from blemish.experiments.shown import shown_taken_out
    from blemish.experiments.study.plan import MODELS, open_study
    from blemish.experiments.study.report import write_report
    from blemish.experiments.study.study import run_study

    models = MODELS if request.models is None else request.models
    plan = open_study(
        request.data,
        request.out,
        models,
        request.seed,
        request.bit_depth,
        with_settings({"backbone": request.backbone}, request.parameters),
        request.weights,
        request.features,
        request.told,
    )
    for model, taken_out in plan.taken_out().items():
        say(shown_taken_out(taken_out, model, plan.space(model)))
    found = run_study(plan, tell)
    result = StudyResult(found, request.out / "report.html")
    write_report(found, result.report)
    write_json(request.out / "study.json", result.to_json())
    for one in found.skipped:
        say(f"Left out {one['path']}: {one['detail']}")
    return result
