"""What is wrong with photographs, said by every verb that learns from them or measures on them."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING

from blemish.core.progress import say
from blemish.data.entries import Problem, named

if TYPE_CHECKING:
    from blemish.data.catalog import Catalog

MOST_NAMES = 3


def say_problems(problems: Iterable[Problem], data: Path | None = None) -> None:
    """Say problems kind by kind: how many, the first names, and what is wrong with the first.

    Args:
        problems: of one or several categories.
        data: the folder, for `blemish check` to list them all.
    """
    kinds: dict[str, list[Problem]] = defaultdict(list)
    for problem in problems:
        kinds[problem.kind].append(problem)
    for kind, found in kinds.items():
        names = named([Path(problem.path).name for problem in found], MOST_NAMES)
        say(f"{kind} {len(found)}: {names}: {found[0].detail}")
    if any(len(found) > 1 for found in kinds.values()):
        say(f"All of them: blemish check {data or 'DATA'}")


def said_problems(catalog: Catalog) -> tuple[Problem, ...]:
    """What is wrong with a catalog as far as a glance tells, which is said; see `glance_at_catalog`."""
    from blemish.data.checks import glance_at_catalog

    problems = tuple(glance_at_catalog(catalog))
    say_problems(problems, catalog.root)
    return problems
