"""A home whose name means something in a URL or a configuration is that very folder; a password may hold anything."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from blemish.server.service import Service
from blemish.server.settings import ServerSettings
from blemish.station.database import Database
from blemish.station.keys import Role

NAMES = [
    "q?a",
    "a%20b",
    "%(here)s",
    "#1",
    "zwei Wörter",
    "@host:1",
    "file:x?mode=memory",
    os.fsdecode(b"caf\xe9"),
]


@pytest.mark.parametrize("name", NAMES, ids=ascii)
def test_a_home_with_an_odd_name_is_that_very_folder(name: str, tmp_path: Path) -> None:
    service = Service(ServerSettings(home=tmp_path / name, page=False))
    token = service.keys.create("anna", Role.ADMIN)
    service.stop()
    assert [path.name for path in tmp_path.iterdir()] == [name]
    assert (tmp_path / name / "blemish.db").stat().st_size
    again = Service(ServerSettings(home=tmp_path / name, page=False))
    found = again.keys.find(token)
    again.stop()
    assert found is not None and found.name == "anna"
    assert again.database.name.isprintable()


@pytest.mark.parametrize(
    ("written", "user", "password", "host", "name"),
    [
        ("postgresql://anna:secret@db:5433/log", "anna", "secret", "db", "log"),
        ("postgresql://anna:p@ss:w/o?rd#%@db/log", "anna", "p@ss:w/o?rd#%", "db", "log"),
        ("postgresql://anna:p%40ss%25@db/log", "anna", "p@ss%", "db", "log"),
        ("postgresql://anna@[::1]/log?application_name=x", "anna", None, "::1", "log"),
        ("postgresql://db/log", None, None, "db", "log"),
    ],
)
def test_a_password_may_hold_what_means_something_in_a_url(
    written: str, user: str | None, password: str | None, host: str, name: str
) -> None:
    pytest.importorskip("pg8000")
    opened = Database(written)
    address = opened.engine.url
    assert (address.username, address.password, address.host, address.database) == (
        user,
        password,
        host,
        name,
    )
    assert password is None or password not in opened.name
    opened.close()
