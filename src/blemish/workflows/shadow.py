"""A version that judges beside the active one of a station: begun, looked at, stopped, and let to judge."""

from __future__ import annotations

import html
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Any

from pydantic import Field

from blemish.core.errors import UsageError
from blemish.core.records import Text
from blemish.workflows.fields import HistoryUrl, StationHome
from blemish.workflows.request import Argument, Outcome, Request

if TYPE_CHECKING:
    from blemish.station.shadow_report import ShadowReport
    from blemish.station.shadows import Difference
    from blemish.workflows.station import Station

PARTS = 500


class ShadowRequest(Request):
    """Let a version judge beside the active one, or see what came of it."""

    inspector: Annotated[str, Argument("PART")] = Field(description="Name of an inspector of the station.")
    version: int | None = Field(
        None, ge=1, description="Version that is to judge beside the active one; it begins at once."
    )
    parts: int | None = Field(None, ge=1, description=f"After how many parts it ends ({PARTS} if absent).")
    most_differences: int | None = Field(
        None,
        ge=0,
        description="It takes over by itself if at most so many verdicts differ; else a person decides.",
    )
    status: bool = Field(False, description="Say how far it has come; so without another option, too.")
    stop: bool = Field(False, description="Stop it; what it has said stays.")
    activate: bool = Field(False, description="Let the version judge that judges beside, or did so last.")
    differences: int = Field(
        10, ge=0, le=1000, description="Newest parts of which both say something else, at most."
    )
    by: Text = Field("local", description="Who wants it, for the record.")
    home: StationHome = None
    database: HistoryUrl = None


@dataclass(frozen=True)
class ShadowResult(Outcome):
    """How far a version beside the active one has come; a notebook shows it as sentences.

    Attributes:
        report: how far, and where both differ.
        differences: the newest parts of which both say something else.
    """

    report: ShadowReport
    differences: tuple[Difference, ...]

    @property
    def message(self) -> str:
        """How it stands, in words."""
        return self.report.message

    def to_json(self) -> dict[str, Any]:
        """The result as JSON-ready values."""
        found = [
            {
                "inspection": one.record.id,
                "time": one.record.time.isoformat(),
                "file_name": one.record.file_name,
                "truth": one.record.truth,
                "active": {"verdict": str(one.record.verdict), "score": one.record.score},
                "shadow": {"verdict": str(one.said.verdict), "score": one.said.score},
            }
            for one in self.differences
        ]
        return self.report.to_json() | {"newest_differences": found}

    def _repr_html_(self) -> str:
        return f"<p>{html.escape(self.message)}</p>"


def shadow(request: ShadowRequest) -> ShadowResult:
    """Begin, stop or look at what judges beside the active version; the server or station that runs does the judging.

    Raises:
        NotFoundError: there is no such inspector or version, or nothing has judged beside yet.
        ConflictError: another version judges beside already.
        UsageError: what is asked for does not go together.
        ArtifactError: the version's file is damaged.
        DatabaseError: the history cannot be used.
    """
    from blemish.station.shadows import Shadows
    from blemish.workflows.station import opened_station

    _check(request)
    with opened_station(request.home, request.database) as station:
        shadows = Shadows(station.database, station.shelf)
        if request.version is not None:
            shadows.begin(
                request.inspector,
                request.version,
                request.parts or PARTS,
                request.most_differences,
                request.by,
            )
        elif request.stop:
            shadows.stop(request.inspector, request.by)
        elif request.activate:
            _activate(station, shadows.report_of(request.inspector), request.by)
        report = shadows.report_of(request.inspector)
        limit = request.differences
        found = shadows.differences(report.shadow, limit).found if limit else ()
        return ShadowResult(report, found)


def _check(request: ShadowRequest) -> None:
    asked = [name for name in ("status", "stop", "activate") if getattr(request, name)]
    begins = request.version is not None
    if len(asked) + begins > 1:
        raise UsageError(f"--{asked[0]} goes with no other wish: leave the others out.")
    if not begins and (request.parts is not None or request.most_differences is not None):
        raise UsageError(
            "--parts and --most-differences are of a beginning: name the version with --version."
        )


def _activate(station: Station, report: ShadowReport, by: str) -> None:
    from blemish.line.runtime import Inspector
    from blemish.station.shadow_report import Ending
    from blemish.station.shadows import Shadows

    shadow = report.shadow
    wanted = station.shelf.get(shadow.name, shadow.version)
    Inspector.load(wanted.path, digest=wanted.digest)  # one that cannot be run is never let to judge
    station.shelf.activate(shadow.name, shadow.version, by)
    if shadow.ended is None:
        Shadows(station.database, station.shelf).end(shadow, Ending.ACTIVATED, by)
