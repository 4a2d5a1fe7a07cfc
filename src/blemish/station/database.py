"""The database of the history: SQLite by default, PostgreSQL by URL, one code path."""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import unquote

from sqlalchemy import Connection, create_engine, event, text
from sqlalchemy.engine import URL, make_url
from sqlalchemy.exc import ArgumentError, DBAPIError, SQLAlchemyError
from sqlalchemy.orm import Session

from blemish.core.errors import DatabaseError, MissingExtraError, UsageError

_WAIT_SECONDS = 20
_CACHE_KIBIBYTES = 500  # of each connection; the system keeps the file too, for all of them together
_UPGRADE_LOCK = 0x626C656D  # any number, the same in every Blemish


class Database:
    """One database and its connections; may be used by many threads.

    Attributes:
        engine: SQLAlchemy's.
        name: the URL for people, without user, password and options.
    """

    def __init__(self, url: str) -> None:
        """Prepare connections; nothing is opened yet but the folder of a SQLite file is made.

        Args:
            url: `sqlite:////path/to/file.db` or `postgresql://user:password@host/name`; the password as it is, or
                with percent signs as in other URLs.

        Raises:
            UsageError: the URL is not one of these.
            MissingExtraError: PostgreSQL's driver is not installed.
        """
        address = _address(url)
        self.name = _shown(address)
        self.is_sqlite = address.get_backend_name() == "sqlite"
        try:
            self.engine = create_engine(address, **self._options())
        except ModuleNotFoundError as error:
            raise MissingExtraError("A history in PostgreSQL", "postgresql") from error
        except (SQLAlchemyError, TypeError, ValueError) as error:
            raise UsageError(f"{self.name} has an option that is not known: correct the URL.") from error
        if self.is_sqlite:
            try:
                Path(address.database or "").absolute().parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            except OSError as error:
                reason = (error.strerror or str(error)).lower()
                raise DatabaseError(f"{self.name} cannot be made ({reason}): name another folder.") from error
            event.listen(self.engine, "connect", _prepare_sqlite)
            event.listen(self.engine, "begin", _begin_sqlite)

    def _options(self) -> dict[str, Any]:
        if self.is_sqlite:
            return {"connect_args": {"timeout": _WAIT_SECONDS}, "pool_timeout": _WAIT_SECONDS}
        return {
            "connect_args": {"timeout": _WAIT_SECONDS},
            "pool_timeout": _WAIT_SECONDS,
            "pool_pre_ping": True,
            # Reads need no lock and no snapshot; two steps that belong together are in one write transaction.
            "isolation_level": "READ COMMITTED",
        }

    @contextmanager
    def session(self) -> Iterator[Session]:
        """A session for reading; what it changes is not kept.

        Raises:
            DatabaseError: the database cannot be reached or read.
        """
        with self._said_plainly(), Session(self.engine) as session:
            yield session

    @contextmanager
    def transaction(self) -> Iterator[Session]:
        """A session for writing: all of it is on disk when the context ends, or none.

        Raises:
            DatabaseError: the database cannot be reached or written.
        """
        # SQLite locks at once: a transaction that reads first could not always become a writer.
        writer = self.engine.execution_options(blemish_write=True)
        with self._said_plainly(), Session(writer, expire_on_commit=False) as session, session.begin():
            yield session

    def upgrade(self) -> None:
        """Bring the tables to this version of Blemish; two processes may do so at once.

        Raises:
            DatabaseError: the database was written by a newer Blemish, or cannot be reached.
        """
        from alembic import command
        from alembic.config import Config
        from alembic.migration import MigrationContext
        from alembic.script import ScriptDirectory

        config = Config()
        config.set_main_option("script_location", "blemish.station:migrations")
        known = {script.revision for script in ScriptDirectory.from_config(config).walk_revisions()}
        writer = self.engine.execution_options(blemish_write=True)
        with self._said_plainly(), writer.connect() as connection, self._rebuilding(connection):
            if not self.is_sqlite:
                connection.execute(text(f"SELECT pg_advisory_xact_lock({_UPGRADE_LOCK})"))
            revision = MigrationContext.configure(connection).get_current_revision()
            if revision is not None and revision not in known:
                raise DatabaseError(
                    f"{self.name} was written by a newer Blemish (its tables are of version {revision[:40]}): "
                    "update with pip install --upgrade blemish."
                )
            config.attributes["connection"] = connection
            command.upgrade(config, "head")
            changed = MigrationContext.configure(connection).get_current_revision() != revision
            if changed and self.is_sqlite:
                broken = connection.execute(text("PRAGMA foreign_key_check")).first()
                if broken is not None:
                    raise DatabaseError(
                        f"{self.name} cannot be brought to this version: a row of {broken[0]} refers to none of "
                        f"{broken[2]}; restore it from a copy."
                    )

    @contextmanager
    def _rebuilding(self, connection: Connection) -> Iterator[None]:
        """A transaction in which SQLite lets a table be built anew that others refer to.

        SQLite changes little of a table in its place: migrations write it anew, and drop the one before.
        """
        if not self.is_sqlite:
            with connection.begin():
                yield
            return
        driver = connection.connection.dbapi_connection
        assert driver is not None
        driver.execute("PRAGMA foreign_keys = OFF")  # before it begins: else it does nothing
        try:
            with connection.begin():
                yield
        finally:
            driver.execute("PRAGMA foreign_keys = ON")

    def check_integrity(self) -> list[str]:
        """What is wrong inside the database, a sentence each; empty if it is sound.

        Raises:
            DatabaseError: the database cannot be reached or read at all.
        """
        found: list[str] = []
        with self.session() as session:
            if self.is_sqlite:
                answers = [str(row[0]) for row in session.execute(text("PRAGMA integrity_check"))]
                found += [f"{self.name}: {answer}." for answer in answers if answer != "ok"]
            for what, query in _MUST_BE_NONE.items():
                if count := session.execute(text(query)).scalar_one():
                    found.append(f"{self.name}: {count} {what}.")
        return found

    def bytes_used(self) -> int:
        """Bytes that it takes on its disk, with what has still to be written to its place.

        Raises:
            DatabaseError: the database cannot be reached.
        """
        if not self.is_sqlite:
            with self.session() as session:
                return int(session.execute(text("SELECT pg_database_size(current_database())")).scalar_one())
        files = (Path(f"{self.engine.url.database}{end}") for end in ("", "-wal", "-shm"))
        return sum(path.stat().st_size for path in files if path.is_file())

    def close(self) -> None:
        """Close all connections."""
        self.engine.dispose()

    @contextmanager
    def _said_plainly(self) -> Iterator[None]:
        """One sentence for what the database says; its own text may hold statements and values."""
        try:
            yield
        except DBAPIError as error:
            raise DatabaseError(f"{self.name} cannot be used: {_reason(error.orig)}.") from error
        except SQLAlchemyError as error:
            raise DatabaseError(
                f"{self.name} cannot be used: {str(error).splitlines()[0].split('(Background')[0].strip(' .')}."
            ) from error
        except (OSError, sqlite3.Error) as error:
            raise DatabaseError(f"{self.name} cannot be used: {_reason(error)}.") from error


