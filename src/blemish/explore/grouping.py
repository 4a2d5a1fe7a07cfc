"""Which photographs are of one part: what `--group-by` puts those that look alike together."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from blemish.core.errors import UsageError
from blemish.core.types import ByteArray
from blemish.data.groups import FOLDER, NUMBER, groups_by
from blemish.explore.duplicates import near_duplicates

ALIKE = 0.9
"""Correlation of fine structures from which two photographs may be of one part, under other light or a little apart; so
may two parts of a kind, which no grouping puts together."""

MOST_COMPARED = 3000
"""Photographs that are compared with each other, the first ones by name."""

MOST_PAIRS = 20_000
"""Pairs that are counted: of more, evenly spread ones. Photographs that all look alike are millions of pairs."""

_LEAST_PAIRS, _LEAST_GROUPS, _LEAST_TOGETHER, _TIMES_CHANCE = 8, 5, 0.9, 5.0
_SECONDS = (1, 2, 5, 10, 30, 60)
_NUMBERS = (1, 2, 5, 10, 20, 50, 100, 200, 500)
_EXPRESSIONS = ("^(.*)_", "^(.*?)_", "^(.*)-", "^(.*?)-", "^([0-9]+)", "([0-9]+)[.]", "^([^0-9]*[0-9]+)")


@dataclass(frozen=True)
class Grouping:
    """A way to group photographs that puts those together which look alike.

    Attributes:
        by: the value of `--group-by`.
        n_groups, n_photographs: how many groups it makes of how many photographs.
        n_pairs: pairs of photographs that look alike.
        together: share of these pairs that are in one group.
        chance: share of all pairs that are.
    """

    by: str
    n_groups: int
    n_photographs: int
    n_pairs: int
    together: float
    chance: float

    @property
    def sentence(self) -> str:
        """What was found, and the option to give."""
        return (
            f"{self.n_pairs} pairs of the good photographs look like two of one part, and --group-by "
            f"{quoted(self.by)} puts {self.together:.0%} of them together, in {self.n_groups} groups of "
            f"{self.n_photographs} photographs: give it to fit, so that a part is judged by other parts."
        )


def quoted(by: str) -> str:
    """The value as it is typed."""
    return by if re.fullmatch(r"[\w:.]+", by) else f"'{by}'"


def alike_pairs(signatures: ByteArray) -> list[tuple[int, int, float]]:
    """Pairs of photographs that may be of one part: (first, second, correlation), first < second, sorted.

    Args:
        signatures: of at most `MOST_COMPARED` good photographs of one category, N x S x S uint8 (see
            `blemish.core.same_photograph.signature`).
    """
    return near_duplicates(signatures, ALIKE)


def proposed_grouping(paths: Sequence[Path], pairs: Sequence[tuple[int, int, float]]) -> Grouping | None:
    """The grouping that puts photographs that look alike together, and few others; None where none does.

    Of folder, beginnings and numbers of names, and times, it is one that puts at least 90 % of the pairs together, five
    times as many as chance would, and of these the one with the fewest other pairs together.

    Args:
        paths: good photographs of one category.
        pairs: positions of those that look alike, as `alike_pairs` gives them.
    """
    if len(pairs) < _LEAST_PAIRS:
        return None
    counted = pairs[:: -(-len(pairs) // MOST_PAIRS)]
    judged = (_judged(by, paths, counted) for by in _candidates())
    found = [None if one is None else replace(one, n_pairs=len(pairs)) for one in judged]
    fit = [
        one
        for one in found
        if one is not None
        and one.n_groups >= _LEAST_GROUPS
        and one.together >= max(_LEAST_TOGETHER, _TIMES_CHANCE * one.chance)
    ]
    return min(fit, key=lambda one: (one.chance, -one.together)) if fit else None


def _candidates() -> Iterator[str]:
    yield FOLDER
    yield from _EXPRESSIONS
    yield from (f"{NUMBER}{most}" for most in _NUMBERS)
    yield from (f"{seconds}s" for seconds in _SECONDS)


def _judged(by: str, paths: Sequence[Path], pairs: Sequence[tuple[int, int, float]]) -> Grouping | None:
    """What a way to group does to pairs that look alike; None where it finds nothing."""
    try:
        groups = groups_by(paths, by)
    except UsageError:
        return None
    sizes, n = Counter(groups).values(), len(paths)
    return Grouping(
        by,
        len(sizes),
        n,
        len(pairs),
        sum(groups[one] == groups[other] for one, other, _ in pairs) / len(pairs),
        sum(size * (size - 1) for size in sizes) / (n * (n - 1)),
    )
