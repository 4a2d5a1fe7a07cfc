"""The shelf of inspectors: every version that was ever added, and which one is active."""

from __future__ import annotations

import hashlib
import secrets
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
from sqlalchemy import func, select
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from blemish.core.errors import ArtifactError, BlemishError, ConflictError, DatabaseError, NotFoundError
from blemish.core.storage import atomic_file, file_digest
from blemish.core.types import FloatArray
from blemish.line.artifact import Artifact, read_artifact
from blemish.station.audit import Action, Change, note_change
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
        n_scores: good parts that it was calibrated on, those of one group counting once.
        by: who added it.
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
    n_scores: int = 0
    by: str = "local"

    @property
    def title(self) -> str:
        """What a person calls it: its file is named by number and digest."""
        return f"{self.name}, version {self.version}"


class InspectorShelf:
    """Versions of inspectors, as files in the home's folder and as rows of the database."""

    def __init__(self, home: Home, database: Database) -> None:
        self._folder = home.inspectors
        self._database = database

    def add(
        self, path: Path, name: str | None = None, by: str = "local", *, change: Change | None = None
    ) -> InspectorVersion:
        """Check a `.blemish` file and copy it to the shelf, not active yet; the same file again is the same version.

        Args:
            path: the file; it is left where it is.
            name: of the inspector; its own when None.
            by: who added it.
            change: what the audit log says of it, and by whom, but for name and new version; that it was added when
                None.

        Raises:
            ArtifactError: the file is not a sound inspector.
            UsageError: the name is not possible.
        """
        return self._add_patiently(path, name, change or Change(action=Action.ADD, by=by), None)

    def supersede(self, path: Path, name: str, change: Change) -> InspectorVersion:
        """Copy a `.blemish` file to the shelf and let it judge from now on, both in one transaction.

        Args:
            path: the file; it is left where it is.
            name: of the inspector.
            change: what the audit log says of it; its `version_before` is the one that has to be active still.

        Raises:
            ArtifactError: the file is not a sound inspector.
            ConflictError: another version is active by now; nothing is changed then.
        """
        return self._add_patiently(path, name, change, change.version_before)

    def _add_patiently(
        self, path: Path, name: str | None, change: Change, instead_of: int | None
    ) -> InspectorVersion:
        artifact = read_artifact(path)
        name = check_name(artifact.manifest.name if name is None else name, "An inspector")
        artifact.calibration()  # checked before anything is written
        digest = file_digest(path)
        for attempt in range(1, _TRIES + 1):
            try:
                return self._add(artifact, digest, replace(change, inspector=name), instead_of)
            except DatabaseError as error:
                # Another process has added one at the same moment: take the next number.
                if attempt == _TRIES or not isinstance(error.__cause__, IntegrityError):
                    raise
        raise AssertionError("unreachable")

    def _add(
        self, artifact: Artifact, digest: str, change: Change, instead_of: int | None
    ) -> InspectorVersion:
        name = str(change.inspector)
        with self._database.session() as session:
            known = _row(session, name, digest=digest)
        if known is not None:
            path = self._folder / known.file
            if not path.exists():  # somebody has deleted it
                _copy(artifact.path, path, digest)
            if instead_of is None:
                return self.get(name, known.version)
        waiting = self._folder / name / f".{digest[:12]}-{secrets.token_hex(4)}.waiting"
        _copy(artifact.path, waiting, digest)
        try:
            with self._database.transaction() as session:
                row, is_new = _row(session, name, digest=digest), False
                if row is None:
                    row, is_new = _new_row(session, artifact, digest, name, change.by), True
                if instead_of is not None:
                    _supersede(session, name, row.version, instead_of)
                if is_new or instead_of is not None:
                    detail = {"digest": digest, **change.detail}
                    note_change(session, replace(change, version_after=row.version, detail=detail))
                # Before the commit: a row must never name a file that is not there.
                waiting.replace(self._folder / row.file)
                found = row.version
        finally:
            waiting.unlink(missing_ok=True)
        return self.get(name, found)

    def activate(self, name: str, version: int, by: str = "local") -> InspectorVersion:
        """Let a version judge from now on.

        Raises:
            NotFoundError: there is no such version.
        """
        with self._database.transaction() as session:
            if _row(session, name, version=version) is None:
                raise _no_version(name, version)
            latest = _locked_activation(session, name)
            if latest is None or latest.version != version:
                _activate(session, name, version)
                before = None if latest is None else latest.version
                note_change(session, _moved(Action.ACTIVATE, by, name, before, version))
        return self.get(name, version)

    def roll_back(self, name: str, by: str = "local") -> InspectorVersion:
        """Let the version judge that was active before the one that is now; each call goes one step further back.

        Raises:
            NotFoundError: no version was active before.
        """
        with self._database.transaction() as session:
            latest = _locked_activation(session, name)
            if latest is None:
                raise _none_active(name)
            latest.rolled_back = datetime.now(UTC)
            session.flush()
            before = _activation(session, name)
            if before is None:
                raise NotFoundError(f"No version of {name} was active before: activate one by its number.")
            version = before.version
            note_change(session, _moved(Action.ROLL_BACK, by, name, latest.version, version))
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

    def previous(self, name: str) -> int | None:
        """Number of the version that `roll_back` would let judge; None where none was active before."""
        query = (
            select(ActivationRow.version)
            .where(ActivationRow.name == name, ActivationRow.rolled_back.is_(None))
            .order_by(ActivationRow.id.desc())
            .offset(1)
            .limit(1)
        )
        with self._database.session() as session:
            return session.scalar(query)

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

    def counts(self) -> dict[str, int]:
        """How many versions there are of each inspector, by name."""
        row = InspectorVersionRow
        query = select(row.name, func.count()).group_by(row.name).order_by(row.name)
        with self._database.session() as session:
            return {str(name): int(n) for name, n in session.execute(query)}

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
            row.created, row.added, active, row.n_normal_scores, row.by,
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


