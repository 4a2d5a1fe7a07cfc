"""One cell: every setting of the grid on validation, and the chosen one on test; kept as soon as it is known."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from blemish.core.errors import BlemishError
from blemish.core.progress import track
from blemish.core.storage import write_json
from blemish.core.types import FloatArray
from blemish.data.catalog import Catalog
from blemish.data.entries import ANOMALOUS, VALIDATION
from blemish.detectors.base import normal_images
from blemish.detectors.classical.tabular import FEWEST, TabularDetector
from blemish.experiments.search.space import Setting, setting_key
from blemish.experiments.search.trials import Trial, best_of, measured_trial
from blemish.experiments.search.validation import Scores, Validated
from blemish.experiments.study.plan import Cell

CHOICE, TEST_SCORES = "choice.json", "test.json"

ReadRows = Callable[[list[Path]], FloatArray]
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
class Part:
    """The images of a category that a combination may choose on, as rows of features.

    Attributes:
        training: N x D, of the good images that are learnt from.
        folds: rows (n x D) and labels (n) of each validation fold.
        projections: of `training` by most components, as they become known: no setting moves them.
    """

    training: FloatArray
    folds: tuple[tuple[FloatArray, npt.NDArray[np.bool_]], ...]
    projections: dict[int | None, dict[str, npt.NDArray[Any]]]

    def fitted(self, detector: TabularDetector) -> TabularDetector:
        """The detector, fitted."""
        most = detector.most_components(len(self.training))
        if most not in self.projections:
            self.projections[most] = detector.projection(self.training)
        return detector.fit_rows(self.training, self.projections[most])

    def validated(self, detector: TabularDetector) -> Validated:
        """Scores of every fold by a detector, which is fitted for it.

        Raises:
            BlemishError: fitting failed, or a score is not finite.
        """
        self.fitted(detector)
        folds = [Scores(labels, finite_scores(detector, rows)) for rows, labels in self.folds]
        return Validated(tuple(folds), detector)


def read_part(catalog: Catalog, read: ReadRows) -> Part:
    """The rows of a split catalog's training and validation images; no test image is read.

    Raises:
        CatalogError: fewer than 5 good training images, or defective ones among them.
    """
    training = read(normal_images(catalog, FEWEST))
    folds = []
    for fold in catalog.folds:
        paths, labels = images_of(catalog.for_fold(fold), VALIDATION)
        folds.append((read(paths), labels))
    return Part(training, tuple(folds), {})


def images_of(catalog: Catalog, split: str) -> tuple[list[Path], npt.NDArray[np.bool_]]:
    """Paths and labels of the images of one split, in an order that does not depend on where the folders lie.

    Otherwise sums over painted images, which lie elsewhere, would differ in the last digit from place to place.
    """
    rows = catalog.table[catalog.table["split"] == split]
    paths = [Path(path) for path in rows["path"]]
    order = sorted(
        range(len(paths)), key=lambda row: (rows["defect_type"].iloc[row], paths[row].name, paths[row])
    )
    return [paths[row] for row in order], (rows["label"] == ANOMALOUS).to_numpy()[order]


def choose_setting(cell: Cell, part: Part) -> Choice:
    """Try the whole grid on the validation folds; a setting that fails is recorded.

    Raises:
        BlemishError: all settings failed.
    """
    trials: list[Trial] = []
    known: dict[str, Trial] = {}
    for number, setting in enumerate(track(cell.settings(), f"Settings of {cell.title}")):
        scored = setting_key(cell.detector(setting).score_parameters(len(part.training)))
        if scored not in known:
            known[scored] = _trial(cell, part, number, setting)
        same = known[scored]
        seconds = same.seconds if same.number == number else 0.0
        trials.append(Trial(number, setting, same.aurocs, seconds, same.error))
    chosen = best_of(trials)
    if chosen is None:
        raise BlemishError(f"All {len(trials)} settings of {cell.model} failed; the first: {trials[0].error}")
    validation = part.validated(cell.detector(chosen.setting)).together()
    return Choice(tuple(trials), len(known), chosen, validation)


def measure_on_test(
    cell: Cell, part: Part, chosen: Trial, rows: FloatArray, labels: npt.NDArray[np.bool_]
) -> Scores:
    """Scores of the test part with the chosen setting, fitted anew on the same training images.

    Raises:
        BlemishError: a score is not finite.
    """
    detector = part.fitted(cell.detector(chosen.setting))
    return Scores(labels, finite_scores(detector, rows))


def finite_scores(detector: TabularDetector, rows: FloatArray) -> npt.NDArray[np.float64]:
    """Scores of rows of features.

    Raises:
        BlemishError: one is not finite.
    """
    scores = detector.score_rows(rows)
    if not np.isfinite(scores).all():
        raise BlemishError(f"{detector.name} gives scores that are not finite with this setting.")
    return scores


def write_choice(cell: Cell, choice: Choice) -> None:
    """Keep what was chosen, whole or not at all."""
    trials = [
        {
            "number": trial.number,
            "setting": trial.setting,
            "aurocs": trial.aurocs,
            "seconds": trial.seconds,
            "error": trial.error,
        }
        for trial in choice.trials
    ]
    document = {"key": cell.key, "fitted": choice.fitted, "chosen": choice.chosen.number}
    write_json(cell.folder / CHOICE, document | {"trials": trials, "validation": choice.validation.to_json()})


def read_choice(cell: Cell) -> Choice | None:
    """What was chosen before; None if nothing was, or the file is not what was written."""
    try:
        document = _document(cell, CHOICE)
        trials = tuple(
            Trial(
                one["number"],
                one["setting"],
                tuple(one["aurocs"]),
                float(one["seconds"]),
                one["error"],
            )
            for one in document["trials"]
        )
        validation = Scores.from_json(document["validation"])
        return Choice(trials, int(document["fitted"]), trials[document["chosen"]], validation)
    except (OSError, ValueError, KeyError, TypeError, IndexError):
        return None


def write_test_scores(cell: Cell, chosen: Trial, scores: Scores) -> None:
    """Keep the scores of the test part, whole or not at all."""
    document = {"key": cell.key, "setting": setting_key(chosen.setting), "scores": scores.to_json()}
    write_json(cell.folder / TEST_SCORES, document)


def read_test_scores(cell: Cell, chosen: Trial) -> Scores | None:
    """The scores of the test part with the chosen setting; None if there are none."""
    try:
        document = _document(cell, TEST_SCORES)
        if document["setting"] != setting_key(chosen.setting):
            return None
        return Scores.from_json(document["scores"])
    except (OSError, ValueError, KeyError, TypeError):
        return None


def _document(cell: Cell, name: str) -> dict[str, Any]:
    document: dict[str, Any] = json.loads((cell.folder / name).read_text("utf-8"))
    if document["key"] != cell.key:
        raise ValueError("of another cell")
    return document


def _trial(cell: Cell, part: Part, number: int, setting: Setting) -> Trial:
    return measured_trial(number, setting, lambda: part.validated(cell.detector(setting)))
