"""All parts at a glance: what judges them, what it said today, and what a person has to see to."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

from blemish.server.part_documents import (
    DayDocument,
    NeedDocument,
    PartDocument,
    PartDriftDocument,
    PartsDocument,
    UsualDocument,
)
from blemish.server.wording import share
from blemish.station.activations import periods
from blemish.station.drift_report import Drift
from blemish.station.part_counts import (
    FEWEST_EARLIER,
    LatestInspection,
    PartCounts,
    UsualRate,
    VerdictCounts,
    usual_rate,
)

if TYPE_CHECKING:
    from blemish.server.service import Service

EARLIER_DAYS = 30
"""Whose reject rate is the usual one."""

_NOT_JUDGED_SHARE, _FEWEST_NOT_JUDGED = 0.05, 5
_URGENCY = ("no-version", "drift", "reject-rate", "not-judged", "review")
_NONE = VerdictCounts()


def parts_at_a_glance(service: Service) -> PartsDocument:
    """All parts of a server, those first that need a person.

    Raises:
        DatabaseError: the history cannot be read.
    """
    now = datetime.now(UTC)
    midnight = now.astimezone().replace(hour=0, minute=0, second=0, microsecond=0).astimezone(UTC)
    month = midnight - timedelta(days=EARLIER_DAYS)
    shelf, counts = service.shelf, PartCounts(service.database)
    versions = shelf.counts()
    names = list(versions)
    active = {one.name: one for one in shelf.active_all()}
    judging = periods(service.database)
    today, earlier = counts.verdicts(names, midnight), counts.verdicts(names, month, midnight)
    waiting, latest = service.review_queue.for_review(), counts.latest(names)
    parts = []
    for name in names:
        judges, last = active.get(name), latest.get(name)
        said, before = today.get(name, _NONE), earlier.get(name, _NONE)
        usual = _usual(usual_rate(said, before), said, before)
        drift = service.known_drift(name, judges.version) if judges else None
        period = judging[name][-1] if judges and judging.get(name) else None
        parts.append(
            PartDocument(
                name=name,
                version=judges and judges.version,
                active_since=period and period.since,
                detector=judges and judges.detector,
                versions=versions[name],
                today=_day(said, midnight),
                usual=usual,
                drift=drift and _drift(drift),
                waiting=waiting.get(name, 0),
                last_inspection=last and last.time,
                picture=_picture(service, name, last),
                needs=_needs(judges is None, drift, usual, said, waiting.get(name, 0)),
            )
        )
    return PartsDocument(time=now, parts=sorted(parts, key=_order), troubles=service.troubles)


def _order(part: PartDocument) -> tuple[int, int, str]:
    first = _URGENCY.index(part.needs[0].kind) if part.needs else len(_URGENCY)
    return first, -part.waiting, part.name.lower()


def _day(said: VerdictCounts, since: datetime) -> DayDocument:
    counted = {name: getattr(said, name) for name in DayDocument.model_fields if name != "since"}
    return DayDocument(since=since, **counted)


def _drift(drift: Drift) -> PartDriftDocument:
    moved = [one.statistic for one in drift.moved]
    return PartDriftDocument(state=drift.state, message=drift.message, moved=moved)


def _usual(found: UsualRate, said: VerdictCounts, before: VerdictCounts) -> UsualDocument:
    return UsualDocument(
        state=found.state,
        days=EARLIER_DAYS,
        judged=before.judged,
        rate=found.rate,
        lower=found.lower,
        upper=found.upper,
        message=_usual_in_words(found, said, before),
    )


def _usual_in_words(found: UsualRate, said: VerdictCounts, before: VerdictCounts) -> str:
    """How usual today's reject rate is, in one sentence."""
    if not said.judged:
        return "Nothing was judged today."
    if found.rate is None or found.lower is None or found.upper is None:
        known = f"{before.judged} of {FEWEST_EARLIER} were judged in the {EARLIER_DAYS} days before"
        return f"What is usual is not known yet: {known}."
    limits = f"{share(found.lower)} to {share(found.upper)} is usual for {said.judged:,} parts"
    if found.state == "usual" or said.reject_rate is None:
        return f"Within the control limits: {limits}."
    beyond = "above" if found.state == "above" else "below"
    return f"{share(said.reject_rate)} rejected today, {beyond} the control limit: {limits}."


def _needs(
    nothing_judges: bool, drift: Drift | None, usual: UsualDocument, said: VerdictCounts, waiting: int
) -> list[NeedDocument]:
    needs = []
    if nothing_judges:
        told = "No version judges: activate one."
        needs.append(NeedDocument(kind="no-version", message=told, area="versions"))
    if drift is not None and drift.state == "drifted":
        needs.append(NeedDocument(kind="drift", message=drift.message, area="history"))
    if usual.state in ("above", "below"):
        needs.append(NeedDocument(kind="reject-rate", message=usual.message, area="history"))
    photographs = said.judged + said.not_judged
    if said.not_judged >= _FEWEST_NOT_JUDGED and said.not_judged > _NOT_JUDGED_SHARE * photographs:
        told = f"{said.not_judged:,} of {photographs:,} photographs today are unlike those learnt from."
        needs.append(NeedDocument(kind="not-judged", message=told, area="history"))
    if waiting:
        told = (
            "1 part with the verdict review waits for a person."
            if waiting == 1
            else f"{waiting:,} parts with the verdict review wait for a person."
        )
        needs.append(NeedDocument(kind="review", message=told, area="history"))
    return needs


def _picture(service: Service, name: str, last: LatestInspection | None) -> str | None:
    """Address of the picture, which changes with it, so that a browser may keep it."""
    if last is None or last.kept is None:
        return None
    return f"{service.settings.prefix}/v1/inspectors/{name}/picture?of={last.kept[0][:16]}"
