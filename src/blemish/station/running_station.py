"""A station as it runs: all its parts, put together, started, looked at each second, and ended."""

from __future__ import annotations

import hashlib
import logging
import os
import time
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path

from blemish.core.cores import available_cores
from blemish.core.devices import require_device
from blemish.core.errors import UsageError
from blemish.core.execution import AUTO
from blemish.core.images import DecodeLimits
from blemish.core.types import Verdict
from blemish.line.artifact import read_manifest
from blemish.line.precision_choice import choice_in_words
from blemish.station.active_version import ActiveVersion
from blemish.station.clock import ClockWatch
from blemish.station.database import Database
from blemish.station.drift import DriftWatch
from blemish.station.drift_watching import DriftWatching
from blemish.station.home import Home
from blemish.station.housekeeping import Housekeeping
from blemish.station.image_store import ImageStore
from blemish.station.inspection_queue import InspectionQueue, QueueLimits
from blemish.station.inspectors import Inspectors
from blemish.station.intake import Intake, Taken
from blemish.station.log import InspectionLog
from blemish.station.loop import Loop, Told
from blemish.station.metadata.reader import MetadataReader
from blemish.station.records import InspectionRecord
from blemish.station.retention import Retention
from blemish.station.shadow import ShadowJudge
from blemish.station.shadows import Shadows
from blemish.station.shelf import InspectorShelf, InspectorVersion
from blemish.station.signals.dispatcher import Dispatcher
from blemish.station.signals.opening import check_sinks, open_gate, open_sink
from blemish.station.sources.opening import open_source
from blemish.station.station_counts import StationCounts
from blemish.station.station_settings import StationSettings
from blemish.station.station_status import (
    SinkStatus,
    SourceStatus,
    State,
    StationStatus,
    TroubleStatus,
    station_folder,
    write_status,
)
from blemish.station.taken_photographs import TakenPhotographs
from blemish.station.troubles import Troubles

logger = logging.getLogger("blemish.station")


