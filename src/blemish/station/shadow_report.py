"""What a version says beside the active one: where they agree, where they differ, and what people found there."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any

from blemish.core.calibration import beta_bound
from blemish.core.types import Verdict

_CONFIDENCE = 0.95


class Ending(StrEnum):
    """How it ended: all parts are judged and a person decides, it took over by itself, a person let it judge, another
    version was let to judge, somebody stopped it, or its file cannot be run."""

    COMPLETE = "complete"
    TAKEN_OVER = "taken-over"
    ACTIVATED = "activated"
    OVERTAKEN = "overtaken"
    STOPPED = "stopped"
    FAILED = "failed"


@dataclass(frozen=True, kw_only=True)
class Shadow:
    """A version that judges, or has judged, beside the active one.

    Attributes:
        id: its number.
        name, version: which one judges beside.
        beside: the version that judges.
        parts: how many it is to judge.
        most_differences: with how many at most it takes over by itself; None where a person decides.
        begun, by: when, and who wanted it.
        begun_after, ended_after: the newest inspections then, 0 where there was none.
        ended, outcome: None while it judges.
        trouble: why it failed, in one sentence.
    """

    id: int
    name: str
    version: int
    beside: int
    parts: int
    most_differences: int | None
    begun: datetime
    begun_after: int
    by: str
    ended: datetime | None = None
    ended_after: int | None = None
    outcome: Ending | None = None
    trouble: str | None = None

    @property
    def title(self) -> str:
        """What a person calls it."""
        return f"{self.name}, version {self.version}"


@dataclass(frozen=True)
class Share:
    """A share of parts, with its 95 % Clopper-Pearson interval; all None where there are no parts."""

    count: int
    n: int

    @property
    def rate(self) -> float | None:
        """count / n."""
        return self.count / self.n if self.n else None

    @property
    def interval(self) -> tuple[float, float] | None:
        """Low and high."""
        if not self.n:
            return None
        tail = (1 - _CONFIDENCE) / 2
        low = beta_bound(self.count, self.n, tail) if self.count else 0.0
        high = beta_bound(self.count + 1, self.n, 1 - tail) if self.count < self.n else 1.0
        return low, high

    def to_json(self) -> dict[str, Any]:
        """As JSON-ready values."""
        return {"count": self.count, "n": self.n, "rate": self.rate, "interval": self.interval}


@dataclass(frozen=True)
class Met:
    """Parts of which both versions say the same pair of verdicts, and what people found of them.

    Attributes:
        active, shadow: the verdicts.
        n: parts.
        good, bad: of them found so by a person.
    """

    active: Verdict
    shadow: Verdict
    n: int
    good: int = 0
    bad: int = 0


@dataclass(frozen=True)
class ShadowReport:
    """How far a version beside the active one has come, and where they differ.

    Attributes:
        shadow: which one.
        met: pairs of verdicts, the most frequent first; what is void is left out.
        passed_over: parts that came meanwhile and were not judged a second time, as the line was busy.
        waiting: parts that may still be judged.
    """

    shadow: Shadow
    met: tuple[Met, ...]
    passed_over: int
    waiting: int

    @property
    def n(self) -> int:
        """Parts that both have judged."""
        return sum(one.n for one in self.met)

    @property
    def differences(self) -> int:
        """Of them, those with another verdict."""
        return sum(one.n for one in self.met if one.active is not one.shadow)

    @property
    def ready(self) -> bool:
        """Whether all parts that were asked for are judged."""
        return self.n >= self.shadow.parts

    @property
    def few_enough(self) -> bool:
        """Whether it takes over by itself."""
        most = self.shadow.most_differences
        return self.ready and most is not None and self.differences <= most

    @property
    def differing(self) -> Share:
        """Share of parts with another verdict."""
        return Share(self.differences, self.n)

    @property
    def rejected(self) -> tuple[Share, Share]:
        """Shares rejected by the active version, and by the one beside it; not judged parts count for neither."""
        return (
            _rejected([(one.active, one.n) for one in self.met]),
            _rejected([(one.shadow, one.n) for one in self.met]),
        )

    def corrected(self, truth: str) -> tuple[int, int, int]:
        """Of parts that people found good or bad: how many, and how many each of both rejects."""
        count = [(one, getattr(one, truth)) for one in self.met]
        return (
            sum(n for _, n in count),
            sum(n for one, n in count if one.active is Verdict.REJECT),
            sum(n for one, n in count if one.shadow is Verdict.REJECT),
        )

    @property
    def message(self) -> str:
        """How it stands, in words."""
        return " ".join([_standing(self), *_skipped(self), *_found(self)])

    def to_json(self) -> dict[str, Any]:
        """All of it as JSON-ready values, as the API gives it."""
        shadow = self.shadow
        active, beside = self.rejected
        return {
            **{name: value for name, value in vars(shadow).items() if name not in ("begun_after", "ended_after")},
            "begun": shadow.begun.isoformat(),
            "ended": shadow.ended and shadow.ended.isoformat(),
            "outcome": shadow.outcome and str(shadow.outcome),
            "n": self.n,
            "ready": self.ready,
            "differences": self.differences,
            "differing": self.differing.to_json(),
            "rejected_by_active": active.to_json(),
            "rejected_by_shadow": beside.to_json(),
            "met": [vars(one) | {"active": str(one.active), "shadow": str(one.shadow)} for one in self.met],
            "passed_over": self.passed_over,
            "waiting": self.waiting,
            "message": self.message,
        }  # fmt: skip


def _rejected(verdicts: Sequence[tuple[Verdict, int]]) -> Share:
    judged = [(verdict, n) for verdict, n in verdicts if verdict is not Verdict.NOT_JUDGED]
    return Share(sum(n for verdict, n in judged if verdict is Verdict.REJECT), sum(n for _, n in judged))


def _standing(report: ShadowReport) -> str:
    shadow, n, differences = report.shadow, report.n, report.differences
    said = f"{differences:,} of {n:,} verdicts differ" if n else "no part is judged by both yet"
    of = f"version {shadow.version} beside version {shadow.beside}"
    match shadow.outcome:
        case None:
            return f"{shadow.name}: {of} has judged {n:,} of {shadow.parts:,} parts; {said}."
        case Ending.COMPLETE:
            return (
                f"{shadow.name}: {of} has judged {n:,} parts; {said}. A person decides whether it takes over."
            )
        case Ending.TAKEN_OVER:
            return (
                f"{shadow.name}: version {shadow.version} has taken over by itself after {n:,} parts; {said}."
            )
        case Ending.ACTIVATED:
            return f"{shadow.name}: version {shadow.version} was let to judge after {n:,} parts; {said}."
        case Ending.OVERTAKEN:
            return f"{shadow.name}: {of} has ended after {n:,} parts, as another version judges now; {said}."
        case Ending.STOPPED:
            return f"{shadow.name}: {of} was stopped after {n:,} parts; {said}."
        case Ending.FAILED:
            return f"{shadow.name}: {of} has ended: {shadow.trouble}"


def _skipped(report: ShadowReport) -> list[str]:
    if not report.passed_over:
        return []
    n = report.passed_over
    return [f"{n:,} more part{'s were' if n != 1 else ' was'} passed over, as the line had no time to spare."]


def _found(report: ShadowReport) -> list[str]:
    said = []
    for truth, word in (("bad", "defective"), ("good", "good")):
        n, active, beside = report.corrected(truth)
        if n:
            shadow = report.shadow
            said.append(
                f"Of {n:,} that people found {word}, version {shadow.beside} rejects {active:,} and version "
                f"{shadow.version} {beside:,}."
            )
    return said
