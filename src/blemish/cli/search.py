"""`blemish search`: settings of a detector, chosen on validation images."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from blemish.cli.output import JsonOption, console, emit, messages, stray_prints_on_stderr

if TYPE_CHECKING:
    from blemish.experiments.trial import Trial
    from blemish.workflows.search import SearchResult


def search(
    data: Annotated[
        Path,
        typer.Argument(metavar="DATA", help="One category, with test photographs: a folder in any layout."),
    ],
    detector: Annotated[str, typer.Option(help="See `blemish detectors`.")],
    out: Annotated[
        Path, typer.Option("--out", help="Folder for the trials, search.json, split.csv and report.html.")
    ],
    space: Annotated[
        str,
        typer.Option(metavar="FILE|default", help="Values to try, as TOML or JSON; or the detector's own."),
    ] = "default",
    trials: Annotated[
        int | None, typer.Option(help="Settings in all: 20 if absent, or the whole grid with --method grid.")
    ] = None,
    method: Annotated[str, typer.Option(help="bayes (TPE) or grid.")] = "bayes",
    split: Annotated[
        str,
        typer.Option(
            help="What settings are judged on: test (a part of the labelled test photographs), train (painted "
            "defects on a part of the good ones) or normal (the same by k-fold over all good ones)."
        ),
    ] = "test",
    seed: Annotated[int, typer.Option(min=0, help="The same seed finds the same.")] = 0,
    preset: Annotated[str | None, typer.Option(help="A named set of the detector's parameters.")] = None,
    setting: Annotated[
        list[str] | None,
        typer.Option("--set", metavar="NAME=VALUE", help="A parameter that stays; repeat for more."),
    ] = None,
    category: Annotated[str | None, typer.Option(help="Of several categories in DATA, this one.")] = None,
    bit_depth: Annotated[
        int, typer.Option(min=8, max=16, help="Bits that 16-bit photographs really use, as 12.")
    ] = 16,
    json_output: JsonOption = False,
) -> None:
    """Find settings on validation images.

    The mean AUROC over three validation folds is maximised; the test images are scored once, with the
    best setting. Finished trials are kept: the same command goes on after an interruption, and with more --trials it
    goes on further.

    \b
    blemish search photographs/ --detector patchcore --out search/
    """
    from blemish.cli.reporter import reporter_for
    from blemish.cli.settings import parsed_setting
    from blemish.core.progress import use_reporter
    from blemish.workflows.search import SearchRequest
    from blemish.workflows.search import search as find

    request = SearchRequest(
        data=data,
        detector=detector,
        out=out,
        space=space,
        trials=trials,
        method=method,
        split=split,
        seed=seed,
        preset=preset,
        parameters=dict(map(parsed_setting, setting or [])),
        category=category,
        bit_depth=bit_depth,
    )
    with use_reporter(reporter_for(json_output)), stray_prints_on_stderr():
        try:
            result = find(request, _tell)
        except KeyboardInterrupt:
            messages.print("The trials so far are kept: go on with the same command.")
            raise
    for one in result.skipped:
        messages.print(f"Left out {one['path']}: {one['detail']}", style="yellow")
    emit(result.to_json(), json_output, lambda: _print(result))


def _tell(trial: Trial) -> None:
    """One line for a trial that was measured."""
    from blemish.experiments.shown import shown_setting

    values = shown_setting(trial.setting)
    if trial.error:
        messages.print(f"FAILED  {trial.number}: {values}: {trial.error}", style="red")
        return
    messages.print(f"{trial.number}: {values}: AUROC {trial.auroc:.3f} in {trial.seconds:.1f} s")


def _print(result: SearchResult) -> None:
    """What was found, and what to type next."""
    from blemish.experiments.search.report import headline

    found, plan = result.search, result.search.plan
    console.print(headline(found))
    console.print(f"  split      {plan.split.name}")
    for threshold, _, unseen in found.final.decisions():
        judged = f"; on test recall {unseen.recall:.3f}, precision {unseen.precision:.3f}" if unseen else ""
        console.print(f"  threshold  {threshold.value:.4g} by {threshold.title}{judged}")
    console.print(f"{found.measured} of {len(found.trials)} trials measured now. Report: {result.report}")
    given = [*plan.fixed.items(), *found.chosen.setting.items()]
    values = " ".join(f"--set {name}={_written(value)}" for name, value in given if name != "bit_depth")
    preset = f" --preset {plan.preset}" if plan.preset else ""
    command = f"blemish fit {result.split} --detector {plan.detector}{preset}"
    console.print(f"Next: {command} {values} --out NAME.blemish")


def _written(value: object) -> str:
    """A value as --set reads it."""
    import json

    return json.dumps(value, separators=(",", ":")) if not isinstance(value, str) else value
