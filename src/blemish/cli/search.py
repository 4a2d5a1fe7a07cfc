"""`blemish search`: settings of a detector, chosen on validation images."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from blemish.cli.options import verb
from blemish.cli.output import console, messages
from blemish.workflows import search as workflow
from blemish.workflows.search import SearchRequest, SearchResult

if TYPE_CHECKING:
    from blemish.experiments.trial import Trial


@verb(SearchRequest)
def search(request: SearchRequest) -> SearchResult:
    """Find settings on validation images.

    The mean AUROC over three validation folds is maximised; the test images are scored once, with the
    best setting. Finished trials are kept: the same command goes on after an interruption, and with more --trials it
    goes on further.

    \b
    blemish search photographs/ --detector patchcore --out search/
    """
    from blemish.experiments.search.report import headline

    try:
        result = workflow.search(request, _tell)
    except KeyboardInterrupt:
        messages.print("The trials so far are kept: go on with the same command.")
        raise
    found, plan = result.search, result.search.plan
    console.print(headline(found))
    console.print(f"  split      {plan.split.name}")
    for threshold, _, unseen in found.final.decisions():
        judged = f"; on test recall {unseen.recall:.3f}, precision {unseen.precision:.3f}" if unseen else ""
        console.print(f"  threshold  {threshold.value:.4g} by {threshold.title}{judged}")
    console.print(f"{found.measured} of {len(found.trials)} trials measured now. Report: {result.report}")
    given = plan.settings(found.chosen.setting).items()
    values = "".join(f" --set {name}={_written(value)}" for name, value in given if name != "bit_depth")
    preset = f" --preset {plan.chosen.preset}" if plan.chosen.preset else ""
    command = f"blemish fit {result.split} --detector {plan.detector}{preset}"
    console.print(f"Next: {command}{values} --out NAME.blemish")
    return result


def _tell(trial: Trial) -> None:
    """One line for a trial that was measured."""
    from blemish.experiments.shown import shown_setting

    values = shown_setting(trial.setting)
    if trial.error:
        messages.print(f"FAILED  {trial.number}: {values}: {trial.error}", style="red")
        return
    messages.print(f"{trial.number}: {values}: AUROC {trial.auroc:.3f} in {trial.seconds:.1f} s")


def _written(value: object) -> str:
    """A value as --set reads it."""
    return json.dumps(value, separators=(",", ":")) if not isinstance(value, str) else value
