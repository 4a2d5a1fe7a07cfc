"""The reject gate: a verdict by the deadline or the safe state, on real Modbus, MQTT and OPC UA."""

from __future__ import annotations

import math
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from signal_makers import MOSQUITTO, STATION, Broker, free_port, until

from blemish.core.types import Verdict
from blemish.station.signals.gate import RejectGate
from blemish.station.signals.gate_outputs import ModbusOutput, MqttOutput, OpcUaOutput
from blemish.station.signals.settings import GateBase, ModbusGate, MqttGate, OpcUaGate, Position
from blemish.station.signals.sink import SinkError


class Recorder:
    """An output that keeps how it was moved, and when."""

    def __init__(self) -> None:
        self.moves: list[tuple[Position, str | None, float]] = []
        self.beats = self.opened = 0
        self.reachable, self.closed = True, threading.Event()

    def open(self, safe: Position) -> None:
        self.opened += 1
        self._check()

    def move(self, position: Position, arrival_id: str | None) -> None:
        self._check()
        self.moves.append((position, arrival_id, time.monotonic()))

    def beat(self) -> None:
        self._check()
        self.beats += 1

    def close(self) -> None:
        self.closed.set()

    def _check(self) -> None:
        if not self.reachable:
            raise SinkError("The output is not there.")

    @property
    def positions(self) -> list[tuple[Position, str | None]]:
        return [(position, arrival_id) for position, arrival_id, _ in self.moves]


MakeGate = Callable[..., tuple[RejectGate, Recorder]]


@pytest.fixture
def gate() -> Iterator[MakeGate]:
    """Makes gates that run, on recorders: `gate(deadline_ms=...)`."""
    running: list[RejectGate] = []

    def make(**values: Any) -> tuple[RejectGate, Recorder]:
        output = Recorder()
        running.append(RejectGate(GateBase(**values), output))
        running[-1].start()
        until(lambda: output.moves)
        return running[-1], output

    yield make
    for one in running:
        one.stop(5)


def test_a_verdict_in_time_moves_the_gate_and_one_that_is_missing_sets_the_safe_state(gate: MakeGate) -> None:
    opened, output = gate(deadline_ms=150, heartbeat_seconds=60)
    assert output.positions == [("reject", None)]
    for arrival_id, verdict in (("a", Verdict.PASS), ("b", Verdict.REJECT), ("c", Verdict.PASS), ("d", None)):
        opened.arm(arrival_id, time.monotonic())
        opened.tell(arrival_id, verdict)
    until(lambda: len(output.moves) == 5)
    closed = time.monotonic()
    opened.arm("late", closed)
    until(lambda: len(output.moves) == 6)
    assert output.positions[1:] == [
        ("pass", "a"),
        ("reject", "b"),
        ("pass", "c"),
        ("reject", "d"),
        ("reject", "late"),
    ]
    assert output.moves[-1][2] - closed >= 0.15
    opened.tell("late", Verdict.PASS)  # must not open the gate any more
    opened.tell("late", Verdict.PASS)
    opened.tell("never armed", Verdict.PASS)
    opened.arm("e", time.monotonic())
    opened.tell("e", Verdict.REVIEW)
    until(lambda: len(output.moves) == 7)
    assert output.positions[-1] == ("reject", "e")
    state = until(lambda: (now := opened.state()).in_time == 5 and now)
    assert (state.missed, state.late, state.armed, state.failed) == (1, 1, 0, 0)
    assert 0 <= state.percentiles["p50"] <= state.percentiles["p95"] <= state.percentiles["max"]


def test_a_verdict_after_the_deadline_is_late_even_before_the_gate_has_noticed(gate: MakeGate) -> None:
    opened, output = gate(deadline_ms=50, safe="hold", heartbeat_seconds=60)
    opened.arm("a", time.monotonic() - 1.0)
    opened.tell("a", Verdict.PASS)
    until(lambda: len(output.moves) == 2)
    assert output.positions[-1] == ("hold", "a")
    assert until(lambda: (now := opened.state()).late == 1 and now).missed == 1
    assert opened.state().in_time == 0


def test_an_open_gate_closes_when_no_part_comes_any_more(gate: MakeGate) -> None:
    opened, output = gate(deadline_ms=60_000, open_ms=80, heartbeat_seconds=60)
    for arrival_id in ("a", "b"):
        opened.arm(arrival_id, time.monotonic())
        opened.tell(arrival_id, Verdict.PASS)
    until(lambda: len(output.moves) == 4)
    assert output.positions[1:] == [("pass", "a"), ("pass", "b"), ("reject", None)]
    assert output.moves[3][2] - output.moves[2][2] >= 0.08
    still, never_closed = gate(deadline_ms=60_000, open_ms=0, heartbeat_seconds=60)
    still.arm("a", time.monotonic())
    still.tell("a", Verdict.PASS)
    until(lambda: len(never_closed.moves) == 2)
    assert still._close_at == math.inf and still.state().position == "pass"