def _new_row(session: Session, artifact: Artifact, digest: str, name: str, by: str) -> InspectorVersionRow:
    """The row of another version of an inspector, with the next number."""
    query = select(func.max(InspectorVersionRow.version)).where(InspectorVersionRow.name == name)
    version = (session.scalar(query) or 0) + 1
    manifest = artifact.manifest
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
        n_normal_scores=artifact.calibration().n,
        normal_scores=_thinned(artifact.normal_scores()),
        scoring_digest=manifest.scoring_digest,
    )
    session.add(row)
    session.flush()
    return row


def _supersede(session: Session, name: str, version: int, instead_of: int) -> None:
    """Activate a version where another is active still.

    Raises:
        ConflictError: it is not.
    """
    latest = _locked_activation(session, name)
    if latest is None or latest.version != instead_of:
        now = "none" if latest is None else f"version {latest.version}"
        raise ConflictError(
            f"{name} was changed meanwhile ({now} is active now, not version {instead_of}): look at it again."
        )
    if version != instead_of:
        _activate(session, name, version)


def _activate(session: Session, name: str, version: int) -> None:
    session.add(ActivationRow(name=name, version=version, time=datetime.now(UTC)))


def _moved(action: Action, by: str, name: str, before: int | None, after: int) -> Change:
    return Change(action=action, by=by, inspector=name, version_before=before, version_after=after)


def _locked_activation(session: Session, name: str) -> ActivationRow | None:
    """The latest activation, which nobody else changes until the transaction ends."""
    # SQLite's transactions are alone anyway. In PostgreSQL the first version stands for the inspector: what was read
    # before the lock may be old.
    session.execute(
        select(InspectorVersionRow.id)
        .where(InspectorVersionRow.name == name)
        .order_by(InspectorVersionRow.id)
        .limit(1)
        .with_for_update()
    )
    return _activation(session, name)


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
