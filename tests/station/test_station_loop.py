"""The station as a user runs it: folders in, verdicts out, each photograph once."""

from __future__ import annotations

import json
import shutil
import signal
import sqlite3
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx
import pytest
from signal_makers import free_port
from station_process import Line, wait_until

from blemish.core.errors import UsageError
from blemish.station import database as database_module
from blemish.station.database import Database
from blemish.station.running_station import RunningStation
from blemish.station.shelf import InspectorShelf
from blemish.station.station_settings import parsed_settings, read_settings
from blemish.station.taken_photographs import TakenPhotographs


@pytest.fixture
def line(tmp_path: Path, fitted: Path) -> Line:
    return Line(tmp_path, fitted)


def lay(line: Line, washers: Path, count: int, start: int = 0) -> list[str]:
    """Copy photographs of washers, good and bad, into the incoming folder."""
    photographs = sorted((washers / "test").rglob("*.png"))
    names = [f"{number:04d}.png" for number in range(start, start + count)]
    for number, name in enumerate(names):
        shutil.copy(photographs[number % len(photographs)], line.incoming / name)
    return names


def test_each_photograph_is_judged_and_told_once(
    line: Line, washers: Path, blemish: Callable[..., Any]
) -> None:
    names = lay(line, washers, 6)
    (line.incoming / "broken.png").write_bytes(b"\x89PNG\r\n\x1a\nno more")
    first = blemish("station", line.config, "--once", "--json")
    assert first.status == 0, first.stderr
    assert sum(first.document["status"]["verdicts"].values()) == 6
    assert line.judged() == dict.fromkeys(names, 1)
    told = line.signals
    assert [one["inspection"] for one in told] == list(range(1, 7))
    assert {one["file_name"]: one["verdict"] for one in told} == dict(
        line.query("SELECT file_name, verdict FROM inspections")
    )
    lay(line, washers, 1, start=6)
    again = blemish("station", line.config, "--once", "--json")
    assert sum(again.document["status"]["verdicts"].values()) == 1
    assert len(line.judged()) == len(line.signals) == 7
    assert line.query("SELECT count(*) FROM outbox") == [(0,)]


def test_a_change_of_version_is_followed_and_sigterm_finishes(
    line: Line, washers: Path, fitted: Path, blemish: Callable[..., Any]
) -> None:
    with line.running() as process:
        names = lay(line, washers, 3)
        wait_until(lambda: len(line.signals) == 3)
        database = Database(line.home.database_url)
        shelf = InspectorShelf(line.home, database)
        changed = line.folder / "changed.blemish"
        assert blemish("decide", fitted, "--out", changed, "--false-reject-rate", 0.2).status == 0
        version = shelf.add(changed, "washer")
        shelf.activate("washer", version.version)
        database.close()
        wait_until(lambda: line.status["version"] == version.version, 10)
        names += lay(line, washers, 20, start=3)
        wait_until(lambda: len(line.signals) > 3)
        process.send_signal(signal.SIGTERM)
        assert process.wait(60) == 0
    assert line.status["state"] == "stopped"
    judged = line.judged()
    assert set(judged.values()) == {1}
    assert set(judged) <= set(names)
    assert {one["inspection"] for one in line.signals} == {
        number for (number,) in line.query("SELECT id FROM inspections")
    }
    versions = dict(line.query("SELECT file_name, version FROM inspections"))
    assert versions["0000.png"] == 1 and versions["0003.png"] == version.version


