"""Modbus: a PLC that is written to, a server that PLCs read, and neither loses a verdict that is waited for."""

from __future__ import annotations

import struct
import threading
import time
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError
from signal_makers import free_port, make_signal, until

from blemish.core.types import Verdict
from blemish.station.signals.register_block import BLOCK_LENGTH, block_of, sequence_of
from blemish.station.signals.settings import ModbusServerSink, ModbusSink, Registers
from blemish.station.signals.sink import SinkError

pytest.importorskip("pymodbus.client", reason="pymodbus is not installed: pip install -e '.[station]'")
from pymodbus.client import ModbusTcpClient
from pymodbus.simulator import DataType, SimData, SimDevice

from blemish.station.signals.event_loop import EventLoopThread
from blemish.station.signals.modbus import Modbus, ModbusClient
from blemish.station.signals.modbus_server import ModbusServer

NONE = dict.fromkeys(Verdict, 0)


class Plc:
    """A real Modbus/TCP server with 200 coils and registers, as a PLC has them."""

    def __init__(self) -> None:
        self.port = free_port()
        self._loop: EventLoopThread | None = None

    def start(self) -> None:
        self._loop = EventLoopThread("plc")
        self._server = self._loop.run(self._serve(), 10)

    async def _serve(self) -> Any:
        from pymodbus.server import ModbusTcpServer

        bits = [SimData(0, datatype=DataType.BITS, values=[False] * 208)]
        registers = [SimData(0, count=200, datatype=DataType.REGISTERS)]
        device = SimDevice(id=3, simdata=(bits, list(bits), registers, list(registers)))
        server = ModbusTcpServer(device, address=("127.0.0.1", self.port))
        await server.serve_forever(background=True)
        return server

    def registers(self, address: int, count: int = 1) -> list[int]:
        assert self._loop is not None
        return list(self._loop.run(self._server.async_getValues(3, 3, address, count), 10))

    def coil(self, address: int) -> bool:
        assert self._loop is not None
        return bool(self._loop.run(self._server.async_getValues(3, 1, address, 1), 10)[0])

    def set_register(self, address: int, value: int) -> None:
        assert self._loop is not None
        self._loop.run(self._server.async_setValues(3, 16, address, [value]), 10)

    def stop(self) -> None:
        if self._loop is not None:
            self._loop.run(self._server.shutdown(), 10)
            self._loop.close()
            self._loop = None


@pytest.fixture
def plc() -> Iterator[Plc]:
    started = Plc()
    started.start()
    yield started
    started.stop()


def sink(plc: Plc, **settings: Any) -> Modbus:
    made = ModbusSink(name="plc", host="127.0.0.1", port=plc.port, device_id=3, seconds=1.0, **settings)
    return Modbus(made, ModbusClient(made))


def number(kind: str, registers: list[int]) -> Any:
    return struct.unpack(f">{kind}", struct.pack(">HH", *registers))[0]


def test_a_plc_reads_verdict_score_and_counters(plc: Plc) -> None:
    opened = sink(plc, coil=17, registers=100)
    opened.open()
    assert plc.registers(100)[0] == 1
    signals = [make_signal(one, score=0.1 * one) for one in range(1, 6)]
    opened.send(signals)
    block = plc.registers(100, BLOCK_LENGTH)
    assert block[1:4] == [3, sequence_of(signals[-1]), 0] and plc.coil(17)
    assert number("f", block[4:6]) == pytest.approx(0.5) and number("f", block[6:8]) == 2.5
    assert number("I", block[8:10]) == 5
    assert [number("I", block[place : place + 2]) for place in (10, 12, 14)] == [3, 2, 0]
    beat = block[0]
    opened.check()
    assert plc.registers(100)[0] == beat + 1
    opened.send([make_signal(7, verdict=Verdict.NOT_JUDGED, repeated=True)])
    block = plc.registers(100, BLOCK_LENGTH)
    assert block[1:4] == [4, 8, 1] and number("I", block[14:16]) == 1 and not plc.coil(17)
    opened.close()


