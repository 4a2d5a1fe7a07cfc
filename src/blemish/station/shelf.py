"""The shelf of inspectors: every version that was ever added, and which one is active."""

from __future__ import annotations

import hashlib
import secrets
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
from sqlalchemy import func, select
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from blemish.core.errors import ArtifactError, BlemishError, DatabaseError, NotFoundError
from blemish.core.storage import atomic_file, file_digest
from blemish.core.types import FloatArray
from blemish.line.artifact import Artifact, read_artifact
from blemish.station.database import Database
from blemish.station.home import Home
from blemish.station.records import check_name
from blemish.station.schema import ActivationRow, InspectorVersionRow

_MOST_NORMAL_SCORES = 512
_MOST_VERSION = 2**63 - 1
_TRIES = 5


@dataclass(frozen=True)
class InspectorVersion:
    """One version of an inspector on the shelf.

    Attributes:
        name, version: which one; versions count from 1.
        digest: SHA-256 of the file, and `path`, where it is.
        detector, category: from its manifest.
        created, added: when it was fitted and when it came to the shelf, in UTC.
        active: whether it is the one that judges.
    """

    name: str
    version: int
    digest: str
    path: Path
    detector: str
    category: str
    created: datetime
    added: datetime
    active: bool

    @property
    def title(self) -> str:
        """What a person calls it: its file is named by number and digest."""
        return f"{self.name}, version {self.version}"


class InspectorShelf:
    """Versions of inspectors, as files in the home's folder and as rows of the database."""

    def __init__(self, home: Home, database: Database) -> None:
        self._folder = home.inspectors
        self._database = database

    def add(self, path: Path, name: str | None = None, by: str = "local") -> InspectorVersion:
        """Check a `.blemish` file and copy it to the shelf, not active yet; the same file again is the same version.

        Args:
            path: the file; it is left where it is.
            name: of the inspector; its own when None.
            by: who added it.

        Raises:
            ArtifactError: the file is not a sound inspector.
            UsageError: the name is not possible.
        """
        artifact = read_artifact(path)
        name = check_name(artifact.manifest.name if name is None else name, "An inspector")
        scores = artifact.normal_scores()
        digest = file_digest(path)
        for attempt in range(1, _TRIES + 1):
            try:
                return self._add(artifact, name, digest, scores, by)
            except DatabaseError as error:
                # Another process has added one at the same moment: take the next number.
                if attempt == _TRIES or not isinstance(error.__cause__, IntegrityError):
                    raise
        raise AssertionError("unreachable")

    def _add(
        self, artifact: Artifact, name: str, digest: str, scores: FloatArray, by: str
    ) -> InspectorVersion:
        with self._database.session() as session:
            known = _row(session, name, digest=digest)
        if known is not None:
            path = self._folder / known.file
            if not path.exists():  # somebody has deleted it
                _copy(artifact.path, path, digest)
            return self.get(name, known.version)
        waiting = self._folder / name / f".{digest[:12]}-{secrets.token_hex(4)}.waiting"
        _copy(artifact.path, waiting, digest)
        manifest, independent = artifact.manifest, artifact.calibration().n
        try:
            with self._database.transaction() as session:
                row = _row(session, name, digest=digest)
                if row is None:
                    query = select(func.max(InspectorVersionRow.version)).where(
                        InspectorVersionRow.name == name
                    )
                    version = (session.scalar(query) or 0) + 1
                    row = InspectorVersionRow(
                        name=name,
                        version=version,
                        digest=digest,
                        file=f"{name}/{version:04d}-{digest[:12]}.blemish",
                        detector=manifest.detector.name,
                        category=manifest.training.category,
                        created=manifest.training.created,
                        added=datetime.now(UTC),
                        by=by,
                        n_normal_scores=independent,
                        normal_scores=_thinned(scores),
                    )
                    session.add(row)
                    session.flush()
                # Before the commit: a row must never name a file that is not there.
                waiting.replace(self._folder / row.file)
                found = row.version
        finally:
            waiting.unlink(missing_ok=True)
        return self.get(name, found)

    def activate(self, name: str, version: int) -> InspectorVersion:
        """Let a version judge from now on.

        Raises:
            NotFoundError: there is no such version.
        """
        with self._database.transaction() as session:
            if _row(session, name, version=version) is None:
                raise _no_version(name, version)
            latest = _activation(session, name)
            if latest is None or latest.version != version:
                session.add(ActivationRow(name=name, version=version, time=datetime.now(UTC)))
        return self.get(name, version)

    def roll_back(self, name: str) -> InspectorVersion:
        """Let the version judge that was active before the one that is now; each call goes one step further back.

        Raises:
            NotFoundError: no version was active before.
        """
        with self._database.transaction() as session:
            latest = _activation(session, name)
            if latest is None:
                raise _none_active(name)
            latest.rolled_back = datetime.now(UTC)
            session.flush()
            before = _activation(session, name)
            if before is None:
                raise NotFoundError(f"No version of {name} was active before: activate one by its number.")
            version = before.version
        return self.get(name, version)

    def active(self, name: str) -> InspectorVersion:
        """The version that judges.

        Raises:
            NotFoundError: there is no inspector of this name, or none of its versions is active.
        """
        with self._database.session() as session:
            latest = _activation(session, name)
            row = _row(session, name, version=latest.version) if latest else None
            if row is None:
                raise _none_active(name)
            return self._version(row, active=True)

    def active_all(self) -> list[InspectorVersion]:
        """The active version of each inspector that has one, by name."""
        latest = (
            select(func.max(ActivationRow.id))
            .where(ActivationRow.rolled_back.is_(None))
            .group_by(ActivationRow.name)
        )
        query = (
            select(InspectorVersionRow)
            .join(
                ActivationRow,
                (ActivationRow.name == InspectorVersionRow.name)
                & (ActivationRow.version == InspectorVersionRow.version),
            )
            .where(ActivationRow.id.in_(latest))
            .order_by(InspectorVersionRow.name)
        )
        with self._database.session() as session:
            return [self._version(row, active=True) for row in session.scalars(query)]

    def names(self) -> list[str]:
        """Names of all inspectors on the shelf."""
        query = select(InspectorVersionRow.name).distinct().order_by(InspectorVersionRow.name)
        with self._database.session() as session:
            return list(session.scalars(query))

    def versions(self, name: str) -> list[InspectorVersion]:
        """All versions of an inspector, oldest first.

        Raises:
            NotFoundError: there is no inspector of this name.
        """
        query = (
            select(InspectorVersionRow)
            .where(InspectorVersionRow.name == name)
            .order_by(InspectorVersionRow.version)
        )
        with self._database.session() as session:
            latest = _activation(session, name)
            found = [
                self._version(row, latest is not None and latest.version == row.version)
                for row in session.scalars(query)
            ]
        if not found:
            raise _none_active(name)
        return found

    def get(self, name: str, version: int) -> InspectorVersion:
        """One version.

        Raises:
            NotFoundError: there is no such version.
        """
        with self._database.session() as session:
            row = _row(session, name, version=version)
            if row is None:
                raise _no_version(name, version)
            latest = _activation(session, name)
            return self._version(row, latest is not None and latest.version == version)

    def _version(self, row: InspectorVersionRow, active: bool) -> InspectorVersion:
        return InspectorVersion(
            row.name, row.version, row.digest, self._folder / row.file, row.detector, row.category,
            row.created, row.added, active,
        )  # fmt: skip


