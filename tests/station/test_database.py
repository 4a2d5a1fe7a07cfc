"""The database: migrations, what is refused, and that no password is ever shown."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.migration import MigrationContext
from sqlalchemy import inspect, select, text

from blemish.core.errors import DatabaseError, UsageError
from blemish.station.database import Database
from blemish.station.home import Home, default_home
from blemish.station.log import InspectionLog, conditions
from blemish.station.records import InspectionFilter, NewFeedback, NewInspection
from blemish.station.schema import INSPECTIONS, Base

SEARCH = "ix_inspections_search"
UPGRADE = "import sys; from blemish.station.database import Database; Database(sys.argv[1]).upgrade()"


def test_migrations_make_the_tables_of_the_schema(database: Database) -> None:
    def of_the_schema(thing: object, name: str | None, *_: object) -> bool:
        return name != SEARCH

    with database.engine.connect() as connection:
        context = MigrationContext.configure(connection, opts={"include_object": of_the_schema})
        assert compare_metadata(context, Base.metadata) == []
        indexes = {index["name"] for index in inspect(connection).get_indexes("inspections")}
        postgresql = connection.dialect.name == "postgresql"
    more = {SEARCH} if postgresql else set()
    assert indexes == {index.name for index in Base.metadata.tables["inspections"].indexes} | more


def test_a_search_in_vain_asks_the_index_of_postgresql(
    database: Database, log: InspectionLog, inspection: Callable[..., NewInspection]
) -> None:
    if database.engine.dialect.name != "postgresql":
        pytest.skip("SQLite looks at one row after the other")
    log.add(
        [inspection(file_name=f"Plate-{number}.png", serial_number=f"SN-{number}") for number in range(300)]
    )
    for search, found in (("late-7.P", 1), ("sn-12", 11), ("no such", 0), ("100%", 0)):
        assert len(log.page(InspectionFilter(search=search)).records) == found
    query = select(INSPECTIONS.c.id).where(*conditions(InspectionFilter(search="no such")))
    with database.engine.connect() as connection:
        connection.execute(text("SET enable_seqscan = off"))
        connection.execute(text("SET enable_indexscan = off"))
        compiled = query.compile(dialect=connection.dialect, compile_kwargs={"literal_binds": True})
        plan = connection.exec_driver_sql(f"EXPLAIN {compiled}").fetchall()
    assert any(SEARCH in str(line) for line in plan), plan


def test_what_was_logged_before_a_column_came_has_none_of_it(
    database_url: str, inspection: Callable[..., NewInspection]
) -> None:
    config = Config()
    config.set_main_option("script_location", "blemish.station:migrations")
    opened = Database(database_url)
    older = opened.engine.execution_options(blemish_write=True)
    with older.connect() as connection, connection.begin():
        config.attributes["connection"] = connection
        command.upgrade(config, "0001")
    row = vars(inspection()) | {"note": ""}
    table = Base.metadata.tables["inspections"]
    with opened.transaction() as session:
        columns = {one["name"] for one in inspect(session.connection()).get_columns("inspections")}
        values = {table.c[name]: value for name, value in row.items() if name in columns}
        session.execute(table.insert().inline().values(values))
    opened.upgrade()
    (record,) = InspectionLog(opened).page().records
    assert record.mask_probability is None and record.score == inspection().score
    opened.close()


def test_upgrading_again_changes_nothing(
    database: Database, log: InspectionLog, inspection: Callable[..., NewInspection]
) -> None:
    (number,) = log.add([inspection()])
    database.upgrade()
    assert log.get(number).file_name == inspection().file_name


def test_two_processes_may_upgrade_an_empty_database_at_once(database_url: str) -> None:
    running = [
        subprocess.Popen([sys.executable, "-c", UPGRADE, database_url], stderr=subprocess.PIPE, text=True)
        for _ in range(4)
    ]
    assert [process.communicate(timeout=60)[1] for process in running] == [""] * 4
    opened = Database(database_url)
    opened.upgrade()
    assert opened.check_integrity() == []
    opened.close()


def test_a_database_of_a_newer_blemish_is_refused_and_left_alone(database_url: str) -> None:
    opened = Database(database_url)
    opened.upgrade()
    with opened.transaction() as session:
        session.execute(text("UPDATE alembic_version SET version_num = '9876'"))
    with pytest.raises(
        DatabaseError, match=r"written by a newer Blemish .*9876.*pip install --upgrade blemish"
    ):
        opened.upgrade()
    with opened.session() as session:
        assert session.execute(text("SELECT version_num FROM alembic_version")).scalar_one() == "9876"
    opened.close()


@pytest.mark.parametrize(
    "url",
    [
        "",
        "nonsense",
        "mysql://u:secret@host/db",
        "sqlite://",
        "sqlite:///:memory:",
        "postgresql://u:secret@host:x/db",
        "sqlite:////tmp/x.db?nonsense=secret",
    ],
)
def test_urls_that_cannot_be_used_are_refused_without_their_password(url: str) -> None:
    with pytest.raises((UsageError, DatabaseError)) as refused:
        Database(url).upgrade()
    assert "secret" not in str(refused.value)
    assert str(refused.value).count("\n") == 0


def test_a_server_that_does_not_answer_is_one_sentence_without_the_password() -> None:
    pytest.importorskip("pg8000")
    with pytest.raises(DatabaseError, match=r"postgresql://127\.0\.0\.1:1/db cannot be used") as refused:
        Database("postgresql://user:secret@127.0.0.1:1/db?application_name=secret").upgrade()
    assert "secret" not in str(refused.value)


def test_a_wrong_database_of_postgresql_is_one_sentence(postgresql_server: str) -> None:
    url = postgresql_server.rsplit("/", 1)[0] + "/absent"
    with pytest.raises(DatabaseError, match='database "absent" does not exist'):
        Database(url).upgrade()


def test_what_is_no_database_is_said(tmp_path: Path) -> None:
    path = tmp_path / "blemish.db"
    path.write_bytes(b"This is not a database, but a letter." * 100)
    with pytest.raises(
        DatabaseError, match=r"blemish.db cannot be used: file is not a database \(name another file\)"
    ):
        Database(f"sqlite:///{path}").upgrade()


def test_damage_is_found(tmp_path: Path, inspection: Callable[..., NewInspection]) -> None:
    path = tmp_path / "blemish.db"
    opened = Database(f"sqlite:///{path}")
    opened.upgrade()
    InspectionLog(opened).add([inspection(number) for number in range(500)])
    opened.close()
    content = bytearray(path.read_bytes())
    for place in range(len(content) // 2, len(content), 4096):
        content[place : place + 64] = bytes(64)
    path.write_bytes(content)
    damaged = Database(f"sqlite:///{path}")
    try:
        assert damaged.check_integrity()
    except DatabaseError as error:
        assert "blemish.db" in str(error)
    damaged.close()


def test_rows_that_contradict_each_other_are_found(
    tmp_path: Path, inspection: Callable[..., NewInspection]
) -> None:
    opened = Database(f"sqlite:///{tmp_path / 'blemish.db'}")
    opened.upgrade()
    log = InspectionLog(opened)
    (number,) = log.add([inspection()])
    log.give_feedback(number, NewFeedback("bad"))
    with opened.transaction() as session:
        session.execute(text("UPDATE inspections SET truth = 'good'"))
        session.execute(text("INSERT INTO activations (name, version, time) VALUES ('x', 1, 0)"))
    found = " ".join(opened.check_integrity())
    assert "1 inspections do not show their latest feedback" in found
    assert "1 activations name a version that is not there" in found
    opened.close()


def test_sqlite_is_durable_and_holds_its_references(tmp_path: Path) -> None:
    opened = Database(f"sqlite:///{tmp_path / 'new' / 'folder' / 'blemish.db'}")
    opened.upgrade()
    with opened.session() as session:
        said = {
            name: session.execute(text(f"PRAGMA {name}")).scalar_one()
            for name in ("journal_mode", "synchronous", "foreign_keys")
        }
    assert said == {"journal_mode": "wal", "synchronous": 2, "foreign_keys": 1}
    opened.close()


def test_reading_keeps_nothing(
    database: Database, log: InspectionLog, inspection: Callable[..., NewInspection]
) -> None:
    log.add([inspection()])
    with database.session() as session:
        session.execute(text("DELETE FROM inspections"))
    assert len(log.page().records) == 1


def test_the_home_is_made_for_its_owner_alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    home = Home(tmp_path / "a" / "b")
    for folder in (home.path, home.inspectors, home.images, home.gallery, home.jobs):
        assert folder.is_dir()
        assert folder.stat().st_mode & 0o777 == 0o700
    assert home.database_url == f"sqlite:///{tmp_path}/a/b/blemish.db"
    Home(tmp_path / "a" / "b")
    monkeypatch.setenv("BLEMISH_HOME", str(tmp_path / "c"))
    assert default_home() == tmp_path / "c"
    assert Home().path == tmp_path / "c"
    (tmp_path / "file").touch()
    with pytest.raises(UsageError, match="cannot be the home of a station"):
        Home(tmp_path / "file")
