"""What a new version would have said of the past: of all corrections, of the good parts it is calibrated on, and of
the latest photographs.

A version that gets an earlier correction wrong which the one before got right does not take over by itself.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from blemish.core.errors import ImageError, NotFoundError
from blemish.core.progress import track
from blemish.core.types import Verdict
from blemish.line.correction import Correction, LinePhotograph
from blemish.line.runtime import Inspector

_SEVERITY = {Verdict.PASS: 0, Verdict.NOT_JUDGED: 1, Verdict.REVIEW: 1, Verdict.REJECT: 2}
_MOST_NAMED = 100


@dataclass(frozen=True)
class TurnedVerdict:
    """A photograph of which the new version says another thing.

    Attributes:
        name, id: of the photograph.
        before, after: the verdicts.
    """

    name: str
    id: int | None
    before: Verdict
    after: Verdict

    def to_json(self) -> dict[str, Any]:
        """JSON-ready values."""
        return vars(self) | {"before": str(self.before), "after": str(self.after)}


@dataclass(frozen=True)
class Judged:
    """Photographs that both versions judged, counted by verdict.

    Attributes:
        n: all of them.
        rejected_before, rejected_after, reviewed_before, reviewed_after, passed_before, passed_after: how many of each.
    """

    n: int = 0
    rejected_before: int = 0
    rejected_after: int = 0
    reviewed_before: int = 0
    reviewed_after: int = 0
    passed_before: int = 0
    passed_after: int = 0

    @classmethod
    def of(cls, verdicts: Sequence[tuple[Verdict, Verdict]]) -> Judged:
        """Counts of pairs of verdicts, before and after."""
        counts = {
            f"{word}_{when}": sum(_SEVERITY[pair[place]] == severity for pair in verdicts)
            for word, severity in (("rejected", 2), ("reviewed", 1), ("passed", 0))
            for place, when in enumerate(("before", "after"))
        }
        return cls(len(verdicts), **counts)


@dataclass(frozen=True)
class Replay:
    """What two versions say of the same photographs.

    Attributes:
        good, bad: photographs that people found good and defective.
        worse, better: those of them of which the new version is wrong where the old one was right, or less wrong, and
            the other way round; the first 100 by name.
        n_worse, n_better: how many these are.
        recent: the latest photographs that are kept, whatever people said of them; and `turned`, the first 100 of which
            the new version says another thing.
        good_rejected_before, good_rejected_after: share of good parts that is expected to be rejected, by the
            calibration of each version.
        left_out: photographs that could not be read any more.
    """

    good: Judged
    bad: Judged
    worse: tuple[TurnedVerdict, ...]
    better: tuple[TurnedVerdict, ...]
    n_worse: int
    n_better: int
    recent: Judged
    turned: tuple[TurnedVerdict, ...]
    good_rejected_before: float
    good_rejected_after: float
    left_out: int

    @property
    def safe(self) -> bool:
        """Whether no earlier correction gets worse."""
        return self.n_worse == 0

    def sentences(self) -> list[str]:
        """What it says, in words."""
        said = [
            f"Of {self.good.n} parts found good it would have rejected {_fewer(self.good, 'rejected')} and sent "
            f"{_fewer(self.good, 'reviewed')} to review; of {self.bad.n} found defective it would have missed "
            f"{_fewer(self.bad, 'passed')}."
        ]
        if self.n_worse:
            names = ", ".join(_named(one) for one in self.worse[:3])
            said.append(
                f"{self.n_worse} earlier {_corrections(self.n_worse)} would be wrong again ({names}): it takes over "
                "only by a person's word."
            )
        else:
            said.append("No earlier correction gets worse.")
        if self.recent.n:
            said.append(
                f"Of the latest {self.recent.n} photographs kept it would have rejected "
                f"{_fewer(self.recent, 'rejected')} and sent {_fewer(self.recent, 'reviewed')} to review."
            )
        said.append(
            f"It promises {self.good_rejected_after:.2%} of good parts rejected, where it was "
            f"{self.good_rejected_before:.2%}."
        )
        if self.left_out:
            said.append(
                f"{self.left_out} photographs are not kept any more, so that nothing is known of them."
            )
        return said

    def to_json(self) -> dict[str, Any]:
        """JSON-ready values, with the sentences."""
        return vars(self) | {
            "good": vars(self.good),
            "bad": vars(self.bad),
            "recent": vars(self.recent),
            **{
                name: [one.to_json() for one in getattr(self, name)] for name in ("worse", "better", "turned")
            },
            "safe": self.safe,
            "sentences": self.sentences(),
        }


def replay(
    before: Inspector,
    after: Inspector,
    corrections: Sequence[Correction],
    recent: Iterable[LinePhotograph] = (),
) -> Replay:
    """Let two versions judge the same photographs; nothing of it is logged.

    Args:
        before: the version that judges now.
        after: the one that is to.
        corrections: all that people ever said, each photograph once.
        recent: the latest photographs.
    """
    known: dict[str, tuple[Verdict, Verdict]] = {}
    missing: set[str] = set()

    def both(one: LinePhotograph) -> tuple[Verdict, Verdict] | None:
        if one.digest not in known and one.digest not in missing:
            try:
                content = one.read()
                first, second = (_verdict(inspector, content, one.name) for inspector in (before, after))
                known[one.digest] = first, second
            except (ImageError, NotFoundError):
                missing.add(one.digest)
        return known.get(one.digest)

    worse, better = list[TurnedVerdict](), list[TurnedVerdict]()
    by_truth: dict[bool, list[tuple[Verdict, Verdict]]] = {True: [], False: []}
    for correction in track(corrections, "Replaying corrections"):
        pair = both(correction.photograph)
        if pair is None:
            continue
        by_truth[correction.good].append(pair)
        turned = TurnedVerdict(correction.photograph.name, correction.photograph.id, *pair)
        change = (_SEVERITY[pair[1]] - _SEVERITY[pair[0]]) * (1 if correction.good else -1)
        if change:
            (worse if change > 0 else better).append(turned)
    latest = list(recent)
    of_recent = list[TurnedVerdict]()
    for one in track(latest, "Replaying the latest photographs"):
        pair = both(one)
        if pair is not None:
            of_recent.append(TurnedVerdict(one.name, one.id, *pair))
    expected = [_expected(one) for one in (before, after)]
    return Replay(
        good=Judged.of(by_truth[True]),
        bad=Judged.of(by_truth[False]),
        worse=tuple(worse[:_MOST_NAMED]),
        better=tuple(better[:_MOST_NAMED]),
        n_worse=len(worse),
        n_better=len(better),
        recent=Judged.of([(one.before, one.after) for one in of_recent]),
        turned=tuple(one for one in of_recent if one.before is not one.after)[:_MOST_NAMED],
        good_rejected_before=expected[0],
        good_rejected_after=expected[1],
        left_out=len(missing),
    )


def _verdict(inspector: Inspector, content: bytes, name: str) -> Verdict:
    return inspector.inspect_photograph(inspector.open_photograph(content, name), name).verdict


def _expected(inspector: Inspector) -> float:
    """Share of good parts that are expected to be rejected."""
    return float(np.ravel(inspector.calibration.expected_above([inspector.threshold]))[0])


def _fewer(judged: Judged, what: str) -> str:
    """As `3 fewer (2 instead of 5)`."""
    before, after = getattr(judged, f"{what}_before"), getattr(judged, f"{what}_after")
    if before == after:
        return f"as many ({after})"
    word = "fewer" if after < before else "more"
    return f"{abs(after - before)} {word} ({after} instead of {before})"


def _named(one: TurnedVerdict) -> str:
    where = one.name if one.id is None else f"inspection {one.id}"
    return f"{where}: {one.before} -> {one.after}"


def _corrections(count: int) -> str:
    return "correction" if count == 1 else "corrections"
