"""Measure what an inspector is worth on labelled photographs."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

from pydantic import Field

from blemish.core.execution import AUTO
from blemish.core.progress import say
from blemish.core.storage import file_digest, write_json
from blemish.line.inspector_title import inspector_title, kept_version
from blemish.workflows.data_request import DataRequest
from blemish.workflows.fields import DeviceName, InspectorFile, PrecisionName
from blemish.workflows.request import UNLISTED, Argument, Outcome

if TYPE_CHECKING:
    from blemish.data.catalog import Catalog
    from blemish.data.entries import Problem
    from blemish.evaluation.result import Evaluation


class EvaluateRequest(DataRequest):
    """Measure an inspector."""

    inspector: InspectorFile
    data: Annotated[Path, Argument("DATA")] = Field(
        description="Folder with good and defective test photographs."
    )
    out: Path | None = Field(
        None, description="Folder for report.html and metrics.json; beside the inspector if absent."
    )
    category: str | None = Field(
        None, description="Of several categories in DATA, this one; the inspector's if absent."
    )
    device: DeviceName = "cpu"
    precision: PrecisionName = None
    pixel_metrics: Literal["exact", "histogram"] = Field(
        "exact",
        description="Pixel metrics from a sort, or from a histogram that says how far off they may be.",
    )
    title: Annotated[str | None, UNLISTED] = Field(None, description="What the report calls the inspector.")
    digest: Annotated[str | None, UNLISTED] = Field(
        None, description="SHA-256 that the inspector's file is known by."
    )

    @property
    def folder(self) -> Path:
        """Where report and metrics go."""
        kept = kept_version(self.inspector)
        name = f"{kept[0]}-{kept[1]}" if kept else self.inspector.stem
        return self.out or self.inspector.parent / f"{name}-evaluation"


@dataclass(frozen=True)
class EvaluateResult(Outcome):
    """What was measured, the report on it, and what is wrong with the data as far as a glance tells; `digest` is the
    SHA-256 of the inspector's file."""

    evaluation: Evaluation
    report: Path
    problems: tuple[Problem, ...] = ()
    digest: str = ""

    @property
    def complete(self) -> bool:
        """Whether every test photograph could be read."""
        return not self.evaluation.failed

    def to_json(self) -> dict[str, Any]:
        """The result as JSON-ready values."""
        problems = [problem.to_json() for problem in self.problems]
        measured = {"inspector_digest": self.digest, **self.evaluation.to_json()}
        return {**measured, "report": str(self.report), "problems": problems}


def evaluate(request: EvaluateRequest, catalog: Catalog | None = None) -> EvaluateResult:
    """Inspect the test photographs that the inspector has not learnt from, and write report and metrics.

    Args:
        request: what to measure.
        catalog: the photographs, where they are opened already; `data` and `category` are not read then.

    Raises:
        ArtifactError: the inspector cannot be used.
        CatalogError: there are no test photographs, or it has learnt from all of them.
        BlemishError: a file cannot be written.
    """
    from blemish.data.categories import open_category
    from blemish.evaluation.facts import inspector_facts
    from blemish.evaluation.report import write_report
    from blemish.evaluation.unseen import evaluate_inspector
    from blemish.line.explanation_picture import made_of
    from blemish.line.precision_choice import choice_in_words
    from blemish.line.runtime import Inspector
    from blemish.workflows.problems import said_problems

    inspector = Inspector.load(
        request.inspector, digest=request.digest, device=request.device, precision=request.precision
    )
    if request.precision == AUTO:
        say(choice_in_words(inspector.name, inspector.manifest.precisions, request.device))
    manifest = inspector.manifest
    title = request.title or inspector_title(request.inspector, inspector.name)
    if catalog is None:
        catalog = open_category(request.data, request.category, manifest.training.category, request.told)
        said = said_problems(catalog, manifest.preprocessing.bit_depth)
    else:  # whoever has opened it has said them
        said = catalog.problems
    evaluation = evaluate_inspector(inspector, catalog, binned=request.pixel_metrics == "histogram")
    for failure in evaluation.failed:
        say(f"{failure.path}: {failure.detail}")
    digest = request.digest or file_digest(request.inspector)
    result = EvaluateResult(evaluation, request.folder / "report.html", said, digest)
    facts = inspector_facts(manifest) | {"Inspector": title}
    write_report(
        [evaluation],
        result.report,
        f"{title}: evaluation",
        facts,
        inspector.history,
        partial(made_of, inspector),
    )
    write_json(request.folder / "metrics.json", result.to_json())
    return result
