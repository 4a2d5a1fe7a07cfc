"""Whether light, lens or parts have changed: of what a station has logged, or of photographs without one."""

from __future__ import annotations

import html
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

from pydantic import Field

from blemish.core.errors import UsageError
from blemish.core.progress import say
from blemish.core.records import Text
from blemish.workflows.fields import HistoryUrl, StationHome
from blemish.workflows.request import Argument, Option, Outcome, Request

if TYPE_CHECKING:
    from blemish.line.runtime import Inspector
    from blemish.station.drift_report import Drift
    from blemish.station.drift_words import Moved
    from blemish.workflows.watched_photographs import Place

_RESULTS = (".json", ".csv")
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
class Ended:
    """A change among photographs that was told, and ended by itself.

    Attributes:
        statistic, rising: what had changed, and which way.
        since, told, until: where it began, was told, and all was as before again.
    """

    statistic: str
    rising: bool
    since: Place
    told: Place
    until: Place

    def __str__(self) -> str:
        """In words."""
        way = "risen" if self.rising else "fallen"
        return f"{self.statistic} had {way} since {self.since}, told at {self.told}, until {self.until}"

    def to_json(self) -> dict[str, Any]:
        """As JSON-ready values."""
        places = {name: getattr(self, name).to_json() for name in ("since", "told", "until")}
        return vars(self) | places


@dataclass(frozen=True)
class DriftResult(Outcome):
    """Whether anything has changed; a notebook shows it as sentences.

    Attributes:
        drifts: what the tests say, of each inspector that was asked for.
        places: of photographs without a station, where each change began and where it was told, in the order of
            `moved`; empty for a station.
        ended: changes among them that ended by themselves.
        left_out: photographs that could not be judged, by name, and why.
    """

    drifts: tuple[Drift, ...]
    places: tuple[tuple[Place, Place], ...] = ()
    ended: tuple[Ended, ...] = ()
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
        shown = documents[0]["moved"] if self.places else ()
        for document, moved, (began, told) in zip(
            shown, self.moved if self.places else (), self.places, strict=True
        ):
            document |= {"since": None, "told": None, "in_words": f"{moved.what} since {began}"}
            document |= {"since_photograph": began.to_json(), "told_photograph": told.to_json()}
        left_out = [{"path": name, "detail": detail} for name, detail in self.left_out]
        return {"drift": documents, "ended": [one.to_json() for one in self.ended], "left_out": left_out}

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


def _of_photographs(request: DriftRequest, data: Path, inspector: Inspector | None) -> DriftResult:
    """Watch photographs as a station would those that it inspects, or what was said of them earlier."""
    from blemish.line.runtime import Inspector
    from blemish.station.alarm_rate import PARTS_PER_FALSE_ALARM
    from blemish.station.drift_report import drift_of
    from blemish.station.drift_tests import DriftTests
    from blemish.workflows.watched_photographs import judged_earlier, judged_now, number_of

    if request.inspector is None or request.learn_anew or request.home or request.database:
        raise UsageError(
            f"Photographs are judged by an inspector's file, without a station: give NAME.blemish before {data}, and "
            "leave --learn-anew, --home and --database out."
        )
    inspector = inspector or Inspector.load(Path(request.inspector))
    left_out = list[tuple[str, str]]()
    is_results = data.suffix.lower() in _RESULTS and not data.is_dir()
    judged = (
        judged_earlier(data, inspector, request, left_out)
        if is_results
        else judged_now(inspector, data, request, left_out)
    )
    rate = request.parts_per_false_alarm or PARTS_PER_FALSE_ALARM
    tests = DriftTests(inspector.calibration.n, rate, request.parts_alike or 1)
    places: list[Place] = []
    ended: list[Ended] = []
    holding: dict[str, Moved] = {}
    for one in judged:
        places.append(one.place)
        if tests.observe(one.part):
            now = {moved.statistic: moved for moved in drift_of(inspector.name, None, tests).moved}
            for name in holding.keys() - now.keys():
                before = holding[name]
                since, told = places[number_of(before.since)], places[number_of(before.told)]
                ended.append(Ended(name, before.rising, since, told, one.place))
            holding = now
    if not places:
        raise UsageError(f"{data} has nothing to watch" + (f": {left_out[0][1]}" if left_out else "."))
    for name, detail in left_out[:_MOST_TOLD]:
        say(f"Left out: {name}: {detail}")
    if len(left_out) > _MOST_TOLD:
        say(f"{len(left_out)} photographs in all are left out; --json lists them.")
    found = drift_of(inspector.name, None, tests)
    where = tuple((places[number_of(one.since)], places[number_of(one.told)]) for one in found.moved)
    if found.moved:
        found = replace(found, message=_in_words(found.moved, where))
    return DriftResult((found,), where, tuple(ended), tuple(left_out))


def _in_words(moved: Sequence[Moved], where: Sequence[tuple[Place, Place]]) -> str:
    from blemish.station.drift_words import one_sentence

    return one_sentence([f"{one.what} since {began}" for one, (began, _) in zip(moved, where, strict=True)])