class RunningStation:
    """One station of a home; a home may have several, of different names.

    Args:
        settings: from its file.
        home: that it keeps everything in.
        database: of the history, upgraded; closed by whoever opened it.

    Raises:
        BlemishError: something in the settings cannot be opened.
    """

    def __init__(self, settings: StationSettings, home: Home, database: Database) -> None:
        self.settings, self._home, self._database = settings, home, database
        line = settings.station
        require_device(line.device)
        self.name = line.name
        self.folder = station_folder(home, line.name)
        self.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        self._state: State = "starting"
        self._started_all = False
        self._started = datetime.now(UTC)
        self.troubles, self.counts, self._clock = Troubles(), StationCounts(), ClockWatch()
        limits = DecodeLimits(
            max_bytes=line.max_bytes,
            max_pixels=line.max_pixels,
            bytes_option="max_bytes in [station]",
            pixels_option="max_pixels in [station]",
        )
        # What a key or a signal belongs to: two stations may share a home, and two homes a database.
        identity = f"{line.name}-{hashlib.sha256(f'{home.station}/{line.name}'.encode()).hexdigest()[:8]}"
        self._log = InspectionLog(database, home.station)
        kept = {"keep": line.keep, "days": line.keep_days, "gigabytes": line.keep_gigabytes}
        self._retention = Retention(home.path / "retention.json", database, kept, line.buffer_megabytes)
        self._images = ImageStore(home.images, self._retention.policy(), home.buffer)
        shelf = InspectorShelf(home, database)
        self._drift = DriftWatching(DriftWatch(database, shelf, None, None), shelf)
        self._metadata = MetadataReader(settings.metadata, limits) if settings.metadata else None
        self._gate = open_gate(settings.gate, home, identity) if settings.gate else None
        check_sinks(settings.sink, [source for source in settings.source if source.kind == "folder"])
        sinks = [open_sink(one, home, self._images.read, identity) for one in settings.sink]
        self._dispatcher = Dispatcher(database, identity, sinks)
        photographs = TakenPhotographs(database, identity, settings.sink)
        workers = line.workers or available_cores()
        self._queue = InspectionQueue(
            QueueLimits(workers, photographs=max(2 * workers, 4), seconds=float("inf")),
            limits,
            self._log,
            self._images,
            self.counts,
            lambda judged: None,
            photographs.within_commit,
            line.execution,
        )
        self._sources = [open_source(one) for one in settings.source]
        self._intake = Intake(self._sources, photographs.knows, self._has_come, self.troubles, line.queue)
        told = Told(self._tell_gate, self._dispatcher.wake, self._was_logged)
        self._loop = Loop(
            self._intake,
            self._queue,
            photographs,
            line.name,
            self._metadata,
            self.counts,
            self.troubles,
            told,
        )
        self._inspectors = Inspectors(shelf, self._queue.prepare)
        self._shadow = ShadowJudge(
            Shadows(database, shelf),
            shelf,
            limits,
            lambda: self._loop.idle,
            self._inspectors.activate,
            self._keep_difference,
            line.execution,
        )
        self._following: ActiveVersion | None = None
        self._housekeeping = Housekeeping(self._images, self._retention, self._log, self._clock)

    def start(self) -> None:
        """Compile the inspector, and let photographs come in.

        Raises:
            BlemishError: the inspector cannot be used.
        """
        self.write_status()
        version = self._loop.version = self._follow_version()
        self._queue.start()
        if self._metadata is not None:
            self._metadata.start()
        if self._gate is not None:
            self._gate.start()
        self._dispatcher.start()
        self._loop.start()
        self._drift.start()
        self._shadow.start()
        self._housekeeping.start()
        self._intake.start()
        self._state, self._started_all = "running", True
        logger.info("%s runs: %s judges.", self.name, version.title)

    def stop(self) -> None:
        """Finish what was accepted, send what can be sent, and end."""
        self._state = "stopping"
        seconds = self.settings.station.stop_seconds
        until = time.monotonic() + seconds
        self._intake.stop()
        with suppress(OSError):
            self.write_status()
        if self._following is not None:
            self._following.stop(5)
        if self._started_all:
            self._intake.join(2)
            self._loop.stop(seconds / 2)
        if self._gate is not None:  # before what may take longer: the conveyor goes on
            self._gate.stop(2)
        if self._started_all:
            self._dispatcher.stop(max(0.5, until - time.monotonic()))
        if self._metadata is not None:
            self._metadata.stop()
        self._drift.stop(5)
        self._shadow.stop(5)
        self._housekeeping.stop(5)
        self._state = "stopped"
        with suppress(OSError):
            self.write_status()
        logger.info("%s has ended after %d verdicts.", self.name, self.counts.total)

    @property
    def sentence(self) -> str:
        """How it is, in a few words."""
        troubles = self.troubles.now()
        wrong = f"; {troubles[0].what}: {troubles[0].sentence}" if troubles else ""
        return f"{self.counts.total} verdicts, {self._loop.waiting} photographs wait{wrong}"

    @property
    def ended(self) -> bool:
        """Whether no source gives anything any more, and all is settled."""
        return self._intake.ended and self._loop.idle

    @property
    def idle(self) -> bool:
        """Whether all that came so far is settled."""
        return self._loop.idle

    @property
    def moves(self) -> bool:
        """Whether the loop goes round."""
        return self._loop.moves

    def look(self) -> None:
        """Tell what goes wrong, and what goes right again; called each second."""
        follow = self.troubles.follow
        for settings, state in zip(self.settings.source, (one.state() for one in self._sources), strict=True):
            # A folder that is there has told the log which of its files it refuses.
            follow(
                f"source {state.name}",
                state.trouble,
                say=not (settings.kind == "folder" and state.connected),
            )
        for sink in self._dispatcher.states():
            follow(f"sink {sink.name}", sink.trouble, say=False)
        if self._gate is not None:
            follow("gate", self._gate.state().trouble, say=False)
        if self._metadata is not None:
            follow("metadata", self._metadata.state().trouble)
        follow("photographs", self._images.trouble)
        follow("device", self._queue.lost_device, say=False)  # the queue has said it
        self._clock.look()
        follow("clock", self._clock.trouble, say=False)  # the log has it when it is set

    def write_status(self) -> None:
        """Let page, API and metrics know.

        Raises:
            OSError: the file cannot be written.
        """
        write_status(self.folder, self.status())

    def status(self) -> StationStatus:
        """How the station is now."""
        version: InspectorVersion | None = getattr(self._loop, "version", None)
        told: dict[str, object] = self.counts.document()
        return StationStatus.model_validate(
            told
            | {
                "name": self.name,
                "state": self._state,
                "inspector": version.name if version else self.settings.station.inspector,
                "version": version.version if version else None,
                "pid": os.getpid(),
                "started": self._started,
                "time": datetime.now(UTC),
                "sources": self._source_states(),
                "sinks": self._sink_states(),
                "gate": vars(self._gate.state()) if self._gate else None,
                "waiting": self._loop.waiting,
                "troubles": [TroubleStatus.model_validate(vars(one)) for one in self.troubles.now()],
                "memory_bytes": _memory(),
            }
        )

    def _source_states(self) -> list[SourceStatus]:
        kinds = [one.kind for one in self.settings.source]
        states = [one.state() for one in self._sources]
        return [
            SourceStatus.model_validate(vars(state) | {"kind": kind})
            for state, kind in zip(states, kinds, strict=True)
        ]

    def _sink_states(self) -> list[SinkStatus]:
        kinds = [one.kind for one in self.settings.sink]
        states = self._dispatcher.states()
        return [
            SinkStatus.model_validate(vars(state) | {"kind": kind})
            for state, kind in zip(states, kinds, strict=True)
        ]

    def _follow_version(self) -> InspectorVersion:
        """The version that judges, compiled; and look for another one from now on."""
        line = self.settings.station
        name = line.inspector
        if (file := line.inspector_file) is not None:
            if not file.is_file():
                raise UsageError(f"{file} does not exist: name a file, or an inspector of the home.")
            name = self._inspectors.keep_or_activate(file, self.name).name
        self._following = ActiveVersion(
            self._inspectors, name, self._queue.prepare, self._use_version, self.troubles
        )
        version = self._following.first()
        if line.precision == AUTO:
            choices = read_manifest(version.path).precisions
            logger.info("%s", choice_in_words(version.name, choices, line.device))
        self._following.start()
        return version

    def _use_version(self, version: InspectorVersion) -> None:
        self._loop.version = version

    def _has_come(self, taken: Taken) -> None:
        if self._gate is not None:
            self._gate.arm(taken.id, taken.arrival.closed)

    def _tell_gate(self, arrival_id: str, verdict: Verdict | None) -> None:
        if self._gate is not None:
            self._gate.tell(arrival_id, verdict)

    def _was_logged(self, taken: Taken, record: InspectionRecord) -> None:
        self._drift.wake()
        self._shadow.offer(taken.arrival.photograph, record)

    def _keep_difference(
        self, content: bytes, suffix: str, verdict: Verdict, record: InspectionRecord
    ) -> None:
        """Keep the photograph of a pass that another version would not pass, so that a person may look at it."""
        if record.image_suffix is None and (kept := self._images.keep(content, suffix, verdict)) is not None:
            self._log.remember_image(record.image_digest, kept)


def _memory() -> int | None:
    """Resident bytes of this process, where the system has /proc."""
    try:
        pages = int(Path("/proc/self/statm").read_text(encoding="ascii").split()[1])
    except (OSError, ValueError, IndexError):
        return None
    return pages * os.sysconf("SC_PAGE_SIZE")
