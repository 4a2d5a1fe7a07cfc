"""OPC UA: a client of asyncua reads, subscribes, is told by events, and may write nothing."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError
from signal_makers import STATION, free_port, make_signal

from blemish.core.types import Verdict
from blemish.station.signals.settings import OpcUaSink
from blemish.station.signals.sink import SinkError

pytest.importorskip("asyncua", reason="asyncua is not installed: pip install -e '.[station]'")
from asyncua import Client, ua

from blemish.station.signals.opcua import NAMESPACE, TYPES, OpcUa


@pytest.fixture(scope="module")
def opened() -> Iterator[OpcUa]:
    """A server without security on this machine; it takes a second to start."""
    sink = OpcUa(OpcUaSink(name="opcua", port=free_port()), STATION)
    sink.open()
    yield sink
    sink.close()


def url(sink: OpcUa) -> str:
    return f"opc.tcp://127.0.0.1:{sink._settings.port}/blemish"


def test_the_tree_of_a_part_shows_its_latest_verdict_and_counters(opened: OpcUa) -> None:
    first, second = (
        make_signal(1),
        make_signal(2, serial_number="A-7", batch="L1", type="scratch", repeated=True),
    )
    opened.send([first, second])
    opened.check()

    async def read() -> dict[str, Any]:
        async with Client(url(opened)) as client:
            space = await client.get_namespace_index(NAMESPACE)
            names = {name: client.get_node(f"ns={space};s=Parts.screw.{name}") for name in TYPES}
            found = {name: await node.read_value() for name, node in names.items()}
            moment = (await names["Score"].read_data_value()).SourceTimestamp
            found["Alive"] = await client.get_node(f"ns={space};s=Blemish.Alive").read_value()
            found["Station"] = await client.get_node(f"ns={space};s=Blemish.Station").read_value()
            browsed = client.nodes.objects
            for step in ("Blemish", "Parts", "screw", "Verdict"):
                browsed = await browsed.get_child(f"{space}:{step}")
            return found | {"browsed": await browsed.read_value(), "moment": moment}

    found = asyncio.run(read())
    record = second.record
    assert found["Verdict"] == found["browsed"] == "reject" and found["VerdictCode"] == 3
    assert (found["Score"], found["Threshold"]) == (record.score, record.threshold)
    assert found["Time"].replace(tzinfo=record.time.tzinfo) == record.time
    assert found["moment"].replace(tzinfo=record.time.tzinfo) == record.time
    assert (found["SerialNumber"], found["Batch"], found["Shift"], found["DefectType"]) == (
        "A-7",
        "L1",
        "",
        "scratch",
    )
    assert (found["SignalId"], found["InspectionId"], found["Repeated"]) == (second.id, 2, True)
    assert (found["Passed"], found["Rejected"], found["Reviewed"], found["NotJudged"]) == (1, 1, 0, 0)
    assert found["Station"] == STATION and found["Alive"] >= 1


def test_subscribers_get_every_verdict_and_an_event_for_each(opened: OpcUa) -> None:
    class Heard:
        def __init__(self) -> None:
            self.values: list[str] = []
            self.events: list[Any] = []

        def datachange_notification(self, node: Any, value: str, data: Any) -> None:
            self.values.append(value)

        def event_notification(self, event: Any) -> None:
            self.events.append(event)

    signals = [make_signal(number, inspector="plate") for number in range(10, 40)]

    async def listen() -> Heard:
        heard = Heard()
        async with Client(url(opened)) as client:
            space = await client.get_namespace_index(NAMESPACE)
            node = client.get_node(f"ns={space};s=Parts.plate.SignalId")
            kind = client.nodes.base_event_type
            kind = await kind.get_child(f"{space}:VerdictEventType")
            subscription = await client.create_subscription(20, heard)
            await subscription.subscribe_data_change(node, queuesize=100)
            await subscription.subscribe_events(client.nodes.server, kind, queuesize=100)
            await asyncio.to_thread(opened.send, signals)
            async with asyncio.timeout(20):
                while len(heard.values) < 31 or len(heard.events) < 30:
                    await asyncio.sleep(0.02)
            await subscription.delete()
        return heard

    opened.send([make_signal(9, inspector="plate")])
    heard = asyncio.run(listen())
    assert heard.values[1:] == [signal.id for signal in signals]
    assert [event.SignalId for event in heard.events] == [signal.id for signal in signals]
    assert {(event.Verdict, event.Severity) for event in heard.events} == {("pass", 100), ("reject", 600)}


def test_clients_change_nothing(opened: OpcUa) -> None:
    opened.send([make_signal(1, inspector="kept")])

    async def meddle() -> list[type[Exception] | None]:
        async with Client(url(opened)) as client:
            space = await client.get_namespace_index(NAMESPACE)
            node = client.get_node(f"ns={space};s=Parts.kept.Verdict")
            outcomes: list[type[Exception] | None] = []
            for attempt in (
                lambda: node.write_value("reject"),
                lambda: client.nodes.objects.add_object(space, "another"),
                lambda: node.delete(),
            ):
                try:
                    await attempt()
                    outcomes.append(None)
                except ua.UaError as error:
                    outcomes.append(type(error))
            assert await node.read_value() == "pass"
            return outcomes

    assert asyncio.run(meddle()) == [ua.uaerrors.BadUserAccessDenied] * 3


def test_opening_twice_keeps_clients_and_a_port_that_is_taken_is_said(opened: OpcUa) -> None:
    async def survive() -> str:
        async with Client(url(opened)) as client:
            opened.open()
            space = await client.get_namespace_index(NAMESPACE)
            return str(await client.get_node(f"ns={space};s=Blemish.Station").read_value())

    assert asyncio.run(survive()) == STATION
    other = OpcUa(OpcUaSink(name="other", port=opened._settings.port), STATION)
    with pytest.raises(SinkError, match="another program"):
        other.open()


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """A certificate for servers and clients on this machine, with its key."""
    from asyncua.crypto.cert_gen import setup_self_signed_certificate
    from cryptography.x509.oid import ExtendedKeyUsageOID

    folder = tmp_path_factory.mktemp("certificates")
    files = folder / "key.pem", folder / "certificate.der"
    uses = [ExtendedKeyUsageOID.SERVER_AUTH, ExtendedKeyUsageOID.CLIENT_AUTH]
    subject = {"commonName": "blemish", "countryName": "DE"}
    uri = f"{NAMESPACE}:{STATION}"
    asyncio.run(setup_self_signed_certificate(*files, uri, "127.0.0.1", uses, subject))
    return files[1], files[0]


def test_with_a_certificate_and_a_user_only_they_get_in(
    certificate: tuple[Path, Path], monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG, "blemish")
    monkeypatch.setenv("OPC_USER", "plc")
    monkeypatch.setenv("OPC_PASSWORD", "s3cret")
    sink = OpcUa(
        OpcUaSink(
            name="secure",
            port=free_port(),
            certificate=certificate[0],
            private_key=certificate[1],
            username_env="OPC_USER",
            password_env="OPC_PASSWORD",
            events=False,
        ),
        STATION,
    )
    sink.open()
    sink.send([make_signal(1, verdict=Verdict.REVIEW)])

    async def ask(security: bool, user: str | None, password: str = "") -> str:
        client = Client(url(sink))
        if security:
            files = f"{certificate[0]},{certificate[1]}"
            await client.set_security_string(f"Basic256Sha256,SignAndEncrypt,{files}")
        if user is not None:
            client.set_user(user)
            client.set_password(password)
        client.application_uri = f"{NAMESPACE}:{STATION}"
        async with client:
            space = await client.get_namespace_index(NAMESPACE)
            return str(await client.get_node(f"ns={space};s=Parts.screw.Verdict").read_value())

    try:
        assert asyncio.run(ask(True, "plc", "s3cret")) == "review"
        for wrong in (
            (True, "plc", "s3cre"),
            (True, "plcs", "s3cret"),
            (True, None),
            (False, None),
            (False, "plc", "s3cret"),
        ):
            with pytest.raises((ua.UaError, ConnectionError, TimeoutError)):
                asyncio.run(ask(*wrong))
    finally:
        sink.close()
    assert "s3cret" not in caplog.text


def test_settings_that_cannot_be_meant() -> None:
    for settings in (
        {"certificate": "a.der"},
        {"username_env": "USER", "password_env": "PASSWORD"},
        {"ports": 1},
    ):
        with pytest.raises(ValidationError):
            OpcUaSink(name="opcua", **settings)
