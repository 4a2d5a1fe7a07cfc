"""kill -9 while verdicts are committed and sent: each committed one arrives, in order, and ids tell repeats."""

from __future__ import annotations

import itertools
import json
import os
import random
import signal
import time
from pathlib import Path

import pytest
from signal_makers import make_new, until
from test_files_sink import not_kept

from blemish.station.database import Database
from blemish.station.log import InspectionLog
from blemish.station.records import InspectionRecord
from blemish.station.signals.dispatcher import Dispatcher
from blemish.station.signals.files import Files
from blemish.station.signals.json_lines import JsonLines
from blemish.station.signals.outbox import Outbox
from blemish.station.signals.settings import FilesSink, JsonLinesSink

STATION = "station"
NAMES = ("lines", "folders")


def run(folder: Path, first: int, count: int | None) -> None:
    """Commit groups of inspections and send them: without end, or so many and all that is left."""
    database = Database(f"sqlite:///{folder}/log.db")
    outbox, log = Outbox(database, STATION), InspectionLog(database)
    sinks = [
        JsonLines(JsonLinesSink(name="lines", file=folder / "verdicts.jsonl", megabytes=0.02, keep=0)),
        Files(FilesSink(name="folders", folder=folder / "out", action="move"), not_kept),
    ]
    sender = Dispatcher(database, STATION, sinks, first=0.01, cap=0.05)
    sender.start()

    def within(session: object, records: list[InspectionRecord]) -> None:
        outbox.note(session, NAMES, [(record.id, folder / "line" / record.file_name) for record in records])  # type: ignore[arg-type]

    for group in itertools.count() if count is None else range(count):
        number = first + 3 * group
        news = [make_new(number + place) for place in range(3)]
        for place, new in enumerate(news):
            (folder / "line" / new.file_name).write_text(f"{number + place}")  # of which its digest is
        log.logged(news, within)
        sender.wake()
        time.sleep(0.01)
    until(lambda: all(state.waiting == 0 for state in sender.states()))
    sender.stop(10)
    database.close()


def killed_while_running(folder: Path, first: int, seconds: float) -> None:
    child = os.fork()
    if child == 0:
        try:
            run(folder, first, None)
        finally:
            os._exit(1)
    time.sleep(seconds)
    os.kill(child, signal.SIGKILL)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == -signal.SIGKILL


@pytest.mark.parametrize("kills", [8, pytest.param(50, marks=pytest.mark.slow)])
def test_every_committed_verdict_is_signalled(tmp_path: Path, kills: int) -> None:
    database = Database(f"sqlite:///{tmp_path}/log.db")
    database.upgrade()
    database.close()
    (tmp_path / "line").mkdir()
    drawn = random.Random(kills)
    for kill in range(kills):
        killed_while_running(tmp_path, 10_000 * kill, drawn.uniform(0.05, 0.4))
    run(tmp_path, 10_000 * kills, 1)
    database = Database(f"sqlite:///{tmp_path}/log.db")
    committed = sorted(InspectionLog(database).records(), key=lambda record: record.id)
    database.close()
    files = [*sorted(tmp_path.glob("verdicts-*.jsonl")), tmp_path / "verdicts.jsonl"]
    lines = [json.loads(line) for file in files for line in file.read_bytes().splitlines()]
    firsts = list(dict.fromkeys(line["inspection"] for line in lines))
    assert firsts == [record.id for record in committed] and len(committed) > kills
    ids: set[str] = set()
    for line in lines:
        assert line["id"] not in ids or line["repeated"]
        ids.add(line["id"])
    print(
        f"{kills} kills, {len(committed)} committed, {len(lines)} lines, {len(lines) - len(committed)} repeats"
    )
    placed = [path for path in (tmp_path / "out").rglob("*.png") if not path.name.startswith(".")]
    assert sorted(path.name for path in placed) == sorted(record.file_name for record in committed)
    assert all(int(path.read_text()) == int(path.stem) for path in placed)
