"""What a server does while its database is locked, its disk full, its home not to be written, its clock set."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest
from server_clients import assert_problem, inspect, photographs
from server_process import start_server

from blemish.core.types import ByteArray
from blemish.station import database

HOLDER = """
import sqlite3, sys
connection = sqlite3.connect(sys.argv[1], isolation_level=None)
connection.execute("BEGIN IMMEDIATE")
print("held", flush=True)
sys.stdin.read()
connection.execute("ROLLBACK")
"""
FAKETIME = os.environ.get("BLEMISH_TEST_FAKETIME") or next(
    map(str, sorted(Path("/usr/lib").glob("*/faketime/libfaketime.so.1"))), None
)


@contextmanager
def held(path: Path) -> Iterator[None]:
    """Another process that holds a SQLite database's lock."""
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE}
    holder = subprocess.Popen([sys.executable, "-c", HOLDER, path], text=True, **pipes)  # type: ignore[call-overload]
    assert holder.stdout.readline() == "held\n"
    try:
        yield
    finally:
        holder.communicate(timeout=20)


def metric(client: httpx.Client, name: str) -> float:
    lines = client.get("/metrics").text.splitlines()
    return float(next(line.split()[-1] for line in lines if line.startswith(f"{name} ")))


def test_a_database_that_another_program_holds_stops_the_verdicts_and_not_the_server(
    served: Callable[..., Any], rejected: list[ByteArray], monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:  # fmt: skip
    monkeypatch.setattr(database, "_WAIT_SECONDS", 0.5)
    with served(page=True) as server, server.client() as client:
        sent = list(photographs(rejected, 4))
        assert inspect(client, ("0.png", sent[0])).status_code == 200
        with held(server.service.home.path / "blemish.db"):
            problem = assert_problem(inspect(client, ("1.png", sent[1])), 503)
            assert "another program holds it; end that one" in problem["detail"]
            assert_problem(inspect(client, ("2.png", sent[2])), 503)
            assert client.get("/readyz").json()["troubles"] == [
                "No verdict can be logged at present: see the log."
            ]
            assert "another program holds it" in client.get("/parts/washer/versions").text
            assert metric(client, "blemish_logging_verdicts") == 0
            assert client.get("/v1/inspections").status_code == 200, "what is there can be read"
        assert inspect(client, ("1.png", sent[1]), ("3.png", sent[3])).status_code == 200
        names = [one["file_name"] for one in client.get("/v1/inspections").json()["inspections"]]
        assert sorted(names) == ["0.png", "1.png", "3.png"], (
            "what was refused is not there, what was answered is"
        )
        assert (
            client.get("/readyz").json()["troubles"] == [] and metric(client, "blemish_logging_verdicts") == 1
        )
    said = [one.getMessage() for one in caplog.records if one.name == "blemish.station"]
    assert sum("No verdict can be logged at present" in one for one in said) == 1, (
        "once, not for each photograph"
    )


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[Path]:
    """A disk of 64 MB."""
    folder = tmp_path / "disk"
    folder.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=64m", "none", str(folder)]
    if os.geteuid() != 0 or subprocess.run(mount, capture_output=True).returncode:
        pytest.skip("a small disk can only be mounted by root")
    yield folder
    subprocess.run(["umount", "--lazy", str(folder)], check=True)


def test_a_full_disk_refuses_verdicts_and_a_server_goes_on_once_there_is_room(
    disk: Path, served: Callable[..., Any], rejected: list[ByteArray]
) -> None:
    with served(home=disk / "home", keep="all") as server, server.client() as client:
        sent = photographs(rejected, 400)
        assert inspect(client, ("first.png", next(sent))).status_code == 200
        ballast = disk / "ballast"
        with ballast.open("wb", buffering=0) as stream:
            try:
                while stream.write(bytes(2**16)):
                    pass
            except OSError:
                pass
        answered = refused = 0
        for number, content in enumerate(sent):
            status = inspect(client, (f"{number}.png", content)).status_code
            answered, refused = answered + (status == 200), refused + (status == 507)
            if refused:
                break
        assert refused and "full (free some space)" in str(server.service.queue.trouble)
        ballast.unlink()
        assert inspect(client, ("last.png", next(sent))).status_code == 200
        assert server.service.queue.trouble is None
        assert client.get("/v1/stats").json()["summary"]["n"] == answered + 2
        assert server.service.database.check_integrity() == []


def test_a_home_that_cannot_be_written_is_refused_in_a_sentence(
    disk: Path, blemish: Callable[..., Any]
) -> None:
    assert blemish("audit", "--home", disk / "home").status == 0
    subprocess.run(["mount", "-o", "remount,ro", str(disk)], check=True)
    for verb in ("serve", "audit"):
        refused = blemish(verb, "--home", disk / "home")
        assert (
            refused.status == 2 and "cannot be written" in refused.stderr and refused.stderr.count("\n") == 1
        )


@pytest.mark.skipif(FAKETIME is None, reason="libfaketime is not installed: apt-get install libfaketime")
def test_a_server_lives_on_when_its_clock_is_set(
    tmp_path: Path, fitted: Path, rejected: list[ByteArray], monkeypatch: pytest.MonkeyPatch
) -> None:
    shift = tmp_path / "shift"
    shift.write_text("+0\n")
    for name, value in {
        "LD_PRELOAD": FAKETIME or "", "FAKETIME_TIMESTAMP_FILE": str(shift), "FAKETIME_NO_CACHE": "1",
        "FAKETIME_DONT_FAKE_MONOTONIC": "1",
    }.items():  # fmt: skip
        monkeypatch.setenv(name, value)
    keep = ("--keep", "rejects", "--keep-days", "30")
    server, address = start_server(tmp_path / "home", "--inspector", fitted, "--no-laboratory", *keep)
    with server:
        try:
            with httpx.Client(base_url=address, timeout=30, trust_env=False) as client:
                sent = photographs(rejected, 3)
                before = inspect(client, ("now.png", next(sent))).json()["inspections"][0]
                for said, days in (("+400d", 400), ("-3d", -3)):
                    shift.write_text(f"{said}\n")
                    found = inspect(client, (f"{said}.png", next(sent)))
                    assert found.status_code == 200, found.text
                    end = time.monotonic() + 30
                    while metric(client, "blemish_clock_trusted") != (0 if days > 0 else 1):
                        assert time.monotonic() < end
                        time.sleep(0.2)
                assert client.get(before["image"]).status_code == 200
                numbers = [one["id"] for one in client.get("/v1/inspections").json()["inspections"]]
                assert sorted(numbers) == [1, 2, 3]
        finally:
            server.terminate()
            server.wait(20)