_MUST_BE_NONE = {
    "feedbacks belong to no inspection": "SELECT count(*) FROM feedback LEFT JOIN inspections "
    "ON inspections.id = feedback.inspection_id WHERE inspections.id IS NULL",
    "inspections do not show their latest feedback": "SELECT count(*) FROM feedback JOIN inspections "
    "ON inspections.id = feedback.inspection_id WHERE feedback.id = (SELECT max(latest.id) "
    "FROM feedback AS latest WHERE latest.inspection_id = inspections.id) "
    "AND (inspections.truth IS NULL OR inspections.truth <> feedback.truth)",
    "activations name a version that is not there": "SELECT count(*) FROM activations LEFT JOIN inspector_versions "
    "ON inspector_versions.name = activations.name AND inspector_versions.version = activations.version "
    "WHERE inspector_versions.id IS NULL",
}


def _address(url: str) -> URL:
    try:
        address = _parsed(url)
    except (ArgumentError, ValueError) as error:
        raise UsageError(
            "The database's URL cannot be read: write sqlite:////path/to/file.db or postgresql://user@host/name."
        ) from error
    kind = address.get_backend_name()
    if kind in ("postgresql", "postgres"):
        return address.set(drivername="postgresql+pg8000")
    if kind != "sqlite":
        raise UsageError(f"A database of kind {kind[:40]!a} is not supported: use sqlite or postgresql.")
    if address.database in (None, "", ":memory:"):
        raise UsageError("A history in memory would be lost: name a file, like sqlite:////path/to/file.db.")
    if address.query:
        raise UsageError(
            "The URL of a SQLite file takes no options: leave out what follows the question mark, or write %3F for one "
            "that belongs to the name."
        )
    return address


