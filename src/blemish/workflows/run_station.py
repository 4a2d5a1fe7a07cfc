"""A station that runs until it is told to end: photographs come in by themselves, verdicts go out."""

from __future__ import annotations

import logging
import signal
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from types import FrameType
from typing import TYPE_CHECKING, Annotated, Any

from pydantic import Field

from blemish.core.errors import BlemishError, ConflictError, UsageError
from blemish.core.execution import Device
from blemish.workflows.fields import HistoryUrl, PrecisionName, StationHome
from blemish.workflows.request import Argument, Outcome, Request

if TYPE_CHECKING:
    from blemish.station.running_station import RunningStation
    from blemish.station.station_settings import StationSettings
    from blemish.station.station_status import StationStatus
    from blemish.station.supervision import Supervisor

_TICK = 1.0
_ONCE_QUIET_SECONDS = 2.0
"""With `once`: nothing has come for so long, and so nothing more is there."""

EXAMPLE = """\
[station]
name = "line-1"
inspector = "part.blemish"       # made by `blemish fit`; or the name of an inspector of the home

[[source]]
kind = "folder"                  # or camera, stream, genicam, video, http, standard-input
name = "camera-1"
path = "incoming"

[[sink]]
kind = "files"
name = "sorted"
folder = "sorted"                # sorted/pass, sorted/review, sorted/reject
action = "move"

[[sink]]
kind = "json-lines"
name = "verdicts"
file = "verdicts.jsonl"
"""
"""A station's file to begin with."""

logger = logging.getLogger("blemish.station")


class RunStationRequest(Request):
    """Run a station."""

    config: Annotated[Path | None, Argument("CONFIG.toml")] = Field(None, description="The station's file.")
    home: StationHome = None
    database: HistoryUrl = None
    device: Annotated[
        Device | None,
        Field(description="Where networks are computed, in place of the file's device."),
    ] = None
    precision: PrecisionName = None
    once: bool = Field(False, description="Judge what is there, and end.")
    check: bool = Field(False, description="Say whether all that the file names is there; run nothing.")
    example: bool = Field(False, description="Print a file to begin with; run nothing.")
    supervised: bool = Field(
        False,
        description="For a program that starts this: end when standard input does, and log into station.log alone.",
    )


@dataclass(frozen=True)
class RunStationResult(Outcome):
    """What a station has done, or what its file needs.

    Attributes:
        status: as it was at the end; None where it was only checked.
        problems: what is missing, a sentence each.
        example: a file to begin with, where one was asked for.
    """

    status: StationStatus | None = None
    problems: tuple[str, ...] = ()
    example: str = ""

    @property
    def complete(self) -> bool:
        """Whether nothing is missing."""
        return not self.problems

    def to_json(self) -> dict[str, Any]:
        """As JSON-ready values."""
        if self.example:
            return {"example": self.example}
        status = None if self.status is None else self.status.model_dump(mode="json")
        return {"status": status, "problems": list(self.problems)}


def run_station(
    request: RunStationRequest, began: Callable[[RunningStation], None] = lambda station: None
) -> RunStationResult:
    """Run a station until SIGTERM, Ctrl-C, or with `once` until all is judged that is there.

    Args:
        request: which.
        began: called once photographs can come in.

    Raises:
        UsageError: the file, or what it names, cannot be used.
        ConflictError: a station of this name runs in this home already.
        BlemishError: the inspector, the database, a source or a sink cannot be opened.
    """
    if request.example:
        return RunStationResult(example=EXAMPLE)
    if request.config is None:
        raise UsageError(
            "Name the station's file, as line.toml: blemish station --example prints one to begin with."
        )
    from blemish.core.own_process import share_heaps
    from blemish.station.database import Database
    from blemish.station.home import Home
    from blemish.station.running_station import RunningStation
    from blemish.station.station_check import problems_of
    from blemish.station.station_log import logging_to
    from blemish.station.station_settings import read_settings
    from blemish.station.station_status import station_folder

    settings = _with_options(read_settings(request.config), request)
    if request.check:
        return RunStationResult(problems=tuple(problems_of(settings)))
    _check_options(settings, request.once, request.supervised)
    share_heaps()
    home = Home(settings.station.home)
    folder = station_folder(home, settings.station.name)
    line = settings.station
    with (
        _alone(folder, line.name),
        logging_to(folder, line.log_megabytes, line.log_files, alone=request.supervised),
    ):
        database = Database(line.database or home.database_url)
        try:
            database.upgrade()
            station = RunningStation(settings, home, database)
            with _asked_to_end(request.supervised) as ended:
                _run(station, ended, request.once, began)
            return RunStationResult(station.status())
        except BlemishError as error:
            logger.error("%s", error)
            raise
        finally:
            database.close()


