"""A database of each kind: SQLite always, PostgreSQL where Debian's binaries or a URL are there."""

from __future__ import annotations

import os
import secrets
import shutil
import socket
import subprocess
import tempfile
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("sqlalchemy")
pytest.importorskip("alembic")

from sqlalchemy import create_engine, text
from sqlalchemy.engine import make_url

from blemish.core.types import Region, Verdict
from blemish.station.database import Database
from blemish.station.log import InspectionLog
from blemish.station.records import NewInspection
from blemish.station.schema import Base

NOON = datetime(2026, 5, 4, 12, tzinfo=UTC)


@pytest.fixture(scope="session")
def postgresql_server() -> Iterator[str]:
    """URL of a running PostgreSQL: `BLEMISH_TEST_POSTGRESQL`, or one that is started here and removed afterwards."""
    pytest.importorskip("pg8000", reason="pg8000 is not installed: pip install -e '.[postgresql]'")
    if given := os.environ.get("BLEMISH_TEST_POSTGRESQL"):
        yield given
        return
    folders = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"))
    if not folders:
        pytest.skip("PostgreSQL is not installed: apt-get install postgresql, or set BLEMISH_TEST_POSTGRESQL")
    programs = folders[-1].parent
    # It refuses to run as root.
    as_user = ["runuser", "-u", "postgres", "--"] if os.geteuid() == 0 else []
    folder = Path(tempfile.mkdtemp(prefix="blemish-postgresql-"))
    if as_user:
        shutil.chown(folder, "postgres")
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]

    def run(*arguments: object) -> None:
        command = [*as_user, *map(str, arguments)]
        done = subprocess.run(
            command, cwd=folder, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=60
        )
        assert done.returncode == 0, done.stderr + done.stdout

    data = folder / "data"
    options = f"-p {port} -k {folder} -c listen_addresses=127.0.0.1 -c fsync=off -c max_connections=60"
    try:
        run(programs / "initdb", "-D", data, "-U", "blemish", "-A", "trust", "-E", "UTF8", "--no-sync")
        run(programs / "pg_ctl", "-D", data, "-l", folder / "log.txt", "-w", "-o", options, "start")
        try:
            yield f"postgresql://blemish@127.0.0.1:{port}/postgres"
        finally:
            run(programs / "pg_ctl", "-D", data, "-m", "immediate", "-w", "stop")
    finally:
        shutil.rmtree(folder, ignore_errors=True)


class DatabaseMaker:
    """Makes databases of one kind: new ones without tables, and empty ones with all tables."""

    def __init__(self, server: str | None, folder: Path) -> None:
        self._folder = folder
        self._server = make_url(server).set(drivername="postgresql+pg8000") if server else None
        self._names: list[str] = []
        if self._server:
            self._engine = create_engine(self._server, isolation_level="AUTOCOMMIT")
        self._template = self.make()
        opened = Database(self._template)
        opened.upgrade()
        opened.close()

    def with_tables(self) -> str:
        """URL of a database with all tables and nothing in them."""
        if self._server is None:
            path = self._folder / f"{secrets.token_hex(6)}.db"
            shutil.copy(str(make_url(self._template).database), path)
            return f"sqlite:///{path}"
        # A copy for each test would take PostgreSQL longer than most tests do.
        opened = Database(self._template)
        with opened.transaction() as session:
            session.execute(text(f"TRUNCATE {', '.join(Base.metadata.tables)} RESTART IDENTITY"))
        opened.close()
        return self._template

    def make(self) -> str:
        """URL of a new database."""
        name = f"blemish_test_{secrets.token_hex(6)}"
        self._names.append(name)
        if self._server is None:
            return f"sqlite:///{self._folder / name}.db"
        self._run(f"CREATE DATABASE {name}")
        url = self._server.set(database=name, drivername="postgresql")
        return url.render_as_string(hide_password=False)

    def close(self) -> None:
        if self._server:
            # A server that was started for the tests is removed as a whole.
            for name in self._names if os.environ.get("BLEMISH_TEST_POSTGRESQL") else ():
                self._run(f"DROP DATABASE {name} WITH (FORCE)")
            self._engine.dispose()

    def _run(self, statement: str) -> None:
        with self._engine.connect() as connection:
            connection.execute(text(statement))


@pytest.fixture(scope="session", params=["sqlite", "postgresql"])
def databases(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[DatabaseMaker]:
    server = request.getfixturevalue("postgresql_server") if request.param == "postgresql" else None
    maker = DatabaseMaker(server, tmp_path_factory.mktemp("databases"))
    yield maker
    maker.close()


@pytest.fixture
def database_url(databases: DatabaseMaker) -> str:
    """URL of an empty database."""
    return databases.make()


@pytest.fixture
def database(databases: DatabaseMaker) -> Iterator[Database]:
    """A database with all tables."""
    opened = Database(databases.with_tables())
    yield opened
    assert opened.check_integrity() == []
    opened.close()


@pytest.fixture
def log(database: Database) -> InspectionLog:
    return InspectionLog(database)


def make_inspection(number: int = 0, **changes: Any) -> NewInspection:
    """An inspection that differs by its number; every third part is rejected."""
    fields: dict[str, Any] = {
        "time": NOON + timedelta(seconds=number),
        "inspector": "screw",
        "version": 3,
        "verdict": Verdict.REJECT if number % 3 == 2 else Verdict.PASS,
        "score": 1.1 + number / 7,
        "threshold": 2.3,
        "p_value": 1 / 321,
        "percentile": 99.6875,
        "regions": (Region(1, 2, 30, 40, 5.25), Region(0, 0, 7, 8, 1 / 3)),
        "width": 1024,
        "height": 768,
        "image_digest": sha256(str(number).encode()).hexdigest(),
        "image_suffix": ".png",
        "file_name": f"{number:06d}.png",
        "milliseconds": {"decode": 1.5, "network": 20.25},
        "by": "line 4",
        "parts": {"patchcore": 0.01},
        "gives_map": True,
    }
    return NewInspection(**(fields | changes))


@pytest.fixture
def inspection() -> Callable[..., NewInspection]:
    """Makes inspections: `inspection(number, field=...)`."""
    return make_inspection
