"""Stations that the server runs: a process each, started anew when it ends unasked, and with the server again."""

from __future__ import annotations

import logging
import os
import subprocess
import sys
import threading
import time
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

from blemish.core.errors import ConflictError
from blemish.core.storage import write_bytes
from blemish.station.home import Home
from blemish.station.signals.backoff import Backoff
from blemish.station.station_status import read_status, station_folder, station_names

SETTINGS_NAME = "station.toml"
_WANTED_NAME = "wanted"
_LOOK_SECONDS = 0.5
_MOST_SAID = 2000

logger = logging.getLogger("blemish.server")


@dataclass
class _Supervised:
    process: subprocess.Popen[bytes]
    backoff: Backoff = field(default_factory=lambda: Backoff(1.0, 60.0))
    again_at: float | None = None  # when it is started anew, `time.monotonic()`; None while it runs
    started: float = field(default_factory=time.monotonic)


class StationProcesses:
    """The stations of a home that are to run, each in a process that ends with this one.

    Args:
        home: of the stations and of the server.
        database: URL of the history, where it is not in the home.
    """

    def __init__(self, home: Home, database: str | None) -> None:
        self._home, self._database = home, database
        self._running: dict[str, _Supervised] = {}
        self._said: dict[str, str] = {}
        self._lock, self._stopped = threading.Lock(), threading.Event()
        self._thread = threading.Thread(target=self._watch, name="stations", daemon=True)

    def begin(self) -> None:
        """Start those that ran when the server ended, and watch over all."""
        for name in station_names(self._home):
            if (station_folder(self._home, name) / _WANTED_NAME).exists():
                with self._lock:
                    self._start(name)
        self._thread.start()

    def end(self, seconds: float) -> None:
        """End all stations in an orderly way; they start again with the server."""
        self._stopped.set()
        if self._thread.is_alive():
            self._thread.join(5)
        with self._lock:
            ended = list(self._running.values())
            self._running.clear()
        for one in ended:
            _ask_to_end(one.process)
        until = time.monotonic() + seconds
        for one in ended:
            _wait_or_kill(one.process, until)

    def start(self, name: str) -> None:
        """Let a station run from now on.

        Raises:
            ConflictError: it runs already.
        """
        with self._lock:
            known = self._running.get(name)
            if known is not None and known.process.poll() is None:
                raise ConflictError(f"The station {name} runs already: stop it first to start it anew.")
            told = read_status(self._home, name)
            if known is None and told is not None and told.runs:
                raise ConflictError(
                    f"The station {name} runs already, by another program than this server: stop it there."
                )
            write_bytes(station_folder(self._home, name) / _WANTED_NAME, b"")
            self._start(name)

    def stop(self, name: str, seconds: float) -> None:
        """Let a station end, and not run again until somebody starts it; returns when it has ended.

        Raises:
            ConflictError: this server does not run it.
        """
        with self._lock:
            (station_folder(self._home, name) / _WANTED_NAME).unlink(missing_ok=True)
            known = self._running.pop(name, None)
        if known is None:
            raise ConflictError(f"This server does not run the station {name}: stop it where it was started.")
        _ask_to_end(known.process)
        _wait_or_kill(known.process, time.monotonic() + seconds)

    def runs(self, name: str) -> bool:
        """Whether this server is to run a station."""
        with self._lock:
            return name in self._running

    def said(self, name: str) -> str | None:
        """Why a station ended unasked, in its own words; None where it did not."""
        with self._lock:
            return self._said.get(name)

    def _start(self, name: str) -> None:
        folder = station_folder(self._home, name)
        command = [sys.executable, "-m", "blemish", "station", str(folder / SETTINGS_NAME), "--supervised"]
        command += ["--home", str(self._home.path)]
        environment = dict(os.environ)
        if self._database is not None:
            environment["BLEMISH_DATABASE"] = (
                self._database
            )  # not on the command line, which anybody can read
        with (folder / "ended.txt").open("wb") as errors:
            process = subprocess.Popen(
                command,
                stdin=subprocess.PIPE,
                stdout=subprocess.DEVNULL,
                stderr=errors,
                env=environment,
                cwd=folder,
                start_new_session=True,  # Ctrl-C on the server is for the server
            )
        known = self._running.get(name)
        if known is None:
            self._running[name] = _Supervised(process)
        else:
            known.process, known.again_at, known.started = process, None, time.monotonic()

    def _watch(self) -> None:
        while not self._stopped.wait(_LOOK_SECONDS):
            with self._lock:
                for name, one in self._running.items():
                    try:
                        self._look(name, one)
                    except OSError as error:
                        logger.warning("The station %s cannot be started: %s", name, error)
                        one.again_at = time.monotonic() + one.backoff.next()

    def _look(self, name: str, one: _Supervised) -> None:
        now = time.monotonic()
        if one.again_at is not None:
            if now >= one.again_at:
                self._start(name)
            return
        if one.process.poll() is None:
            if now - one.started > 60:
                one.backoff.reset()
                self._said.pop(name, None)
            return
        _close(one.process)
        self._said[name] = _last_words(station_folder(self._home, name) / "ended.txt")
        logger.warning("The station %s has ended: %s It is started anew.", name, self._said[name])
        one.again_at = now + one.backoff.next()


def _last_words(path: Path) -> str:
    """The last line that a process has written on its standard error."""
    try:
        said = path.read_bytes()[-_MOST_SAID:].decode("utf-8", "replace").strip()
    except OSError:
        said = ""
    return said.splitlines()[-1] if said else "it says nothing of it."


def _ask_to_end(process: subprocess.Popen[bytes]) -> None:
    with suppress(ProcessLookupError):
        process.terminate()


def _wait_or_kill(process: subprocess.Popen[bytes], until: float) -> None:
    try:
        process.wait(max(0.1, until - time.monotonic()))
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
    _close(process)


def _close(process: subprocess.Popen[bytes]) -> None:
    if process.stdin is not None:
        with suppress(OSError):
            process.stdin.close()
