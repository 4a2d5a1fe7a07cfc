"""Whether light, lens or parts have changed: of what a station has logged, or of photographs without one."""

from __future__ import annotations

import html
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal, NamedTuple

from pydantic import Field

from blemish.core.errors import BlemishError, ImageError, UsageError
from blemish.core.explanation import explained
from blemish.core.progress import say, track
from blemish.core.records import Text
from blemish.view.shapes import require_no_shape
from blemish.workflows.fields import HistoryUrl, StationHome
from blemish.workflows.request import Argument, Option, Outcome, Request

if TYPE_CHECKING:
    from blemish.line.runtime import Inspector
    from blemish.station.drift_report import Drift
    from blemish.station.drift_tests import InspectedPart
    from blemish.station.drift_words import Moved

_RESULTS = (".json", ".csv")
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MOST_TOLD = 3


class DriftRequest(Request):
    """Say whether anything has changed."""

    inspector: Annotated[str | None, Argument("INSPECTOR")] = Field(
        None,
        description="Name of an inspector of the station, all active ones if absent; with DATA the file NAME.blemish.",
    )
    data: Annotated[Path | None, Argument("DATA")] = Field(
        None,
        description="Photographs in a folder, or results.json or results.csv of `blemish inspect`, instead of a "
        "station's log.",
    )
    home: StationHome = None
    database: HistoryUrl = None
    order: Literal["name", "time"] = Field(
        "name", description="Of photographs in a folder: by their names, or by when they were taken."
    )
    ignore: Annotated[tuple[str, ...], Option(metavar="GLOB", repeated=True)] = Field(
        (), description="Leave out what has such a name or lies in such a folder of DATA; repeat for more."
    )
    parts_per_false_alarm: float | None = Field(
        None,
        ge=1000,
        description="In DATA drift is told by mistake once in so many parts at most (1000000 if absent).",
    )
    parts_alike: int | None = Field(
        None,
        ge=1,
        le=1000,
        description="Consecutive parts of one batch in DATA, which drift is not told within.",
    )
    learn_anew: bool = Field(
        False, description="Take all that the station inspects from now on for normal, as after a new lamp."
    )
    by: Text = Field("local", description="Who lets it learn anew, for the record.")
    note: Text | None = Field(None, description="Why, for the record.")


@dataclass(frozen=True)
class Place:
    """Where among photographs something was: the name of one of them, and when it was taken where that is known."""

    name: str
    time: datetime | None = None

    def __str__(self) -> str:
        """Its name, and its time."""
        return self.name if self.time is None else f"{self.name} ({self.time:%Y-%m-%d %H:%M})"

    def to_json(self) -> dict[str, Any]:
        """As JSON-ready values."""
        return {"name": self.name, "time": self.time and self.time.isoformat()}


@dataclass(frozen=True)
class DriftResult(Outcome):
    """Whether anything has changed; a notebook shows it as sentences.

    Attributes:
        drifts: what the tests say, of each inspector that was asked for.
        places: of photographs without a station, where each change began and where it was told, in the order of
            `moved`; empty for a station.
        left_out: photographs that could not be judged, by name, and why.
    """

    drifts: tuple[Drift, ...]
    places: tuple[tuple[Place, Place], ...] = ()
    left_out: tuple[tuple[str, str], ...] = ()

    @property
    def drifted(self) -> bool:
        """Whether anything has changed at any of them."""
        return any(one.state == "drifted" for one in self.drifts)

    @property
    def message(self) -> str:
        """What has changed, in words; a line for each of several inspectors."""
        lines = [f"{one.inspector}: {one.message}" for one in self.drifts]
        return "\n".join(lines) if len(lines) > 1 else "".join(one.message for one in self.drifts)

    @property
    def moved(self) -> tuple[Moved, ...]:
        """What has changed, of all of them."""
        return tuple(moved for one in self.drifts for moved in one.moved)

    @property
    def complete(self) -> bool:
        """Whether nothing has changed, and every photograph was judged."""
        return not (self.drifted or self.left_out)

    def to_json(self) -> dict[str, Any]:
        """The result as JSON-ready values."""
        documents = [one.to_json() for one in self.drifts]
        for moved, (began, told) in zip((documents or [{}])[0].get("moved", ()), self.places, strict=False):
            moved |= {"since": None, "told": None, "since_photograph": began.to_json()}
            moved |= {"told_photograph": told.to_json()}
        left_out = [{"path": name, "detail": detail} for name, detail in self.left_out]
        return {"drift": documents, "left_out": left_out}

    def _repr_html_(self) -> str:
        return "".join(f"<p>{html.escape(line)}</p>" for line in self.message.splitlines())


