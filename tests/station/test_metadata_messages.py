"""Metadata by MQTT: a real broker, messages before and after it was gone."""

from __future__ import annotations

import json
import shutil
import socket
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from blemish.core.errors import UsageError
from blemish.station.metadata.payload import LatestPayload
from blemish.station.metadata.reader import MetadataReader
from blemish.station.metadata.settings import MetadataSettings, PayloadSettings
from blemish.station.photograph import PartMetadata, Photograph

pytest.importorskip("paho.mqtt.publish")
from paho.mqtt import publish

BROKER = shutil.which("mosquitto") or shutil.which("mosquitto", path="/usr/sbin:/usr/local/sbin")
pytestmark = pytest.mark.skipif(BROKER is None, reason="mosquitto is not installed")


@pytest.fixture
def port() -> int:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return int(free.getsockname()[1])


@contextmanager
def broker(port: int, folder: Path) -> Iterator[None]:
    configuration = folder / "mosquitto.conf"
    configuration.write_text(f"listener {port} 127.0.0.1\nallow_anonymous true\npersistence false\n")
    process = subprocess.Popen([str(BROKER), "-c", str(configuration)], stderr=subprocess.DEVNULL)
    try:
        until(lambda: answers(port))
        yield
    finally:
        process.terminate()
        process.wait(10)


def answers(port: int) -> bool:
    with socket.socket() as trial:
        return trial.connect_ex(("127.0.0.1", port)) == 0


def until(done: Callable[[], bool], seconds: float = 15) -> None:
    end = time.monotonic() + seconds
    while not done():
        assert time.monotonic() < end, "it never came to be"
        time.sleep(0.01)


def say(port: int, retain: bool = False, **values: Any) -> None:
    publish.single("line/part", json.dumps(values), 1, retain, "127.0.0.1", port)


def test_the_latest_message_holds_also_after_the_broker_was_gone(port: int, tmp_path: Path) -> None:
    settings = MetadataSettings(mqtt={"topic": "line/+", "port": port}, file_name="{serial}")
    reader = MetadataReader(settings)
    photograph = Photograph(b"", "0007.png")
    now = datetime.now(UTC) + timedelta(hours=1)
    with broker(port, tmp_path):
        say(port, retain=True, batch="L1", camera="top")
        reader.start()
        until(lambda: reader.read(photograph, now).batch == "L1")
        assert reader.read(photograph, now) == PartMetadata("0007", "L1", None, "top")
        assert reader.state().trouble is None
        say(port, serial_number="from the controller")
        until(lambda: reader.read(photograph, now) == PartMetadata("from the controller"))
        publish.single("line/part", "no JSON", 1, False, "127.0.0.1", port)
        until(lambda: "says nothing" in (reader.state().trouble or ""))
    until(
        lambda: str(port) in (reader.state().trouble or "") and "not there" in (reader.state().trouble or "")
    )
    assert reader.read(photograph, now).serial_number == "from the controller"
    with broker(port, tmp_path):
        until(lambda: "says nothing" in (reader.state().trouble or ""))  # still what it heard last
        say(port, batch="L2")
        until(lambda: reader.read(photograph, now).batch == "L2")
        assert reader.state().trouble is None
    reader.stop()


def test_a_message_is_not_taken_for_a_part_that_it_is_too_old_for(port: int, tmp_path: Path) -> None:
    with broker(port, tmp_path):
        say(port, retain=True, batch="of unknown age")
        latest = LatestPayload(PayloadSettings(topic="line/part", port=port, within=30))
        latest.start()
        until(lambda: latest.trouble is None)
        say(port, batch="L1")
        until(lambda: latest.latest().batch == "L1")
        assert latest.latest(age=-31) == PartMetadata()
        latest.stop()


def test_what_is_said_after_a_photograph_was_taken_is_of_the_next_part(port: int, tmp_path: Path) -> None:
    with broker(port, tmp_path):
        reader = MetadataReader(MetadataSettings(mqtt={"topic": "line/part", "port": port}))
        reader.start()
        until(lambda: reader.state().trouble is None)
        photograph, taken = Photograph(b"", "x.png"), []
        for serial in ("1", "2", "3"):
            say(port, serial_number=serial)
            until(lambda serial=serial: reader.read(photograph, datetime.now(UTC)).serial_number == serial)
            taken.append(datetime.now(UTC))
        assert [reader.read(photograph, time).serial_number for time in taken] == ["1", "2", "3"]
        assert reader.read(photograph, taken[0] - timedelta(minutes=1)) == PartMetadata()
        reader.stop()


def test_a_password_that_cannot_be_read_is_said_at_the_start(tmp_path: Path) -> None:
    settings = PayloadSettings(topic="x", password_file=tmp_path / "none")
    with pytest.raises(UsageError, match="password"):
        LatestPayload(settings)
