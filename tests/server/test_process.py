"""`blemish serve` as a process: graceful stop, kill -9 under load, refusals."""

from __future__ import annotations

import signal
import threading
import time
from collections import Counter
from pathlib import Path
from typing import Any

import httpx
import pytest
from server_clients import inspect
from server_process import start_server

from blemish.station.database import Database
from blemish.station.home import Home
from blemish.station.log import InspectionLog


def _send(
    address: str, content: bytes, prefix: str, acknowledged: list[tuple[int, str]], stop: threading.Event
) -> None:
    with httpx.Client(base_url=address, timeout=30, trust_env=False) as client:
        number = 0
        while not stop.is_set():
            name = f"{prefix}-{number}.png"
            number += 1
            try:
                answer = inspect(client, (name, content))
            except httpx.HTTPError:
                return
            if answer.status_code == 200:
                acknowledged.append((answer.json()["inspections"][0]["id"], name))


def _load(address: str, content: bytes, prefix: str, seconds: float, end: Any) -> list[tuple[int, str]]:
    acknowledged: list[tuple[int, str]] = []
    stop = threading.Event()
    threads = [
        threading.Thread(target=_send, args=(address, content, f"{prefix}-{number}", acknowledged, stop))
        for number in range(4)
    ]
    for thread in threads:
        thread.start()
    last = time.monotonic() + 30
    while len(acknowledged) < 4 and time.monotonic() < last:
        time.sleep(0.02)
    time.sleep(seconds)
    end()
    stop.set()
    for thread in threads:
        thread.join()
    return acknowledged


def _check_log(home: Path, acknowledged: list[tuple[int, str]]) -> None:
    database = Database(Home(home).database_url)
    logged = {record.id: record.file_name for record in InspectionLog(database).records()}
    assert database.check_integrity() == []
    database.close()
    assert [one for one in acknowledged if logged.get(one[0]) != one[1]] == []
    assert max(Counter(logged.values()).values()) == 1


def _kill_again_and_again(home: Path, fitted: Path, good: bytes, kills: int) -> None:
    acknowledged: list[tuple[int, str]] = []
    for kill in range(kills):
        process, address = start_server(home, *(() if kill else ("--inspector", fitted)))
        acknowledged += _load(address, good, str(kill), 0.3 + 0.07 * (kill % 10), process.kill)
        process.communicate(timeout=30)
    assert acknowledged
    _check_log(home, acknowledged)


def test_kill_9_under_load_loses_and_doubles_nothing(fitted: Path, good: bytes, tmp_path: Path) -> None:
    _kill_again_and_again(tmp_path / "home", fitted, good, 3)


@pytest.mark.slow
def test_kill_9_fifty_times(fitted: Path, good: bytes, tmp_path: Path) -> None:
    _kill_again_and_again(tmp_path / "home", fitted, good, 50)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_stop_finishes_what_was_accepted(fitted: Path, good: bytes, tmp_path: Path, number: int) -> None:
    home = tmp_path / "home"
    process, address = start_server(home, "--inspector", fitted)
    acknowledged = _load(address, good, "x", 0.5, lambda: process.send_signal(number))
    process.communicate(timeout=60)
    assert process.returncode in (0, 130, -number)
    assert acknowledged
    _check_log(home, acknowledged)


def test_a_stop_does_not_wait_for_an_open_page(tmp_path: Path) -> None:
    process, address = start_server(tmp_path, page=True)
    with (
        process,
        httpx.stream("GET", f"{address}/laboratory/gradio_api/heartbeat/someone", trust_env=False) as stream,
    ):
        parts = stream.iter_text()
        assert "ALIVE" in next(parts)
        started = time.monotonic()
        process.send_signal(signal.SIGTERM)
        assert "ALIVE" not in "".join(parts)  # ended properly, not broken off
        assert (
            process.wait(20) in (0, -signal.SIGTERM) and time.monotonic() - started < 10
        )  # stop_seconds are 30


def test_a_server_for_all_needs_a_key_first(blemish: Any, tmp_path: Path) -> None:
    refused = blemish("serve", "--host", "0.0.0.0", "--port", 0, "--home", tmp_path, "--json")
    assert refused.status == 2
    assert "blemish key create" in refused.document["error"]
    made = blemish("key", "create", "line", "--role", "operator", "--home", tmp_path, "--json").document
    assert made["key"].startswith("blemish_")
    listed = blemish("key", "list", "--home", tmp_path, "--json")
    assert [key["name"] for key in listed.document] == ["line"] and made["key"] not in listed.stdout
    blemish("key", "revoke", "line", "--home", tmp_path)
    assert blemish("serve", "--host", "0.0.0.0", "--port", 0, "--home", tmp_path).status == 2
    entries = blemish("audit", "--home", tmp_path, "--json").document["entries"]
    assert [(one["action"], one["by"], one["detail"]["key"]) for one in entries] == [
        ("revoke-key", "local", "line"), ("create-key", "local", "line"),
    ]  # fmt: skip
    assert made["key"] not in str(entries)
    (newest, older) = blemish("audit", "--home", tmp_path, "--limit", 1).stdout.splitlines()
    assert newest.endswith("local  revoke-key  line") and "--cursor 2" in older
