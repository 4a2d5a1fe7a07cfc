"""`blemish explore`: what the images are worth, before a model is trusted."""

from __future__ import annotations

import shlex

from blemish.cli.check import print_catalog
from blemish.cli.options import verb
from blemish.cli.output import console
from blemish.workflows import explore as workflow
from blemish.workflows.explore import ExploreRequest, ExploreResult

_MOST_INSIGHTS = 8


@verb(ExploreRequest)
def explore(request: ExploreRequest) -> ExploreResult:
    """Know the images before trusting a model.

    Every image is decoded once. Writes an interactive report, its numbers as JSON, and a table as CSV. What is
    wrong with the images is reported and never ends the run: exit status 0.

    \b
    blemish explore photographs/ --out exploration/
    """
    result = workflow.explore(request)
    exploration = result.exploration
    for explored in exploration.categories:
        print_catalog(explored.survey.catalog, [finding.kind for finding in explored.findings])
    for rank, insight in enumerate(exploration.insights[:_MOST_INSIGHTS], 1):
        console.print(f"{rank}. {insight.category}: {insight.sentence}")
    console.print(f"Report: {result.report}")
    first = exploration.categories[0]
    whole = request.data.is_file() or request.data.samefile(first.survey.catalog.root)
    category = f" --category {shlex.quote(first.category)}" if request.category or not whole else ""
    console.print(
        f"Next: blemish fit {shlex.quote(str(request.data))}{category}{request.told_again} "
        f"--size {first.size.recommended} --out {shlex.quote(first.category)}.blemish"
    )
    return result
