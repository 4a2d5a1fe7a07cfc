"""MQTT against a real broker: births and deaths, acknowledgements, passwords, kill -9 in between."""

from __future__ import annotations

import json
import queue
import subprocess
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from signal_makers import MOSQUITTO, STATION, Broker, make_new, make_signal, until

from blemish.core.errors import UsageError
from blemish.server.tls import own_certificate
from blemish.station.database import Database
from blemish.station.home import Home
from blemish.station.log import InspectionLog
from blemish.station.signals.dispatcher import Dispatcher
from blemish.station.signals.outbox import Outbox
from blemish.station.signals.settings import MqttSink
from blemish.station.signals.sink import SinkError

pytest.importorskip("paho.mqtt.client", reason="paho-mqtt is not installed: pip install -e '.[station]'")
if MOSQUITTO is None:
    pytest.skip("mosquitto is not installed: apt-get install mosquitto", allow_module_level=True)

from blemish.station.signals.mqtt import Mqtt


@pytest.fixture
def broker(tmp_path: Path) -> Iterator[Broker]:
    started = Broker(tmp_path)
    started.start()
    yield started
    started.end()


class Listener:
    """Another client of a broker, that keeps what it hears; its session outlives the broker's and its own end."""

    def __init__(
        self, port: int, topic: str = "blemish/v1/#", user: str | None = None, password: str | None = None
    ) -> None:
        from paho.mqtt.client import Client
        from paho.mqtt.enums import CallbackAPIVersion

        self.heard: queue.Queue[tuple[str, Any, bool]] = queue.Queue()
        self.client = Client(
            CallbackAPIVersion.VERSION2, client_id=f"listens to {topic}", clean_session=False
        )
        self.client.username_pw_set(user, password)
        self.client.reconnect_delay_set(1, 1)
        subscribed = threading.Event()
        self.client.on_connect = lambda client, *rest: client.subscribe(topic, qos=1)
        self.client.on_subscribe = lambda *rest: subscribed.set()
        self.client.on_message = lambda client, data, message: self.heard.put(
            (message.topic, json.loads(message.payload) if message.payload else None, message.retain)
        )
        self.client.connect("127.0.0.1", port)
        self.client.loop_start()
        assert subscribed.wait(10)

    def next(self) -> tuple[str, Any, bool]:
        return self.heard.get(timeout=15)

    def end(self) -> None:
        self.client.disconnect()
        self.client.loop_stop()


@contextmanager
def listening(*arguments: Any, **more: Any) -> Iterator[Listener]:
    listener = Listener(*arguments, **more)
    try:
        yield listener
    finally:
        listener.end()


def sink(port: int, **settings: Any) -> Mqtt:
    return Mqtt(MqttSink(name="mqtt", port=port, seconds=3.0, **settings), STATION)


@pytest.mark.parametrize("version", ["5", "3.1.1"])
def test_births_data_and_deaths(broker: Broker, version: str) -> None:
    opened = sink(broker.port, group="hall 2", node="line 4", version=version)
    with listening(broker.port) as listener:
        opened.open()
        topic, birth, _ = listener.next()
        while birth is None:  # the death of before is taken away
            assert topic == "blemish/v1/hall 2/NDEATH/line 4"
            topic, birth, _ = listener.next()
        assert (
            topic == "blemish/v1/hall 2/NBIRTH/line 4" and birth["seq"] == 0 and birth["station"] == STATION
        )
        opened.send([make_signal(1), make_signal(2, inspector="a.part-2")])
        topic, first, _ = listener.next()
        assert topic == "blemish/v1/hall 2/DDATA/line 4/screw"
        assert make_signal(1).to_json().items() <= first.items()
        assert (first["seq"], first["bdSeq"]) == (1, birth["bdSeq"])
        topic, second, _ = listener.next()
        assert topic.endswith("/a.part-2") and second["seq"] == 2
        opened.send([make_signal(number) for number in range(3, 300)])
        assert [listener.next()[1]["seq"] for _ in range(297)] == [number % 256 for number in range(3, 300)]
        opened.check()
        opened.close()
        topic, death, _ = listener.next()
        assert topic == "blemish/v1/hall 2/NDEATH/line 4" and death["reason"] == "ended"
        assert death["bdSeq"] == birth["bdSeq"]
    with listening(broker.port, "blemish/v1/+/NDEATH/+") as late:
        assert late.next()[2]  # retained: who comes later learns that nobody is there
        opened.open()
        assert late.next()[1] is None
        opened._connection.abandon()  # as when the process is killed
        assert late.next()[1]["reason"] == "lost"


