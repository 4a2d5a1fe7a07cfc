"""Photographs in their order, as the tests for drift read them: judged now, or by an earlier `blemish inspect`."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from blemish.core.errors import BlemishError, ImageError, UsageError
from blemish.core.explanation import explained
from blemish.core.progress import say, track
from blemish.view.shapes import require_no_shape

if TYPE_CHECKING:
    from blemish.line.runtime import Inspector
    from blemish.station.drift_tests import InspectedPart
    from blemish.workflows.drift import DriftRequest

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


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


class Judged(NamedTuple):
    """A part, and where among the photographs it is."""

    place: Place
    part: InspectedPart


def _moment(number: int) -> datetime:
    """What stands for the time of a photograph in the tests, which only hand it on: its number, from 0."""
    return _EPOCH + timedelta(seconds=number)


def number_of(moment: datetime) -> int:
    """The number of the photograph that a moment stands for."""
    return round((moment - _EPOCH).total_seconds())


def judged_now(
    inspector: Inspector, data: Path, request: DriftRequest, left_out: list[tuple[str, str]]
) -> Iterator[Judged]:
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
        yield Judged(Place(name, _time(times, path)), part)


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


def judged_earlier(
    path: Path, inspector: Inspector, request: DriftRequest, left_out: list[tuple[str, str]]
) -> Iterator[Judged]:
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
        yield Judged(Place(one.path, _time(times, Path(one.path))), part)
