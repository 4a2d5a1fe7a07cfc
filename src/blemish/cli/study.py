"""`blemish study`: the classical detectors, by features and by split, chosen on validation and measured on test."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from blemish.cli.options import verb
from blemish.cli.output import console, messages, print_table
from blemish.workflows import study as workflow
from blemish.workflows.study import StudyRequest, StudyResult

if TYPE_CHECKING:
    from blemish.experiments.study.results import CellResult, Study


@verb(StudyRequest)
def study(request: StudyRequest) -> StudyResult:
    """Compare the classical detectors by features and split.

    Five combinations of features and split, or those of --features, by four models. Settings and thresholds
    are chosen on three validation folds; the test images are scored once, when all have chosen. Finished cells
    are kept: the same command goes on after an interruption. Exit status 1 if a cell failed.

    \b
    blemish study mvtec/screw mvtec/metal_nut --out study/
    blemish study mvtec/screw --out study/ --features direct,pixels
    """
    try:
        result = workflow.study(request, _tell)
    except KeyboardInterrupt:
        messages.print("The cells so far are kept: go on with the same command.")
        raise
    _print(result.study, result.report)
    return result


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
    """The figures by model, and the result in a sentence or two."""
    from blemish.evaluation.report import shown_figure
    from blemish.experiments.study.brightness import is_telling
    from blemish.experiments.study.summary import headline, mean_by_model, subclasses

    categories = result.plan.categories
    groups = {one.name: [one] for one in categories}
    groups |= {f"mean of {name}": of for name, of in subclasses(result).items()}
    groups |= {"mean": list(categories)} if len(categories) > 1 else {}
    rows = [("test AUROC", "", *result.plan.models)]
    for name, of in groups.items():
        for place, combination in enumerate(result.plan.combinations):
            found = mean_by_model(result, of, combination).values()
            cells = [shown_figure(one.test) for one in found]
            rows.append(("" if place else name, combination.name, *cells))
    print_table(rows, names=2)
    console.print(headline(result))
    for name, auroc in result.brightness.items():
        if is_telling(auroc):
            console.print(
                f"In {name} the mean grey value alone has a test AUROC of {auroc:.3f}: it may be the light."
            )
    failed = f", {len(result.failed)} failed" if result.failed else ""
    console.print(f"{result.measured} of {len(result.results)} cells measured now{failed}. Report: {report}")
