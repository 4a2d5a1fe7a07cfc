"""Show and change the decision of an inspector. Without data set or report it imports only what runs on the line."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

from pydantic import Field

from blemish.core.errors import ArtifactError, UsageError
from blemish.core.progress import task
from blemish.core.records import Text
from blemish.line.inspector_title import inspector_title, kept_version
from blemish.workflows.data_request import DataRequest
from blemish.workflows.fields import FalseRejectRate, HistoryUrl, InspectorFile, ReviewRate, StationHome
from blemish.workflows.request import UNLISTED, Option, Outcome

if TYPE_CHECKING:
    from blemish.core.conformal import Calibration
    from blemish.core.types import FloatArray
    from blemish.line.artifact import Artifact
    from blemish.line.decision import Decision
    from blemish.line.decision_table import Row
    from blemish.line.defect_scores import DefectScores
    from blemish.line.manifest import Manifest
    from blemish.line.pixel_policy import PixelPolicy
    from blemish.line.policy import Policy


class DecideRequest(DataRequest):
    """Show the decision of an inspector; with options, make another."""

    inspector: InspectorFile
    false_reject_rate: FalseRejectRate = None
    review_rate: ReviewRate = None
    threshold: float | None = Field(None, description="Reject above this score, whatever its rate.")
    review_threshold: float | None = Field(None, description="Show to a person above this score.")
    from_defects: Annotated[Path | None, Option(metavar="DATA")] = Field(
        None,
        description="Photographs of known defects: a folder of nothing else, or a data set with defective test "
        "photographs.",
    )
    recall: float | None = Field(
        None, gt=0, le=1, description="Share of the known defects to be found, as 0.95."
    )
    cost_missed: float | None = Field(None, ge=0, description="What a defective part that passes costs.")
    cost_false_reject: float | None = Field(
        None, ge=0, description="What a good part that is rejected costs, in the same unit."
    )
    defective_share: float | None = Field(
        None, gt=0, lt=1, description="Share of parts that is defective, for costs (0.01 if absent) and F1."
    )
    best_f1: bool = Field(False, description="The threshold of the best F1 on what is known.")
    tail: bool = Field(
        False,
        description="Extrapolate a rate that so few photographs cannot promise by a model of their tail.",
    )
    pixel_rate: float | None = Field(
        None, gt=0, lt=1, description="Share of good parts that may show an anomalous region, as 0.05."
    )
    pixel_threshold: float | None = Field(
        None, description="Regions reach above this value of the map, whatever its rate."
    )
    hysteresis: float | None = Field(
        None,
        ge=0,
        le=1,
        description="Regions grow down to this share of the way from a good part's usual map value to the pixel "
        "threshold; 1 for no growth.",
    )
    smallest_region: Text | None = Field(
        None,
        description="Report no region smaller than a square of this side, as 14px or 0.4mm; 0px for all.",
    )
    merge_distance: Text | None = Field(
        None, description="Regions no farther apart are one, as 10px or 0.3mm; 0px for none."
    )
    undo: bool = Field(False, description="Bring the decision before back; again goes back further.")
    from_history: bool = Field(
        False, description="What people found bad at the station counts as known defects too."
    )
    preview: bool = Field(
        False, description="Change nothing: say what past inspections of the station would have become."
    )
    last: int | None = Field(
        None,
        ge=1,
        le=100_000,
        description="Of --preview: so many of the latest inspections (1000 if absent).",
    )
    home: StationHome = None
    database: HistoryUrl = None
    out: Path | None = Field(
        None, description="Write the changed inspector here, and leave INSPECTOR as it is."
    )
    report: Path | None = Field(None, description="Also write table and charts to this HTML file.")
    by: Text = Field("local", description="Who decides, for the record.")
    note: Text | None = Field(None, description="Why, for the record.")
    category: str | None = Field(
        None, description="Of several categories in DATA, this one; the inspector's if absent."
    )
    digest: Annotated[str | None, UNLISTED] = Field(
        None, description="SHA-256 that the inspector's file is known by."
    )

    def policy(self) -> Policy:
        """What is asked for."""
        from blemish.line.policy import Policy, policy_of

        return policy_of({name: getattr(self, name) for name in Policy.model_fields})

    def pixel_policy(self) -> PixelPolicy:
        """What is asked for of regions."""
        from blemish.line.pixel_policy import PixelPolicy, pixel_policy_of

        return pixel_policy_of({name: getattr(self, name) for name in PixelPolicy.model_fields})


@dataclass(frozen=True, eq=False)
class DecideResult(Outcome):
    """The decision in effect, and what others would do.

    Attributes:
        manifest: of the inspector, changed where that was asked for.
        before: the decision that was in effect; None where nothing was asked for.
        calibration: scores of good parts.
        rows: from the highest threshold to the lowest.
        defects: known defects; None where none were given.
        out: the file that was written, if any.
        report: the report, if one was asked for.
    """

    manifest: Manifest
    before: Decision | None
    calibration: Calibration
    rows: tuple[Row, ...]
    defects: DefectScores | None = None
    out: Path | None = None
    report: Path | None = None

    @property
    def decision(self) -> Decision:
        """The one in effect now."""
        return self.manifest.decision

    @property
    def scores(self) -> FloatArray | None:
        """Of known defects."""
        return None if self.defects is None else self.defects.scores

    def to_json(self) -> dict[str, Any]:
        """The result as JSON-ready values."""
        from blemish.line.decision_table import shares

        known = None
        if self.defects is not None:
            counts = zip(
                ("rejected", "to_review", "passed"), shares(self.decision, self.defects.scores), strict=True
            )
            known = {
                "n": len(self.defects.scores),
                **dict(counts),
                "scores": [
                    {"path": name, "score": float(score), "digest": digest}
                    for name, score, digest in zip(
                        self.defects.names, self.defects.scores, self.defects.digests, strict=True
                    )
                ],
                "left_out": [{"path": one.name, "detail": one.detail} for one in self.defects.left_out],
            }
        return {
            "inspector": self.manifest.name,
            "scoring_digest": self.manifest.scoring_digest,
            "decision": _document(self.decision),
            "before": self.before and _document(self.before),
            "n_good": self.calibration.n,
            "smallest_rate": self.calibration.smallest_rate,
            "table": [row.to_json() for row in self.rows],
            "known_defects": known,
            "history": [_document(one) for one in self.manifest.decisions],
            "out": self.out and str(self.out),
            "report": self.report and str(self.report),
        }


def decide(request: DecideRequest) -> DecideResult:
    """Show what the decision does to good parts and known defects; where another is asked for, make and write it.

    Raises:
        ArtifactError: the inspector cannot be used, or was replaced while this ran.
        CatalogError: there are no known defects where they are said to be.
        UsageError: what is asked for contradicts itself or cannot be promised, or a name is wrong.
        BlemishError: a file cannot be written.
    """
    from blemish.line.artifact import read_artifact
    from blemish.line.decision_table import decision_table
    from blemish.line.pixel_policy import decided_whole
    from blemish.line.policy import require_possible
    from blemish.line.region_statistics import region_statistics
    from blemish.workflows.known_defects import scored_defects, with_corrected, with_history

    policy, of_regions = request.policy(), request.pixel_policy()
    asked = bool(policy.asked) or of_regions.asked
    request, corrected = with_history(request)
    _check_names(request, changes=asked)
    artifact = read_artifact(request.inspector, digest=request.digest)
    calibration, manifest = artifact.calibration(), artifact.manifest
    if policy.asked:
        require_possible(policy, calibration, request.from_defects is not None or corrected is not None)
    known = None if request.from_defects is None else scored_defects(request, artifact)
    if corrected is not None:
        known = with_corrected(known, corrected)
    scores = None if known is None else known.scores
    out, before = None, None
    if asked:
        before = manifest.decision
        statistics = region_statistics(artifact) if of_regions.asked else None
        maxima = None if statistics is None else statistics.calibration
        asked_for = policy, of_regions, maxima, scores
        manifest = decided_whole(manifest, calibration, *asked_for, by=request.by, note=request.note)
        out = request.out or request.inspector
        _write(artifact, manifest, out)
    rows = decision_table(manifest.decision, calibration, scores)
    result = DecideResult(manifest, before, calibration, rows, known, out, request.report)
    if request.report is not None:
        title = inspector_title(request.inspector, result.manifest.name)
        _write_report(result, title, request.report)
    return result


def _document(decision: Decision) -> dict[str, Any]:
    return decision.model_dump(mode="json", exclude_none=True)


def _write(artifact: Artifact, manifest: Manifest, out: Path) -> None:
    """Write the changed inspector, unless the one it was made of has changed meanwhile.

    Raises:
        ArtifactError: it has.
        BlemishError: the file cannot be written.
    """
    from blemish.line.artifact import read_artifact, write_artifact

    if read_artifact(artifact.path).manifest != artifact.manifest:
        raise ArtifactError(
            f"{artifact.path} was changed while this was decided: look at it, and decide again."
        )
    write_artifact(out, manifest, artifact.members)


def _check_names(request: DecideRequest, changes: bool) -> None:
    """Refuse names of files before any work.

    Raises:
        UsageError: one has the wrong suffix, or nothing is asked for that could be written.
    """
    out, report = request.out, request.report
    if out is not None and out.suffix != ".blemish":
        raise UsageError(f"{out} does not end in .blemish: name the file to write, as --out part.blemish.")
    if out is not None and not changes:
        raise UsageError(f"Nothing is changed for {out}: ask for something, as --false-reject-rate 0.02.")
    if report is not None and (report.suffix != ".html" or report.is_dir()):
        raise UsageError(f"{report} is not the name of an HTML file: write it as --report decide.html.")
    kept = kept_version(request.inspector)
    if changes and out is None and kept:
        raise UsageError(
            f"{request.inspector} is version {kept[1]} of {kept[0]} at a station, whose files never change: decide "
            "there, or write another file with --out."
        )


def _write_report(result: DecideResult, title: str, out: Path) -> None:
    """Write the report; `title` is what the inspector is called.

    Raises:
        BlemishError: the file cannot be written.
    """
    from blemish.evaluation.decision_report import Shown, write_decision_report
    from blemish.evaluation.facts import inspector_facts

    with task("Writing the report"):
        shown = Shown(
            result.manifest.decisions, result.before, result.calibration, result.rows, result.scores
        )
        facts = inspector_facts(result.manifest) | {"Inspector": title}
        write_decision_report(shown, out, f"{title}: decision", facts)
