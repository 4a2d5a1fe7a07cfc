"""What waits in the outbox of a home's stations, and what is to happen with it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from pydantic import Field

from blemish.core.errors import NotFoundError, UsageError
from blemish.workflows.fields import HistoryUrl, StationHome
from blemish.workflows.request import Outcome, Request
from blemish.workflows.station import opened_station

if TYPE_CHECKING:
    from blemish.station.signals.outbox import Outbox, OutboxCounts, SetAside


class SignalsRequest(Request):
    """Show signals that wait, or have them sent again or dropped."""

    send_again: str | None = Field(None, description="Sink to which those set aside are sent again.")
    drop: str | None = Field(None, description="Sink that is no more: forget all that it has not got.")
    station: str | None = Field(None, description="Station that is meant, where several have such a sink.")
    limit: int = Field(
        20, ge=1, le=1000, description="Most signals set aside that are listed for each station."
    )
    home: StationHome = None
    database: HistoryUrl = None


@dataclass(frozen=True)
class SignalsResult(Outcome):
    """What waits.

    Attributes:
        sinks: station, sink and how much waits for it, in order.
        set_aside: station, and a signal that its sink refuses for good; the oldest first.
        changed: signals that are sent again, or dropped; None where nothing was asked for.
    """

    sinks: tuple[tuple[str, str, OutboxCounts], ...]
    set_aside: tuple[tuple[str, SetAside], ...]
    changed: int | None = None

    def to_json(self) -> dict[str, Any]:
        """The result as JSON-ready values."""
        return {
            "sinks": [
                {
                    "station": station,
                    "sink": sink,
                    "waiting": counts.waiting,
                    "oldest": counts.oldest.isoformat() if counts.oldest else None,
                    "set_aside": counts.set_aside,
                }
                for station, sink, counts in self.sinks
            ],
            "set_aside": [
                {
                    "station": station,
                    "sink": one.sink,
                    "inspection": one.inspection_id,
                    "since": one.since.isoformat(),
                    "problem": one.problem,
                }
                for station, one in self.set_aside
            ],
            "changed": self.changed,
        }


def signals(request: SignalsRequest) -> SignalsResult:
    """Show what waits; first send again or drop what is asked for. A running station notices by itself.

    Raises:
        UsageError: both are asked for, or several stations have such a sink.
        NotFoundError: nothing waits or is set aside for the sink.
        DatabaseError: the history cannot be opened.
    """
    from blemish.station.signals.outbox import Outbox, stations_in

    if request.send_again is not None and request.drop is not None:
        raise UsageError("Signals are either sent again or dropped: give one of --send-again and --drop.")
    with opened_station(request.home, request.database) as opened:
        names = [name for name in stations_in(opened.database) if request.station in (None, name)]
        boxes = {name: Outbox(opened.database, name) for name in names}
        changed = None
        if request.send_again is not None:
            changed = _box(boxes, request.send_again).send_again(request.send_again)
        elif request.drop is not None:
            changed = _box(boxes, request.drop).drop(request.drop)
        sinks = [
            (name, sink, counts)
            for name, box in boxes.items()
            for sink, counts in sorted(box.counts().items())
        ]
        aside = [(name, one) for name, box in boxes.items() for one in box.set_aside(request.limit)]
    return SignalsResult(tuple(sinks), tuple(aside), changed)


def _box(boxes: dict[str, Outbox], sink: str) -> Outbox:
    """The outbox of the one station in which something waits for a sink."""
    found = {name: box for name, box in boxes.items() if sink in box.counts()}
    if not found:
        raise NotFoundError(f"Nothing waits for a sink named {sink[:80]!a}: check the name, or the --home.")
    if len(found) > 1:
        raise UsageError(
            f"{len(found)} stations have a sink {sink}: say which with --station ({', '.join(found)})."
        )
    return next(iter(found.values()))
