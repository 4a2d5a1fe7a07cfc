"""What a process keeps of the database does not grow with its connections and the history."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

READ = """
import os, sqlite3, sys
from blemish.station.database import Database
path = sys.argv[1]
made = sqlite3.connect(path)
made.execute("CREATE TABLE rows (number INTEGER PRIMARY KEY, value TEXT)")
made.executemany("INSERT INTO rows (value) VALUES (?)", ((f"{n:01000d}",) for n in range(20_000)))
made.commit()
made.close()
def resident():
    return int(open("/proc/self/statm").read().split()[1]) * os.sysconf("SC_PAGE_SIZE")
database = Database(f"sqlite:///{path}")
connections = [database.engine.connect() for _ in range(5)]
before = resident()
for connection in connections:
    assert connection.exec_driver_sql("SELECT sum(length(value)) FROM rows").scalar() == 20_000_000
print(resident() - before)
"""


def test_five_connections_that_have_read_all_of_a_history_hold_little_of_it(tmp_path: Path) -> None:
    call = [sys.executable, "-c", READ, tmp_path / "history.db"]
    done = subprocess.run(call, capture_output=True, text=True, check=False)
    if "statm" in done.stderr:
        pytest.skip("resident memory is told on Linux only")
    assert int(done.stdout) < 6e6
