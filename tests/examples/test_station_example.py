"""The station of the examples, from end to end: the sample line, an MQTT broker, sorted folders."""

from __future__ import annotations

import json
import re
import shutil
import socket
import subprocess
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

EXAMPLE = Path(__file__).resolve().parents[2] / "examples" / "station" / "line.toml"
README = EXAMPLE.parents[2] / "README.md"
BROKER = shutil.which("mosquitto") or shutil.which("mosquitto", path="/usr/sbin:/usr/local/sbin")


@pytest.fixture
def broker(tmp_path: Path) -> Iterator[int]:
    """The port of a running mosquitto."""
    if BROKER is None:
        pytest.skip("mosquitto is not installed")
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = int(free.getsockname()[1])
    config = tmp_path / "mosquitto.conf"
    config.write_text(f"listener {port} 127.0.0.1\nallow_anonymous true\n")
    process = subprocess.Popen([BROKER, "-c", str(config)], stderr=subprocess.DEVNULL)
    try:
        end = time.monotonic() + 20
        while True:
            with socket.socket() as trying:
                if trying.connect_ex(("127.0.0.1", port)) == 0:
                    break
            assert time.monotonic() < end
            time.sleep(0.05)
        yield port
    finally:
        process.terminate()
        process.wait(10)


def test_it_is_short_and_the_readme_shows_it() -> None:
    text = EXAMPLE.read_text()
    assert len([line for line in text.splitlines() if line.strip()]) <= 20
    assert text.strip() in README.read_text()


def test_the_sample_line_end_to_end(
    tmp_path: Path, broker: int, fitted: Path, washers: Path, blemish: Callable[..., Any]
) -> None:
    shutil.copy(EXAMPLE, tmp_path / "line.toml")
    config = tmp_path / "line.toml"
    config.write_text(
        config.read_text().replace('host = "127.0.0.1"', f'host = "127.0.0.1"\nport = {broker}')
    )
    shutil.copy(fitted, tmp_path / "washer.blemish")
    incoming = tmp_path / "incoming"
    incoming.mkdir()
    photographs = sorted((washers / "test").rglob("*.png"))
    for number, path in enumerate(photographs):
        shutil.copy(path, incoming / f"{number:03d}.png")
    assert blemish("station", config, "--check").status == 0
    with subscribed(broker) as messages:
        done = blemish("station", config, "--once", "--json", "--home", tmp_path / "home")
        assert done.status == 0, done.stderr
        verdicts = done.document["status"]["verdicts"]
        end = time.monotonic() + 60
        while len(messages) < len(photographs) and time.monotonic() < end:
            time.sleep(0.05)
    assert sum(verdicts.values()) == len(photographs) == len(messages)
    assert Counter(one["verdict"] for one in messages) == verdicts
    assert {one["batch"] for one in messages} == {"2041-7"} and {one["camera"] for one in messages} == {
        "camera-1"
    }
    assert verdicts.get("reject", 0) > 0
    sorted_into = {path.name: len(list(path.iterdir())) for path in (tmp_path / "sorted").iterdir()}
    assert sorted_into == {re.sub(r"\W", "-", verdict): count for verdict, count in verdicts.items()}
    assert not list(incoming.iterdir())


class subscribed:  # noqa: N801 (reads as what it does)
    """The verdicts that a subscriber of the broker gets while the context lasts."""

    def __init__(self, port: int) -> None:
        from paho.mqtt.client import Client
        from paho.mqtt.enums import CallbackAPIVersion

        self._messages: list[dict[str, Any]] = []
        self._subscribed = threading.Event()
        self._client = Client(CallbackAPIVersion.VERSION2)
        self._client.on_message = self._came
        self._client.on_subscribe = lambda *_: self._subscribed.set()
        self._client.connect("127.0.0.1", port)
        self._client.subscribe("blemish/v1/line/DDATA/#", 1)

    def __enter__(self) -> list[dict[str, Any]]:
        self._client.loop_start()
        assert self._subscribed.wait(20)
        return self._messages

    def __exit__(self, *_: object) -> None:
        self._client.disconnect()
        self._client.loop_stop()

    def _came(self, client: Any, userdata: Any, message: Any) -> None:
        self._messages.append(json.loads(message.payload))
