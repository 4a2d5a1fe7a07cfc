"""API keys and roles. A token is shown once; only its SHA-256 is stored."""

from __future__ import annotations

import hashlib
import secrets
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from enum import StrEnum

from sqlalchemy import ColumnElement, select, update

from blemish.core.errors import ConflictError, DatabaseError, NotFoundError, UsageError
from blemish.station.audit import Action, Change, note_change
from blemish.station.database import Database
from blemish.station.records import check_name
from blemish.station.schema import KeyRow

_TOKEN_START = "blemish_"  # lets secret scanners recognise a leaked key
_TOKEN_BYTES = 32
_MOST_CHARACTERS = 200
_USE_NOTED_EVERY = timedelta(minutes=1)


class Role(StrEnum):
    """What a key may do; each role may do all that those before it may."""

    VIEWER = "viewer"
    OPERATOR = "operator"
    ADMIN = "admin"

    def allows(self, needed: Role) -> bool:
        """Whether a key of this role may do what needs the other one."""
        order = list(Role)
        return order.index(self) >= order.index(needed)


@dataclass(frozen=True)
class Key:
    """What is known of an API key; times are in UTC, None where it never happened."""

    name: str
    role: Role
    created: datetime
    last_used: datetime | None = None
    revoked: datetime | None = None


class KeyStore:
    """The keys of a station."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def create(self, name: str, role: Role | str, by: str = "local") -> str:
        """Make a key and return its token, which can never be shown again.

        Raises:
            UsageError: there is, or was, a key of this name, or name or role are not possible.
        """
        check_name(name, "A key")
        if role not in list(Role):
            raise UsageError(f"There is no role {str(role)[:40]!a}: choose viewer, operator or admin.")
        token = _TOKEN_START + secrets.token_urlsafe(_TOKEN_BYTES)
        with self._database.transaction() as session:
            if session.get(KeyRow, name) is not None:
                raise UsageError(f"There is, or was, a key named {name}: choose another name.")
            session.add(KeyRow(name=name, role=str(role), digest=_digest(token), created=datetime.now(UTC)))
            detail = {"key": name, "role": str(role)}
            note_change(session, Change(action=Action.CREATE_KEY, by=by, detail=detail))
        return token

    def find(self, token: str) -> Key | None:
        """The key of a token; None if it is unknown or revoked.

        The token is looked up by its digest, so the time that this takes says nothing of any other token.
        """
        if len(token) > _MOST_CHARACTERS:
            return None
        return self._used(KeyRow.digest == _digest(token))

    def named(self, name: str) -> Key | None:
        """The key of this name, which is used by somebody who has shown it before; None if it opens nothing any more.

        A name is never given to a second key, so it means the same one for ever.
        """
        return self._used(KeyRow.name == name)

    def _used(self, which: ColumnElement[bool]) -> Key | None:
        """A key that opens something; that it is used is noted once a minute."""
        with self._database.session() as session:
            row = session.scalar(select(KeyRow).where(which))
            if row is None or row.revoked is not None:
                return None
            key = _key(row)
        now = datetime.now(UTC)
        if key.last_used is None or now - key.last_used > _USE_NOTED_EVERY:
            with (
                suppress(DatabaseError),
                self._database.transaction() as session,
            ):  # a full disk locks nobody out
                session.execute(update(KeyRow).where(KeyRow.name == key.name).values(last_used=now))
        return key

    def revoke(self, name: str, by: str = "local", last_admin: bool = True) -> None:
        """Make a key worthless from now on.

        Args:
            name: of the key.
            by: who does so.
            last_admin: also if it is the last one of an admin, so that only this machine's command line makes others.

        Raises:
            NotFoundError: there is no key of this name.
            ConflictError: it is the last one of an admin, and that was not asked for.
        """
        with self._database.transaction() as session:
            # Locked: two admins who revoke each other at once do not both succeed.
            admins = session.scalars(
                select(KeyRow.name)
                .where(KeyRow.role == str(Role.ADMIN), KeyRow.revoked.is_(None))
                .with_for_update()
            ).all()
            row = session.get(KeyRow, name)
            if row is None:
                raise NotFoundError(f"There is no key named {name[:80]!a}: blemish key list shows them.")
            if admins == [name] and not last_admin:
                raise ConflictError(
                    f"{name} is the last key of an admin, without which keys are made on the server's own command line "
                    "alone: make another admin first, or say that it may be the last."
                )
            if row.revoked is None:
                row.revoked = datetime.now(UTC)
                note_change(session, Change(action=Action.REVOKE_KEY, by=by, detail={"key": name}))

    def list(self) -> list[Key]:
        """All keys, revoked ones too, by name."""
        with self._database.session() as session:
            return [_key(row) for row in session.scalars(select(KeyRow).order_by(KeyRow.name))]

    def any(self) -> bool:
        """Whether there is a key that opens anything."""
        with self._database.session() as session:
            return session.scalar(select(KeyRow.name).where(KeyRow.revoked.is_(None)).limit(1)) is not None


def _digest(token: str) -> str:
    # A token has 256 random bits: no slow hash is needed, as it would be for a password.
    return hashlib.sha256(token.encode("utf-8", "replace")).hexdigest()


def _key(row: KeyRow) -> Key:
    return Key(row.name, Role(row.role), row.created, row.last_used, row.revoked)
