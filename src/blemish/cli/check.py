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
    from blemish.data.layouts.uses import FolderUse


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
    from blemish.data.entries import named

    console.print(f"{catalog.category}: {len(catalog)} images, layout {catalog.layout}", style="bold")
    console.print(f"  taken for {catalog.layout}: {catalog.reason}")
    for use in catalog.uses:
        console.print(f"  {_in_words(use)}")
    if catalog.litter:
        names = named([path.name for path in catalog.litter], 3)
        console.print(f"  litter that nobody looks at: {len(catalog.litter)} ({names})")
    for split, counts in catalog.counts().items():
        held = ", ".join(f"{defect_type} {count}" for defect_type, count in counts.items())
        console.print(f"  {split}: {held or 'none'}")
    for problem in problems:
        console.print(f"  {problem}")
    summary = ", ".join(f"{kind} {count}" for kind, count in Counter(kinds).most_common())
    console.print(f"  problems: {summary}" if kinds else "  no problems found")


def _in_words(use: FolderUse) -> str:
    """What became of the files of a folder, as `test/scratch/: 9 defective (scratch), test`."""
    folder = "the folder itself" if use.folder == "." else f"{use.folder}/"
    kind = f" ({use.defect_type})" if use.defect_type else ""
    return f"{folder}: {use.files} {use.use}{kind}" + (f", {use.split}" if use.split else "")
