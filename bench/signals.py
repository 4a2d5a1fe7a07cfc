"""How long a verdict takes from its commit to its receiver, sink by sink, and a reject gate to move.

Parts are committed at a rate, as a station does; receivers are real and on this machine: an HTTP server, mosquitto
(left out where it is not installed), a Modbus server and the station's own OPC UA server. Then a thousand that wait are
sent at once.

python bench/signals.py [--parts 200] [--rate 10]
"""

from __future__ import annotations

import argparse
import socket
import subprocess
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from shutil import which

from blemish.core.types import Verdict
from blemish.station.database import Database
from blemish.station.home import Home
from blemish.station.log import InspectionLog
from blemish.station.records import InspectionRecord, NewInspection
from blemish.station.signals.dispatcher import Dispatcher
from blemish.station.signals.event_loop import EventLoopThread
from blemish.station.signals.opening import open_gate, open_sink
from blemish.station.signals.outbox import Outbox
from blemish.station.signals.settings import (
    FilesSink,
    JsonLinesSink,
    ModbusGate,
    ModbusServerSink,
    MqttGate,
    MqttSink,
    OpcUaSink,
    SinkSettings,
    WebhookSink,
)
from blemish.station.signals.signal import Signal
from blemish.station.signals.sink import Sink

STATION = "bench"


class Timed:
    """A sink, and when each signal had arrived."""

    def __init__(self, sink: Sink) -> None:
        self.name, self._sink = sink.name, sink
        self.open, self.check, self.close = sink.open, sink.check, sink.close
        self.arrived: dict[int, float] = {}

    def send(self, signals: Sequence[Signal]) -> None:
        """Send, and note when they had arrived."""
        self._sink.send(signals)
        now = time.perf_counter()
        self.arrived.update((signal.record.id, now) for signal in signals)


