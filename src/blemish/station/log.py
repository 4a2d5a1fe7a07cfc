"""The log of inspections and of what people say about them."""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import fields
from datetime import UTC, datetime, timedelta
from typing import Any

from sqlalchemy import ColumnElement, Row, Select, func, insert, or_, select, tuple_, update
from sqlalchemy.orm import Session

from blemish.core.errors import NotFoundError, UsageError
from blemish.core.types import Verdict
from blemish.station.database import Database
from blemish.station.gallery_changes import note_changes
from blemish.station.records import (
    Feedback,
    InspectionFilter,
    InspectionRecord,
    NewFeedback,
    NewInspection,
    Page,
)
from blemish.station.repeats import firsts_of, repeats_within
from blemish.station.schema import INSPECTIONS, FeedbackRow

_ROW = INSPECTIONS.c
_MOST_ID = 2**63 - 1
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_STREAMED_AT_ONCE = 1000
_FORGOTTEN_AT_ONCE = 500  # parameters of one statement

_ADDED = insert(INSPECTIONS).returning(_ROW.id, sort_by_parameter_order=True)

Place = tuple[datetime, int]
"""Time and number of an inspection: its place in the order of the log."""


class InspectionLog:
    """The log; may be used by many threads and processes at once.

    Args:
        database: where it is.
        station: whose gallery follows it (see `GalleryChanges`); None where no gallery does.
    """

    def __init__(self, database: Database, station: str | None = None) -> None:
        self._database, self._station = database, station

    def add(self, inspections: Sequence[NewInspection]) -> list[int]:
        """Log inspections in one transaction and return their numbers, in the same order, once they are on disk.

        Raises:
            DatabaseError: none of them is logged.
        """
        return [record.id for record in self.logged(inspections)]

    def logged(
        self,
        inspections: Sequence[NewInspection],
        within: Callable[[Session, list[InspectionRecord]], None] | None = None,
    ) -> list[InspectionRecord]:
        """As `add`; returns what the log holds of them now: their numbers, and what each is a repeat of.

        Args:
            inspections: to be logged.
            within: called before the transaction ends: what it writes is on disk together with them, or not at all.

        Raises:
            DatabaseError: none of them is logged.
        """
        if not inspections:
            return []
        with self._database.transaction() as session:
            known = firsts_of(session, inspections)
            rows = [
                vars(one) | {"repeat_of": known.get((one.inspector, one.image_digest))} for one in inspections
            ]
            numbers = list(session.scalars(_ADDED, rows))
            repeats = repeats_within(session, inspections, numbers, known)
            if self._station is not None:
                pairs = zip(numbers, inspections, strict=True)
                note_changes(session, self._station, [number for number, new in pairs if _is_defect(new)])
            records = [
                InspectionRecord(**vars(new), id=number, repeat_of=first)
                for new, number, first in zip(inspections, numbers, repeats, strict=True)
            ]
            if within is not None:
                within(session, records)
        return records

    def get(self, inspection_id: int) -> InspectionRecord:
        """One inspection.

        Raises:
            NotFoundError: there is none of this number.
        """
        with self._database.session() as session:
            query = select(INSPECTIONS).where(_ROW.id == _possible(inspection_id))
            row = session.execute(query).one_or_none()
            if row is None:
                raise _no_inspection(inspection_id)
            return record_of(row)

    def page(self, which: InspectionFilter | None = None, limit: int = 50, cursor: str | None = None) -> Page:
        """At most `limit` inspections, newest first; those that arrive meanwhile move none to another page.

        Args:
            which: all when None.
            limit: 1 to 1000.
            cursor: `next_cursor` of the page before.

        Raises:
            UsageError: the cursor is not one of ours, or `limit` is out of range.
        """
        if not 1 <= limit <= 1000:
            raise UsageError(f"A page of {limit} inspections is not possible: ask for 1 to 1000.")
        query = _ordered(which, newest_first=True).limit(limit + 1)
        if cursor is not None:
            query = query.where(_place() < _bound(_place_of_cursor(cursor)))
        with self._database.session() as session:
            records = tuple(record_of(row) for row in session.execute(query))
        shown = records[:limit]
        more = len(records) > limit
        return Page(shown, _cursor(shown[-1]) if more else None)

    def records(self, which: InspectionFilter | None = None) -> Iterator[InspectionRecord]:
        """All inspections up to now, oldest first, read piece by piece so that no reader holds up the writers."""
        newest = self.page(which, 1).records
        if not newest:
            return
        end = newest[0].time, newest[0].id
        query = _ordered(which, newest_first=False).where(_place() <= _bound(end)).limit(_STREAMED_AT_ONCE)
        after: Place | None = None
        while True:
            piece = query if after is None else query.where(_place() > _bound(after))
            with self._database.session() as session:
                records = [record_of(row) for row in session.execute(piece)]
            yield from records
            if len(records) < _STREAMED_AT_ONCE:
                return
            after = records[-1].time, records[-1].id

    def give_feedback(self, inspection_id: int, feedback: NewFeedback) -> Feedback:
        """Keep what a person says of an inspected part; it stands beside what was said before.

        Raises:
            NotFoundError: there is no such inspection.
        """
        said = {
            "truth": feedback.truth,
            "defect_type": feedback.defect_type,
            "note": feedback.note,
        }
        with self._database.transaction() as session:
            # The row is locked first, so that the latest feedback of two at once is the same in both tables.
            changed = update(INSPECTIONS).where(_ROW.id == _possible(inspection_id)).values(**said)
            if not session.execute(changed.returning(_ROW.id)).all():
                raise _no_inspection(inspection_id)
            row = FeedbackRow(inspection_id=inspection_id, time=datetime.now(UTC), by=feedback.by, **said)
            session.add(row)
            if self._station is not None:
                note_changes(session, self._station, [inspection_id])
            session.flush()
            return _feedback(row)

    def feedback(self, inspection_id: int) -> list[Feedback]:
        """All that was said of an inspected part, oldest first.

        Raises:
            NotFoundError: there is no such inspection.
        """
        self.get(inspection_id)
        query = select(FeedbackRow).where(FeedbackRow.inspection_id == inspection_id).order_by(FeedbackRow.id)
        with self._database.session() as session:
            return [_feedback(row) for row in session.scalars(query)]

    def latest_feedback(self, image_digest: str) -> Feedback | None:
        """What was said last of a photograph, in whichever of its inspections is not void; None where nothing was."""
        query = (
            select(FeedbackRow)
            .join(INSPECTIONS, _ROW.id == FeedbackRow.inspection_id)
            .where(_ROW.image_digest == image_digest, _ROW.voided.is_(None))
            .order_by(FeedbackRow.id.desc())
            .limit(1)
        )
        with self._database.session() as session:
            row = session.scalars(query).one_or_none()
            return None if row is None else _feedback(row)

    def counts(self, image_digest: str) -> bool:
        """Whether an inspection of a photograph is there that is not void."""
        query = select(_ROW.id).where(_ROW.image_digest == image_digest, _ROW.voided.is_(None)).limit(1)
        with self._database.session() as session:
            return session.scalar(query) is not None

    def count(self, which: InspectionFilter | None = None) -> int:
        """How many inspections there are."""
        with self._database.session() as session:
            return int(
                session.scalar(select(func.count()).select_from(INSPECTIONS).where(*conditions(which))) or 0
            )

    def remember_image(self, digest: str, suffix: str) -> None:
        """Note that the image of this digest is kept now."""
        with self._database.transaction() as session:
            session.execute(
                update(INSPECTIONS).where(_ROW.image_digest == digest).values(image_suffix=suffix)
            )

    def forget_image(self, digests: Sequence[str]) -> None:
        """Note that images of these digests are no longer kept."""
        for start in range(0, len(digests), _FORGOTTEN_AT_ONCE):
            some = digests[start : start + _FORGOTTEN_AT_ONCE]
            with self._database.transaction() as session:
                session.execute(
                    update(INSPECTIONS).where(_ROW.image_digest.in_(some)).values(image_suffix=None)
                )


