"""What another decision would have made of the regions of past inspections, as far as the log says it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

from blemish.core.types import Region, Verdict
from blemish.line.decision import Decision
from blemish.line.regions_changed import NOT_SHOWN, REASONS, RegionsAfter, regions_after

SHOWN = (Verdict.REVIEW, Verdict.REJECT)
"""Verdicts of parts whose regions are shown."""

MOST_PHOTOGRAPHS = 100
"""Numbers of photographs that a preview gives, to be judged anew one by one."""

GONE = "gone"
_IN_WORDS = {str(one): said for one, said in REASONS.items()} | {
    GONE: "the version that judged them is damaged or gone, so that nobody knows how their regions were found"
}


@dataclass(frozen=True)
class LoggedRegions:
    """What the log says of the regions of one inspection.

    Attributes:
        id: its number.
        version: that judged it.
        before, after: verdict of the part, and what another decision makes of it.
        score: of the part.
        regions: as they were logged.
        kept: whether the photograph is.
    """

    id: int
    version: int
    before: Verdict
    after: Verdict
    score: float
    regions: tuple[Region, ...]
    kept: bool


@dataclass(frozen=True)
class RegionTurn:
    """How many regions had one verdict, and would have another, or the same; "not shown" or "no verdict" among them."""

    before: str
    after: str
    n: int


@dataclass(frozen=True)
class NeedsPhotograph:
    """Parts whose regions the log does not tell.

    Attributes:
        reason: `blemish.line.regions_changed.Unknown`, or "gone" where the version that judged is.
        in_words: the same as half a sentence.
        n: how many parts.
        kept: of how many of them the photograph is kept, so that it can be judged anew.
    """

    reason: str
    in_words: str
    n: int
    kept: int


@dataclass(frozen=True)
class RegionPreview:
    """What a decision would have made of the regions of the latest inspections.

    Attributes:
        parts: parts that show regions, before or after.
        known: of these, parts whose regions follow exactly from the log; all that follows is of them.
        before, after: regions that are shown.
        peak_alone: parts that would show no region but the place of the highest map value, as nothing is above the
            pixel threshold.
        turns: of the regions.
        needs_photograph: the other parts, by reason.
        photographs: numbers of the newest of these whose photographs are kept, `MOST_PHOTOGRAPHS` at most.
    """

    parts: int
    known: int
    before: int
    after: int
    peak_alone: int
    turns: tuple[RegionTurn, ...]
    needs_photograph: tuple[NeedsPhotograph, ...]
    photographs: tuple[int, ...] = ()

    def sentence(self) -> str:
        """All of it in words."""
        if not self.parts:
            return "None of these parts shows regions, before or after."
        said = f"Of {self.parts} parts that show regions the log tells {self.known or 'none'}"
        if self.known:
            said += f" exactly: {self.before} regions before, {self.after} after"
        if self.peak_alone:
            said += f", {self.peak_alone} parts with the place of the highest map value alone"
        for one in self.needs_photograph:
            said += f"; {one.n} need their photographs ({one.kept} are kept), as {one.in_words}"
        return f"{said}."

    def to_json(self) -> dict[str, Any]:
        """All of it as JSON-ready values."""
        return vars(self) | {
            "turns": [dict(vars(one)) for one in self.turns],
            "needs_photograph": [dict(vars(one)) for one in self.needs_photograph],
            "photographs": list(self.photographs),
            "in_words": self.sentence(),
        }


def region_preview(
    logged: Iterable[LoggedRegions],
    decision: Decision,
    decided_by: Callable[[int], Decision | None],
    score_is_maximum: bool,
) -> RegionPreview:
    """What a decision would have made of logged regions.

    Args:
        logged: those of each inspection, the newest first; of parts that show none, before and after, nothing is
            counted.
        decision: the other.
        decided_by: the decision of a version; None where nobody knows it.
        score_is_maximum: whether a part's score is the highest value of its map.
    """
    turns, unknown, kept = Counter[tuple[str, str]](), Counter[str](), Counter[str]()
    photographs: list[int] = []
    parts = peak_alone = 0
    for one in logged:
        shown = one.before in SHOWN, one.after in SHOWN
        if not any(shown):
            continue
        parts += 1
        before = decided_by(one.version)
        found = (
            GONE
            if before is None
            else regions_after(one.regions, one.score, shown, before, decision, score_is_maximum)
        )
        if isinstance(found, RegionsAfter):
            turns.update(found.turns)
            peak_alone += found.peak_alone
        else:
            unknown[found] += 1
            kept[found] += one.kept
            if one.kept and len(photographs) < MOST_PHOTOGRAPHS:
                photographs.append(one.id)
    return RegionPreview(
        parts=parts,
        known=parts - unknown.total(),
        before=turns.total(),
        after=sum(n for (_, after), n in turns.items() if after != NOT_SHOWN),
        peak_alone=peak_alone,
        turns=tuple(RegionTurn(before, after, n) for (before, after), n in sorted(turns.items())),
        needs_photograph=tuple(
            NeedsPhotograph(reason, _IN_WORDS[reason], n, kept[reason])
            for reason, n in sorted(unknown.items())
        ),
        photographs=tuple(photographs),
    )
