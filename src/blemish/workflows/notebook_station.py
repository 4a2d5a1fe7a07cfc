"""What a notebook asks of a station: drift, what its history says, corrections, and what another decision would do."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from blemish.line.runtime import Inspector

if TYPE_CHECKING:
    from blemish.station.decision_history import CorrectedScores
    from blemish.workflows.drift import DriftResult
    from blemish.workflows.insight import InsightResult
    from blemish.workflows.preview import PreviewResult
    from blemish.workflows.shadow import ShadowResult


def drift(
    inspector: Inspector | Path | str | None = None,
    data: Path | str | None = None,
    *,
    home: Path | str | None = None,
    database: str | None = None,
    order: Literal["name", "time"] = "name",
    ignore: Sequence[str] = (),
    parts_per_false_alarm: float | None = None,
    parts_alike: int | None = None,
    learn_anew: bool = False,
    by: str = "local",
    note: str | None = None,
) -> DriftResult:
    """Say whether light, lens or parts have changed, what moved first, by how much and since when.

    Of what a station has logged, as `drift("screw", home="/var/lib/blemish")`; or of photographs without a station, as
    `drift("screw.blemish", "photographs/")`: these are judged one after another, and watched as a station would.

    Args:
        inspector: name of one at the station, all active ones where None; with `data` the inspector, or its file.
        data: a folder of photographs, or results.json or results.csv of `blemish inspect`.
        home: folder of the station; `BLEMISH_HOME` where None.
        database: URL of its history, if that is not in the home.
        order: of the photographs: by their names, 9.png before 10.png, or by when they were taken.
        ignore: patterns of files and folders in `data` that are left out.
        parts_per_false_alarm: in `data` drift is told by mistake once in so many parts at most; 1,000,000 where None.
        parts_alike: consecutive parts of one batch in `data`; 1 where None.
        learn_anew: take all that the station inspects from now on for normal, as after a new lamp.
        by: who lets it learn anew, for the record.
        note: why, likewise.

    Returns:
        What the tests say: `message`, `drifted`, `moved`, and `drifts` of each inspector.

    Raises:
        NotFoundError: the station has no such active inspector.
        UsageError: what is asked for does not go together, or `data` holds nothing.
        ArtifactError: the inspector cannot be used.
        BlemishError: the history or a file cannot be read.
    """
    from blemish.workflows.drift import DriftRequest
    from blemish.workflows.drift import drift as watch

    opened = inspector if isinstance(inspector, Inspector) else None
    named = opened.path if opened is not None and data is not None else opened.name if opened else inspector
    request = DriftRequest(
        inspector=None if named is None else str(named),
        data=None if data is None else Path(data),
        home=None if home is None else Path(home),
        database=database,
        order=order,
        ignore=tuple(ignore),
        parts_per_false_alarm=parts_per_false_alarm,
        parts_alike=parts_alike,
        learn_anew=learn_anew,
        by=by,
        note=note,
    )
    return watch(request, opened)


def insight(
    part: Inspector | str | None = None,
    home: Path | str | None = None,
    *,
    database: str | None = None,
    since: str = "7d",
    until: str | None = None,
    bucket: Literal["hour", "day"] | None = None,
    batch: str | None = None,
    shift: str | None = None,
    camera: str | None = None,
    time_zone: str | None = None,
) -> InsightResult:
    """Say what the history of a station tells of the process; a notebook shows the charts.

    Args:
        part: the part, as its inspector is called; may be None where the station has one alone.
        home: folder of the station; `BLEMISH_HOME` where None.
        database: URL of its history, if that is not in the home.
        since: where the span begins: `12h`, `7d`, `4w` before its end, or a date as `2026-11-01`.
        until: a date or time at which it ends; now where None.
        bucket: samples of the control charts; hours in up to four days where None, else days.
        batch: only this one.
        shift: only this one.
        camera: only this one.
        time_zone: clock of days and hours, as `Europe/Berlin`; that of this machine where None.

    Returns:
        `headline`, `findings` in sentences, and `insight` with all numbers; `to_json()` is what the API gives.

    Raises:
        NotFoundError: the station has no such part.
        UsageError: several parts could be meant, or the span or the time zone cannot be.
        BlemishError: the history cannot be read.
    """
    from blemish.workflows.insight import InsightRequest
    from blemish.workflows.insight import insight as read

    return read(
        InsightRequest(
            part=part.name if isinstance(part, Inspector) else part,
            home=None if home is None else Path(home),
            database=database,
            since=since,
            until=until,
            bucket=bucket,
            batch=batch,
            shift=shift,
            camera=camera,
            time_zone=time_zone,
        )
    )


def corrections(
    inspector: Inspector | Path | str, home: Path | str | None = None, *, database: str | None = None
) -> CorrectedScores:
    """Scores of the photographs that people found good or bad at a station, by versions that score as this one does.

    `inspector.decide(recall=0.95, defect_scores=blemish.corrections(inspector, home).bad)` decides by them.

    Args:
        inspector: the inspector, its file, or its name at the station.
        home: folder of the station; `BLEMISH_HOME` where None.
        database: URL of its history, if that is not in the home.

    Returns:
        `good` and `bad`, float64, sorted upwards; each photograph counts once.

    Raises:
        NotFoundError: the station has no such active inspector.
        UsageError: no version there scores as the file does.
    """
    from blemish.workflows.station import opened_station, recorded

    path = inspector.path if isinstance(inspector, Inspector) else Path(inspector)
    with opened_station(None if home is None else Path(home), database) as station:
        return recorded(station, path).history.corrected()


def preview_decision(
    inspector: Inspector | Path | str,
    home: Path | str | None = None,
    *,
    last: int = 1000,
    database: str | None = None,
    **policy: Any,
) -> PreviewResult:
    """What the latest inspections of a station would have become by another decision; nothing is changed.

    Args:
        inspector: the inspector, its file, or its name at the station.
        home: folder of the station; `BLEMISH_HOME` where None.
        last: how many of the latest inspections.
        database: URL of its history, if that is not in the home.
        **policy: what is asked for, as of `Inspector.decide`; the decision in effect is previewed where nothing is.

    Returns:
        `decision`, `changed`, and `previewed` with all turns; `to_json()` is what the API gives.

    Raises:
        NotFoundError: the station has no such active inspector.
        UsageError: no version there scores as the file does, or what is asked for cannot be.
    """
    from blemish.line.pixel_policy import PixelPolicy, pixel_policy_of
    from blemish.line.policy import policy_of
    from blemish.workflows.preview import preview_at
    from blemish.workflows.station import opened_station

    of_regions = pixel_policy_of(
        {name: policy.pop(name) for name in PixelPolicy.model_fields if name in policy}
    )
    path = inspector.path if isinstance(inspector, Inspector) else Path(inspector)
    with opened_station(None if home is None else Path(home), database) as station:
        return preview_at(station, path, policy_of(policy), of_regions, last)


def shadow(
    part: str,
    *,
    version: int | None = None,
    parts: int = 500,
    most_differences: int | None = None,
    differences: int = 10,
    home: Path | str | None = None,
    database: str | None = None,
    by: str = "local",
) -> ShadowResult:
    """Let a version judge beside the active one of a station, or say how far that has come.

    `shadow("screw", version=4, parts=500, home="/var/lib/blemish")` begins; the server or station that runs there
    judges. `shadow("screw", home=...)` tells: `message`, `report.differences`, `report.rejected`, `differences`.

    Args:
        part: name of the inspector at the station.
        version: which one is to judge beside; None to look at the one that does, or did so last.
        parts: after how many it ends.
        most_differences: it takes over by itself if at most so many verdicts differ; None where a person decides.
        differences: the newest parts of which both say something else, at most so many.
        home: folder of the station; `BLEMISH_HOME` where None.
        database: URL of its history, if that is not in the home.
        by: who wants it, for the record.

    Raises:
        NotFoundError: there is no such inspector or version, or nothing has judged beside yet.
        UsageError: a number is out of range.
        BlemishError: another version judges beside already, or the history cannot be used.
    """
    from blemish.workflows.shadow import ShadowRequest
    from blemish.workflows.shadow import shadow as ask

    request = ShadowRequest(
        inspector=part,
        version=version,
        parts=parts if version is not None else None,
        most_differences=most_differences,
        differences=differences,
        by=by,
        home=None if home is None else Path(home),
        database=database,
    )
    return ask(request)
