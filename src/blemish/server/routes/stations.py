"""`/v1/stations`: stations of the server's home, what they say, their files, and whether they run."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Path
from pydantic import BaseModel, ConfigDict, Field
from starlette.concurrency import run_in_threadpool

from blemish.server.authentication import Admin, Viewer
from blemish.server.problems import ProblemError
from blemish.server.routes.running import Running
from blemish.server.service import Service
from blemish.station.records import NAME_PATTERN
from blemish.station.station_status import StationStatus

router = APIRouter(tags=["stations"])

StationName = Annotated[str, Path(pattern=NAME_PATTERN, max_length=80, description="Name of the station.")]
_MOST_CHARACTERS = 100_000


class StationDocument(BaseModel):
    """A station of this home."""

    name: str
    supervised: bool = Field(
        description="Whether this server runs it, and starts it anew when it ends unasked."
    )
    has_settings: bool = Field(
        description="Whether its file lies in this home, so that it can be started here."
    )
    ended: str | None = Field(description="Why it ended unasked, in its own words; null where it did not.")
    status: StationStatus | None = Field(description="What it said last; null where it has never run.")


class StationsDocument(BaseModel):
    """All stations of this home, by name."""

    stations: list[StationDocument]


class StationSettingsDocument(BaseModel):
    """A station's file."""

    text: str | None = Field(description="TOML; null where its file lies elsewhere.")


class StationSettingsRequest(BaseModel):
    """A station's file, as it is to be."""

    model_config = ConfigDict(extra="forbid")

    text: Annotated[str, Field(min_length=1, max_length=_MOST_CHARACTERS, description="TOML.")]


class StationProblemsDocument(BaseModel):
    """What is missing of what a station's file names."""

    problems: list[str] = Field(description="A sentence each; empty where the station can run.")


@router.get("/v1/stations")
def stations(service: Running, caller: Viewer) -> StationsDocument:
    """Which stations there are, and how they are."""
    return StationsDocument(stations=[station_document(service, name) for name in service.stations.names()])


@router.get("/v1/stations/{name}")
def station(service: Running, caller: Viewer, name: StationName) -> StationDocument:
    """How a station is."""
    return station_document(service, name)


@router.get("/v1/stations/{name}/settings")
def settings(service: Running, caller: Admin, name: StationName) -> StationSettingsDocument:
    """A station's file."""
    return StationSettingsDocument(text=service.stations.text(name))


@router.put("/v1/stations/{name}/settings")
def set_settings(
    service: Running, caller: Admin, name: StationName, request: StationSettingsRequest
) -> StationProblemsDocument:
    """Keep a station's file, made if there is none; what it names and is missing keeps it from starting."""
    service.stations.write(name, request.text, caller.name)
    return StationProblemsDocument(problems=service.stations.check(name, request.text))


@router.post("/v1/stations/{name}/check")
def check(
    service: Running, caller: Admin, name: StationName, request: StationSettingsRequest
) -> StationProblemsDocument:
    """Say what is missing of what a file names; nothing is kept."""
    return StationProblemsDocument(problems=service.stations.check(name, request.text))


@router.post("/v1/stations/{name}/start", status_code=202)
def start(service: Running, caller: Admin, name: StationName) -> StationDocument:
    """Let a station run, now and whenever the server does; it says within seconds how it is."""
    service.stations.start(name, caller.name)
    return station_document(service, name)


@router.post("/v1/stations/{name}/stop")
async def stop(service: Running, caller: Admin, name: StationName) -> StationDocument:
    """Let a station end; the answer comes when it has finished what it had accepted."""
    await run_in_threadpool(service.stations.stop, name, caller.name)
    return await run_in_threadpool(station_document, service, name)


def station_document(service: Service, name: str) -> StationDocument:
    """What is known of a station.

    Raises:
        ProblemError: there is none of this name.
    """
    if name not in service.stations.names():
        raise ProblemError(404, f"There is no station {name[:80]!a}: check the name.")
    return StationDocument(
        name=name,
        supervised=service.stations.processes.runs(name),
        has_settings=service.stations.text(name) is not None,
        ended=service.stations.processes.said(name),
        status=service.stations.status(name),
    )
