"""The tables of the history; `migrations/` makes them, and a test compares both.

Times are whole microseconds since 1970 in UTC, in all databases: exact, sorted as numbers, and cut into hours
and days by one division. `datetime(time / 1000000, 'unixepoch')` in SQLite and `to_timestamp(time / 1e6)` in
PostgreSQL show them to a person.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import MISSING, fields
from datetime import datetime
from types import NoneType
from typing import Any, get_args, get_type_hints

from sqlalchemy import (
    JSON,
    BigInteger,
    Boolean,
    Column,
    Double,
    ForeignKey,
    Index,
    MetaData,
    Table,
    UniqueConstraint,
    text,
)
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column

from blemish.core.types import Region, Verdict
from blemish.station.column_types import Moment, Number, Numbers, PlainText, Regions, VerdictText
from blemish.station.records import InspectionRecord, Truth

_TYPES: dict[Any, Any] = {
    str: PlainText,
    Truth: PlainText,
    int: BigInteger,
    float: Double,
    bool: Boolean,
    datetime: Moment,
    Verdict: VerdictText,
    tuple[Region, ...]: Regions,
    Mapping[str, float]: Numbers,
    list[Any]: JSON,
    dict[str, Any]: JSON,
}
"""Types of columns by those of values."""


class Base(DeclarativeBase):
    """All tables; constraints have names, so that migrations can name them too."""

    metadata = MetaData(
        naming_convention={
            "ix": "ix_%(table_name)s_%(column_0_N_name)s",
            "uq": "uq_%(table_name)s_%(column_0_N_name)s",
            "fk": "fk_%(table_name)s_%(column_0_N_name)s",
            "pk": "pk_%(table_name)s",
        }
    )
    type_annotation_map = _TYPES


def columns_of(record: type) -> list[Column[Any]]:
    """A column for each field of a dataclass but `id`, of its name and type; None in the type lets it be NULL."""
    hints, columns = get_type_hints(record), []
    for one in fields(record):
        kinds = get_args(hints[one.name]) if NoneType in get_args(hints[one.name]) else (hints[one.name],)
        default = None if one.default is MISSING else one.default
        if one.name != "id":
            columns.append(Column(one.name, _TYPES[kinds[0]], nullable=NoneType in kinds, default=default))
    return columns


# One inspected photograph a row, with the latest feedback beside it so that filters find it by an index. Each filter
# has an index that also gives the order of the pages.
INSPECTIONS = Table(
    "inspections",
    Base.metadata,
    Column("id", Number, primary_key=True),
    *columns_of(InspectionRecord),
    Index("ix_inspections_time", "time", "id"),
    # What follows the number is there for the statistics: they are counted in the index alone.
    Index(
        "ix_inspections_inspector",
        "inspector",
        "time",
        "id",
        "verdict",
        "truth",
        "voided",
        "repeat_of",
        "version",
        "score",
        "threshold",
        "defect_type",
        "serial_number",
        "batch",
        "shift",
        "camera",
    ),
    Index("ix_inspections_verdict", "verdict", "time", "id"),
    *(
        Index(
            f"ix_inspections_{column}",
            column,
            "time",
            "id",
            sqlite_where=text(f"{column} IS NOT NULL"),
            postgresql_where=text(f"{column} IS NOT NULL"),
        )
        for column in ("truth", "defect_type", "serial_number", "batch", "shift", "camera")
    ),
    Index("ix_inspections_image_digest", "image_digest"),
    sqlite_autoincrement=True,
)


class FeedbackRow(Base):
    """What people said, all of it; nothing is overwritten."""

    __tablename__ = "feedback"

    id: Mapped[int] = mapped_column(Number, primary_key=True)
    inspection_id: Mapped[int] = mapped_column(ForeignKey("inspections.id"), index=True)
    time: Mapped[datetime]
    truth: Mapped[str]
    defect_type: Mapped[str | None]
    note: Mapped[str]
    by: Mapped[str]

    __table_args__ = ({"sqlite_autoincrement": True},)


class GalleryChangeRow(Base):
    """An inspection of which a station's gallery has still to learn what the log says; the row goes when it has."""

    __tablename__ = "gallery_changes"

    id: Mapped[int] = mapped_column(Number, primary_key=True)
    station: Mapped[str]
    inspection_id: Mapped[int] = mapped_column(ForeignKey("inspections.id"))

    __table_args__ = (Index("ix_gallery_changes_station", "station", "id"), {"sqlite_autoincrement": True})


class TakenRow(Base):
    """A photograph that a source has given and that is judged: after a restart it is not judged once more."""

    __tablename__ = "taken"

    id: Mapped[int] = mapped_column(Number, primary_key=True)
    station: Mapped[str]
    source: Mapped[str]
    key: Mapped[str]  # what the source calls it
    inspection_id: Mapped[int | None] = mapped_column(
        ForeignKey("inspections.id")
    )  # NULL: it cannot be judged

    __table_args__ = (UniqueConstraint("station", "source", "key"), {"sqlite_autoincrement": True})


