"""The tables of the history; `migrations/` makes them, and a test compares both.

Times are whole microseconds since 1970 in UTC, in all databases: exact, sorted as numbers, and cut into hours
and days by one division. `datetime(time / 1000000, 'unixepoch')` in SQLite and `to_timestamp(time / 1e6)` in
PostgreSQL show them to a person.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

from sqlalchemy import (
    JSON,
    BigInteger,
    Boolean,
    Dialect,
    Double,
    ForeignKey,
    Index,
    Integer,
    MetaData,
    Text,
    TypeDecorator,
    UniqueConstraint,
    text,
)
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)

# SQLite counts rows by itself only in a column of type INTEGER.
Number = BigInteger().with_variant(Integer(), "sqlite")


class Moment(TypeDecorator[datetime]):
    """An aware time as microseconds since 1970 in UTC."""

    impl = BigInteger
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> int | None:
        """Microseconds of a time."""
        return None if value is None else (value - _EPOCH) // _MICROSECOND

    def process_result_value(self, value: int | None, dialect: Dialect) -> datetime | None:
        """The time of microseconds, in UTC."""
        return None if value is None else _EPOCH + int(value) * _MICROSECOND


class PlainText(TypeDecorator[str]):
    """Text of strangers: what a database refuses (zero characters, halves of pairs) becomes a question mark."""

    impl = Text
    cache_ok = True

    def process_bind_param(self, value: str | None, dialect: Dialect) -> str | None:
        """Text that any database takes."""
        return None if value is None else value.replace("\0", "?").encode("utf-8", "replace").decode()


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
    type_annotation_map = {  # noqa: RUF012 (SQLAlchemy reads it from the class)
        str: PlainText,
        int: BigInteger,
        float: Double,
        bool: Boolean,
        datetime: Moment,
        dict[str, Any]: JSON,
        list[Any]: JSON,
    }


class InspectionRow(Base):
    """One inspected photograph, with the latest feedback beside it so that filters find it by an index."""

    __tablename__ = "inspections"

    id: Mapped[int] = mapped_column(Number, primary_key=True)
    time: Mapped[datetime]
    inspector: Mapped[str]
    version: Mapped[int]
    verdict: Mapped[str]
    score: Mapped[float]
    threshold: Mapped[float]
    p_value: Mapped[float]
    percentile: Mapped[float]
    regions: Mapped[list[Any]]
    width: Mapped[int]
    height: Mapped[int]
    image_digest: Mapped[str]
    image_suffix: Mapped[str | None]
    file_name: Mapped[str]
    milliseconds: Mapped[dict[str, Any]]
    by: Mapped[str]
    parts: Mapped[dict[str, Any]]
    gives_map: Mapped[bool]
    truth: Mapped[str | None]
    defect_type: Mapped[str | None]
    note: Mapped[str]

    # Each filter has an index that also gives the order of the pages.
    __table_args__ = (
        Index("ix_inspections_time", "time", "id"),
        Index("ix_inspections_inspector", "inspector", "time", "id"),
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
            for column in ("truth", "defect_type")
        ),
        Index("ix_inspections_image_digest", "image_digest"),
        {"sqlite_autoincrement": True},
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
    n_normal_scores: Mapped[int]
    normal_scores: Mapped[list[Any]]  # sorted; thinned to quantiles where there are many

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


class KeyRow(Base):
    """An API key; the token itself is nowhere."""

    __tablename__ = "keys"

    name: Mapped[str] = mapped_column(primary_key=True)
    role: Mapped[str]
    digest: Mapped[str] = mapped_column(unique=True)
    created: Mapped[datetime]
    last_used: Mapped[datetime | None]
    revoked: Mapped[datetime | None]
