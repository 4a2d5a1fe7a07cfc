"""Measure how an inspector bears other light, blur, noise and position."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

from pydantic import Field

from blemish import __version__
from blemish.core.explanation import STOPPED
from blemish.core.progress import say, task
from blemish.line.inspector_title import inspector_title, kept_version
from blemish.workflows.data_request import DataRequest
from blemish.workflows.fields import InspectorFile
from blemish.workflows.request import UNLISTED, Argument, Outcome

if TYPE_CHECKING:
    from blemish.evaluation.stress import Judge
    from blemish.evaluation.stress_result import Promise, Stress
    from blemish.line.manifest import Manifest
    from blemish.line.runtime import Inspector

_MOST_PHOTOGRAPHS, _STEPS = 100, 4


class StressRequest(DataRequest):
    """Measure an inspector on disturbed photographs."""

    inspector: InspectorFile
    data: Annotated[Path, Argument("DATA")] = Field(
        description="Folder with good, and if there are any defective, test photographs."
    )
    of: tuple[str, ...] | None = Field(
        None, description="Disturbances with commas between, as brightness,blur; all if absent."
    )
    steps: int = Field(_STEPS, ge=1, le=50, description="Strengths on either side of the photograph itself.")
    limit: int = Field(
        _MOST_PHOTOGRAPHS, ge=1, description="Most photographs, half of them good; drawn by the seed."
    )
    seed: int = Field(0, ge=0, description="The same seed draws the same photographs.")
    out: Path | None = Field(
        None, description="Folder for report.html and stress.json; beside the inspector if absent."
    )
    category: str | None = Field(
        None, description="Of several categories in DATA, this one; the inspector's if absent."
    )
    title: Annotated[str | None, UNLISTED] = Field(None, description="What the report calls the inspector.")
    digest: Annotated[str | None, UNLISTED] = Field(
        None, description="SHA-256 that the inspector's file is known by."
    )

    @property
    def folder(self) -> Path:
        """Where report and figures go."""
        kept = kept_version(self.inspector)
        name = f"{kept[0]}-{kept[1]}" if kept else self.inspector.stem
        return self.out or self.inspector.parent / f"{name}-stress"


@dataclass(frozen=True)
class StressResult(Outcome):
    """What was measured, and the report on it."""

    stress: Stress
    report: Path

    @property
    def complete(self) -> bool:
        """Whether every photograph was read and judged."""
        return not (self.stress.failed or self.stress.stopped)

    @property
    def exit_status(self) -> int:
        """As of every workflow; 130 where Ctrl-C ended it."""
        return STOPPED if self.stress.stopped else super().exit_status

    def to_json(self) -> dict[str, Any]:
        """The result as JSON-ready values."""
        return {**self.stress.to_json(), "report": str(self.report)}


def stress(request: StressRequest) -> StressResult:
    """Judge disturbed test photographs at the inspector's own decision, and write report and figures.

    Ctrl-C ends it; what was judged is reported, and the same request goes on from there.

    Raises:
        ArtifactError: the inspector cannot be used.
        CatalogError: there are no test photographs, or it has learnt from all of them.
        UsageError: there is no such disturbance.
        BlemishError: a file cannot be written.
    """
    from blemish.core.storage import write_json
    from blemish.data.categories import open_category
    from blemish.evaluation.disturbances import disturbances_named
    from blemish.evaluation.facts import inspector_facts
    from blemish.evaluation.stress import measure_stress, plan_stress, workers
    from blemish.evaluation.stress_report import write_stress_report
    from blemish.evaluation.unseen import learnt_from
    from blemish.line.journal import Journal
    from blemish.line.runtime import Inspector
    from blemish.workflows.problems import said_problems

    disturbances = disturbances_named(request.of)
    inspector = Inspector.load(request.inspector, threads=1, digest=request.digest)
    manifest = inspector.manifest
    catalog = open_category(request.data, request.category, manifest.training.category, request.told)
    said_problems(catalog, manifest.preprocessing.bit_depth)
    plan = plan_stress(
        catalog, learnt_from(manifest), disturbances, request.steps, request.limit, request.seed
    )
    judges = _judges(inspector, min(workers(), len(plan.photographs)), request)
    key = hashlib.sha256(manifest.model_dump_json().encode()).hexdigest()
    journal = Journal(request.folder, {"blemish": __version__, "stressed": key}, resume=True)
    try:
        measured = measure_stress(
            plan,
            judges,
            inspector.threshold,
            _promise(manifest),
            bit_depth=manifest.preprocessing.bit_depth,
            journal=journal,
        )
    finally:
        journal.close()
    for failure in measured.failed:
        say(f"{failure.path}: {failure.detail}")
    title = request.title or inspector_title(request.inspector, inspector.name)
    result = StressResult(measured, request.folder / "report.html")
    with task("Writing the report"):
        examples = [Path(row.path) for row in plan.photographs if row.label == "normal"]
        facts = inspector_facts(manifest) | {"Inspector": title, "Promise": measured.promise.in_words()}
        write_stress_report(
            measured, examples, result.report, f"{title}: stress", facts, manifest.preprocessing.bit_depth
        )
    write_json(request.folder / "stress.json", result.to_json())
    return result


def _judges(inspector: Inspector, count: int, request: StressRequest) -> list[Judge]:
    """Several of the same inspector, each with a network of its own of one thread."""
    from blemish.line.runtime import Inspector

    others = [Inspector.load(request.inspector, threads=1, digest=request.digest) for _ in range(count - 1)]
    return [_judge_of(one) for one in (inspector, *others)]


def _judge_of(inspector: Inspector) -> Judge:
    return lambda image: inspector.predict(image).score


def _promise(manifest: Manifest) -> Promise:
    """What the threshold promises of unseen good parts."""
    from blemish.evaluation.stress_result import Promise

    return Promise(manifest.decision.expected, manifest.decision.at_most)
