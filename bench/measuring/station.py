"""A simulated line around `blemish station`: a program that writes photographs, a camera, a broker, and a watcher."""

from __future__ import annotations

import json
import multiprocessing
import os
import shutil
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Sequence
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, cast

import psutil

_PNG_END = 12  # bytes of the piece that ends a PNG


class StationProcess:
    """`blemish station` in a process of its own; a context that ends it."""

    def __init__(self, config: Path, home: Path) -> None:
        self.status_file = home / "stations" / "line" / "status.json"
        self.process = subprocess.Popen(
            [sys.executable, "-m", "blemish", "station", str(config), "--home", str(home)],
            stderr=subprocess.DEVNULL,
        )

    def __enter__(self) -> StationProcess:
        return self

    def __exit__(self, *_: object) -> None:
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
        self.process.wait(120)

    def kill(self) -> None:
        """End it as a power cut would: kill -9."""
        self.process.kill()
        self.process.wait()

    def status(self) -> dict[str, Any]:
        """What it said last of itself."""
        try:
            return cast(dict[str, Any], json.loads(self.status_file.read_bytes()))
        except (OSError, ValueError):
            return {}

    def wait_until_running(self) -> None:
        """Return once photographs can come in."""
        end = time.monotonic() + 120
        while self.status().get("pid") != self.process.pid or self.status()["state"] != "running":
            if self.process.poll() is not None or time.monotonic() > end:
                sys.exit("blemish station did not start.")
            time.sleep(0.05)


class PartWriter:
    """A process that writes photographs into a folder at a rate, and notes when each file was closed."""

    def __init__(self, photographs: Sequence[Path], folder: Path, notes: Path, rate: float) -> None:
        self._notes = notes
        context = multiprocessing.get_context("spawn")
        self._stopped = context.Event()
        self._process = context.Process(
            target=_write_parts, args=(list(photographs), folder, notes, rate, self._stopped)
        )

    def __enter__(self) -> PartWriter:
        self._process.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def stop(self) -> None:
        """Write no more."""
        self._stopped.set()
        self._process.join(30)

    def closed(self) -> dict[str, float]:
        """When each file was closed, by the monotonic clock, which all processes share."""
        lines = self._notes.read_text("ascii").splitlines() if self._notes.exists() else []
        return {name: float(moment) for name, moment in (line.split() for line in lines)}


def _write_parts(photographs: list[Path], folder: Path, notes: Path, rate: float, stopped: Any) -> None:
    """Each file is another one: a PNG with a comment of its own, written as any program writes."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    contents = [path.read_bytes() for path in photographs]
    started, number = time.monotonic(), 0
    with notes.open("a", encoding="ascii") as noted:
        while not stopped.wait(max(0.0, started + number / rate - time.monotonic())):
            name, content = f"part-{number:07d}.png", contents[number % len(contents)]
            with (folder / name).open("wb") as file:
                file.write(content[:-_PNG_END] + _comment(name) + content[-_PNG_END:])
            noted.write(f"{name} {time.monotonic()!r}\n")
            noted.flush()
            number += 1


def _comment(text: str) -> bytes:
    """A piece of a PNG that holds text."""
    import struct
    import zlib

    data = b"tEXtComment\0" + text.encode("ascii")
    return struct.pack(">I", len(data) - 4) + data + struct.pack(">I", zlib.crc32(data))


class Camera:
    """A network camera (MJPEG over HTTP) that can be made to stall."""

    def __init__(self, frames: Sequence[bytes], per_second: float = 4.0) -> None:
        self.stalled = threading.Event()
        camera = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                self.send_response(200)
                self.send_header("Content-Type", "multipart/x-mixed-replace; boundary=frame")
                self.end_headers()
                number = 0
                try:
                    while True:
                        time.sleep(1 / per_second)
                        if camera.stalled.is_set():
                            continue
                        frame = frames[number % len(frames)]
                        head = f"--frame\r\nContent-Type: image/jpeg\r\nContent-Length: {len(frame)}\r\n\r\n"
                        self.wfile.write(head.encode() + frame + b"\r\n")
                        number += 1
                except OSError:
                    return

            def log_message(self, *_: object) -> None:
                """Nothing."""

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        self.url = f"http://127.0.0.1:{self._server.server_port}/video.mjpg"

    def __enter__(self) -> Camera:
        threading.Thread(target=self._server.serve_forever, daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._server.server_close()


class Broker:
    """Debian's mosquitto, which can be killed and started anew."""

    def __init__(self, folder: Path) -> None:
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self.port = free.getsockname()[1]
        self._config = folder / "mosquitto.conf"
        self._config.write_text(f"listener {self.port} 127.0.0.1\nallow_anonymous true\n")
        self._process: subprocess.Popen[bytes] | None = None

    @staticmethod
    def there_is() -> bool:
        """Whether it is installed."""
        return shutil.which("mosquitto", path=os.environ.get("PATH", "") + ":/usr/sbin") is not None

    def __enter__(self) -> Broker:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.kill()

    def start(self) -> None:
        """Let it listen."""
        program = shutil.which("mosquitto", path=os.environ.get("PATH", "") + ":/usr/sbin")
        assert program is not None
        self._process = subprocess.Popen([program, "-c", str(self._config)], stderr=subprocess.DEVNULL)

    def kill(self) -> None:
        """End it as a power cut would."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            self._process = None


class Watcher:
    """Notes when each verdict stands in the JSON lines, how long each commit took, and what memory is held."""

    def __init__(self, lines: Path, station: StationProcess) -> None:
        self.told: dict[str, float] = {}  # when, by file name
        self.committed: dict[int, float] = {}  # milliseconds from the closed file, by inspection
        self.memory: list[tuple[float, float]] = []  # seconds since the start, MiB
        self.troubles: set[str] = set()
        self._lines, self._station = lines, station
        self._stopped = threading.Event()
        self._threads = [threading.Thread(target=one) for one in (self._read, self._sample)]

    def __enter__(self) -> Watcher:
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stopped.set()
        for thread in self._threads:
            thread.join()

    def _read(self) -> None:
        rest, place = b"", 0
        while not self._stopped.wait(0.005):
            try:
                with self._lines.open("rb") as file:
                    file.seek(place)
                    piece = file.read()
            except OSError:
                continue
            moment, place = time.monotonic(), place + len(piece)
            *whole, rest = (rest + piece).split(b"\n")
            for line in whole:
                self.told.setdefault(json.loads(line)["file_name"], moment)

    def _sample(self) -> None:
        process, started = psutil.Process(self._station.process.pid), time.monotonic()
        while not self._stopped.wait(0.5):
            status = self._station.status()
            for one in status.get("last", ()):
                if one["file_name"].startswith("part-"):
                    self.committed[one["inspection"]] = one["milliseconds"]
            self.troubles |= {f"{one['what']}: {one['sentence']}" for one in status.get("troubles", ())}
            try:
                self.memory.append((time.monotonic() - started, process.memory_info().rss / 2**20))
            except psutil.Error:
                return
