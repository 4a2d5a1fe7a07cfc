"""What a station says of itself each second, in a file of its home: the page, the API and `/metrics` read it there."""

from __future__ import annotations

import json
import re
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Literal

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field

from blemish.core.errors import NotFoundError
from blemish.core.types import Verdict
from blemish.station.home import Home
from blemish.station.records import NAME_PATTERN

SILENT_SECONDS = 10.0
"""After so long without a word a station is not running, whatever it said last."""

LATENCY_SECONDS = (0.01, 0.02, 0.03, 0.05, 0.075, 0.1, 0.15, 0.2, 0.3, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0)
"""Upper ends of the buckets that latencies are counted in."""

_MOST_BYTES = 2**20

State = Literal["starting", "running", "stopping", "stopped", "silent"]
"""`silent` is one that has ended without saying so, or does not move."""


class _Document(BaseModel):
    model_config = ConfigDict(frozen=True, extra="ignore")


class SourceStatus(_Document):
    """A source of a station."""

    name: str
    kind: str
    connected: bool = Field(description="Whether photographs can come.")
    trouble: str | None = Field(description="What is wrong, in one sentence; null if nothing is.")
    given: int = Field(description="Photographs since the start.")
    dropped: int = Field(description="Frames that gave way to newer ones.")
    refused: int = Field(description="What could not be read.")
    last: AwareDatetime | None = Field(description="When the latest photograph came.")


class SinkStatus(_Document):
    """A sink of a station."""

    name: str
    kind: str
    connected: bool = Field(description="Whether it took what it was given last.")
    trouble: str | None = Field(description="What is wrong, in one sentence; null if nothing is.")
    sent: int = Field(description="Signals that have arrived since the start.")
    last_sent: AwareDatetime | None = Field(description="When the latest of them did.")
    waiting: int = Field(description="Signals that have still to arrive; they are in the database.")
    oldest: AwareDatetime | None = Field(description="Of when the oldest of them is.")
    set_aside: int = Field(description="Signals that it refuses for what they are.")


class LastVerdict(_Document):
    """One of the latest inspections of a station."""

    inspection: int
    time: AwareDatetime
    verdict: Verdict
    score: float
    file_name: str
    milliseconds: float = Field(description="From the complete photograph to the committed verdict.")


class LastRefusal(_Document):
    """A photograph that cannot be judged."""

    time: AwareDatetime
    file_name: str
    detail: str


class TroubleStatus(_Document):
    """Something that a station does without at present."""

    what: str
    sentence: str
    since: AwareDatetime


class LatencyStatus(_Document):
    """From the complete photograph to the committed verdict, of the latest 1,000, in milliseconds."""

    n: int
    median: float
    p99: float
    most: float


class StationStatus(_Document):
    """A station as it was at `time`."""

    name: str
    state: State
    inspector: str
    version: int | None = Field(description="Which judges; null before the first is compiled.")
    pid: int
    started: AwareDatetime
    time: AwareDatetime = Field(description="When it said so.")
    sources: tuple[SourceStatus, ...] = ()
    sinks: tuple[SinkStatus, ...] = ()
    gate: dict[str, Any] | None = None
    waiting: int = Field(0, description="Photographs that have come and have no verdict.")
    verdicts: dict[str, int] = Field(
        default_factory=dict, description="Inspections since the start by verdict."
    )
    refused: int = Field(0, description="Photographs since the start that cannot be judged.")
    parts_per_minute: float = Field(0.0, description="Verdicts in the latest minute.")
    latency: LatencyStatus | None = None
    latency_buckets: tuple[int, ...] = Field(
        (), description="Verdicts since the start by latency: up to each of `LATENCY_SECONDS`, and above."
    )
    latency_seconds: float = Field(0.0, description="Sum of the latencies since the start.")
    last: tuple[LastVerdict, ...] = Field((), description="The latest verdicts, the newest first.")
    last_refused: tuple[LastRefusal, ...] = Field((), description="The latest refusals, the newest first.")
    troubles: tuple[TroubleStatus, ...] = ()
    memory_bytes: int | None = Field(None, description="That the process holds, where the system tells.")

    @property
    def runs(self) -> bool:
        """Whether it takes photographs, or will soon."""
        return self.state in ("starting", "running", "stopping")


def station_folder(home: Home, name: str) -> Path:
    """Where a station keeps what is its own."""
    return home.path / "stations" / name


def write_status(folder: Path, status: StationStatus) -> None:
    """Let others read it: whole, at once, and without waiting for the disk, as it is old in a second.

    Raises:
        OSError: it cannot be written.
    """
    waiting = folder / ".status.json.part"
    waiting.write_text(status.model_dump_json(), encoding="utf-8")
    waiting.replace(folder / "status.json")


def read_status(home: Home, name: str) -> StationStatus | None:
    """What a station said last; None where it never said anything that can be read."""
    path = station_folder(home, name) / "status.json"
    try:
        with path.open("rb") as file:
            told = StationStatus.model_validate(json.loads(file.read(_MOST_BYTES)))
        # By the file's own age: a clock that was set meanwhile makes no station silent for long.
        age = abs(time.time() - path.stat().st_mtime)
    except (OSError, ValueError):
        return None
    return told.model_copy(update={"state": "silent"}) if told.runs and age > SILENT_SECONDS else told


def station_names(home: Home) -> list[str]:
    """Names of all stations of a home, that have run there or are described there."""
    try:
        found = [one.name for one in (home.path / "stations").iterdir() if one.is_dir()]
    except OSError:
        return []
    return sorted(name for name in found if re.fullmatch(NAME_PATTERN, name))


def station_status(home: Home, name: str) -> StationStatus:
    """What a station said last.

    Raises:
        NotFoundError: there is no such station, or it has never run.
    """
    found = read_status(home, name) if name in station_names(home) else None
    if found is None:
        raise NotFoundError(f"There is no station {name[:80]!a} that has ever run here: check the name.")
    return found


def now() -> datetime:
    """The time in UTC."""
    return datetime.now(UTC)
