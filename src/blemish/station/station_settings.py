"""A station's file: which inspector judges the photographs of which sources, and who is told.

One TOML file, checked as a whole: an unknown key, a value that is not possible, two sources of one name are said with
their line before anything runs. Relative paths are below the file's own folder.
"""

from __future__ import annotations

import re
import tomllib
from pathlib import Path
from typing import Annotated, Any, Self, get_args

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from blemish.core.errors import UsageError
from blemish.core.execution import AUTO, AskedPrecision, Device, Execution
from blemish.station.buffer_size import BUFFER_MEGABYTES
from blemish.station.metadata.settings import MetadataSettings
from blemish.station.records import NAME_PATTERN
from blemish.station.signals.settings import GateSettings, SinkSettings
from blemish.station.sources.settings import SourceSettings

_MEBIBYTE = 2**20
_MOST_BYTES = _MEBIBYTE

Name = Annotated[str, Field(pattern=NAME_PATTERN)]


class LineSettings(BaseModel):
    """The table `[station]`.

    Attributes:
        name: of the station; stations of one home have different ones.
        inspector: a file NAME.blemish, which is put on the shelf and judges unless its decision was changed since; or
            the name of an inspector that is there.
        home, database: as of the service, which may run beside it on the same; those of the environment if absent.
        workers: photographs judged at once; the cores if absent.
        device, precision: where the networks are computed, and in which numbers; if absent on the CPU, in the precision
            that the inspector keeps for it.
        queue: photographs that wait in the station at most; then folders wait, and cameras drop old frames.
        max_bytes, max_pixels: of a photograph.
        keep: which photographs are kept: what the page has chosen, or rejects, if absent.
        keep_days, keep_gigabytes: how long, and how many of them.
        buffer_megabytes: of the latest passes, held so that a missed defect can be kept.
        metrics_port, metrics_host: where Prometheus reads; nowhere if absent.
        stop_seconds: that ending may take: for what was accepted, and for sinks that are well.
        log_megabytes, log_files: the size of a log file, and how many of them there are.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: Name = "line"
    inspector: str = Field(min_length=1, max_length=4096)
    home: Path | None = None
    database: str | None = None
    workers: int | None = Field(None, ge=1, le=256)
    device: Device = "cpu"
    precision: AskedPrecision | None = None
    queue: int = Field(16, ge=1, le=10_000)
    max_bytes: int = Field(64 * _MEBIBYTE, ge=1)
    max_pixels: int = Field(100_000_000, ge=1)
    keep: Annotated[str, Field(pattern="^(all|rejects|none)$")] | None = None
    keep_days: float | None = Field(None, gt=0)
    keep_gigabytes: float | None = Field(None, gt=0)
    buffer_megabytes: float = Field(BUFFER_MEGABYTES, ge=0)
    metrics_port: int | None = Field(None, ge=0, le=65535)
    metrics_host: str = "127.0.0.1"
    stop_seconds: float = Field(30.0, gt=0, le=600)
    log_megabytes: float = Field(5.0, gt=0, le=1000)
    log_files: int = Field(5, ge=1, le=100)

    @property
    def execution(self) -> Execution:
        """Device and precision of what judges."""
        return Execution(self.device, self.precision or AUTO)

    @property
    def inspector_file(self) -> Path | None:
        """The file of the inspector; None where a name of the shelf is meant."""
        named = self.inspector
        is_file = named.endswith(".blemish") or "/" in named or "\\" in named
        return Path(named).expanduser() if is_file else None


class StationSettings(BaseModel):
    """A station's file as a whole."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    station: LineSettings
    source: tuple[SourceSettings, ...] = Field(min_length=1, max_length=64)
    sink: tuple[SinkSettings, ...] = Field((), max_length=64)
    gate: GateSettings | None = None
    metadata: MetadataSettings | None = None

    @model_validator(mode="after")
    def _different_names(self) -> Self:
        for what, found in (("sources", self.source), ("sinks", self.sink)):
            names = [one.name for one in found]
            for name in names:
                if names.count(name) > 1:
                    raise ValueError(f"two {what} are named {name}: give each a name of its own")
        if sum(one.kind == "standard-input" for one in self.source) > 1:
            raise ValueError("there is one standard input: leave the second source of it out")
        return self


def read_settings(path: Path) -> StationSettings:
    """The settings in a file, with paths made absolute.

    Raises:
        UsageError: the file cannot be read, or something in it cannot be meant; with its line.
    """
    try:
        with path.open("rb") as file:
            content = file.read(_MOST_BYTES + 1)
    except OSError as error:
        reason = (error.strerror or str(error)).lower()
        raise UsageError(f"{path} cannot be read ({reason}): name the file of a station.") from error
    return parsed_settings(content, str(path), path.absolute().parent)


def parsed_settings(content: bytes, name: str, folder: Path) -> StationSettings:
    """As `read_settings`, of a file's bytes.

    Args:
        content: of the file.
        name: what it is called in errors.
        folder: that relative paths are below.

    Raises:
        UsageError: something in it cannot be meant; with its line.
    """
    if len(content) > _MOST_BYTES:
        raise UsageError(f"{name} is larger than a megabyte, so it is no file of a station: name another.")
    try:
        text = content.decode()
        document = tomllib.loads(text)
    except UnicodeDecodeError as error:
        raise UsageError(f"{name} is no text in UTF-8: save it as such.") from error
    except tomllib.TOMLDecodeError as error:
        raise UsageError(f"{name} is no TOML: {_toml_sentence(error)}.") from error
    try:
        given = StationSettings.model_validate(document)
    except ValidationError as error:
        raise UsageError(f"{name}: {_first_problem(error, text)}") from error
    settings: StationSettings = _below(given, folder)
    file = settings.station.inspector_file
    if file is None:
        return settings
    station = settings.station.model_copy(update={"inspector": str(folder / file)})
    return settings.model_copy(update={"station": station})


