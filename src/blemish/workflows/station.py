"""A station's history and shelf, opened by a workflow beside the server or without one."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from blemish.station.database import Database
    from blemish.station.shelf import InspectorShelf


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
