"""`blemish check`: what a folder of images holds, and what is wrong with it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import TYPE_CHECKING

from blemish.cli.options import verb
from blemish.cli.output import console
from blemish.workflows import check as workflow
from blemish.workflows.check import CheckRequest, CheckResult

if TYPE_CHECKING:
    from blemish.data.catalog import Catalog


@verb(CheckRequest)
def check(request: CheckRequest) -> CheckResult:
    """Find what is wrong with a folder of images.

    Every image and mask is decoded once. Exit status 1 if anything is wrong.

    \b
    blemish check photographs/
    """
    result = workflow.check(request)
    for catalog, problems in result.found:
        kinds = [problem.kind for problem in problems]
        print_catalog(catalog, kinds, [f"{one.kind}: {one.path}: {one.detail}" for one in problems])
    return result


def print_catalog(catalog: Catalog, kinds: Sequence[str], problems: Sequence[str] = ()) -> None:
    """What a category holds, its problems in words, and how many there are of each kind."""
    console.print(f"{catalog.category}: {len(catalog)} images, layout {catalog.layout}", style="bold")
    for split, counts in catalog.counts().items():
        held = ", ".join(f"{defect_type} {count}" for defect_type, count in counts.items())
        console.print(f"  {split}: {held or 'none'}")
    for problem in problems:
        console.print(f"  {problem}")
    summary = ", ".join(f"{kind} {count}" for kind, count in Counter(kinds).most_common())
    console.print(f"  problems: {summary}" if kinds else "  no problems found")