def _toml_sentence(error: tomllib.TOMLDecodeError) -> str:
    said = str(error)
    found = re.fullmatch(r"(.*) \(at line (\d+), column (\d+)\)", said)
    return f"line {found[2]}, column {found[3]}: {found[1].lower()}" if found else said.lower()


def _first_problem(error: ValidationError, text: str) -> str:
    """The first thing that is wrong, with its line and its key, and how many more there are."""
    problems = error.errors(include_url=False)
    first = problems[0]
    place = tuple(first["loc"])
    # pydantic names the kind of a source or a sink as a step of the way to its key.
    keys = tuple(
        one
        for number, one in enumerate(place)
        if not (number >= 1 and place[number - 1 : number] and _is_kind(place, number))
    )
    shown = "".join(f"[{one + 1}]" if isinstance(one, int) else f".{one}" for one in keys).lstrip(".")
    more = f" ({len(problems) - 1} more after that)" if len(problems) > 1 else ""
    line = _line_of(text, (*keys, "kind") if first["type"] == "union_tag_invalid" else keys)
    where = f"line {line}, {shown}" if line and shown else shown or "the file"
    return f"{where}: {_sentence(first)}{more}."


def _is_kind(place: tuple[int | str, ...], number: int) -> bool:
    """Whether a step names the kind of a table of several kinds instead of a key."""
    before = place[number - 1]
    return (isinstance(before, int) and place[0] in ("source", "sink")) or (
        before in ("gate", "trigger") and isinstance(place[number], str) and number < len(place) - 1
    )


def _sentence(problem: Any) -> str:
    kind, given = problem["type"], problem.get("input")
    if kind == "extra_forbidden":
        return "this key is not known: correct it, or leave it out"
    if kind == "missing":
        return "this key is missing: add it"
    if kind == "union_tag_not_found":
        return f"this table does not say its kind: add kind = {_kinds(problem)}"
    if kind == "union_tag_invalid":
        return f"{str(problem['ctx']['tag'])[:60]!a} is no kind of it: choose {_kinds(problem)}"
    said = str(problem["msg"]).removeprefix("Value error, ")
    said = said[:1].lower() + said[1:]
    shown = f"{str(given)[:60]!a} is not possible: " if isinstance(given, str | int | float) else ""
    return f"{shown}{said}".rstrip(".")


def _kinds(problem: Any) -> str:
    """The kinds that a source, a sink or a gate may have."""
    told = problem["ctx"].get("expected_tags")
    if told:
        found = [one.strip("' ") for one in told.split(",")]
    else:
        union = {"source": SourceSettings, "sink": SinkSettings, "gate": GateSettings}.get(problem["loc"][0])
        tables = get_args(get_args(union)[0]) if union is not None else ()
        found = [table.model_fields["kind"].default for table in tables]
    shown = [f'"{one}"' for one in found]
    return f"{', '.join(shown[:-1])} or {shown[-1]}" if len(shown) > 1 else "as docs/station.md says"


def _line_of(text: str, keys: tuple[int | str, ...]) -> int | None:
    """The line, from 1, of a key or of the nearest table around it that stands in the file."""
    lines = text.splitlines()
    table, number = str(keys[0]) if keys else "", 0
    rest = [str(one) for one in keys[1:] if isinstance(one, str)]
    if len(keys) > 1 and isinstance(keys[1], int):
        number = keys[1]
    header = re.compile(rf"\s*\[\[?\s*{re.escape(table)}\s*\]\]?\s*(#.*)?$")
    headers = [place for place, line in enumerate(lines) if header.match(line)]
    if number >= len(headers):
        return None
    found = headers[number]
    for key in rest:
        key_line = re.compile(
            rf"\s*(\[\[?[\w.]*\.)?[\"']?{re.escape(key)}[\"']?\s*(=|\]|\.)|.*[{{,]\s*{re.escape(key)}\s*="
        )
        for place in range(found, len(lines)):
            if (
                place > headers[number]
                and re.match(r"\s*\[", lines[place])
                and not re.match(rf"\s*\[\[?\s*{re.escape(table)}\.", lines[place])
            ):
                break
            if key_line.match(lines[place]):
                found = place
                break
    return found + 1


def _below(settings: Any, folder: Path) -> Any:
    """The same settings, where every relative path is below a folder, and `~` is the user's own."""
    changes: dict[str, Any] = {}
    for name in type(settings).model_fields:
        value = getattr(settings, name)
        changed = _absolute(value, folder)
        if changed is not value:
            changes[name] = changed
    return settings.model_copy(update=changes) if changes else settings


def _absolute(value: Any, folder: Path) -> Any:
    if isinstance(value, Path):
        return folder / value.expanduser()
    if isinstance(value, BaseModel):
        return _below(value, folder)
    if isinstance(value, tuple) and any(isinstance(one, BaseModel | Path) for one in value):
        return tuple(_absolute(one, folder) for one in value)
    return value