def conditions(which: InspectionFilter | None) -> list[ColumnElement[bool]]:
    """A filter as conditions on `INSPECTIONS`."""
    which = which or InspectionFilter()
    found: list[ColumnElement[bool]] = []
    if which.since is not None:
        found.append(_ROW.time >= which.since)
    if which.until is not None:
        found.append(_ROW.time < which.until)
    for name in ("inspector", "verdict", "defect_type", "truth", "serial_number", "batch", "shift", "camera"):
        wanted = getattr(which, name)
        if wanted is not None:
            found.append(_ROW[name] == str(wanted))
    if which.version is not None:
        found.append(_ROW.version == which.version)
    for column, there in (
        (_ROW.truth, which.reviewed),
        (_ROW.voided, which.void),
        (_ROW.repeat_of, which.repeat),
    ):
        if there is not None:
            found.append(column.is_not(None) if there else column.is_(None))
    if which.search is not None:
        found.append(_matches(which.search))
    return found


def _matches(search: str) -> ColumnElement[bool]:
    """Whether a row's number is what is searched for, or its file's name, serial number or batch holds it."""
    searched = ("file_name", "serial_number", "batch")
    named = or_(*(_ROW[name].icontains(search, autoescape=True) for name in searched))
    number = search.strip().removeprefix("#")
    if number.isascii() and number.isdecimal() and _possible(int(number)):
        return or_(_ROW.id == int(number), named)
    return named