class OutboxRow(Base):
    """A signal that has still to reach a sink; the row goes when it has, and stays where the sink refuses it."""

    __tablename__ = "outbox"

    id: Mapped[int] = mapped_column(Number, primary_key=True)
    station: Mapped[str]
    sink: Mapped[str]
    inspection_id: Mapped[int] = mapped_column(ForeignKey("inspections.id"))
    origin: Mapped[
        str | None
    ]  # the file that the photograph came from, quoted as in URLs, where it came from one
    attempts: Mapped[int] = mapped_column(default=0)  # that the sink refused for what the signal is
    set_aside: Mapped[datetime | None]  # since when it is not sent any more
    problem: Mapped[str | None]  # what the sink said when it refused

    __table_args__ = (
        Index("ix_outbox_station_sink", "station", "sink", "set_aside", "id"),
        {"sqlite_autoincrement": True},
    )


class InspectorVersionRow(Base):
    """A version of an inspector on the shelf."""

    __tablename__ = "inspector_versions"

    id: Mapped[int] = mapped_column(Number, primary_key=True)
    name: Mapped[str]
    version: Mapped[int]
    digest: Mapped[str]
    file: Mapped[str]  # below the folder of inspectors
    detector: Mapped[str]
    category: Mapped[str]
    created: Mapped[datetime]
    added: Mapped[datetime]
    by: Mapped[str]
    n_normal_scores: Mapped[int]  # that are independent: images, or groups of them that show one part
    normal_scores: Mapped[list[Any]]  # sorted; thinned to quantiles where there are many
    scoring_digest: Mapped[
        str | None
    ]  # of all but the decision; None until it is asked for, in older histories

    __table_args__ = (UniqueConstraint("name", "version"), UniqueConstraint("name", "digest"))


class ActivationRow(Base):
    """Which version became active when: the latest row of a name that was not rolled back is the active one."""

    __tablename__ = "activations"

    id: Mapped[int] = mapped_column(Number, primary_key=True)
    name: Mapped[str]
    version: Mapped[int]
    time: Mapped[datetime]
    rolled_back: Mapped[datetime | None]

    __table_args__ = (Index("ix_activations_name", "name", "id"), {"sqlite_autoincrement": True})


class DriftRow(Base):
    """How far the tests for drift have read the inspections of a version, and what they know: `station/drift.py`."""

    __tablename__ = "drift"

    id: Mapped[int] = mapped_column(Number, primary_key=True)
    name: Mapped[str]
    version: Mapped[int]
    learns_after: Mapped[
        int
    ]  # the inspection after which they began, the first time or when somebody let them
    read_up_to: Mapped[int]  # the latest inspection that they have read
    tests: Mapped[dict[str, Any]]

    __table_args__ = (UniqueConstraint("name", "version"),)


class ShadowRow(Base):
    """A version that judges, or has judged, beside the active one: `station/shadows.py`."""

    __tablename__ = "shadows"

    id: Mapped[int] = mapped_column(Number, primary_key=True)
    name: Mapped[str]
    version: Mapped[int]
    beside: Mapped[int]  # the version that judges
    parts: Mapped[int]  # that it is to judge
    most_differences: Mapped[int | None]  # with which it takes over by itself; NULL: a person decides
    begun: Mapped[datetime]
    begun_after: Mapped[int]  # the newest inspection then
    by: Mapped[str]
    ended: Mapped[datetime | None]
    ended_after: Mapped[int | None]
    outcome: Mapped[str | None]
    trouble: Mapped[str | None]

    __table_args__ = (
        Index("ix_shadows_name", "name", "id"),
        Index(  # one at a time
            "uq_shadows_running",
            "name",
            unique=True,
            sqlite_where=text("ended IS NULL"),
            postgresql_where=text("ended IS NULL"),
        ),
        {"sqlite_autoincrement": True},
    )


class ShadowVerdictRow(Base):
    """What a version beside the active one says of an inspected part."""

    __tablename__ = "shadow_verdicts"

    id: Mapped[int] = mapped_column(Number, primary_key=True)
    shadow_id: Mapped[int] = mapped_column(ForeignKey("shadows.id"))
    inspection_id: Mapped[int] = mapped_column(ForeignKey("inspections.id"))
    score: Mapped[float]
    threshold: Mapped[float]
    verdict: Mapped[Verdict]

    __table_args__ = (UniqueConstraint("shadow_id", "inspection_id"), {"sqlite_autoincrement": True})


class KeyRow(Base):
    """An API key; the token itself is nowhere."""

    __tablename__ = "keys"

    name: Mapped[str] = mapped_column(primary_key=True)
    role: Mapped[str]
    digest: Mapped[str] = mapped_column(unique=True)
    created: Mapped[datetime]
    last_used: Mapped[datetime | None]
    revoked: Mapped[datetime | None]


class AuditRow(Base):
    """Something that somebody changed; nothing is overwritten."""

    __tablename__ = "audit"

    id: Mapped[int] = mapped_column(Number, primary_key=True)
    time: Mapped[datetime]
    action: Mapped[str]
    by: Mapped[str]
    inspector: Mapped[str | None]
    version_before: Mapped[int | None]
    version_after: Mapped[int | None]
    detail: Mapped[dict[str, Any]]

    __table_args__ = (Index("ix_audit_inspector", "inspector", "id"), {"sqlite_autoincrement": True})