def test_nothing_is_lost_when_the_broker_is_killed_in_between(broker: Broker, tmp_path: Path) -> None:
    database = Database(f"sqlite:///{tmp_path}/log.db")
    database.upgrade()
    outbox = Outbox(database, STATION)

    def log(numbers: range) -> list[int]:
        news = [make_new(number) for number in numbers]
        records = InspectionLog(database).logged(
            news, lambda session, records: outbox.note(session, ["mqtt"], [(one.id, None) for one in records])
        )
        return [record.id for record in records]

    opened = sink(broker.port)
    sender = Dispatcher(database, STATION, [opened], first=0.05, cap=0.2)
    with listening(broker.port, "blemish/v1/+/DDATA/#") as listener:
        # Else it comes back without knowing who listens, and what is sent before the listener is back is heard by none.
        until(lambda: broker.remembers("DDATA/#"))
        sender.start()
        numbers = log(range(100))
        sender.wake()
        heard = [listener.next()[1]]
        broker.kill()
        # What it has acknowledged was its own to keep, and it may have been killed before it did: only what comes
        # now is surely the sender's.
        later = log(range(100, 200))
        numbers += later
        sender.wake()
        state = until(lambda: not (now := sender.states()[0]).connected and now)
        assert "cannot be reached" in state.trouble or "closed the connection" in state.trouble
        broker.start()
        until(lambda: sender.states()[0].waiting == 0, 30)
        while not set(later) <= {one["inspection"] for one in heard}:
            heard.append(listener.next()[1])
    assert sender.states()[0].connected and sender.states()[0].set_aside == 0
    sender.stop(5)
    assert outbox.counts() == {}
    # What the station sends again says so; what the broker delivers again, as it has not kept the listener's word, is
    # the very message of before.
    again = [(one, heard[:place]) for place, one in enumerate(heard)]
    assert all(
        one["repeated"] or one in before
        for one, before in again
        if one["id"] in {other["id"] for other in before}
    )
    firsts = list(dict.fromkeys(one["inspection"] for one in heard))
    assert firsts == [number for number in numbers if number in firsts]  # in their order
    database.close()


def test_passwords_and_topics_that_are_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    passwords, rights = tmp_path / "passwords", tmp_path / "rights"
    made = subprocess.run(
        ["mosquitto_passwd", "-b", "-c", passwords, "station", "s3cret"], capture_output=True
    )
    if made.returncode:
        pytest.skip("mosquitto_passwd is not installed: apt-get install mosquitto")
    passwords.chmod(0o600)
    rights.write_text("user station\ntopic readwrite blemish/v1/line/#\n")
    rights.chmod(0o600)
    started = Broker(tmp_path, f"allow_anonymous false\npassword_file {passwords}\nacl_file {rights}")
    started.start()
    try:
        monkeypatch.setenv("MQTT_USER", "station")
        monkeypatch.setenv("MQTT_PASSWORD", "wr0ng")
        named = {"username_env": "MQTT_USER", "password_env": "MQTT_PASSWORD"}
        with pytest.raises(SinkError, match="does not accept the station") as refused:
            sink(started.port, **named).open()
        assert "wr0ng" not in str(refused.value)
        monkeypatch.setenv("MQTT_PASSWORD", "s3cret")
        allowed = sink(started.port, **named)
        allowed.open()
        with listening(started.port, user="station", password="s3cret") as listener:
            allowed.send([make_signal(5)])
            while (document := listener.next()[1]) is None or "inspection" not in document:
                pass
        assert document["inspection"] == 5
        allowed.close()
        # Version 5 says that nobody may write there; a message that goes nowhere has not arrived.
        elsewhere = sink(started.port, group="other", **named)
        with pytest.raises(SinkError, match="not authorized") as error:
            elsewhere.open()
        assert not error.value.for_good
        elsewhere.close()
    finally:
        started.end()


# paho leaves the socket of a refused handshake to the garbage collector.
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
def test_encrypted_connections_trust_the_certificate_that_is_named_and_no_other(tmp_path: Path) -> None:
    ours, others = (own_certificate(Home(tmp_path / name).path, ["127.0.0.1"]) for name in ("ours", "others"))
    for file in (ours.file, ours.private_key):
        file.chmod(0o600)
    started = Broker(tmp_path, f"allow_anonymous true\ncertfile {ours.file}\nkeyfile {ours.private_key}")
    started.start()
    try:
        trusting = sink(started.port, tls=True, ca_file=ours.file)
        trusting.open()
        trusting.send([make_signal(1)])
        trusting.close()
        for settings in ({"tls": True, "ca_file": others.file}, {"tls": True}):
            with pytest.raises(SinkError, match="certificate"):
                sink(started.port, **settings).open()
        with pytest.raises(SinkError):
            sink(started.port).open()
        with pytest.raises(UsageError, match="name PEM files"):
            sink(started.port, tls=True, ca_file=tmp_path / "none.pem")
    finally:
        started.end()


def test_a_broker_that_is_not_there(tmp_path: Path) -> None:
    broker = Broker(tmp_path)
    with pytest.raises(SinkError, match="cannot be reached"):
        sink(broker.port).open()
    broker.end()