def _ordered(which: InspectionFilter | None, newest_first: bool) -> Select[Any]:
    query = select(INSPECTIONS).where(*conditions(which))
    if newest_first:
        return query.order_by(_ROW.time.desc(), _ROW.id.desc())
    return query.order_by(_ROW.time, _ROW.id)


def _place() -> Any:
    return tuple_(_ROW.time, _ROW.id)


def _bound(place: Place) -> Any:
    return tuple_(*place, types=[_ROW.time.type, _ROW.id.type])


def _cursor(record: InspectionRecord) -> str:
    microseconds = (record.time - _EPOCH) // timedelta(microseconds=1)
    return base64.urlsafe_b64encode(f"{microseconds}.{record.id}".encode()).decode().rstrip("=")


def _place_of_cursor(cursor: str) -> Place:
    refused = UsageError("The cursor is not one that a page has given: begin again without it.")
    if len(cursor) > 100:
        raise refused
    try:
        content = base64.b64decode(cursor + "=" * (-len(cursor) % 4), altchars=b"-_", validate=True)
        match = re.fullmatch(rb"(-?\d{1,18})\.(\d{1,19})", content)
        if match and int(match[2]) <= _MOST_ID:
            return _EPOCH + timedelta(microseconds=int(match[1])), int(match[2])
    except (ValueError, OverflowError, binascii.Error) as error:
        raise refused from error
    raise refused


def _possible(inspection_id: int) -> int:
    """A number that databases can be asked for; 0, which none has, for one that is too large."""
    return inspection_id if 0 < inspection_id <= _MOST_ID else 0


def _no_inspection(inspection_id: int) -> NotFoundError:
    return NotFoundError(f"There is no inspection {str(inspection_id)[:30]}: check the number.")


def _is_defect(new: NewInspection) -> bool:
    """Whether a gallery takes the part in, while nobody has said anything of it."""
    return new.verdict is Verdict.REJECT and new.image_suffix is not None and new.gives_map


def record_of(row: Row[Any]) -> InspectionRecord:
    """The inspection of a row of `INSPECTIONS`."""
    return InspectionRecord(**row._mapping)


def _feedback(row: FeedbackRow) -> Feedback:
    return Feedback(**{one.name: getattr(row, one.name) for one in fields(Feedback)})
