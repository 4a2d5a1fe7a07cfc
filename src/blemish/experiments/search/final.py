"""The end of a search: the chosen setting on validation and test, with thresholds from the one judged on the other."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from blemish.core.errors import BlemishError
from blemish.core.storage import write_json
from blemish.data.catalog import Catalog
from blemish.data.entries import TEST
from blemish.evaluation.intervals import auroc_interval
from blemish.evaluation.metrics import Decision, Ranking, rank
from blemish.evaluation.thresholds import Threshold, choose_thresholds
from blemish.experiments.search.space import setting_key
from blemish.experiments.search.validation import MakeDetector, Scores, learning_part, score, validate

FINAL = "final.json"


@dataclass(frozen=True)
class Final:
    """The chosen setting at the end.

    Attributes:
        validation: scores of all folds.
        test: scores of the test part; None where there is none.
        thresholds: chosen on validation.
        refitted: whether the detector of the test part is another than those of validation, fitted on more images.
        measured: settings whose test scores were ever measured in this folder with this split: 1 is an honest figure,
            more are a choice among several.
    """

    validation: Scores
    test: Scores | None
    thresholds: tuple[Threshold, ...]
    refitted: bool
    measured: int

    def decisions(self) -> list[tuple[Threshold, Decision, Decision | None]]:
        """Each threshold with its decisions on validation and on test."""
        return [
            (one, one.judge(self.validation.labels, self.validation.scores), self._on_test(one))
            for one in self.thresholds
        ]

    def test_ranking(self) -> Ranking | None:
        """The ranking of the test part; None without one."""
        return rank(self.test.labels, self.test.scores) if self.test else None

    def test_interval(self) -> tuple[float, float]:
        """95 % interval of the test AUROC; nan without a test part."""
        ranking = self.test_ranking()
        if ranking is None:
            return float("nan"), float("nan")
        return auroc_interval(ranking.auroc(), ranking.n_anomalous, ranking.n_normal)

    def to_json(self) -> dict[str, Any]:
        """Figures of validation and test, and the thresholds; what is undefined is None."""
        ranking = self.test_ranking()
        test = None
        if ranking is not None:
            test = {
                "auroc": _number(ranking.auroc()),
                "auroc_interval": [_number(edge) for edge in self.test_interval()],
                "n_normal": ranking.n_normal,
                "n_anomalous": ranking.n_anomalous,
                "settings_measured": self.measured,
            }
        return {
            "test": test,
            "refitted_for_test": self.refitted,
            "thresholds": [
                {**one.to_json(), "validation": _figures(seen), "test": _figures(unseen) if unseen else None}
                for one, seen, unseen in self.decisions()
            ],
        }

    def _on_test(self, threshold: Threshold) -> Decision | None:
        return threshold.judge(self.test.labels, self.test.scores) if self.test else None


def measure_chosen(
    catalog: Catalog, make: MakeDetector, out: Path, key: str, setting: dict[str, Any]
) -> Final:
    """Score validation and test with the chosen setting, once: what `out` holds of it already is read.

    Args:
        catalog: after a split with folds.
        make: gives the unfitted detector of the setting.
        out: folder that keeps the scores, in `final.json`.
        key: of the search.
        setting: what was chosen.

    Raises:
        BlemishError: fitting or scoring failed, or `out` cannot be written.
    """
    path, name = out / FINAL, f"{key}/{setting_key(setting)}"
    kept = _read(path)
    if name not in kept:
        validated = validate(make, catalog)
        test = None
        if not catalog.test().empty:
            detector = validated.detector
            if detector is None:
                detector = make()
                detector.fit(learning_part(catalog, detector))
            test = score(detector, catalog, TEST)
        kept[name] = {
            "split": catalog.split_name,
            "refitted": validated.detector is None,
            "validation": validated.together().to_json(),
            "test": test.to_json() if test else None,
        }
        write_json(path, kept)
    found = kept[name]
    validation = Scores.from_json(found["validation"])
    return Final(
        validation=validation,
        test=Scores.from_json(found["test"]) if found["test"] else None,
        thresholds=choose_thresholds(
            validation.labels, validation.scores, f"validation of {catalog.split_name}"
        ),
        refitted=bool(found["refitted"]),
        measured=sum(one["split"] == catalog.split_name for one in kept.values()),
    )


def _read(path: Path) -> dict[str, Any]:
    try:
        kept = json.loads(path.read_text("utf-8"))
    except FileNotFoundError:
        return {}
    except (OSError, ValueError) as error:
        raise BlemishError(f"{path} cannot be read: remove it, or choose another --out.") from error
    if not isinstance(kept, dict):
        raise BlemishError(f"{path} is not what a search wrote: remove it, or choose another --out.")
    return kept


def _figures(decision: Decision) -> dict[str, Any]:
    return {
        "precision": _number(decision.precision),
        "recall": _number(decision.recall),
        "f1": _number(decision.f1),
        "false_reject": _number(decision.false_reject_rate),
    }


def _number(value: float) -> float | None:
    return float(value) if np.isfinite(value) else None
