"""`blemish fit`: learn an inspector from photographs of good parts."""

from __future__ import annotations

from pathlib import Path

from blemish.cli.options import verb
from blemish.cli.output import console, messages
from blemish.workflows import fit as workflow
from blemish.workflows.fit import FitRequest, FitResult


@verb(FitRequest)
def fit(request: FitRequest) -> FitResult:
    """Learn from good parts, and write an inspector.

    Detectors that train write a checkpoint after every epoch to NAME.training beside the inspector, until it is done.

    \b
    blemish fit photographs/ --out part.blemish --report part.html
    blemish fit mvtec/ --category screw --out screw.blemish --size 384
    blemish fit photographs/ --out part.blemish --detector student-teacher --resume
    """
    from blemish.evaluation.facts import chosen_in_words, learnt_from, measured_in_words, types_in_words

    try:
        result = workflow.fit(request)
    except KeyboardInterrupt:
        if request.checkpoints.exists():
            messages.print("The training is kept: go on with the same command and --resume.")
        raise
    summary = result.summary
    console.print(f"{summary.path}: {summary.detector} for {summary.category}", style="bold")
    console.print(f"  learnt from          {learnt_from(summary.n_train, summary.n_labelled)}")
    if summary.epochs:
        console.print(f"  trained for          {summary.epochs} epochs")
    if summary.chosen:
        console.print(f"  chosen by the fit    {chosen_in_words(summary.chosen)}")
    if summary.more_photographs:
        console.print(f"  what to expect       {summary.more_photographs['in_words']}")
    if summary.measured:
        console.print(f"  on images held out   {measured_in_words(summary.measured)}")
    if types := types_in_words(summary.manifest):
        console.print(f"  defect types         {types}")
    if summary.skipped:
        console.print(
            f"  skipped              {len(summary.skipped)} that cannot be read or are damaged, listed above"
        )
    if result.outliers:
        names = ", ".join(Path(one["path"]).name for one in result.outliers[:3])
        console.print(f"  far out of the good  {len(result.outliers)}, told above: {names}", style="yellow")
    if summary.left_out:
        console.print(f"  left out             {len(summary.left_out)} that were suspicious, named above")
    if summary.copies:
        console.print(
            f"  copies               {len(summary.copies)} left out, as equal photographs count once"
        )
    console.print(f"  time, size           {summary.seconds:.1f} s, {summary.megabytes:.1f} MB")
    console.print(f"  laboratory and line  agree to {summary.parity_error:.1e}")
    view = summary.manifest.preprocessing.view
    for number, reason in enumerate(view.reasons if view else ()):
        console.print(f"  {'' if number else 'looks':<20} {reason}")
    groups = summary.manifest.calibration.n_groups
    counted = f", counting {groups} groups" if groups else ""
    decision = result.decision
    console.print(
        f"  rejects above        {decision.threshold:.4g}: {decision.expected:.1%} of good parts expected, "
        f"{decision.at_most:.1%} at most (95 %){counted}"
    )
    if decision.review_rate is not None:
        reviewed = decision.review_expected - decision.expected
        console.print(
            f"  to review above      {decision.review_threshold:.4g}: {reviewed:.1%} of good parts more"
        )
    if decision.gave_way:
        console.print(f"  gave way             {decision.gave_way}", style="yellow")
    if result.report is not None:
        console.print(f"Report: {result.report}")
    following = f"blemish evaluate {summary.path} {request.data}{request.told_again}"
    if not result.n_test:
        following = f"blemish inspect {summary.path} NEW_PHOTOGRAPHS --out {request.out.parent / 'verdicts'}"
    console.print(f"Next: {following}")
    return result
