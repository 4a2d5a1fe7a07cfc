"""Which defects are most of them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass

NOT_NAMED = "not named"


@dataclass(frozen=True)
class ParetoBar:
    """A type of defect.

    Attributes:
        defect_type: as people call it, or the inspector where nobody has said; `NOT_NAMED` where neither has.
        count: parts; by_people: of them, by how many people named it.
        share, cumulative_share: of all parts that count, 0 to 1; the latter with all bars before.
    """

    defect_type: str
    count: int
    by_people: int
    share: float
    cumulative_share: float


def pareto(named: Iterable[tuple[str | None, str | None]]) -> list[ParetoBar]:
    """Bars of a Pareto chart, the most frequent first; what is not named stands last.

    Args:
        named: of each defective part, what people call its defect, and what the inspector does; None where they do not.
    """
    counts, by_people = Counter[str](), Counter[str]()
    for people, inspector in named:
        name = people or inspector or NOT_NAMED
        counts[name] += 1
        by_people[name] += people is not None
    total, reached, bars = sum(counts.values()), 0, []
    for name, count in sorted(counts.items(), key=lambda one: (one[0] == NOT_NAMED, -one[1], one[0])):
        reached += count
        bars.append(ParetoBar(name, count, by_people[name], count / total, reached / total))
    return bars
