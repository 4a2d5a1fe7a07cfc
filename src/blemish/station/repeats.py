"""Which inspections are of one and the same file: the first counts, those after it are repeats of its number.

What is void counts for nothing, so the first is the first that is not void; it changes when that is declared void, or
taken back.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from sqlalchemy import bindparam, case, func, select, update
from sqlalchemy.orm import Session

from blemish.station.records import NewInspection
from blemish.station.schema import INSPECTIONS

_ROW = INSPECTIONS.c

# Each commit runs it: a statement that is made anew takes longer to make than to run.
_FIRSTS = (
    select(_ROW.inspector, _ROW.image_digest, func.min(_ROW.id))
    .where(_ROW.image_digest.in_(bindparam("digests", expanding=True)), _ROW.voided.is_(None))
    .group_by(_ROW.inspector, _ROW.image_digest)
)

Same = tuple[str, str]
"""Inspector and digest: what repeats of one photograph share."""


def firsts_of(session: Session, inspections: Sequence[NewInspection]) -> dict[Same, int]:
    """Numbers of the first inspections, among those logged, of the photographs that these are of."""
    found = session.execute(_FIRSTS, {"digests": list({one.image_digest for one in inspections})})
    return {(str(inspector), str(digest)): int(number) for inspector, digest, number in found}


def repeats_within(
    session: Session, inspections: Sequence[NewInspection], numbers: Sequence[int], known: Mapping[Same, int]
) -> list[int | None]:
    """What each inspection is a repeat of, where `known` were logged before; repeats within the batch are marked."""
    firsts, found = dict(known), []
    for one, number in zip(inspections, numbers, strict=True):
        first = firsts.setdefault((one.inspector, one.image_digest), number)
        found.append(None if first == number else first)
        if first != number and (one.inspector, one.image_digest) not in known:
            session.execute(update(INSPECTIONS).where(_ROW.id == number).values(repeat_of=first))
    return found


def mark_again(session: Session, inspector: str, image_digest: str) -> None:
    """Mark the repeats of a photograph anew, after one of its inspections has become void or counts again."""
    same = (_ROW.inspector == inspector, _ROW.image_digest == image_digest)
    first = session.scalar(select(func.min(_ROW.id)).where(*same, _ROW.voided.is_(None)))
    marked = None if first is None else case((_ROW.id > first, first))
    session.execute(update(INSPECTIONS).where(*same).values(repeat_of=marked))
