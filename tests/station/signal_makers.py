"""What the tests of sinks share: signals, a broker that can be killed, and waiting for conditions."""

from __future__ import annotations

import shutil
import signal as signals
import socket
import subprocess
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from pathlib import Path
from typing import Any

from blemish.core.types import Region, Verdict
from blemish.station.records import InspectionRecord, NewInspection
from blemish.station.signals.signal import Signal

STATION = "0123456789abcdef0123456789abcdef"
MOSQUITTO = shutil.which("mosquitto") or shutil.which("mosquitto", path="/usr/sbin:/usr/local/sbin")


def make_new(number: int = 1, **changes: Any) -> NewInspection:
    """An inspection about to be logged; every third part is rejected."""
    fields: dict[str, Any] = {
        "time": datetime(2026, 5, 4, 12, tzinfo=UTC) + timedelta(seconds=number % 86400),
        "inspector": "screw",
        "version": 3,
        "verdict": Verdict.REJECT if number % 3 == 2 else Verdict.PASS,
        "score": 1.1 + number / 7,
        "threshold": 2.5,
        "p_value": 1 / 321,
        "percentile": 99.6875,
        "regions": (Region(1, 2, 30, 40, 5.25),),
        "width": 1024,
        "height": 768,
        "image_digest": sha256(str(number).encode()).hexdigest(),
        "image_suffix": None,
        "file_name": f"{number:06d}.png",
    }
    return NewInspection(**(fields | changes))


def make_record(number: int = 1, **changes: Any) -> InspectionRecord:
    """The same as the log holds it."""
    return InspectionRecord(**vars(make_new(number, **changes)), id=number)


def make_signal(
    number: int = 1, origin: Path | None = None, repeated: bool = False, **changes: Any
) -> Signal:
    """A signal of `make_record`."""
    return Signal.of(make_record(number, **changes), STATION, origin, repeated)


def free_port() -> int:
    """A port of this machine at which nobody listens."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return int(free.getsockname()[1])


def until(done: Callable[[], Any], seconds: float = 20.0) -> Any:
    """What `done` returns, once that is true."""
    end = time.monotonic() + seconds
    while not (found := done()):
        assert time.monotonic() < end, "it never came to be"
        time.sleep(0.01)
    return found


class Broker:
    """A real mosquitto on a port of its own, which can be killed and started again."""

    def __init__(self, folder: Path, more: str = "allow_anonymous true") -> None:
        self.port = free_port()
        self._configuration, self._kept = folder / "mosquitto.conf", folder / "mosquitto.db"
        self._configuration.write_text(
            f"listener {self.port} 127.0.0.1\n{more}\npersistence true\npersistence_location {folder}/\n"
            "autosave_interval 1\nautosave_on_changes true\nuser root\n"
        )
        self._log = (folder / "mosquitto.log").open("wb")
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        assert MOSQUITTO is not None
        command = [MOSQUITTO, "-c", str(self._configuration)]
        self._process = subprocess.Popen(command, stdout=self._log, stderr=self._log)
        until(self._answers)

    def kill(self) -> None:
        if self._process is not None:
            self._process.send_signal(signals.SIGKILL)
            self._process.wait(10)
            self._process = None

    def end(self) -> None:
        self.kill()
        self._log.close()

    def remembers(self, topic: str) -> bool:
        """Whether somebody's subscription to a topic would outlive `kill`."""
        return self._kept.exists() and topic.encode() in self._kept.read_bytes()

    def _answers(self) -> bool:
        with socket.socket() as trial:
            return trial.connect_ex(("127.0.0.1", self.port)) == 0
