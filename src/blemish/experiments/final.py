"""The end of a choice: the chosen setting on validation and test, with thresholds from the one judged on the other."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

from blemish.core.json_values import number_or_none
from blemish.evaluation.intervals import auroc_interval
from blemish.evaluation.metrics import Decision, Ranking, rank
from blemish.evaluation.rate import Rate
from blemish.evaluation.thresholds import Threshold, choose_thresholds
from blemish.evaluation.worth import Worth
from blemish.experiments.validation import Scores


@dataclass(frozen=True)
class Final:
    """The chosen setting at the end.

    Attributes:
        validation: scores of all folds.
        test: scores of the test images; None where there are none.
        thresholds: chosen on validation.
        refitted: whether the detector that scored the test images is another than those of validation, fitted on more.
        measured: settings whose test scores were ever measured in this folder with this split: 1 is an honest figure,
            more are a choice among several.
    """

    validation: Scores
    test: Scores | None
    thresholds: tuple[Threshold, ...]
    refitted: bool
    measured: int

    @classmethod
    def judged(
        cls, validation: Scores, test: Scores | None, split: str, refitted: bool = False, measured: int = 1
    ) -> Final:
        """Scores with thresholds chosen on those of validation; `split` names the split in words."""
        thresholds = choose_thresholds(validation.labels, validation.scores, f"validation of {split}")
        return cls(validation, test, thresholds, refitted, measured)

    def decisions(self) -> list[tuple[Threshold, Decision, Decision | None]]:
        """Each threshold with its decisions on validation and on test."""
        return [
            (one, one.judge(self.validation.labels, self.validation.scores), self._on_test(one))
            for one in self.thresholds
        ]

    def test_ranking(self) -> Ranking | None:
        """The ranking of the test images; None without any."""
        return rank(self.test.labels, self.test.scores) if self.test else None

    def test_interval(self) -> tuple[float, float]:
        """95 % interval of the test AUROC; nan without test images."""
        ranking = self.test_ranking()
        if ranking is None:
            return math.nan, math.nan
        return auroc_interval(ranking.auroc(), ranking.n_anomalous, ranking.n_normal)

    def worth(self, rule: str) -> Worth:
        """How the test images are ranked, and how the threshold of a rule decides them; nan where that is unknown."""
        ranking = self.test_ranking()
        auroc = math.nan if ranking is None else ranking.auroc()
        missed = rejected = Rate(0, 0)
        for threshold, _, unseen in self.decisions():
            if threshold.rule == rule and unseen is not None:
                missed = Rate(unseen.false_negatives, unseen.false_negatives + unseen.true_positives)
                rejected = Rate(unseen.false_positives, unseen.false_positives + unseen.true_negatives)
        return Worth(auroc, self.test_interval(), missed, rejected)

    def to_json(self) -> dict[str, Any]:
        """Figures of validation and test, and the thresholds; what is undefined is None."""
        ranking = self.test_ranking()
        test = None
        if ranking is not None:
            test = {
                "auroc": number_or_none(ranking.auroc()),
                "auroc_interval": [number_or_none(edge) for edge in self.test_interval()],
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


def _figures(decision: Decision) -> dict[str, Any]:
    return {
        "precision": number_or_none(decision.precision),
        "recall": number_or_none(decision.recall),
        "f1": number_or_none(decision.f1),
        "false_reject": number_or_none(decision.false_reject_rate),
    }
