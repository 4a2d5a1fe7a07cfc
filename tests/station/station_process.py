"""`blemish station` in a process of its own, and a line of photographs for it."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from sqlalchemy import text

from blemish.station.database import Database
from blemish.station.home import Home

SETTINGS = """
[station]
name = "line-1"
inspector = "{inspector}"
home = "home"
workers = 2

[[source]]
kind = "folder"
name = "camera-1"
path = "incoming"
interval = 0.02

[[sink]]
kind = "json-lines"
name = "verdicts"
file = "verdicts.jsonl"
"""


class Line:
    """A folder with a station's file, its incoming photographs, and all that it makes."""

    def __init__(self, folder: Path, inspector: Path, more: str = "") -> None:
        self.folder, self.config = folder, folder / "line.toml"
        self.incoming = folder / "incoming"
        self.incoming.mkdir()
        self.config.write_text(SETTINGS.format(inspector=inspector) + more)

    @property
    def home(self) -> Home:
        return Home(self.folder / "home")

    @property
    def status(self) -> dict[str, object]:
        path = self.folder / "home" / "stations" / "line-1" / "status.json"
        return json.loads(path.read_text()) if path.exists() else {}

    @property
    def signals(self) -> list[dict[str, object]]:
        path = self.folder / "verdicts.jsonl"
        lines = path.read_bytes().split(b"\n") if path.exists() else []
        return [
            json.loads(line) for line in lines[:-1]
        ]  # what follows the last line's end is still being written

    @property
    def log_text(self) -> str:
        return (self.folder / "home" / "stations" / "line-1" / "station.log").read_text()

    def query(self, statement: str) -> list[tuple[object, ...]]:
        database = Database(self.home.database_url)
        try:
            with database.session() as session:
                return [tuple(row) for row in session.execute(text(statement))]
        finally:
            database.close()

    def judged(self) -> Counter[object]:
        """How often each file was judged, by its name."""
        return Counter(name for (name,) in self.query("SELECT file_name FROM inspections"))

    @contextmanager
    def running(self, *options: object, wait: bool = True) -> Iterator[subprocess.Popen[bytes]]:
        command = [sys.executable, "-m", "blemish", "station", self.config, *options]
        environment = {**os.environ, "OMP_NUM_THREADS": "1"}
        process = subprocess.Popen(list(map(str, command)), env=environment, stderr=subprocess.DEVNULL)
        try:
            if wait:
                wait_until(
                    lambda: self.status.get("pid") == process.pid and self.status["state"] == "running"
                )
            yield process
        finally:
            process.kill()
            process.wait(30)


def wait_until(found: Callable[[], object], seconds: float = 60) -> None:
    end = time.monotonic() + seconds
    while not found():
        assert time.monotonic() < end, "it has not come"
        time.sleep(0.02)