def drift(request: DriftRequest, inspector: Inspector | None = None) -> DriftResult:
    """Say what has changed since when, of a station's log or of photographs; or let a station learn anew.

    Args:
        request: what to look at.
        inspector: that judges photographs, where it is opened already.

    Raises:
        NotFoundError: the station has no such active inspector.
        UsageError: what is asked for does not go together, or DATA holds nothing.
        ArtifactError: the inspector cannot be used.
        BlemishError: the history or a file cannot be read.
    """
    if request.data is not None:
        return _of_photographs(request, request.data, inspector)
    if request.parts_per_false_alarm is not None or request.parts_alike is not None or request.ignore:
        raise UsageError(
            "The station's own settings hold for what it has logged: give --parts-per-false-alarm and --parts-alike to "
            "`blemish serve`, or name photographs as DATA."
        )
    if request.learn_anew and request.inspector is None:
        raise UsageError(
            "Learning anew begins with one inspector: name it, as blemish drift screw --learn-anew."
        )
    if request.note is not None and not request.learn_anew:
        raise UsageError("A note is for the record of learning anew: give --learn-anew with it.")
    return _of_station(request)


def _of_station(request: DriftRequest) -> DriftResult:
    from blemish.station.drift import DriftWatch
    from blemish.workflows.station import opened_station

    if request.inspector is not None and request.inspector.endswith(".blemish"):
        raise UsageError(
            f"{request.inspector} is a file: name photographs after it, or an inspector of the station as it is called "
            "there."
        )
    with opened_station(request.home, request.database) as station:
        watch = DriftWatch(station.database, station.shelf, None, None)
        if request.inspector is not None and request.learn_anew:
            return DriftResult((watch.learn_anew(request.inspector, request.by, request.note),))
        if request.inspector is not None:
            return DriftResult((watch.drift(request.inspector),))
        names = [version.name for version in station.shelf.active_all()]
        return DriftResult(tuple(watch.drift(name) for name in names))


class _Judged(NamedTuple):
    """A part, and where among the photographs it is."""

    place: Place
    part: InspectedPart


def _of_photographs(request: DriftRequest, data: Path, inspector: Inspector | None) -> DriftResult:
    """Watch photographs as a station would those that it inspects, or what was said of them earlier."""
    from blemish.line.runtime import Inspector
    from blemish.station.alarm_rate import PARTS_PER_FALSE_ALARM
    from blemish.station.drift_report import drift_of
    from blemish.station.drift_tests import DriftTests

    if request.inspector is None or request.learn_anew or request.home or request.database:
        raise UsageError(
            f"Photographs are judged by an inspector's file, without a station: give NAME.blemish before {data}, and "
            "leave --learn-anew, --home and --database out."
        )
    inspector = inspector or Inspector.load(Path(request.inspector))
    left_out = list[tuple[str, str]]()
    is_results = data.suffix.lower() in _RESULTS and not data.is_dir()
    judged = (
        _earlier(data, inspector, request, left_out)
        if is_results
        else _judged(inspector, data, request, left_out)
    )
    rate = request.parts_per_false_alarm or PARTS_PER_FALSE_ALARM
    tests, places = DriftTests(inspector.calibration.n, rate, request.parts_alike or 1), list[Place]()
    for one in judged:
        places.append(one.place)
        tests.observe(one.part)
    if not places:
        raise UsageError(f"{data} has nothing to watch" + (f": {left_out[0][1]}" if left_out else "."))
    for name, detail in left_out[:_MOST_TOLD]:
        say(f"Left out: {name}: {detail}")
    if len(left_out) > _MOST_TOLD:
        say(f"{len(left_out)} photographs in all are left out; --json lists them.")
    found = drift_of(inspector.name, None, tests)
    where = tuple((places[_number(one.since)], places[_number(one.told)]) for one in found.moved)
    if found.moved:
        found = replace(found, message=_in_words(found.moved, where))
    return DriftResult((found,), where, tuple(left_out))


def _in_words(moved: Sequence[Moved], where: Sequence[tuple[Place, Place]]) -> str:
    from blemish.station.drift_words import one_sentence

    return one_sentence([f"{one.what} since {began}" for one, (began, _) in zip(moved, where, strict=True)])


def _moment(number: int) -> datetime:
    """What stands for the time of a photograph in the tests, which only hand it on: its number, from 0."""
    return _EPOCH + timedelta(seconds=number)


def _number(moment: datetime) -> int:
    return round((moment - _EPOCH).total_seconds())


