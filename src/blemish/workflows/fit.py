"""Learn an inspector from photographs of good parts."""

from __future__ import annotations

import shutil
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

from pydantic import Field

from blemish.core.errors import BlemishError, UsageError
from blemish.core.progress import say, task
from blemish.detectors.chosen import choose_detectors, with_settings
from blemish.detectors.registry import DEFAULT_DETECTOR
from blemish.view.shapes import is_shape
from blemish.workflows.data_request import GroupedRequest
from blemish.workflows.fields import (
    Augment,
    BackboneName,
    BitDepth,
    CategoryName,
    CopiesKinds,
    FalseRejectRate,
    GoodParts,
    LearningDevice,
    Preset,
    ReviewRate,
    Settings,
    WeightsFiles,
)
from blemish.workflows.request import Option, Outcome
from blemish.workflows.view_request import ViewRequest

if TYPE_CHECKING:
    from blemish.data.catalog import Catalog
    from blemish.data.entries import Problem
    from blemish.detectors.base import Detector
    from blemish.line.decision import Decision
    from blemish.making.build import BuildSummary
    from blemish.making.near_copies import NearCopies


class FitRequest(ViewRequest, GroupedRequest):
    """Learn an inspector; checkpoints lie in NAME.training until it is done."""

    data: GoodParts
    ignore: Annotated[tuple[str, ...], Option(metavar="SHAPE|GLOB", repeated=True)] = Field(
        (),
        description="What does not count of the photographs, as --include; or files and folders of DATA to leave out, "
        "as '*_GT.png' or old; repeat for more.",
    )
    out: Path = Field(description="The inspector to write, NAME.blemish; replaced whole.")
    name: str | None = Field(
        None, description="Name of the part, which the inspector is called by; NAME of --out if absent."
    )
    detector: str = Field(DEFAULT_DETECTOR, description="NAME, or NAME:PRESET; see `blemish detectors`.")
    preset: Preset = None
    size: int | None = Field(None, description="Side in pixels at which photographs are read.")
    backbone: BackboneName = None
    weights: WeightsFiles = Field({})
    augment: Augment = None
    copies: CopiesKinds = None
    features: str | None = Field(
        None, description="Classical detectors: deep-mid, deep-last, direct, pixels or direct-pixels."
    )
    parameters: Settings = Field({}, description="Any parameter; repeat for more.")
    seed: int = Field(0, description="The same seed learns the same.")
    category: CategoryName = None
    bit_depth: BitDepth = 16
    device: LearningDevice = None
    quick: bool = Field(False, description="A small first run: 128 pixels, few epochs.")
    synthetic: bool = Field(False, description="Supervised detectors: learn from painted defects only.")
    labelled_share: float = Field(
        0.5, description="Supervised detectors: share of the labelled test photographs to learn from."
    )
    leave_out_suspicious: bool = Field(
        False,
        description="Learn again without the good photographs that stand far out of the others (and those of their "
        "groups), and leave them out of the threshold.",
    )
    check_photographs: bool = Field(
        True,
        description="Learn what photographs must be like to be judged, as light, focus and place of the part.",
    )
    false_reject_rate: FalseRejectRate = None
    review_rate: ReviewRate = None
    pictures: bool = Field(
        True,
        description="Keep small pictures of good patches in the inspector, up to 3 MB, to show beside a defect.",
    )
    resume: bool = Field(False, description="Go on with an interrupted training of the same inspector.")
    tensorboard: Path | None = Field(None, description="Folder for TensorBoard's event files.")
    mlflow: str | None = Field(None, description="MLflow's tracking address.")
    report: Path | None = Field(
        None,
        description="Also write this HTML file: what was learnt, and the most unusual of the good photographs.",
    )

    @property
    def ignored(self) -> tuple[str, ...]:
        """Shapes that do not count of the photographs."""
        return tuple(one for one in self.ignore if is_shape(one))

    @property
    def left_out(self) -> tuple[str, ...]:
        """Patterns of what is left out of the folder."""
        return tuple(one for one in self.ignore if not is_shape(one))

    @property
    def checkpoints(self) -> Path:
        """Folder of the training's checkpoints."""
        return self.out.with_suffix(".training")

    @property
    def part(self) -> str:
        """What the part, and so the inspector, is called."""
        return self.name or self.out.stem

    def unfitted(self) -> Detector:
        """The detector that is asked for.

        Raises:
            UsageError: no such detector, preset or parameter, a value of another kind than the parameter's, or weights
                that it does not read.
        """
        options = {
            "size": self.size,
            "backbone": self.backbone,
            "features": self.features,
            "augment": self.augment,
            "copies": self.copies,
            "synthetic": "only" if self.synthetic else None,
        }
        options |= self.view_options | ({"ignore": self.ignored} if self.ignored else {})
        given = {"seed": self.seed, "bit_depth": self.bit_depth} | with_settings(options, self.parameters)
        (chosen,) = choose_detectors(
            (self.detector,), given, preset=self.preset, quick=self.quick, weights=self.weights
        )
        return chosen.make()


