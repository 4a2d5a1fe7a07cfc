"""One cell of a study: every setting of the grid on validation, and the chosen one on test; both are kept."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from blemish.core.progress import track
from blemish.core.types import BoolArray, FloatArray
from blemish.data.catalog import Catalog
from blemish.data.entries import ANOMALOUS, VALIDATION
from blemish.detectors.classical.tabular import FEWEST, FeatureRows, TabularDetector, reduced_rows
from blemish.detectors.good_images import normal_images
from blemish.experiments.space import setting_key
from blemish.experiments.study.plan import StudyCell
from blemish.experiments.trial import Trial, chosen_of, run_trial
from blemish.experiments.validation import Scores, Validated, finite
from blemish.features.projection import Arrays, no_projection
from blemish.features.rows import StreamedRows

CHOICE, TEST_SCORES = "choice.json", "test.json"

ReadRows = Callable[[list[Path]], FeatureRows]
"""Rows of features (N x D) of photographs."""


@dataclass(frozen=True)
class Choice:
    """What was chosen on validation.

    Attributes:
        trials: every setting of the grid with the AUROC of its folds.
        fitted: models that were fitted for them; settings that give the same scores share one.
        chosen: the best trial.
        validation: the scores of all folds with it.
    """

    trials: tuple[Trial, ...]
    fitted: int
    chosen: Trial
    validation: Scores


@dataclass(frozen=True)
class ChoosingRows:
    """The images of a category that a combination chooses on, as rows of features.

    Attributes:
        training: N x D, of the good images that are learnt from.
        folds: rows (n x D) and labels (n) of each validation fold.
        projections: of `training` by most components, as they become known: no setting moves them.
        reduced: streamed rows by most components and place (-1 for `training`, then the folds), likewise.
    """

    training: FeatureRows
    folds: tuple[tuple[FeatureRows, BoolArray], ...]
    projections: dict[int | None, Arrays] = field(default_factory=dict)
    reduced: dict[tuple[int | None, int], FloatArray] = field(default_factory=dict)

    def fitted(self, detector: TabularDetector) -> TabularDetector:
        """The detector, fitted."""
        projection = self._projection(detector)
        rows = self._once(detector, self.training, -1)
        if isinstance(self.training, StreamedRows):
            projection = no_projection(rows.shape[1])
        return detector.fit_rows(rows, projection)

    def scored(self, detector: TabularDetector, rows: FeatureRows) -> npt.NDArray[np.float64]:
        """Scores (N) of rows by a detector that `fitted` has fitted.

        Raises:
            BlemishError: a score is not finite.
        """
        return finite(detector.score_rows(self._seen(detector, rows)), detector)

    def validated(self, detector: TabularDetector) -> Validated:
        """Scores of every fold by a detector, which is fitted for it.

        Raises:
            BlemishError: fitting failed, or a score is not finite.
        """
        self.fitted(detector)
        folds = [
            Scores(labels, self.scored(detector, self._once(detector, rows, place)))
            for place, (rows, labels) in enumerate(self.folds)
        ]
        return Validated(tuple(folds), detector)

    def _projection(self, detector: TabularDetector) -> Arrays:
        most = detector.most_components(len(self.training))
        if most not in self.projections:
            self.projections[most] = detector.projection(self.training)
        return self.projections[most]

    def _seen(self, detector: TabularDetector, rows: FeatureRows) -> FloatArray:
        """Rows as the detector gets them: streamed ones are reduced before, for that is what takes long."""
        if isinstance(rows, StreamedRows):
            return reduced_rows(rows, self._projection(detector)).astype(np.float32)
        return rows

    def _once(self, detector: TabularDetector, rows: FeatureRows, place: int) -> FloatArray:
        """The same, once for all detectors with as many components."""
        key = detector.most_components(len(self.training)), place
        if key not in self.reduced:
            self.reduced[key] = self._seen(detector, rows)
        return self.reduced[key]


def choosing_rows(catalog: Catalog, read: ReadRows) -> ChoosingRows:
    """The rows of a split catalog's training and validation images.

    Raises:
        CatalogError: fewer than 5 good training images, or defective ones among them.
    """
    training = read(normal_images(catalog, FEWEST))
    folds = []
    for fold in catalog.folds:
        paths, labels = images_of(catalog.for_fold(fold), VALIDATION)
        folds.append((read(paths), labels))
    return ChoosingRows(training, tuple(folds))


def images_of(catalog: Catalog, split: str) -> tuple[list[Path], BoolArray]:
    """Paths and labels of the images of one split, in an order that does not depend on where the folders lie.

    Otherwise sums over painted images, which lie elsewhere, would differ in the last digit from place to place.
    """
    rows = catalog.table[catalog.table["split"] == split]
    paths = [Path(path) for path in rows["path"]]
    order = sorted(
        range(len(paths)), key=lambda row: (rows["defect_type"].iloc[row], paths[row].name, paths[row])
    )
    return [paths[row] for row in order], (rows["label"] == ANOMALOUS).to_numpy()[order]


def choose_setting(cell: StudyCell, rows: ChoosingRows) -> Choice:
    """Try the whole grid on the validation folds; a setting that fails is recorded.

    Raises:
        BlemishError: all settings failed.
    """
    trials: list[Trial] = []
    known: dict[str, Trial] = {}
    for number, setting in enumerate(track(cell.settings(), f"Settings of {cell.title}")):
        detector = cell.detector(setting)
        scored = setting_key(detector.score_parameters(len(rows.training)))
        if scored not in known:
            known[scored] = run_trial(number, setting, partial(rows.validated, detector))
        same = known[scored]
        seconds = same.seconds if same.number == number else 0.0
        trials.append(Trial(number, setting, same.aurocs, seconds, same.error))
    chosen = chosen_of(trials, cell.model)
    validation = rows.validated(cell.detector(chosen.setting)).together()
    return Choice(tuple(trials), len(known), chosen, validation)


def measure_on_test(
    cell: StudyCell, rows: ChoosingRows, chosen: Trial, test: FeatureRows, labels: BoolArray
) -> Scores:
    """Scores of the test images with the chosen setting, fitted anew on the same training images.

    Raises:
        BlemishError: a score is not finite.
    """
    detector = rows.fitted(cell.detector(chosen.setting))
    return Scores(labels, rows.scored(detector, test))


def write_choice(cell: StudyCell, choice: Choice) -> None:
    """Keep what was chosen."""
    document = {
        "fitted": choice.fitted,
        "chosen": choice.chosen.number,
        "trials": [asdict(trial) for trial in choice.trials],
        "validation": choice.validation.to_json(),
    }
    cell.keep(CHOICE, document)


def read_choice(cell: StudyCell) -> Choice | None:
    """What was chosen before; None if nothing was, or the file is not what was written."""

    def parse(document: dict[str, Any]) -> Choice:
        trials = tuple(Trial(**one | {"aurocs": tuple(one["aurocs"])}) for one in document["trials"])
        validation = Scores.from_json(document["validation"])
        return Choice(trials, int(document["fitted"]), trials[document["chosen"]], validation)

    return cell.kept(CHOICE, parse)


def write_test_scores(cell: StudyCell, chosen: Trial, scores: Scores) -> None:
    """Keep the scores of the test images with the chosen setting."""
    cell.keep(TEST_SCORES, {"setting": setting_key(chosen.setting), "scores": scores.to_json()})


def read_test_scores(cell: StudyCell, chosen: Trial) -> Scores | None:
    """The scores of the test images with the chosen setting; None if there are none."""

    def parse(document: dict[str, Any]) -> Scores | None:
        same = document["setting"] == setting_key(chosen.setting)
        return Scores.from_json(document["scores"]) if same else None

    return cell.kept(TEST_SCORES, parse)
