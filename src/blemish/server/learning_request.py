"""What a job that learns from corrections may be asked for, and where the corrections are."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field

from blemish.workflows.request import Request


@dataclass(frozen=True)
class StationPlace:
    """The station that the server is of: its folder, and the URL of its history if that is not in there."""

    home: Path
    database: str | None = None


class CorrectionsRequest(Request):
    """Learn from what people corrected of an inspector; the new version judges only if no earlier correction gets
    worse, or where that is asked for."""

    kind: Literal["learn"] = "learn"
    inspector: Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9_.-]{0,79}$")]
    activate_anyway: bool = False
    keep_only: bool = False
    passes: Annotated[int, Field(ge=0, le=10_000)] = 300
    recent: Annotated[int, Field(ge=0, le=10_000)] = 200


def learning(request: CorrectionsRequest, place: StationPlace, by: str) -> tuple[str, Request]:
    """The workflow that does it, and what it is asked."""
    from blemish.workflows.learn import LearnRequest

    return "learn", LearnRequest(
        from_history=True,
        home=place.home,
        database=place.database,
        by=by,
        **request.model_dump(exclude={"kind"}),
    )