def test_at_the_deadline_each_part_gets_its_own_position_in_order(gate: MakeGate) -> None:
    opened, output = gate(deadline_ms=120, act="at-deadline", heartbeat_seconds=60)
    verdicts = [Verdict.PASS, Verdict.REJECT, None, Verdict.PASS]
    closed = time.monotonic()
    for place in range(len(verdicts)):
        opened.arm(str(place), closed + 0.03 * place)
    for place in (3, 0, 1):  # judged on several cores, in any order; nobody tells of the third
        opened.tell(str(place), verdicts[place])
    assert len(output.moves) == 1 or time.monotonic() > closed + 0.12
    until(lambda: len(output.moves) == 5)
    assert output.positions[1:] == [("pass", "0"), ("reject", "1"), ("reject", "2"), ("pass", "3")]
    for place, (_, _, moved) in enumerate(output.moves[1:]):
        assert moved >= closed + 0.12 + 0.03 * place
    assert opened.state().missed == 1 and opened.state().in_time == 3


def test_stopping_and_reconnecting_set_the_safe_state(gate: MakeGate) -> None:
    opened, output = gate(deadline_ms=60_000, heartbeat_seconds=0.02, safe="hold")
    opened.arm("a", time.monotonic())
    opened.tell("a", Verdict.PASS)
    until(lambda: output.positions[-1] == ("pass", "a"))
    beats = output.beats
    until(lambda: output.beats > beats + 3)
    output.reachable = False
    state = until(lambda: (now := opened.state()).trouble and now)
    assert "The output is not there." in state.trouble and state.position is None
    opened.arm("b", time.monotonic())
    opened.tell("b", Verdict.PASS)
    until(lambda: opened.state().failed == 1)
    output.reachable = True
    until(lambda: opened.state().trouble is None)
    assert output.positions[-1] == ("hold", None) and opened.state().position == "hold"
    opened.arm("c", time.monotonic())
    opened.tell("c", Verdict.PASS)
    until(lambda: output.positions[-1] == ("pass", "c"))
    opened.stop(5)
    assert output.positions[-1] == ("hold", None) and output.closed.is_set()


@settings(max_examples=20)
@given(
    told=st.lists(
        st.tuples(st.sampled_from([*Verdict, None]), st.sampled_from(["in time", "late", "never"])),
        max_size=12,
    ),
    act=st.sampled_from(["at-once", "at-deadline"]),
)
def test_no_part_passes_without_its_own_verdict_in_time(
    told: list[tuple[Verdict | None, str]], act: Any
) -> None:
    output = Recorder()
    opened = RejectGate(GateBase(deadline_ms=60_000, act=act, heartbeat_seconds=60), output)
    opened.start()
    now = time.monotonic()
    for place, (verdict, when) in enumerate(told):
        # What is late or never told has its deadline behind it, the rest a moment or a minute ahead.
        age = 61.0 if when != "in time" else 59.98 if act == "at-deadline" else 0.0
        opened.arm(str(place), now - age)
        if when != "never":
            opened.tell(str(place), verdict)
    until(lambda: len(output.moves) == 1 + len(told))
    opened.stop(5)
    moved = {arrival_id: position for position, arrival_id in output.positions if arrival_id is not None}
    assert len(moved) == len(told)
    for place, (verdict, when) in enumerate(told):
        if not (verdict is Verdict.PASS and when == "in time"):
            assert moved[str(place)] == "reject"
        elif act == "at-once":
            assert moved[str(place)] == "pass"
    state = opened.state()
    assert state.in_time + state.missed == len(told)
    assert state.late <= sum(when == "late" for _, when in told) + sum(when == "in time" for _, when in told)


