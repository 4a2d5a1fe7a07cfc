"""A station's history and shelf, opened by a workflow beside the server or without one."""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from blemish.core.errors import BlemishError, NotFoundError, UsageError

if TYPE_CHECKING:
    from blemish.line.decision import Decision
    from blemish.station.database import Database
    from blemish.station.decision_history import DecisionHistory
    from blemish.station.shelf import InspectorShelf, InspectorVersion


@dataclass(frozen=True)
class Station:
    """An opened station.

    Attributes:
        database: the history.
        shelf: the inspectors.
    """

    database: Database
    shelf: InspectorShelf


@contextmanager
def opened_station(home: Path | None, database: str | None) -> Iterator[Station]:
    """The station in a folder, `BLEMISH_HOME` where None, its history there or where the URL says; closed afterwards.

    Raises:
        UsageError: the folder cannot be a station's home, or the URL is none.
        DatabaseError: the history cannot be opened, or was written by a newer Blemish.
    """
    from blemish.station.database import Database
    from blemish.station.home import Home
    from blemish.station.shelf import InspectorShelf

    folder = Home(home)
    opened = Database(database or folder.database_url)
    try:
        opened.upgrade()
        yield Station(opened, InspectorShelf(folder, opened))
    finally:
        opened.close()


@dataclass(frozen=True)
class Recorded:
    """What a station has logged by the versions that score as an inspector does.

    Attributes:
        path: the inspector's file.
        name: what the station calls it.
        history: of these versions.
        decided_by: the decision of a version; None where its file is damaged or gone.
    """

    path: Path
    name: str
    history: DecisionHistory
    decided_by: Callable[[int], Decision | None]


def recorded(station: Station, inspector: Path) -> Recorded:
    """What a station has logged by an inspector, which is named, or is a file that scores as one of its versions does.

    Raises:
        NotFoundError: the station has no active inspector of this name.
        UsageError: no version at the station scores as the file does, or there is no such file.
        ArtifactError: the file is damaged.
    """
    from blemish.line.artifact import read_artifact
    from blemish.station.decision_history import DecisionHistory
    from blemish.station.scoring import scored_alike

    path, version = _meant(station, inspector)
    alike = scored_alike(station.database, station.shelf, version)

    def decided_by(number: int) -> Decision | None:
        with suppress(BlemishError):
            found = station.shelf.get(version.name, number)
            return read_artifact(found.path, digest=found.digest).manifest.decision
        return None

    history = DecisionHistory(station.database, version.name, alike)
    return Recorded(path, version.name, history, functools.cache(decided_by))


def _meant(station: Station, inspector: Path) -> tuple[Path, InspectorVersion]:
    """The file of an inspector, and a version at the station that scores as it does."""
    from blemish.line.artifact import read_artifact
    from blemish.station.scoring import scoring_as

    if not inspector.is_file():
        if inspector.suffix == ".blemish" or len(inspector.parts) != 1:
            raise UsageError(f"{inspector} does not exist: name a file, or an inspector of the station.")
        try:
            active = station.shelf.active(str(inspector))
        except NotFoundError as error:
            raise NotFoundError(f"{inspector} is no file, and no active inspector of the station.") from error
        return active.path, active
    manifest = read_artifact(inspector).manifest
    found = scoring_as(station.database, station.shelf, manifest.scoring_digest)
    if not found:
        raise UsageError(
            f"No inspector at this station scores as {inspector} does, so nothing was inspected by it: name the "
            "station's folder with --home."
        )
    named = [one for one in found if one.name == manifest.name]
    if not named and len({one.name for one in found}) > 1:
        names = ", ".join(sorted({one.name for one in found}))
        raise UsageError(
            f"{inspector} is at this station under several names: give one of them, {names}, instead."
        )
    return inspector, (named or found)[-1]
