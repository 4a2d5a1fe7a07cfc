"""What is wrong with photographs, said by every verb that learns from them or measures on them."""

from __future__ import annotations

import shlex
from collections import defaultdict
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING

from blemish.core.progress import say
from blemish.data.entries import Problem, named

if TYPE_CHECKING:
    from blemish.data.catalog import Catalog

MOST_NAMES = 3


def say_problems(problems: Iterable[Problem], data: Path) -> None:
    """Say problems kind by kind: how many, the first names, and what is wrong with the first.

    Args:
        problems: of one or several categories.
        data: the folder that names are relative to, and that `blemish check` lists all of.
    """
    kinds: dict[str, list[Problem]] = defaultdict(list)
    for problem in problems:
        kinds[problem.kind].append(problem)
    for kind, found in kinds.items():
        names = named([_shown(problem.path, data) for problem in found], MOST_NAMES)
        say(f"{kind} {len(found)}: {names}: {found[0].detail}")
    if any(len(found) > MOST_NAMES for found in kinds.values()):
        say(f"All of them: blemish check {shlex.quote(str(data))}")


def _shown(path: str, data: Path) -> str:
    """A path as it is short and still clear."""
    inside = Path(path).is_relative_to(data) and Path(path) != data
    return Path(path).relative_to(data).as_posix() if inside else path


def said_problems(catalog: Catalog, bit_depth: int = 16) -> tuple[Problem, ...]:
    """What is wrong with a catalog as far as a glance tells, which is said; see `glance_at_catalog`.

    Args:
        catalog: one category.
        bit_depth: bits that 16-bit photographs are read with; where somebody has chosen them, none are proposed.
    """
    from blemish.data.checks import glance_at_catalog

    found = glance_at_catalog(catalog)
    problems = tuple(one for one in found if bit_depth == 16 or one.kind != "bit-depth")
    say_problems(problems, catalog.root)
    return problems
