"""The documents of all parts at a glance."""

from __future__ import annotations

from datetime import datetime
from typing import Literal

from pydantic import BaseModel, Field


class DayDocument(BaseModel):
    """Verdicts of today, since midnight at the server's place."""

    since: datetime
    passed: int
    reviewed: int
    rejected: int
    not_judged: int = Field(description="Photographs unlike those learnt from; in no rate.")
    judged: int
    reject_rate: float | None = Field(description="Of those judged; null where there are none.")


class UsualDocument(BaseModel):
    """How usual today's reject rate is: control limits of a p chart around the mean rate of the days before."""

    state: Literal["usual", "above", "below", "unknown"] = Field(
        description="Beyond the limits only where the binomial distribution says so too; unknown where fewer than 100 "
        "photographs were judged before."
    )
    days: int = Field(description="So many days before are looked at.")
    judged: int = Field(description="Photographs judged in them.")
    rate: float | None
    lower: float | None
    upper: float | None
    message: str


class PartDriftDocument(BaseModel):
    """Whether light, lens or parts have changed, as in GET /v1/stats."""

    state: Literal["learning", "steady", "drifted"]
    message: str
    moved: list[str] = Field(description="Which numbers of the parts have changed, the first one first.")


class NeedDocument(BaseModel):
    """Something that a person has to see to, the most urgent first."""

    kind: Literal["no-version", "drift", "reject-rate", "not-judged", "review"]
    message: str
    area: Literal["judge", "decide", "history", "versions"] = Field(
        description="Of the part's pages, the one to go to."
    )


class PartDocument(BaseModel):
    """A part at a glance."""

    name: str
    version: int | None = Field(description="That judges; null where none does.")
    active_since: datetime | None
    detector: str | None
    versions: int
    today: DayDocument
    usual: UsualDocument
    drift: PartDriftDocument | None = Field(
        description="Null where nothing judges, and until the server has read the history."
    )
    waiting: int = Field(
        description="Parts with the verdict review of which nobody has said anything: `review` of the review queue."
    )
    last_inspection: datetime | None
    picture: str | None = Field(description="Address of a picture; null where no photograph is kept.")
    needs: list[NeedDocument]


class PartsDocument(BaseModel):
    """All parts: those first that need a person."""

    time: datetime
    parts: list[PartDocument]
    troubles: list[str] = Field(description="What the server does without at present.")