def test_each_verdict_stays_until_it_is_acknowledged(plc: Plc) -> None:
    opened = sink(plc, registers=0, acknowledge=50, acknowledge_seconds=10.0)
    opened.open()
    seen: list[int] = []
    done = threading.Event()

    def program() -> None:
        """As a PLC's program does, each cycle: take what is new, and say so."""
        while not done.is_set():
            sequence = plc.registers(2)[0]
            if sequence and (not seen or seen[-1] != sequence):
                seen.append(sequence)
                plc.set_register(50, sequence)
            time.sleep(0.002)

    thread = threading.Thread(target=program)
    thread.start()
    opened.send([make_signal(one) for one in range(1, 21)])
    done.set()
    thread.join()
    assert seen == [sequence_of(make_signal(one)) for one in range(1, 21)]
    opened.close()
    silent = sink(plc, registers=0, acknowledge=50, acknowledge_seconds=0.1)
    silent.open()
    plc.set_register(50, sequence_of(make_signal(30)))
    with pytest.raises(SinkError, match="written 32 into register 50") as error:
        silent.send([make_signal(30), make_signal(31)])
    assert error.value.arrived == 1 and not error.value.for_good
    silent.close()


def test_a_plc_that_is_away_or_has_no_such_address_is_at_fault(plc: Plc) -> None:
    wrong = sink(plc, registers=195)
    wrong.open()
    with pytest.raises(SinkError, match="refuses registers from 195"):
        wrong.send([make_signal(1)])
    wrong.close()
    opened = sink(plc)
    opened.open()
    opened.send([make_signal(1)])
    plc.stop()
    with pytest.raises(SinkError) as error:
        opened.send([make_signal(2)])
    assert error.value.arrived == 0 and not error.value.for_good
    with pytest.raises(SinkError, match="cannot be reached"):
        opened.open()
    plc.start()
    opened.open()
    opened.send([make_signal(2)])
    assert plc.registers(2)[0] == sequence_of(make_signal(2))
    opened.close()


def test_plcs_read_the_server_and_write_nothing_but_the_acknowledgement() -> None:
    settings = ModbusServerSink(
        name="server", port=free_port(), coil=40, registers=100, acknowledge=10, words="little"
    )
    opened = Modbus(settings, ModbusServer(settings))
    opened.open()
    client = ModbusTcpClient("127.0.0.1", port=settings.port, timeout=3, retries=0)
    assert client.connect()
    sending = threading.Thread(target=opened.send, args=([make_signal(2)],))
    sending.start()
    block = until(lambda: (found := client.read_holding_registers(100, count=16).registers)[2] and found)
    assert block[1:3] == [3, 3] and number("I", block[8:10][::-1]) == 2
    assert client.read_coils(40, count=1).bits[0]
    assert client.write_register(101, 1).isError() and client.write_coil(40, False).isError()
    assert client.write_registers(10, [3, 3]).isError() and sending.is_alive()
    assert not client.write_register(10, 3).isError()
    sending.join(5)
    assert not sending.is_alive()
    second = ModbusServer(settings.model_copy(update={"name": "second"}))
    with pytest.raises(SinkError, match="another program"):
        second.open()
    client.close()
    opened.close()
    with pytest.raises(SinkError):
        opened.check()


@given(
    inspection=st.integers(1, 2**40),
    score=st.floats(allow_nan=False, allow_infinity=False),
    passes=st.integers(0, 2**34),
    words=st.sampled_from(["big", "little"]),
)
def test_blocks_hold_registers_of_16_bits(inspection: int, score: float, passes: int, words: Any) -> None:
    signal = make_signal(inspection, score=score)
    block = block_of(signal, inspection, NONE | {Verdict.PASS: passes}, words)
    assert len(block) == BLOCK_LENGTH and all(0 <= one < 65536 for one in block)
    order = slice(None) if words == "big" else slice(None, None, -1)
    assert number("I", block[8:10][order]) == signal.record.id % 2**32
    assert number("I", block[10:12][order]) == passes % 2**32
    told = number("f", block[4:6][order])
    assert told == pytest.approx(score, rel=1e-6, abs=1e-37) or abs(score) > 3e38
    assert block[2] != 0


def test_settings_that_cannot_be_meant() -> None:
    for settings in (
        {"registers": None},
        {"registers": None, "coil": 1, "acknowledge": 5},
        {"acknowledge": 15},
    ):
        with pytest.raises(ValidationError):
            Registers(**settings)