@dataclass(frozen=True)
class FitResult(Outcome):
    """What was learnt.

    Attributes:
        summary: of the build.
        outliers: photographs learnt as good whose scores stand far out of the others, or that show what no other does,
            each with path, score (None where it was not scored as if unseen) and how many robust standard deviations
            score or showing lies above the median.
        threshold_without: what the threshold would be without their scores; None where there are none.
        n_test: test photographs in the data.
        report: the training report, if one was asked for.
        problems: what is wrong with the data, as far as a glance tells.
        near_copies: good photographs that look like two of one part and judged each other; None where there are none,
            or groups were given.
    """

    summary: BuildSummary
    outliers: list[dict[str, Any]]
    threshold_without: float | None
    n_test: int
    report: Path | None
    problems: tuple[Problem, ...] = ()
    near_copies: NearCopies | None = None

    def to_json(self) -> dict[str, Any]:
        """The result as JSON-ready values."""
        return {
            **self.summary.to_json(),
            "decision": self.decision.model_dump(mode="json", exclude_none=True),
            "near_copies": self.near_copies and self.near_copies.to_json(),
            "outliers": self.outliers,
            "threshold_without_outliers": self.threshold_without,
            "n_test": self.n_test,
            "report": self.report and str(self.report),
            "problems": [problem.to_json() for problem in self.problems],
        }

    @property
    def decision(self) -> Decision:
        """What the inspector makes of scores, and what that promises."""
        return self.summary.manifest.decision


def fit(request: FitRequest, catalog: Catalog | None = None) -> FitResult:
    """Learn an inspector, write it, and report on it if asked to.

    Args:
        request: what to learn, and how.
        catalog: the photographs, where they are opened already; `data` and `category` are not read then.

    Raises:
        UsageError: a file's name, the device, the detector or one of its parameters is not possible, or the photographs
            are too few for the rate asked for.
        CatalogError: there is nothing to learn from.
        BlemishError: the parity gate refused, or a file could not be written.
    """
    from blemish.data.categories import open_category
    from blemish.data.copies import copies_in_words
    from blemish.data.entries import named
    from blemish.detectors.training.session import TrainingSession, training_session
    from blemish.evaluation.training_report import outliers_in_words
    from blemish.features.learning_device import device_named, learning_on
    from blemish.making.build import build_inspector
    from blemish.making.calibration_set import set_aside_in_words
    from blemish.making.first_decision import Rates
    from blemish.workflows.problems import said_problems

    _check_names(request)
    device = device_named(request.device)
    if catalog is None:
        catalog = open_category(request.data, request.category, told=request.told)
    catalog = called(catalog, request)
    problems = said_problems(catalog, request.bit_depth)
    detector = request.unfitted()
    checkpoints = request.checkpoints
    if request.resume and not checkpoints.exists():
        say(f"There is no checkpoint in {checkpoints} to go on from: this begins anew.")
    session = TrainingSession(checkpoints, request.resume, request.tensorboard, request.mlflow)
    with training_session(session), learning_on(device):
        summary = build_inspector(
            catalog,
            request.out,
            detector,
            labelled_share=request.labelled_share,
            leave_out_suspicious=request.leave_out_suspicious,
            check_photographs=request.check_photographs,
            rates=Rates(request.false_reject_rate, request.review_rate),
            pictures=request.pictures,
            name=request.part,
        )
    shutil.rmtree(checkpoints, ignore_errors=True)
    for skipped in summary.skipped:
        say(f"Skipped {skipped['path']}: {skipped['detail']}")
    if summary.left_out:
        names = named([Path(one["path"]).name for one in summary.left_out], 5)
        say(f"Left out as suspicious, {len(summary.left_out)} of the good photographs: {names}.")
    if summary.copies:
        say(copies_in_words(summary.copies, summary.n_train))
    near_copies = _near_copies(summary, catalog, detector)
    result = FitResult(
        summary,
        *_outliers(summary),
        len(catalog.test()),
        request.report,
        problems,
        near_copies=near_copies,
    )
    for sentence in (set_aside_in_words(summary.set_aside), near_copies and near_copies.sentence):
        if sentence:
            say(sentence)
    if result.outliers:
        say(outliers_in_words(summary.normal, summary.manifest.decision))
    if request.report is not None:
        try:
            with task("Writing the report"):
                _write_report(result, request.report)
        except BlemishError:
            say(f"The inspector is written all the same: {summary.path}.")
            raise
    return result