def test_a_locked_database_is_said_and_waited_for(
    line: Line, washers: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(database_module, "_WAIT_SECONDS", 0.2)  # else SQLite is patient for 20 seconds
    caplog.set_level("INFO", "blemish.station")
    database = Database(line.home.database_url)
    database.upgrade()
    station = RunningStation(read_settings(line.config), line.home, database)
    station.start()
    try:
        locking = sqlite3.connect(line.folder / "home" / "blemish.db", isolation_level=None)
        locking.execute("BEGIN EXCLUSIVE")
        names = lay(line, washers, 6)
        wait_until(lambda: [one.what for one in station.troubles.now()] == ["database"])
        locking.execute("ROLLBACK")
        locking.close()
        wait_until(lambda: station.counts.total == 6)
        wait_until(lambda: not station.troubles.now())
    finally:
        station.stop()
        database.close()
    assert line.judged() == dict.fromkeys(names, 1)
    said = [one for one in caplog.records if "logged" in one.getMessage() or "database" in one.getMessage()]
    assert [one.levelname for one in said] == ["WARNING", "INFO"]


def test_a_photograph_that_fails_for_itself_alone_holds_up_nobody(
    line: Line, washers: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    within = TakenPhotographs.within_commit

    def fails(self: Any, session: Any, tasks: Any, records: Any) -> None:
        if any(task.photograph.file_name == "0003.png" for task in tasks):
            raise RuntimeError("nobody has thought of it")
        within(self, session, tasks, records)

    monkeypatch.setattr(TakenPhotographs, "within_commit", fails)
    caplog.set_level("INFO", "blemish.station")
    names = lay(line, washers, 8)
    names.remove("0003.png")
    database = Database(line.home.database_url)
    database.upgrade()
    station = RunningStation(read_settings(line.config), line.home, database)
    station.start()
    try:
        wait_until(lambda: station.counts.total == 7 and station.counts.document()["refused"] == 1)
        wait_until(lambda: not station.troubles.now())
    finally:
        station.stop()
        database.close()
    assert line.judged() == dict.fromkeys(names, 1)
    assert len([one for one in caplog.messages if "'0003.png' cannot be judged" in one]) == 1
    assert line.query("SELECT count(*) FROM taken WHERE inspection_id IS NULL") == [(1,)]


def test_two_stations_of_one_name_do_not_run_at_once(line: Line, blemish: Callable[..., Any]) -> None:
    with line.running():
        second = blemish("station", line.config, "--once")
    assert second.status == 1
    assert "The station line-1 runs already" in second.stderr


BASE = """[station]
inspector = "washer"

[[source]]
kind = "folder"
name = "a"
path = "in"
"""


@pytest.mark.parametrize(
    ("text", "line_number", "said"),
    [
        (BASE + "speed = 3\n", 8, "not known"),
        (BASE.replace('path = "in"\n', ""), 4, "missing"),
        (BASE.replace('kind = "folder"\n', ""), 4, '"folder", "video"'),
        (BASE.replace('"folder"', '"scanner"'), 5, "'scanner' is no kind of it"),
        (BASE + "interval = -1\n", 8, "greater than or equal"),
        (BASE + BASE[BASE.index("[[source]]") :], None, "two sources are named a"),
        (BASE + '\n[[sink]]\nkind = "json-lines"\nname = "x"\nfile = "x"\nmegabytes = "many"\n', 13, "many"),
        ("[station\n", None, "no TOML: line 1"),
        (BASE.replace("[[source]]", "[station]"), None, "no TOML"),
        ('[[source]]\nkind = "folder"\nname = "a"\npath = "in"\n', None, "station"),
        ('[station]\ninspector = "x"\n', None, "source"),
    ],
)
def test_what_cannot_be_meant_is_said_with_its_line(text: str, line_number: int | None, said: str) -> None:
    with pytest.raises(UsageError) as caught:
        parsed_settings(text.encode(), "line.toml", Path("/"))
    sentence = str(caught.value)
    assert sentence.startswith("line.toml") and said in sentence and sentence.count("\n") == 0, sentence
    if line_number is not None:
        assert f"line {line_number}," in sentence, sentence


def test_paths_are_below_the_files_folder(tmp_path: Path) -> None:
    settings = parsed_settings(BASE.replace('"washer"', '"washer.blemish"').encode(), "x", tmp_path)
    assert settings.source[0].path == tmp_path / "in"
    assert settings.station.inspector_file == tmp_path / "washer.blemish"


def test_check_says_all_that_is_missing(line: Line, blemish: Callable[..., Any]) -> None:
    assert blemish("station", line.config, "--check").status == 0
    line.incoming.rmdir()
    text = line.config.read_text().replace("washer.blemish", "gone.blemish")
    line.config.write_text(text)
    checked = blemish("station", line.config, "--check", "--json")
    assert checked.status == 1
    problems = json.dumps(checked.document["problems"])
    assert "gone.blemish" in problems and "incoming" in problems
    assert not (line.folder / "home").exists()


def test_a_program_that_sends_a_photograph_can_wait_for_its_verdict(line: Line, washers: Path) -> None:
    port = free_port()
    source = f'\n[[source]]\nkind = "http"\nname = "robot"\nport = {port}\nmetadata = {{ batch = "7" }}\n'
    line.config.write_text(line.config.read_text() + source)
    good, bad = (next((washers / "test" / kind).glob("*.png")) for kind in ("good", "hole"))
    with line.running():
        url = f"http://127.0.0.1:{port}/photographs"
        answers = [
            httpx.post(
                url, content=one.read_bytes(), params={"wait": "1", "key": one.parent.name}, timeout=30
            )
            for one in (good, bad)
        ]
        documents = [answer.json() for answer in answers]
        logged = line.query("SELECT id, verdict, batch FROM inspections ORDER BY id")
        assert [(one["inspection"], one["verdict"], one["batch"]) for one in documents] == logged
        assert [one["key"] for one in documents] == ["good", "hole"]
        again = httpx.post(url, content=good.read_bytes(), params={"wait": "1", "key": "good"})
        assert again.json() == {"key": "good", "known": True}
        refused = httpx.post(url, content=good.read_bytes()[:2000], params={"wait": "1"}, timeout=30)
        assert refused.status_code == 422 and "end" in refused.json()["detail"]
    assert len(line.judged()) == 2
