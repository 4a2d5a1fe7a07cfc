"""`blemish study`: the classical detectors, by features and by split, chosen on validation and measured on test."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from blemish.cli.output import JsonOption, console, emit, messages, stray_prints_on_stderr
from blemish.cli.text_table import aligned

if TYPE_CHECKING:
    from blemish.experiments.study.results import CellResult, Study


def study(
    data: Annotated[
        list[Path],
        typer.Argument(
            metavar="DATA...", help="Folders of one or several categories, with test photographs."
        ),
    ],
    out: Annotated[Path, typer.Option("--out", help="Folder for the cells, study.json and report.html.")],
    models: Annotated[
        str | None, typer.Option(help="Names with commas between; all four classical ones if absent.")
    ] = None,
    seed: Annotated[int, typer.Option(min=0, help="The same seed gives the same document.")] = 0,
    setting: Annotated[
        list[str] | None,
        typer.Option("--set", metavar="NAME=VALUE", help="A parameter of all models; repeat for more."),
    ] = None,
    bit_depth: Annotated[
        int, typer.Option(min=8, max=16, help="Bits that 16-bit photographs really use, as 12.")
    ] = 16,
    json_output: JsonOption = False,
) -> None:
    """Compare the classical detectors by features and split.

    Five combinations of features and split by four models. Settings and thresholds are chosen on three
    validation folds; the test images are scored once, when all have chosen. Finished cells are kept: the same
    command goes on after an interruption. Exit status 1 if a cell failed.

    \b
    blemish study mvtec/screw mvtec/metal_nut --out study/
    """
    from blemish.cli.reporter import reporter_for
    from blemish.cli.settings import parsed_setting
    from blemish.core.progress import use_reporter
    from blemish.workflows.study import StudyRequest
    from blemish.workflows.study import study as measure

    names = None if models is None else tuple(name.strip() for name in models.split(",") if name.strip())
    request = StudyRequest(
        data=tuple(data),
        out=out,
        models=names,
        seed=seed,
        parameters=dict(map(parsed_setting, setting or [])),
        bit_depth=bit_depth,
    )
    with use_reporter(reporter_for(json_output)), stray_prints_on_stderr():
        try:
            result = measure(request, _tell)
        except KeyboardInterrupt:
            messages.print("The cells so far are kept: go on with the same command.")
            raise
    for one in result.study.skipped:
        messages.print(f"Left out {one['path']}: {one['detail']}", style="yellow")
    emit(result.to_json(), json_output, lambda: _print(result.study, result.report))
    if result.study.failed:
        raise typer.Exit(1)


def _tell(result: CellResult) -> None:
    """One line for a cell of which something was measured."""
    if result.error:
        messages.print(f"FAILED  {result.cell.title}: {result.error}", style="red")
        return
    assert result.choice is not None
    ranking = result.final.test_ranking() if result.final else None
    if ranking is not None:
        messages.print(f"{result.cell.title}: AUROC {ranking.auroc():.3f} on test")
        return
    fitted = f"best of {len(result.choice.trials)} settings, {result.choice.fitted} different"
    messages.print(f"{result.cell.title}: AUROC {result.choice.chosen.auroc:.3f} on validation, {fitted}")


def _print(result: Study, report: Path) -> None:
    from blemish.experiments.shown import shown_figure
    from blemish.experiments.study.brightness import is_telling
    from blemish.experiments.study.plan import COMBINATIONS
    from blemish.experiments.study.summary import by_model, headline

    rows = [("test AUROC", "", *result.plan.models)]
    for category in (*result.plan.categories, None):
        if category is None and len(result.plan.categories) == 1:
            break
        name = "mean" if category is None else category.name
        for place, combination in enumerate(COMBINATIONS):
            found = by_model(result, category, combination).values()
            cells = [shown_figure(one.test) for one in found]
            rows.append(("" if place else name, combination.name, *cells))
    for line in aligned(rows, names=2):
        console.print(line)
    console.print(headline(result))
    for name, auroc in result.brightness.items():
        if is_telling(auroc):
            console.print(
                f"In {name} the mean grey value alone has a test AUROC of {auroc:.3f}: it may be the light."
            )
    failed = f", {len(result.failed)} failed" if result.failed else ""
    console.print(f"{result.measured} of {len(result.results)} cells measured now{failed}. Report: {report}")
