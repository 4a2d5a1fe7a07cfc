"""Which versions of an inspector score alike: those that differ by their decisions alone."""

from __future__ import annotations

from contextlib import suppress

from sqlalchemy import select, update

from blemish.core.errors import ArtifactError
from blemish.line.artifact import read_artifact
from blemish.station.database import Database
from blemish.station.schema import InspectorVersionRow
from blemish.station.shelf import InspectorShelf, InspectorVersion


def scored_alike(database: Database, shelf: InspectorShelf, version: InspectorVersion) -> tuple[int, ...]:
    """Numbers of the versions of an inspector whose scores mean the same as those of one, itself among them.

    Versions that were added before this was noted, and whose files are gone or damaged by now, are left out.
    """
    _note_scoring(database, shelf, version.name)
    row = InspectorVersionRow
    mine = select(row.scoring_digest).where(row.name == version.name, row.version == version.version)
    alike = select(row.version).where(row.name == version.name, row.scoring_digest == mine.scalar_subquery())
    with database.session() as session:
        return tuple(sorted({version.version, *session.scalars(alike)}))


def scoring_as(database: Database, shelf: InspectorShelf, digest: str) -> list[InspectorVersion]:
    """The versions on a shelf of any name whose scores mean what this scoring digest says, oldest first."""
    for name in shelf.names():
        _note_scoring(database, shelf, name)
    row = InspectorVersionRow
    query = select(row.name, row.version).where(row.scoring_digest == digest).order_by(row.id)
    with database.session() as session:
        found = [(str(name), int(version)) for name, version in session.execute(query)]
    return [shelf.get(name, version) for name, version in found]


def _note_scoring(database: Database, shelf: InspectorShelf, name: str) -> None:
    """Note the scoring of versions that were added by an earlier Blemish; their files are read for that, once."""
    row = InspectorVersionRow
    with database.session() as session:
        unknown = set(
            session.scalars(select(row.version).where(row.name == name, row.scoring_digest.is_(None)))
        )
    if not unknown:
        return
    found = {}
    for one in shelf.versions(name):
        if one.version in unknown:
            with suppress(ArtifactError):
                found[one.version] = read_artifact(one.path, digest=one.digest).manifest.scoring_digest
    with database.transaction() as session:
        for number, digest in found.items():
            changed = update(row).where(row.name == name, row.version == number)
            session.execute(changed.values(scoring_digest=digest))