def _judged(
    inspector: Inspector, data: Path, request: DriftRequest, left_out: list[tuple[str, str]]
) -> Iterator[_Judged]:
    """Photographs of a folder, judged and measured one after another; what cannot be goes to `left_out`."""
    from blemish.line.photographs import LEFT_OUT, find_photographs

    require_no_shape(request.ignore)
    if not data.exists():
        raise UsageError(f"{data} does not exist: name a folder of photographs, or results.json.")
    found = find_photographs([data], ignore=request.ignore)
    left_out += [
        (str(one.path), one.error.detail) for one in found if one.error and one.error.kind != LEFT_OUT
    ]
    paths = [one.path for one in found if one.error is None]
    times = _times(paths, request)
    paths.sort(key=lambda path: (times.get(path, 0), _by_name(path)))
    number = 0
    for path in track(paths, f"Watching with {inspector.name}"):
        try:
            part = _part(inspector, path, number)
        except ImageError as error:
            left_out.append((str(path), error.detail))
            continue
        except Exception as error:  # whatever one photograph brings about, the others go on
            left_out.append((str(path), explained(error, "blemish drift")[1]))
            continue
        number += 1
        name = path.relative_to(data).as_posix() if path != data else path.name
        yield _Judged(Place(name, _time(times, path)), part)


def _times(paths: Sequence[Path], request: DriftRequest) -> dict[Path, float]:
    """When photographs were taken, where they are to be in that order.

    Raises:
        UsageError: one is not there, which only results can name.
    """
    from blemish.core.photograph_time import taken_at

    if request.order == "name":
        return {}
    times = {path: taken_at(path) for path in paths}
    for path, time in times.items():
        if not time and not path.exists():
            raise UsageError(f"{path} is not there to say when it was taken: leave --order time out.")
    return times


def _time(times: Mapping[Path, float], path: Path) -> datetime | None:
    return datetime.fromtimestamp(times[path], UTC) if path in times else None


def _by_name(path: Path) -> list[tuple[int, str]]:
    """A key that sorts numbers in names by their value: 9.png before 10.png."""
    pieces = re.split(r"([0-9]+)", str(path))
    return [(int(one) if place % 2 and len(one) < 1000 else -1, one) for place, one in enumerate(pieces)]


def _part(inspector: Inspector, path: Path, number: int) -> InspectedPart:
    """A photograph as the tests read it.

    Raises:
        ImageError: it cannot be used.
    """
    from blemish.core.images import DEFAULT_LIMITS, read_content
    from blemish.line.photograph_statistics import photograph_statistics
    from blemish.station.drift_tests import InspectedPart

    photograph = inspector.open_photograph(read_content(path, DEFAULT_LIMITS.max_bytes), str(path))
    given = inspector.input_of(photograph.pixels, str(path))
    reason = inspector.unlike(photograph, given)
    statistics = photograph_statistics(given, photograph.pixels)
    said = inspector.judge(inspector.predict_input(given), photograph.width, photograph.height, reason=reason)
    return InspectedPart(
        number + 1,
        _moment(number),
        said.verdict,
        said.score,
        said.p_value,
        statistics,
        inspector.decision.review_threshold,
        reason is None,
    )


def _earlier(
    path: Path, inspector: Inspector, request: DriftRequest, left_out: list[tuple[str, str]]
) -> Iterator[_Judged]:
    """What `blemish inspect` has said of photographs; of light and focus that says nothing.

    Raises:
        BlemishError: the file cannot be read, or holds no results.
    """
    from blemish.core.types import Verdict
    from blemish.line.earlier_results import earlier_results
    from blemish.station.drift_tests import InspectedPart

    say(
        f"{path} has scores and no photographs, so light, focus and place are not watched: name the folder of the "
        "photographs to watch them."
    )
    results = list(earlier_results(path))
    times = _times([Path(one.path) for one in results], request)
    results.sort(key=lambda one: (times.get(Path(one.path), 0), _by_name(Path(one.path))))
    number = 0
    for one in results:
        if one.verdict is None or one.score is None:
            left_out.append((one.path, one.error))
            continue
        p_value = inspector.calibration.p_value(one.score)
        if one.p_value is not None and abs(one.p_value - p_value) > 1e-6:
            raise BlemishError(
                f"{path} is of another inspector than {inspector.path} (p-value {one.p_value:.4g} of the score "
                f"{one.score:.4g}, not {p_value:.4g}): name the one that it was made by."
            )
        suitable = one.verdict is not Verdict.NOT_JUDGED and not one.reason
        part = InspectedPart(
            number + 1,
            _moment(number),
            one.verdict,
            one.score,
            p_value,
            {},
            one.review_threshold,
            suitable,
        )
        number += 1
        yield _Judged(Place(one.path, _time(times, Path(one.path))), part)
