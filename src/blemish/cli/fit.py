"""`blemish fit`: learn an inspector from photographs of good parts."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from blemish.cli.output import JsonOption, console, emit, messages, stray_prints_on_stderr
from blemish.cli.settings import parsed_setting
from blemish.detectors.registry import DEFAULT_DETECTOR

if TYPE_CHECKING:
    from blemish.workflows.fit import FitRequest, FitResult


def fit(
    data: Annotated[
        Path, typer.Argument(metavar="DATA", help="Photographs of good parts: a folder in any layout.")
    ],
    out: Annotated[Path, typer.Option("--out", help="The inspector to write, NAME.blemish; replaced whole.")],
    detector: Annotated[str, typer.Option(help="See `blemish detectors`.")] = DEFAULT_DETECTOR,
    preset: Annotated[str | None, typer.Option(help="A named set of the detector's parameters.")] = None,
    size: Annotated[int | None, typer.Option(help="Side in pixels at which photographs are read.")] = None,
    backbone: Annotated[str | None, typer.Option(help="Pretrained network, as resnet18.")] = None,
    weights: Annotated[Path | None, typer.Option(help="File with the backbone's weights.")] = None,
    features: Annotated[
        str | None, typer.Option(help="Classical detectors: deep-mid, deep-last or direct.")
    ] = None,
    setting: Annotated[
        list[str] | None, typer.Option("--set", metavar="NAME=VALUE", help="Any parameter; repeat for more.")
    ] = None,
    seed: Annotated[int, typer.Option(help="The same seed learns the same.")] = 0,
    category: Annotated[
        str | None, typer.Option(help="Of several categories in DATA, this one; of one, its name.")
    ] = None,
    bit_depth: Annotated[
        int, typer.Option(min=8, max=16, help="Bits that 16-bit photographs really use, as 12.")
    ] = 16,
    quick: Annotated[
        bool, typer.Option("--quick", help="A small first run: 128 pixels, few epochs.")
    ] = False,
    synthetic: Annotated[
        bool, typer.Option("--synthetic", help="Supervised detectors: learn from painted defects only.")
    ] = False,
    labelled_share: Annotated[
        float,
        typer.Option(help="Supervised detectors: share of the labelled test photographs to learn from."),
    ] = 0.5,
    resume: Annotated[
        bool, typer.Option("--resume", help="Go on with an interrupted training of the same inspector.")
    ] = False,
    tensorboard: Annotated[Path | None, typer.Option(help="Folder for TensorBoard's event files.")] = None,
    mlflow: Annotated[str | None, typer.Option(help="MLflow's tracking address.")] = None,
    report: Annotated[
        Path | None,
        typer.Option(
            help="Also write this HTML file: what was learnt, and the most unusual of the good photographs."
        ),
    ] = None,
    json_output: JsonOption = False,
) -> None:
    """Learn from good parts, and write an inspector.

    Detectors that train write a checkpoint after every epoch to NAME.training beside the inspector, until it is done.

    \b
    blemish fit photographs/ --out part.blemish --report part.html
    blemish fit mvtec/ --category screw --out screw.blemish --size 384
    blemish fit photographs/ --out part.blemish --detector student-teacher --resume
    """
    from blemish.cli.reporter import reporter_for
    from blemish.core.progress import use_reporter
    from blemish.workflows.fit import FitRequest
    from blemish.workflows.fit import fit as learn

    request = FitRequest(
        data=data,
        out=out,
        detector=detector,
        preset=preset,
        size=size,
        backbone=backbone,
        weights=weights,
        features=features,
        seed=seed,
        bit_depth=bit_depth,
        parameters=dict(map(parsed_setting, setting or [])),
        category=category,
        quick=quick,
        synthetic=synthetic,
        labelled_share=labelled_share,
        resume=resume,
        tensorboard=tensorboard,
        mlflow=mlflow,
        report=report,
    )
    with use_reporter(reporter_for(json_output)), stray_prints_on_stderr():
        try:
            result = learn(request)
        except KeyboardInterrupt:
            if request.checkpoints.exists():
                messages.print("The training is kept: go on with the same command and --resume.")
            raise
    emit(result.to_json(), json_output, lambda: _print(result, request))


def _print(result: FitResult, request: FitRequest) -> None:
    """What was learnt, and what to type next."""
    from blemish.evaluation.facts import learnt_from, measured_in_words

    summary = result.summary
    console.print(f"{summary.path}: {summary.detector} for {summary.category}", style="bold")
    console.print(f"  learnt from          {learnt_from(summary.n_train, summary.n_labelled)}")
    if summary.epochs:
        console.print(f"  trained for          {summary.epochs} epochs")
    if summary.measured:
        console.print(f"  on images held out   {measured_in_words(summary.measured)}")
    if summary.skipped:
        console.print(f"  skipped              {len(summary.skipped)} that cannot be read, listed above")
    console.print(f"  time, size           {summary.seconds:.1f} s, {summary.megabytes:.1f} MB")
    console.print(f"  laboratory and line  agree to {summary.parity_error:.1e}")
    console.print(f"  threshold            {summary.threshold:.4g}")
    console.print(
        f"  good parts rejected  {result.expected:.1%} expected, {result.at_most:.1%} at most (95 %)"
    )
    if result.report is not None:
        console.print(f"Report: {result.report}")
    following = f"blemish evaluate {summary.path} {request.data}"
    if not result.n_test:
        following = f"blemish inspect {summary.path} NEW_PHOTOGRAPHS --out {request.out.parent / 'verdicts'}"
    console.print(f"Next: {following}")
