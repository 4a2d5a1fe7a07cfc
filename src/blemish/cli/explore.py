"""`blemish explore`: what the images are worth, before a model is trusted."""

from __future__ import annotations

import shlex
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from blemish.cli.output import JsonOption, console, emit, stray_prints_on_stderr

if TYPE_CHECKING:
    from blemish.workflows.explore import ExploreRequest, ExploreResult

_MOST_INSIGHTS = 8


def explore(
    data: Annotated[
        Path, typer.Argument(metavar="DATA", help="Folder of images in any layout, or a manifest.")
    ],
    out: Annotated[Path, typer.Option("--out", help="Folder for report.html, exploration.json, images.csv.")],
    category: Annotated[
        str | None, typer.Option(help="Of several categories in DATA, only this one; of one, its name.")
    ] = None,
    backbone: Annotated[
        str, typer.Option(help="Network for the map of the images; `none` leaves it out.")
    ] = "efficientnet_lite0",
    handcrafted: Annotated[
        bool, typer.Option(help="Compare good and defective images by handcrafted features too.")
    ] = True,
    json_output: JsonOption = False,
) -> None:
    """Know the images before trusting a model.

    Every image is decoded once. Writes an interactive report, its numbers as JSON, and a table as CSV. What is
    wrong with the images is reported and never ends the run: exit status 0.

    \b
    blemish explore photographs/ --out exploration/
    """
    from blemish.cli.reporter import reporter_for
    from blemish.core.progress import use_reporter
    from blemish.workflows.explore import ExploreRequest
    from blemish.workflows.explore import explore as look_at

    request = ExploreRequest(
        data=data, out=out, category=category, backbone=backbone, handcrafted=handcrafted
    )
    with use_reporter(reporter_for(json_output)), stray_prints_on_stderr():
        result = look_at(request)
    emit(result.to_json(), json_output, lambda: _print(result, request))


def _print(result: ExploreResult, request: ExploreRequest) -> None:
    """What was found, and what to type next."""
    exploration = result.exploration
    for explored in exploration.categories:
        catalog = explored.survey.catalog
        console.print(f"{catalog.category}: {len(catalog)} images, layout {catalog.layout}", style="bold")
        for split, counts in catalog.counts().items():
            held = ", ".join(f"{defect_type} {count}" for defect_type, count in counts.items())
            console.print(f"  {split}: {held or 'none'}")
        kinds = Counter(finding.kind for finding in explored.findings)
        summary = ", ".join(f"{kind} {count}" for kind, count in kinds.most_common())
        console.print(f"  problems: {summary}" if kinds else "  no problems found")
    for rank, insight in enumerate(exploration.insights[:_MOST_INSIGHTS], 1):
        console.print(f"{rank}. {insight.category}: {insight.sentence}")
    console.print(f"Report: {result.report}")
    first = exploration.categories[0]
    whole = request.data.is_file() or request.data.samefile(first.survey.catalog.root)
    category = f" --category {shlex.quote(first.category)}" if request.category or not whole else ""
    console.print(
        f"Next: blemish fit {shlex.quote(str(request.data))}{category} --size {first.size.recommended} "
        f"--out {shlex.quote(first.category)}.blemish"
    )