def test_coils_of_a_modbus_device_and_a_heartbeat_that_ends_with_the_station() -> None:
    pytest.importorskip("pymodbus.client", reason="pymodbus is not installed")
    from test_modbus_sink import Plc

    plc = Plc()
    plc.start()
    values = ModbusGate(
        host="127.0.0.1",
        port=plc.port,
        device_id=3,
        seconds=1.0,
        reject_coil=8,
        hold_coil=9,
        heartbeat_register=20,
        heartbeat_seconds=0.05,
        deadline_ms=200,
        safe="hold",
    )
    opened = RejectGate(values, ModbusOutput(values))
    opened.start()
    try:
        until(lambda: plc.coil(9) and not plc.coil(8))
        latencies = []
        for place in range(50):
            closed = time.monotonic()
            opened.arm(str(place), closed)
            verdict = Verdict.REJECT if place % 2 else Verdict.PASS
            opened.tell(str(place), verdict)
            until(lambda: opened.state().in_time == place + 1 and len(opened._latencies) == place + 1)  # noqa: B023
            latencies.append(time.monotonic() - closed)
            assert (plc.coil(8), plc.coil(9)) == (verdict is Verdict.REJECT, False)
        assert opened.state().percentiles["p50"] <= 1e3 * max(latencies)
        beat = plc.registers(20)[0]
        until(lambda: plc.registers(20)[0] > beat)
        opened.arm("without a verdict", time.monotonic())
        until(lambda: plc.coil(9))
        plc.stop()
        until(lambda: opened.state().trouble)
        plc.start()
        until(lambda: plc.coil(9) and opened.state().trouble is None)
    finally:
        opened.stop(5)
        plc.stop()


@pytest.mark.skipif(MOSQUITTO is None, reason="mosquitto is not installed: apt-get install mosquitto")
def test_an_mqtt_gate_leaves_the_safe_state_as_its_last_will(tmp_path: Path) -> None:
    pytest.importorskip("paho.mqtt.client", reason="paho-mqtt is not installed")
    from test_mqtt_sink import listening

    broker = Broker(tmp_path)
    broker.start()
    values = MqttGate(port=broker.port, seconds=3.0, deadline_ms=10_000, heartbeat_seconds=0.05)
    output = MqttOutput(values, STATION)
    opened = RejectGate(values, output)
    try:
        with listening(broker.port, "blemish/v1/line/gate") as listener:
            opened.start()
            assert listener.next()[1]["position"] == "reject"
            opened.arm("7", time.monotonic())
            opened.tell("7", Verdict.PASS)
            document = listener.next()[1]
            assert (document["position"], document["position_code"], document["part"]) == ("pass", 1, "7")
            output._connection.abandon()  # as when the process is killed
            lost = listener.next()[1]
            assert (lost["position"], lost["station"]) == ("reject", "lost")
            again = listener.next()[
                1
            ]  # connected once more: still the safe state, said by the station itself
            assert (again["position"], again["station"]) == ("reject", "running")
    finally:
        opened.stop(5)
        broker.end()


def test_a_variable_of_an_opcua_server() -> None:
    pytest.importorskip("asyncua", reason="asyncua is not installed")
    from asyncua import Server, ua

    from blemish.station.signals.event_loop import EventLoopThread

    loop, port = EventLoopThread("plc"), free_port()

    async def serve() -> Any:
        server = Server()
        await server.init()
        server.set_endpoint(f"opc.tcp://127.0.0.1:{port}/plc")
        server.set_security_policy([ua.SecurityPolicyType.NoSecurity])
        space = await server.register_namespace("urn:plc")
        names = {}
        for name, value, kind in (
            ("Reject", False, ua.VariantType.Boolean),
            ("Word", "", ua.VariantType.String),
            ("Code", 0, ua.VariantType.Int16),
            ("Beat", 0, ua.VariantType.UInt32),
        ):
            node = await server.nodes.objects.add_variable(ua.NodeId(name, space), name, value, kind)
            await node.set_writable()
            names[name] = node
        await server.start()
        return server, names, space

    server, names, space = loop.run(serve(), 60)

    def value(name: str) -> Any:
        return loop.run(names[name].read_value(), 10)

    try:
        for name, safe, passed in (("Reject", True, False), ("Word", "reject", "pass"), ("Code", 3, 1)):
            values = OpcUaGate(
                url=f"opc.tcp://127.0.0.1:{port}/plc",
                node=f"ns={space};s={name}",
                heartbeat_node=f"ns={space};s=Beat",
                heartbeat_seconds=0.05,
                seconds=3.0,
                deadline_ms=20_000,
            )
            opened = RejectGate(values, OpcUaOutput(values))
            opened.start()
            until(lambda: value(name) == safe)  # noqa: B023
            opened.arm("1", time.monotonic())
            opened.tell("1", Verdict.PASS)
            until(lambda: value(name) == passed)  # noqa: B023
            beat = value("Beat")
            until(lambda: value("Beat") != beat)  # noqa: B023
            opened.stop(5)
            assert value(name) == safe
        wrong = OpcUaGate(url=f"opc.tcp://127.0.0.1:{port}/plc", node=f"ns={space};s=None", seconds=3.0)
        output = OpcUaOutput(wrong)
        with pytest.raises(SinkError, match="refuses"):
            output.open("reject")
        output.close()
    finally:
        loop.run(server.stop(), 10)
        loop.close()
    with pytest.raises(SinkError, match="does not answer"):
        output.open("reject")
    output.close()