def _copy(source: Path, target: Path, digest: str) -> None:
    """Copy a file that was checked; what has changed since is refused."""
    try:
        target.parent.mkdir(mode=0o700, exist_ok=True)
    except OSError as error:
        reason = (error.strerror or str(error)).lower()
        raise BlemishError(f"{target.parent} cannot be made ({reason}): check the station's home.") from error
    copied = hashlib.sha256()
    with atomic_file(target) as stream, source.open("rb") as original:
        while piece := original.read(2**20):
            copied.update(piece)
            stream.write(piece)
        if copied.hexdigest() != digest:
            raise ArtifactError(f"{source} changed while it was copied: add it again.")


def _thinned(scores: FloatArray) -> list[float]:
    """Sorted scores, or as many quantiles of them as are kept."""
    if len(scores) <= _MOST_NORMAL_SCORES:
        return [float(score) for score in scores]
    return [float(score) for score in np.quantile(scores, np.linspace(0, 1, _MOST_NORMAL_SCORES))]


def _row(session: Session, name: str, **known: Any) -> InspectorVersionRow | None:
    """The row of an inspector with this `version` or `digest`."""
    if not 0 < known.get("version", 1) <= _MOST_VERSION:
        return None
    return session.scalar(select(InspectorVersionRow).filter_by(name=name, **known))


def _activation(session: Session, name: str) -> ActivationRow | None:
    return session.scalar(
        select(ActivationRow)
        .where(ActivationRow.name == name, ActivationRow.rolled_back.is_(None))
        .order_by(ActivationRow.id.desc())
        .limit(1)
    )


def _no_version(name: str, version: int) -> NotFoundError:
    return NotFoundError(
        f"There is no version {str(version)[:20]} of an inspector {name[:80]!a}: check both."
    )


def _none_active(name: str) -> NotFoundError:
    return NotFoundError(f"There is no active inspector {name[:80]!a}: add and activate one.")
