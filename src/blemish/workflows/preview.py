"""What another decision would have made of past inspections; nothing is changed by asking."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from blemish.core.errors import UsageError
from blemish.workflows.request import Outcome

if TYPE_CHECKING:
    from blemish.line.decision import Decision
    from blemish.line.defect_scores import DefectScores
    from blemish.line.pixel_policy import PixelPolicy
    from blemish.line.policy import Policy
    from blemish.station.decision_history import CorrectedScores
    from blemish.station.decision_preview import Previewed
    from blemish.workflows.decide import DecideRequest
    from blemish.workflows.station import Recorded, Station

_LAST = 1000
"""Inspections, where nobody says how many."""


@dataclass(frozen=True)
class PreviewResult(Outcome):
    """A decision that is not in effect, and what it would have made of the past.

    Attributes:
        inspector: what the station calls it.
        before: the decision in effect.
        previewed: the other, and what it would do.
    """

    inspector: str
    before: Decision
    previewed: Previewed

    @property
    def decision(self) -> Decision:
        """What was asked for has become."""
        return self.previewed.decision

    @property
    def changed(self) -> int:
        """How many of the latest inspections would have had another verdict."""
        return self.previewed.history.changed

    def to_json(self) -> dict[str, Any]:
        """The result as JSON-ready values, as the API gives it."""
        return {"inspector": self.inspector, **self.previewed.to_json()}


def preview(request: DecideRequest) -> PreviewResult:
    """Say what past inspections of a station would have become by the decision that is asked for; nothing is changed.

    Raises:
        NotFoundError: the station has no such inspector.
        UsageError: what is asked for contradicts itself or cannot be promised.
        ArtifactError: the inspector cannot be used.
        CatalogError: there are no known defects where they are said to be.
    """
    from blemish.line.artifact import read_artifact
    from blemish.workflows.known_defects import scored_defects
    from blemish.workflows.station import opened_station, recorded

    if request.out is not None or request.report is not None:
        raise UsageError("A preview changes and writes nothing: leave --out and --report out, or --preview.")
    with opened_station(request.home, request.database) as station:
        more = None
        if request.from_defects is not None:
            more = scored_defects(request, read_artifact(recorded(station, request.inspector).path))
        asked = request.policy(), request.pixel_policy(), request.last or _LAST
        return preview_at(station, request.inspector, *asked, more)


def preview_at(
    station: Station,
    inspector: Path,
    policy: Policy,
    of_regions: PixelPolicy,
    last: int,
    more_defects: DefectScores | None = None,
) -> PreviewResult:
    """What a policy would have made of the latest inspections of a station, and of all that people have corrected.

    Args:
        station: which.
        inspector: its name there, or a file that scores as one of its versions does.
        policy, of_regions: what is asked for; the decision in effect is previewed where nothing is.
        last: how many inspections, 1 to 100,000.
        more_defects: known defects besides those that people found.

    Raises:
        NotFoundError: there is no such inspector.
        UsageError: the policy or the number of inspections is not possible.
        ArtifactError: the inspector's file is damaged.
    """
    from blemish.line.artifact import read_artifact
    from blemish.line.region_statistics import region_statistics
    from blemish.station.decision_preview import previewed
    from blemish.workflows.station import recorded

    found = recorded(station, inspector)
    artifact = read_artifact(found.path)
    statistics = region_statistics(artifact) if of_regions.asked else None
    maxima = None if statistics is None else statistics.calibration
    corrected = known_defects(found, more_defects)
    known = artifact.manifest, artifact.calibration(), maxima, corrected
    asked = policy, of_regions, last
    result = previewed(found.history, *known, *asked, found.decided_by)
    return PreviewResult(found.name, artifact.manifest.decision, result)


def known_defects(found: Recorded, more: DefectScores | None = None) -> CorrectedScores:
    """Scores of what people have corrected, and of known defects besides; the same file counts once."""
    corrected = found.history.corrected()
    return corrected if more is None else corrected.with_defects(more.scores, more.digests)