def called(catalog: Catalog, request: FitRequest) -> Catalog:
    """The catalog by the name of its part: the one that was given, or the inspector's where no folder says one."""
    from blemish.data.part_names import names_part

    if request.name is None and (request.category is not None or names_part(catalog.category)):
        return catalog
    # Or two parts that were learnt from folders of one such name would be taken for the same.
    return replace(catalog, category=request.part)


def _outliers(summary: BuildSummary) -> tuple[list[dict[str, Any]], float | None]:
    """The photographs that stand far out of the good ones, and the threshold without their scores."""
    from blemish.making.build import suspects_of

    normal, decision = summary.normal, summary.manifest.decision
    rate = decision.false_reject_rate or decision.expected
    return suspects_of(normal), normal.threshold_without_outliers(rate) if normal.outliers else None


def _near_copies(summary: BuildSummary, catalog: Catalog, detector: Detector) -> NearCopies | None:
    """Near copies that judged each other in different folds, where nobody has said what belongs together."""
    from blemish.core.folds import fold_positions
    from blemish.making.near_copies import find_near_copies

    calibration = summary.manifest.calibration
    # The folds of parts are others.
    if catalog.group_by or calibration.folds < 2 or detector.cuts is not None:
        return None
    parts = fold_positions(len(summary.learnt), calibration.folds, detector.seed)
    return find_near_copies(summary.learnt, parts, detector.bit_depth)


def _check_names(request: FitRequest) -> None:
    """Refuse names of files before hours of learning.

    Raises:
        UsageError: one has the wrong suffix, or is no name of a part.
    """
    out, report = request.out, request.report
    if request.name is not None:
        from blemish.station.records import check_name

        check_name(request.name, "A part")
    if out.suffix != ".blemish":
        raise UsageError(f"{out} does not end in .blemish: name the file to write, as --out part.blemish.")
    if report is not None and (report.suffix != ".html" or report.is_dir()):
        raise UsageError(f"{report} is not the name of an HTML file: write it as --report part.html.")


def _write_report(result: FitResult, out: Path) -> None:
    """Write the training report.

    Raises:
        BlemishError: the file cannot be written.
    """
    from blemish.evaluation.facts import inspector_facts
    from blemish.evaluation.training_report import Training, write_training_report
    from blemish.line.explanation_picture import made_of
    from blemish.line.runtime import Inspector

    summary, manifest = result.summary, result.summary.manifest
    calibration = manifest.calibration
    how_unseen = "each held out from training"
    if calibration.folds:
        how_unseen = "each by a detector that had learnt from others"
    if calibration.method == "validation":
        how_unseen = "none of which was learnt from"
    training = Training(
        inspector=Path(summary.path).name,
        detector=summary.detector,
        n_train=summary.n_train,
        normal=summary.normal,
        how_unseen=how_unseen,
        decision=manifest.decision,
        map_scale=(calibration.map_low, calibration.map_high),
        gives_maps=manifest.detector.gives_maps,
        bit_depth=manifest.preprocessing.bit_depth,
        skipped=summary.skipped,
        history=summary.history,
        made=partial(made_of, Inspector.load(Path(summary.path))) if manifest.detector.explains else None,
    )
    known = {"Category": summary.category} | inspector_facts(manifest)
    known |= {
        "Skipped": f"{len(summary.skipped)} that cannot be read" if summary.skipped else "none",
        **({"Copies": f"{len(summary.copies)}, left out"} if summary.copies else {}),
        "Time, size": f"{summary.seconds:.1f} s, {summary.megabytes:.1f} MB",
        "Seed": str(manifest.training.seed),
        "Laboratory and line": f"agree to {summary.parity_error:.1e}",
    }
    write_training_report(training, out, f"{manifest.name}: training", known)