def _parsed(url: str) -> URL:
    """A URL's parts: a file's name need not be UTF-8, a password may hold anything, the last @ ends it."""
    scheme, separator, rest = url.partition("://")
    if scheme.startswith("sqlite"):
        # SQLAlchemy's versions differ in whether they undo percent signs here.
        name = unquote(rest.partition("?")[0][1:], errors="surrogateescape")
        return URL.create(scheme, database=name or None, query=make_url(url).query)
    who, at, where = rest.rpartition("@")
    if not at:
        return make_url(url)
    user, colon, password = who.partition(":")
    address = make_url(scheme + separator + where)
    return address.set(username=unquote(user), password=unquote(password) if colon else None)


def _shown(address: URL) -> str:
    """The URL without what is nobody's business: user, password, options."""
    if address.get_backend_name() == "sqlite":
        return "".join(one if one.isprintable() else ascii(one)[1:-1] for one in str(address.database))
    port = f":{address.port}" if address.port else ""
    return f"postgresql://{address.host or 'localhost'}{port}/{address.database or ''}"


def _reason(error: object) -> str:
    """A driver's error in a few words."""
    argument = error.args[0] if isinstance(error, Exception) and error.args else error
    said = str(argument.get("M", "it answers with an error") if isinstance(argument, dict) else argument)
    said = said.splitlines()[0].strip(" .")[:200] if said.strip() else type(error).__name__
    ways_out = {
        "disk is full": "free some space",
        "locked": "another program holds it; end that one",
        "malformed": "it is damaged; restore it from a copy",
        "not a database": "name another file",
        "unable to open": "check that the folder can be written",
        "readonly": "check that the folder can be written",
        "connection": "check that the server runs and the URL is right",
        "password": "check user and password in the URL",
    }
    way_out = next((way for word, way in ways_out.items() if word in said.lower()), "")
    return f"{said} ({way_out})" if way_out else said


def _prepare_sqlite(connection: Any, record: object) -> None:
    """Settings of each new connection: durable, and patient with other processes."""
    connection.isolation_level = None  # transactions are begun by `_begin_sqlite` alone
    connection.execute(f"PRAGMA busy_timeout = {_WAIT_SECONDS * 1000}")
    last_try = time.monotonic() + _WAIT_SECONDS
    while True:
        try:
            # Does not wait by itself while another process makes the very same change.
            connection.execute("PRAGMA journal_mode = WAL")
            break
        except sqlite3.OperationalError as error:
            if "locked" not in str(error) or time.monotonic() > last_try:
                raise
            time.sleep(0.05)
    connection.execute(f"PRAGMA cache_size = -{_CACHE_KIBIBYTES}")
    connection.execute("PRAGMA synchronous = FULL")
    connection.execute("PRAGMA foreign_keys = ON")


def _begin_sqlite(connection: Connection) -> None:
    writes = connection.get_execution_options().get("blemish_write", False)
    connection.exec_driver_sql("BEGIN IMMEDIATE" if writes else "BEGIN")