def _with_options(settings: StationSettings, request: RunStationRequest) -> StationSettings:
    """The settings, where what was asked for on the command line wins."""
    given = {
        "home": request.home,
        "database": request.database,
        "device": request.device,
        "precision": request.precision,
    }
    changes = {name: value for name, value in given.items() if value is not None}
    return settings.model_copy(update={"station": settings.station.model_copy(update=changes)})


def _check_options(settings: StationSettings, once: bool, supervised: bool) -> None:
    if supervised and any(one.kind == "standard-input" for one in settings.source):
        raise UsageError(
            "A supervised station ends with its standard input, so no source can read photographs there: leave that "
            "source out."
        )
    ending = ("folder", "video", "standard-input")
    live = [one.name for one in settings.source if one.kind not in ending]
    if once and live:
        raise UsageError(
            f"--once ends when all is judged that is there, and {live[0]} never ends: leave --once or the source out."
        )


def _run(
    station: RunningStation,
    ended: threading.Event,
    once: bool,
    began: Callable[[RunningStation], None],
) -> None:
    """Start, look each second, stop; however it ends."""
    from blemish.core.own_process import collect_often
    from blemish.station.metrics_served import metrics_served
    from blemish.station.supervision import Supervisor

    supervisor = Supervisor()
    try:
        station.start()
        collect_often()
        with metrics_served(station):
            supervisor.ready(station.sentence)
            began(station)
            quiet_since, alive_at = time.monotonic(), 0.0
            while not ended.wait(_next_tick(alive_at)):
                alive_at = time.monotonic()
                _look(station, supervisor)
                if not station.idle:
                    quiet_since = time.monotonic()
                if station.ended or (once and time.monotonic() - quiet_since > _ONCE_QUIET_SECONDS):
                    break
    finally:
        supervisor.stopping()
        station.stop()


def _next_tick(last: float) -> float:
    return max(0.05, min(_TICK, last + _TICK - time.monotonic()))


def _look(station: RunningStation, supervisor: Supervisor) -> None:
    """What is done each second; nothing of it ends the station."""
    try:
        station.look()
        station.write_status()
        station.troubles.end("status")
    except OSError as error:
        reason = (error.strerror or str(error)).lower()
        station.troubles.begin(
            "status", f"The page does not see how the station is ({reason}): free some space."
        )
    except Exception:
        logger.exception("The station could not look after itself; it goes on.")
    if station.moves:
        supervisor.alive(station.sentence)
    else:
        supervisor.says("The loop does not move.")
        station.troubles.begin(
            "loop", "The loop does not move: systemd starts it anew if it watches over it."
        )


@contextmanager
def _asked_to_end(ends_with_input: bool) -> Iterator[threading.Event]:
    """An event that SIGTERM and Ctrl-C set; a second Ctrl-C ends at once."""
    ended = threading.Event()

    def end(number: int, frame: FrameType | None) -> None:
        if ended.is_set() and number == signal.SIGINT:
            raise KeyboardInterrupt
        ended.set()

    before = {}
    if threading.current_thread() is threading.main_thread():
        before = {one: signal.signal(one, end) for one in (signal.SIGINT, signal.SIGTERM)}
    if ends_with_input:
        threading.Thread(target=_end_with_input, args=(ended,), daemon=True).start()
    try:
        yield ended
    finally:
        for one, handler in before.items():
            signal.signal(one, handler)


def _end_with_input(ended: threading.Event) -> None:
    import os

    with suppress(OSError):
        while os.read(0, 4096):
            pass
    ended.set()


@contextmanager
def _alone(folder: Path, name: str) -> Iterator[None]:
    """Hold a station's folder for this process alone, until it ends, in whatever way.

    Raises:
        ConflictError: another process has it.
    """
    import portalocker

    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    flags = portalocker.LockFlags.EXCLUSIVE | portalocker.LockFlags.NON_BLOCKING
    lock = portalocker.Lock(folder / "lock", mode="a", timeout=0, flags=flags)
    try:
        lock.acquire()
    except portalocker.exceptions.LockException as error:
        raise ConflictError(
            f"The station {name} runs already: end that one, or give this one another name in [station]."
        ) from error
    try:
        yield
    finally:
        lock.release()
