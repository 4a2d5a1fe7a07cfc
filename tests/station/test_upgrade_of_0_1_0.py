"""A history as the code of 0.1.0 wrote it is brought to the tables of now: nothing of it is lost or changed.

`history_of_0_1_0.json` holds the rows of that history as they lay in SQLite, and what 0.1.0 itself said of them.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import fields
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest
from alembic import command
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import JSON, Boolean, MetaData, select, text

from blemish.core.types import Region, Verdict
from blemish.station.database import Database
from blemish.station.home import Home
from blemish.station.keys import KeyStore, Role
from blemish.station.log import InspectionLog
from blemish.station.records import NewFeedback, NewInspection
from blemish.station.shelf import InspectorShelf

OLD = json.loads(Path(__file__).with_name("history_of_0_1_0.json").read_text(encoding="utf-8"))


def write_old(url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Tables as 0.1.0 made them, whose migration has not been touched since, with its rows."""
    upgrade = command.upgrade
    opened = Database(url)
    with monkeypatch.context() as patched:
        patched.setattr(command, "upgrade", lambda config, revision: upgrade(config, "0001"))
        opened.upgrade()
    tables = MetaData()
    tables.reflect(opened.engine)
    with opened.transaction() as session:
        for name in ("inspector_versions", "activations", "inspections", "feedback", "keys"):
            table = tables.tables[name]
            session.execute(table.insert(), [_typed(table, row) for row in OLD["rows"][name]])
            if not opened.is_sqlite and "id" in table.c:
                most = len(OLD["rows"][name])
                session.execute(text(f"SELECT setval(pg_get_serial_sequence('{name}', 'id'), {most})"))
    opened.close()


def _typed(table: Any, row: dict[str, Any]) -> dict[str, Any]:
    """A row of SQLite, where truth is 1 and JSON is text, as any database takes it."""
    kinds = {column.name: column.type for column in table.columns}
    found: dict[str, Any] = {}
    for name, value in row.items():
        if isinstance(kinds[name], Boolean):
            value = bool(value)
        elif isinstance(kinds[name], JSON) and isinstance(value, str):
            value = json.loads(value)
        found[name] = value
    return found


def revision(database: Database) -> str | None:
    with database.engine.connect() as connection:
        return MigrationContext.configure(connection).get_current_revision()


def plain(value: Any) -> Any:
    """A value as 0.1.0 wrote it down."""
    if isinstance(value, datetime):
        return value.isoformat()
    if isinstance(value, Region):
        return [value.x, value.y, value.width, value.height, value.score]
    if isinstance(value, tuple):
        return [plain(one) for one in value]
    return str(value) if isinstance(value, str) else dict(value) if hasattr(value, "items") else value


def test_all_rows_are_what_0_1_0_said_of_them(
    database_url: str,
    inspection: Callable[..., NewInspection],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    write_old(database_url, monkeypatch)
    opened = Database(database_url)
    assert revision(opened) == "0001"
    opened.upgrade()
    assert revision(opened) == ScriptDirectory(str(_migrations())).get_current_head()
    log = InspectionLog(opened)
    records = list(log.records())
    assert len(records) == len(OLD["said"]["inspections"]) == 14
    for record, said in zip(records, OLD["said"]["inspections"], strict=True):
        assert {name: plain(getattr(record, name)) for name in said} == said
        assert record.voided is None and record.repeat_of is None and record.batch is None
    feedback = [one for number in (5, 10) for one in log.feedback(number)]
    assert [{one.name: plain(getattr(said, one.name)) for one in fields(said)} for said in feedback] == OLD[
        "said"
    ]["feedback"]
    shelf = InspectorShelf(Home(tmp_path / "home"), opened)
    assert [one.version for one in shelf.versions("screw")] == [1, 2, 3]
    assert shelf.active("screw").version == 2 and shelf.previous("screw") == 1
    keys = KeyStore(opened).list()
    assert [(one.name, str(one.role), one.revoked is not None) for one in keys] == [
        (one["name"], one["role"], one["revoked"]) for one in OLD["said"]["keys"]
    ]
    assert opened.check_integrity() == []

    # And it goes on from there.
    (number,) = log.add([inspection(99, batch="A 7")])
    assert number == 15 and log.get(15).batch == "A 7"
    log.give_feedback(4, NewFeedback("good"))
    assert log.get(4).truth == "good" and log.get(5).verdict is Verdict.REJECT
    assert KeyStore(opened).create("new", Role.VIEWER)
    opened.close()


def test_a_home_is_backed_up_before_it_is_upgraded(
    blemish: Callable[..., Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    home = Home(tmp_path / "home")
    write_old(home.database_url, monkeypatch)
    made = blemish("backup", "--home", home.path, "--out", tmp_path / "before.zip", "--json")
    assert made.status == 1 and len(made.document["left_out"]) == 3, (
        "the history names inspectors that are gone"
    )
    assert made.document["tables"] == "0001" and made.document["inspections"] == 14
    assert _revision_of(home) == "0001", "a backup changes nothing"
    restored = blemish("restore", tmp_path / "before.zip", "--home", tmp_path / "new")
    assert restored.status == 0, restored.stderr
    assert _revision_of(Home(tmp_path / "new")) == ScriptDirectory(str(_migrations())).get_current_head()


def _revision_of(home: Home) -> str | None:
    opened = Database(home.database_url)
    try:
        with opened.session() as session:
            return session.scalar(select(text("version_num")).select_from(text("alembic_version")))
    finally:
        opened.close()


def _migrations() -> Path:
    import blemish.station.migrations as migrations

    return Path(str(migrations.__file__)).parent
