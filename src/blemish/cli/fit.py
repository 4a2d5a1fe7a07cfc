"""`blemish fit`: learn an inspector from photographs of good parts."""

from __future__ import annotations

import json
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from blemish.cli.output import JsonOption, console, emit, messages, stray_prints_on_stderr
from blemish.core.errors import BlemishError, UsageError

if TYPE_CHECKING:
    from blemish.detectors.base import Detector
    from blemish.making.build import BuildSummary

DEFAULT_DETECTOR = "patchcore"


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
    category: Annotated[str | None, typer.Option(help="Of several categories in DATA, this one.")] = None,
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
    from blemish.cli.categories import open_category
    from blemish.cli.reporter import reporter_for
    from blemish.core.progress import task, use_reporter
    from blemish.detectors.training.session import TrainingSession, training_session
    from blemish.making.build import build_inspector

    if out.suffix != ".blemish":
        raise UsageError(f"{out} does not end in .blemish: name the file to write, as --out part.blemish.")
    if report is not None and (report.suffix != ".html" or report.is_dir()):
        raise UsageError(f"{report} is not the name of an HTML file: write it as --report part.html.")
    options = {"size": size, "backbone": backbone, "weights": weights and str(weights)}
    options |= {"features": features}
    options |= {"synthetic": "only" if synthetic else None, "seed": seed, "bit_depth": bit_depth}
    parameters = {name: value for name, value in options.items() if value is not None}
    parameters |= dict(map(parsed_setting, setting or []))
    checkpoints = out.with_suffix(".training")
    session = TrainingSession(checkpoints, resume, tensorboard, mlflow)
    with use_reporter(reporter_for(json_output)), stray_prints_on_stderr(), training_session(session):
        catalog = open_category(data, category)
        learner = make_detector(detector, preset, parameters, quick)
        if resume and not checkpoints.exists():
            messages.print(f"There is no checkpoint in {checkpoints} to go on from: this begins anew.")
        try:
            summary = build_inspector(catalog, out, learner, labelled_share=labelled_share)
        except KeyboardInterrupt:
            if checkpoints.exists():
                messages.print("The training is kept: go on with the same command and --resume.")
            raise
    shutil.rmtree(checkpoints, ignore_errors=True)
    for skipped in summary.skipped:
        messages.print(f"Skipped {skipped['path']}: {skipped['detail']}", style="yellow")
    expected, at_most = expected_false_rejects(out)
    if report is not None:
        try:
            with use_reporter(reporter_for(json_output)), task("Writing the report"):
                write_report(summary, report)
        except BlemishError:
            messages.print(f"The inspector is written all the same: {summary.path}.")
            raise
    document = {
        **summary.to_json(),
        "false_reject_rate": {"expected": expected, "at_most_with_95_percent_confidence": at_most},
        "n_test": len(catalog.test()),
        "report": report and str(report),
    }
    following = f"blemish evaluate {summary.path} {data}"
    if catalog.test().empty:
        following = f"blemish inspect {summary.path} NEW_PHOTOGRAPHS --out {out.parent / 'verdicts'}"

    def human() -> None:
        _print_summary(summary)
        console.print(f"  good parts rejected  {expected:.1%} expected, {at_most:.1%} at most (95 %)")
        if report is not None:
            console.print(f"Report: {report}")
        console.print(f"Next: {following}")

    emit(document, json_output, human)


def make_detector(name: str, preset: str | None, parameters: dict[str, Any], quick: bool = False) -> Detector:
    """An unfitted detector; `quick` makes it small unless the parameters say otherwise.

    Raises:
        UsageError: no such detector, preset or parameter, or a value of another kind than the parameter's.
    """
    from blemish.detectors.parameter_types import check_types
    from blemish.detectors.registry import create_detector, quick_parameters

    small = quick_parameters(name, preset) if quick else {}
    made = create_detector(name, preset, **{**small, **parameters})
    check_types(made)
    return made


def expected_false_rejects(inspector: Path) -> tuple[float, float]:
    """Share of unseen good parts that an inspector rejects: expected, and at most (95 % confidence)."""
    from blemish.core.calibration import false_reject_rate
    from blemish.line.artifact import read_artifact

    calibration = read_artifact(inspector).manifest.calibration
    return false_reject_rate(calibration.n_scores, calibration.quantile)


def write_report(summary: BuildSummary, out: Path) -> None:
    """Write the training report of an inspector that was just built.

    Raises:
        BlemishError: the file cannot be written.
    """
    from blemish.cli.evaluate import facts
    from blemish.evaluation.training_report import Training, write_training_report
    from blemish.line.artifact import read_artifact

    artifact = read_artifact(summary.path)
    manifest, calibration = artifact.manifest, artifact.manifest.calibration
    expected, at_most = expected_false_rejects(Path(summary.path))
    how_unseen = "each held out from training"
    if calibration.folds:
        how_unseen = "each by a detector that had learnt from others"
    training = Training(
        inspector=Path(summary.path).name,
        detector=summary.detector,
        n_train=summary.n_train,
        normal=summary.normal,
        how_unseen=how_unseen,
        threshold=calibration.threshold,
        quantile=calibration.quantile,
        expected=expected,
        at_most=at_most,
        map_scale=(calibration.map_low, calibration.map_high),
        pixel_threshold=calibration.pixel_threshold,
        gives_maps=manifest.detector.gives_maps,
        bit_depth=manifest.preprocessing.bit_depth,
        skipped=summary.skipped,
        history=artifact.history(),
    )
    known = {"Category": summary.category} | facts(manifest)
    known |= {
        "Skipped": f"{len(summary.skipped)} that cannot be read" if summary.skipped else "none",
        "Time, size": f"{summary.seconds:.1f} s, {summary.megabytes:.1f} MB",
        "Seed": str(manifest.training.seed),
        "Laboratory and line": f"agree to {summary.parity_error:.1e}",
    }
    write_training_report(training, out, f"{manifest.name}: training", known)


def parsed_setting(setting: str) -> tuple[str, Any]:
    """A detector's parameter from NAME=VALUE: a JSON value (number, true, list), or else the text itself.

    Raises:
        UsageError: there is no name or no equals sign.
    """
    name, equals, text = setting.partition("=")
    if not (name and equals):
        raise UsageError(f"--set {setting} is not NAME=VALUE: write it as --set coreset_size=2000.")
    try:
        value = json.loads(text)
    except json.JSONDecodeError:
        return name, text
    return name, tuple(value) if isinstance(value, list) else value


def learnt_from(images: int, labelled: int) -> str:
    """What was learnt from, in words."""
    if not labelled:
        return f"{images} photographs of good parts"
    return f"{images} photographs, {labelled} of them labelled test photographs, which are left out of evaluations"


def measured_in_words(measured: Mapping[str, float]) -> str:
    """What a supervised detector reached on the images held out from training, in words."""
    names = {"iou": "IoU", "threshold": "at the probability", "soft_iou": "IoU without a threshold"}
    names |= {"mask_probability": "mean probability in the masks", "other_probability": "elsewhere"}
    return ", ".join(
        f"{names.get(name, name.replace('_', ' '))} {value:.3f}" for name, value in measured.items()
    )


def _print_summary(summary: BuildSummary) -> None:
    """What was learnt."""
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
