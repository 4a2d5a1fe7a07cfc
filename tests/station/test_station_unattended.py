"""What a station does when nobody looks: signs of life, a bounded log, metrics, and each trouble said once."""

from __future__ import annotations

import logging
import os
import shutil
import socket
import urllib.request
from pathlib import Path

import pytest
from station_process import Line, wait_until

from blemish.station.home import Home
from blemish.station.loop import Loop
from blemish.station.station_log import logging_to
from blemish.station.station_status import SILENT_SECONDS, read_status
from blemish.station.supervision import Supervisor


def metric(port: int, name: str) -> list[str]:
    opened = urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics", timeout=10)
    with opened as answer:
        lines = answer.read().decode().splitlines()
    return [line for line in lines if line.startswith(name)]


def test_it_tells_systemd_and_metrics_how_it_is_and_a_lost_folder_once(
    tmp_path: Path, fitted: Path, washers: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    line = Line(tmp_path, fitted)
    text = line.config.read_text()
    line.config.write_text(text.replace("workers = 2", f"workers = 1\nmetrics_port = {port}"))
    notified = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
    notified.bind(str(tmp_path / "notify"))
    notified.settimeout(60)
    monkeypatch.setenv("NOTIFY_SOCKET", str(tmp_path / "notify"))
    photograph = sorted((washers / "test" / "good").glob("*.png"))[0]
    with notified, line.running() as process:
        assert notified.recv(1000).startswith(b"READY=1\n")
        shutil.copy(photograph, line.incoming / "a.png")
        wait_until(lambda: len(line.signals) == 1)
        while b"WATCHDOG=1" not in (said := notified.recv(1000)) or b"1 verdicts" not in said:
            pass
        line.incoming.rename(tmp_path / "gone")
        wait_until(lambda: metric(port, "blemish_station_trouble{"))
        assert metric(port, "blemish_source_connected") == [
            'blemish_source_connected{source="camera-1",station="line-1"} 0.0'
        ]
        (tmp_path / "gone").rename(line.incoming)
        shutil.copy(photograph, line.incoming / "b.png")
        wait_until(lambda: len(line.signals) == 2)
        wait_until(lambda: not metric(port, "blemish_station_trouble{"))
        verdicts = metric(port, "blemish_station_verdicts_total")
        assert sum(float(one.split()[-1]) for one in verdicts) == 2
        process.terminate()
        assert process.wait(60) == 0
        while notified.recv(1000) != b"STOPPING=1":
            pass
    said = [one for one in line.log_text.splitlines() if "source camera-1: " in one]
    assert len(said) == 2 and "WARNING" in said[0] and "all is well again" in said[1], said


def test_a_loop_that_hangs_gives_no_sign_of_life(monkeypatch: pytest.MonkeyPatch) -> None:
    loop = object.__new__(Loop)
    loop._beat = loop._answered_at = 1000.0
    monkeypatch.setattr("time.monotonic", lambda: 1100.0)
    assert not loop.moves


@pytest.mark.parametrize("given", ["", "/nowhere/at/all"])
def test_without_a_service_manager_nothing_happens(given: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NOTIFY_SOCKET", given)
    monkeypatch.setenv("WATCHDOG_USEC", "90000000")
    supervisor = Supervisor()
    supervisor.ready("x")
    supervisor.alive("x")
    supervisor.stopping()


def test_the_log_is_bounded_in_size_and_number(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with logging_to(tmp_path, megabytes=0.01, files=3):
        for number in range(2000):
            logging.getLogger("blemish.station").info(
                "Part %d was judged, and nothing is wrong with it.", number
            )
    files = sorted(tmp_path.iterdir())
    assert [path.name for path in files] == ["station.log", "station.log.1", "station.log.2"]
    assert all(path.stat().st_size <= 10_000 for path in files)
    assert "Part 1999 was judged" in files[0].read_text()
    assert "Part 1999 was judged" in capsys.readouterr().err


def test_what_has_said_nothing_for_long_does_not_run(tmp_path: Path) -> None:
    home = Home(tmp_path)
    folder = tmp_path / "stations" / "line"
    folder.mkdir(parents=True)
    told = '{"name": "line", "state": "running", "inspector": "washer", "version": 1, "pid": 1, '
    moment = '"2026-05-04T12:00:00Z"'
    path = folder / "status.json"
    path.write_text(told + f'"started": {moment}, "time": {moment}}}')
    found = read_status(home, "line")
    assert found is not None and found.runs
    old = path.stat().st_mtime - SILENT_SECONDS - 1
    os.utime(path, (old, old))
    found = read_status(home, "line")
    assert found is not None and found.state == "silent" and not found.runs
    path.write_text("{")
    assert read_status(home, "line") is None
