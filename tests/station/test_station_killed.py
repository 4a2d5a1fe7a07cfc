"""kill -9 under load, again and again: nothing is lost, nothing is judged twice, each verdict is told."""

from __future__ import annotations

import random
import shutil
import threading
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from station_process import Line, wait_until


class Writer:
    """A line that lays down photographs at a rate, as a camera's program writes them."""

    def __init__(self, line: Line, washers: Path, per_second: float) -> None:
        self.names: list[str] = []
        self._photographs = sorted((washers / "test").rglob("*.png"))
        self._incoming, self._pause = line.incoming, 1 / per_second
        self._stopped = threading.Event()
        self._thread = threading.Thread(target=self._write)

    def __enter__(self) -> Writer:
        self._thread.start()
        return self

    def __exit__(self, *raised: object) -> None:
        self._stopped.set()
        self._thread.join()

    def _write(self) -> None:
        while not self._stopped.wait(self._pause):
            number = len(self.names)
            name = f"{number:06d}.png"
            shutil.copyfile(self._photographs[number % len(self._photographs)], self._incoming / name)
            self.names.append(name)


def killed_under_load(line: Line, washers: Path, blemish: Callable[..., Any], kills: int, seed: int) -> None:
    moments = random.Random(seed)
    with Writer(line, washers, per_second=20) as writer:
        for _ in range(kills):
            with line.running(wait=False) as process:
                before = len(line.signals)
                wait_until(lambda before=before: len(line.signals) > before + moments.randrange(1, 8))
                time.sleep(moments.uniform(0, 0.1))
                process.kill()
    ended = blemish("station", line.config, "--once")
    assert ended.status == 0, ended.stderr
    assert line.judged() == dict.fromkeys(writer.names, 1)
    committed = {number for (number,) in line.query("SELECT id FROM inspections")}
    told: Counter[object] = Counter()
    for one in line.signals:
        assert one["id"] == f"{one['station']}:{one['inspection']}"
        told[one["inspection"]] += 1
        # A signal that was sent before says so, so that a reader may pass it over without remembering all ids.
        assert told[one["inspection"]] == 1 or one["repeated"]
    assert set(told) == committed
    assert line.query("SELECT count(*) FROM outbox") == [(0,)]


def test_kill_under_load(tmp_path: Path, fitted: Path, washers: Path, blemish: Callable[..., Any]) -> None:
    killed_under_load(Line(tmp_path, fitted), washers, blemish, kills=3, seed=20)


@pytest.mark.slow
def test_kill_fifty_times_under_load(
    tmp_path: Path, fitted: Path, washers: Path, blemish: Callable[..., Any]
) -> None:
    killed_under_load(Line(tmp_path, fitted), washers, blemish, kills=50, seed=21)