def free_port() -> int:
    """A port of this machine at which nobody listens."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return int(free.getsockname()[1])


@contextmanager
def receiver() -> Iterator[int]:
    """Port of an HTTP server that takes everything."""

    class Receiver(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self) -> None:
            """Take it."""
            self.rfile.read(int(self.headers["Content-Length"]))
            self.send_response(204)
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, *arguments: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Receiver) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield server.server_port
        server.shutdown()


@contextmanager
def broker(folder: Path) -> Iterator[int | None]:
    """Port of a running mosquitto; None where it is not installed."""
    program = which("mosquitto") or which("mosquitto", path="/usr/sbin")
    if program is None:
        yield None
        return
    port = free_port()
    configuration = folder / "mosquitto.conf"
    configuration.write_text(f"listener {port} 127.0.0.1\nallow_anonymous true\n")
    process = subprocess.Popen(
        [program, "-c", configuration], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    try:
        wait_until(lambda: socket.socket().connect_ex(("127.0.0.1", port)) == 0)
        yield port
    finally:
        process.terminate()
        process.wait()


def wait_until(done: Callable[[], bool]) -> None:
    """Wait for a condition."""
    end = time.monotonic() + 120
    while not done():
        if time.monotonic() > end:
            raise TimeoutError("A receiver has not got everything within two minutes.")
        time.sleep(0.005)


def inspections(first: int, count: int) -> list[NewInspection]:
    """So many inspections, every tenth a reject."""
    return [
        NewInspection(
            time=datetime.now(UTC),
            inspector="screw",
            version=1,
            verdict=Verdict.REJECT if number % 10 == 0 else Verdict.PASS,
            score=1.0,
            threshold=2.0,
            p_value=0.5,
            percentile=50.0,
            regions=(),
            width=1024,
            height=1024,
            image_digest=f"{number:064x}",
            image_suffix=".png",
            file_name=f"{number:06d}.png",
        )
        for number in range(first, first + count)
    ]


def main() -> None:
    """Measure, and print tables."""
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--parts", type=int, default=200)
    options.add_argument("--rate", type=float, default=10.0)
    chosen = options.parse_args()
    with tempfile.TemporaryDirectory() as name, ExitStack() as stack:
        folder = Path(name)
        home = Home(folder / "home")
        http, mqtt = stack.enter_context(receiver()), stack.enter_context(broker(folder))
        settings: list[SinkSettings] = [
            FilesSink(name="files", folder=folder / "out"),
            JsonLinesSink(name="json-lines", file=folder / "verdicts.jsonl"),
            WebhookSink(name="webhook", url=f"http://127.0.0.1:{http}/"),
            ModbusServerSink(name="modbus-server", port=free_port(), coil=1),
            OpcUaSink(name="opcua", port=free_port()),
        ]
        if mqtt is not None:
            settings.append(MqttSink(name="mqtt", port=mqtt))
        photograph = bytes(300_000)
        sinks = [Timed(open_sink(one, home, lambda digest, suffix: photograph)) for one in settings]
        measure(home, sinks, chosen.parts, chosen.rate)
        gates(home, mqtt, chosen.parts)


def measure(home: Home, sinks: list[Timed], parts: int, rate: float) -> None:
    """Times from commit to arrival at a rate, and how many a second arrive of many that wait."""
    database = Database(home.database_url)
    database.upgrade()
    log, outbox = InspectionLog(database), Outbox(database, STATION)
    names = [sink.name for sink in sinks]

    def within(session: object, records: list[InspectionRecord]) -> None:
        outbox.note(session, names, [(record.id, None) for record in records])  # type: ignore[arg-type]

    sender = Dispatcher(database, STATION, sinks)
    sender.start()
    wait_until(lambda: all(state.connected for state in sender.states()))
    committed: dict[int, float] = {}
    begun = time.perf_counter()
    for place, new in enumerate(inspections(0, parts)):
        time.sleep(max(0.0, begun + place / rate - time.perf_counter()))
        (record,) = log.logged([new], within)
        committed[record.id] = time.perf_counter()
        sender.wake()
    wait_until(lambda: all(len(sink.arrived) == parts for sink in sinks))
    print(
        f"{parts} parts at {rate:g} a second to {len(sinks)} sinks at once, milliseconds from commit to arrival"
    )
    for sink in sinks:
        waits = sorted(1e3 * (at - committed[number]) for number, at in sink.arrived.items())
        half, most = waits[parts // 2], waits[int(0.99 * (parts - 1))]
        print(f"  {sink.name:14} p50 {half:7.1f}   p99 {most:7.1f}   max {waits[-1]:7.1f}")
    for sink in sinks:
        sink.arrived.clear()
    log.logged(inspections(parts, 1000), within)
    begun = time.perf_counter()
    sender.wake()
    wait_until(lambda: all(len(sink.arrived) == 1000 for sink in sinks))
    print("1,000 that wait, to all at once, signals a second")
    for sink in sinks:
        print(f"  {sink.name:14} {1000 / (max(sink.arrived.values()) - begun):7.0f}")
    sender.stop(10)
    database.close()


def gates(home: Home, mqtt: int | None, parts: int) -> None:
    """Times of a reject gate."""
    print(f"{parts} verdicts to a reject gate, milliseconds from the word to the acknowledged movement")
    with plc() as port:
        found: list[ModbusGate | MqttGate] = [
            ModbusGate(host="127.0.0.1", port=port, seconds=3.0, reject_coil=8, heartbeat_register=20)
        ]
        if mqtt is not None:
            found.append(MqttGate(port=mqtt, seconds=3.0))
        for settings in found:
            gate = open_gate(settings, home)
            gate.start()
            wait_until(lambda gate=gate: gate.state().position is not None)  # type: ignore[misc]
            for number in range(parts):
                gate.arm(str(number), time.monotonic())
                gate.tell(str(number), Verdict.PASS)
                time.sleep(0.02)
            wait_until(lambda gate=gate: gate.state().in_time == parts)  # type: ignore[misc]
            print(f"  {settings.kind:14} {gate.state().percentiles}")
            gate.stop(5)


@contextmanager
def plc() -> Iterator[int]:
    """A Modbus/TCP server that takes what a gate writes."""
    from pymodbus.server import ModbusTcpServer
    from pymodbus.simulator import DataType, SimData, SimDevice

    port, loop = free_port(), EventLoopThread("plc")

    async def serve() -> ModbusTcpServer:
        bits = [SimData(0, datatype=DataType.BITS, values=[False] * 32)]
        registers = [SimData(0, count=100, datatype=DataType.REGISTERS)]
        device = SimDevice(id=0, simdata=(bits, list(bits), registers, list(registers)))
        server = ModbusTcpServer(device, address=("127.0.0.1", port))
        await server.serve_forever(background=True)
        return server

    server = loop.run(serve(), 10)
    try:
        yield port
    finally:
        loop.run(server.shutdown(), 10)
        loop.close()


if __name__ == "__main__":
    main()
