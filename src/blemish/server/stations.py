"""The stations of the server's home: what they say of themselves, their files, and whether they run."""

from __future__ import annotations

from pathlib import Path

from blemish.core.errors import NotFoundError, UsageError
from blemish.core.storage import write_private
from blemish.server.settings import ServerSettings
from blemish.server.station_processes import SETTINGS_NAME, StationProcesses
from blemish.station.audit import Action, Change, note_change
from blemish.station.database import Database
from blemish.station.home import Home
from blemish.station.records import check_name
from blemish.station.station_check import problems_of
from blemish.station.station_settings import StationSettings, parsed_settings
from blemish.station.station_status import StationStatus, read_status, station_folder, station_names

_STOP_SECONDS = 60.0


class Stations:
    """Stations as a server shows and runs them.

    Args:
        home, database: of the server.
        settings: of the server.
    """

    def __init__(self, home: Home, database: Database, settings: ServerSettings) -> None:
        self._home, self._database, self._settings = home, database, settings
        self.processes = StationProcesses(home, settings.database)

    def names(self) -> list[str]:
        """All that have run in this home, or have a file here."""
        return station_names(self._home)

    def statuses(self) -> list[StationStatus]:
        """What those say of themselves that have ever run."""
        found = (read_status(self._home, name) for name in self.names())
        return [one for one in found if one is not None]

    def status(self, name: str) -> StationStatus | None:
        """What a station says; None where it has never run.

        Raises:
            NotFoundError: there is no such station.
        """
        self._require(name)
        return read_status(self._home, name)

    def text(self, name: str) -> str | None:
        """A station's file; None where it was started with one that lies elsewhere.

        Raises:
            NotFoundError: there is no such station.
        """
        self._require(name)
        try:
            return self._path(name).read_text(encoding="utf-8")
        except FileNotFoundError:
            return None

    def check(self, name: str, text: str) -> list[str]:
        """What is missing of what a station's file names, a sentence each.

        Raises:
            UsageError: the file cannot be meant.
        """
        return problems_of(self._parsed(name, text))

    def write(self, name: str, text: str, by: str) -> None:
        """Keep a station's file; a station that runs goes on with the one before until it is started anew.

        Raises:
            UsageError: the file cannot be meant, or names what it may not.
        """
        self._parsed(name, text)
        self._path(name).parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        with self._database.transaction() as session:
            detail = {"station": name}
            note_change(session, Change(action=Action.CHANGE_STATION, by=by, detail=detail))
            session.flush()
            write_private(self._path(name), text.encode())

    def start(self, name: str, by: str) -> None:
        """Let a station run.

        Raises:
            NotFoundError: there is no such station, or it has no file here.
            UsageError: its file cannot be meant, or something that it names is missing.
            ConflictError: it runs already.
        """
        text = self.text(name)
        if text is None:
            raise NotFoundError(
                f"The station {name} has no file here: write one, or start it where it has one."
            )
        if problems := self.check(name, text):
            raise UsageError(" ".join(problems))
        self.processes.start(name)
        self._note(Action.START_STATION, name, by)

    def stop(self, name: str, by: str) -> None:
        """Let a station end; returns when it has.

        Raises:
            NotFoundError: there is no such station.
            ConflictError: another program runs it.
        """
        self._require(name)
        self.processes.stop(name, _STOP_SECONDS)
        self._note(Action.STOP_STATION, name, by)

    def _note(self, action: Action, name: str, by: str) -> None:
        with self._database.transaction() as session:
            note_change(session, Change(action=action, by=by, detail={"station": name}))

    def _require(self, name: str) -> None:
        if name not in self.names():
            raise NotFoundError(f"There is no station {name[:80]!a}: check the name.")

    def _path(self, name: str) -> Path:
        return station_folder(self._home, name) / SETTINGS_NAME

    def _parsed(self, name: str, text: str) -> StationSettings:
        """The settings of a file for this server: in its home, under this name, where it may read and write."""
        check_name(name, "A station")
        settings = parsed_settings(text.encode(), SETTINGS_NAME, self._path(name).parent)
        line = settings.station
        if line.name != name:
            raise UsageError(
                f'{SETTINGS_NAME}: name = "{line.name}" in [station] is another one: write "{name}".'
            )
        self._require_allowed(settings)
        ours = {"home": self._home.path, "database": self._settings.database}
        return settings.model_copy(update={"station": line.model_copy(update=ours)})

    def _require_allowed(self, settings: StationSettings) -> None:
        """A server that is told where it may read lets no station reach beyond that."""
        allowed = self._settings.photographs_below
        if not allowed:
            return
        below = [folder.resolve() for folder in (*allowed, self._home.path / "stations")]
        for path in _places(settings):
            if not any(path.resolve().is_relative_to(folder) for folder in below):
                raise UsageError(
                    f"{SETTINGS_NAME}: {path} is not below a folder that this server may use: name one below "
                    f"{', '.join(str(folder) for folder in allowed)}."
                )


def _places(settings: StationSettings) -> list[Path]:
    """Files and folders that a station reads or writes photographs and verdicts in."""
    found: list[Path | None] = [settings.station.inspector_file]
    for source in settings.source:
        if source.kind == "folder":
            found += [source.path, source.aside]
        elif source.kind == "video":
            found.append(source.path)
    for sink in settings.sink:
        if sink.kind == "files":
            found.append(sink.folder)
        elif sink.kind == "json-lines":
            found.append(sink.file)
    return [path for path in found if path is not None]
