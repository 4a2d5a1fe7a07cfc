"""Thresholds: four rules that make a decision out of scores, each with what it saw.

A part is rejected when its score is strictly above the threshold. A threshold chosen on images that it is then judged
by flatters, so `Threshold.seen` names the images; `judge` counts its decisions on others. The inspector's own
threshold (`blemish.core.calibration`) is the rule `quantile` on good training images.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from blemish.core.calibration import deviation_threshold, quantile_threshold
from blemish.core.errors import UsageError
from blemish.evaluation.metrics import Decision, Labels, Scores, decide, rank

DEVIATIONS, QUANTILE = 3.0, 0.995


@dataclass(frozen=True)
class Seen:
    """The images that a threshold was chosen on.

    Attributes:
        split: which they are, in words: "validation of test set 40 % test, ..., seed 0".
        n_normal, n_anomalous: how many of them the rule used.
    """

    split: str
    n_normal: int
    n_anomalous: int

    def sentence(self) -> str:
        """What was seen, for a table."""
        defective = f" and {self.n_anomalous} defective" if self.n_anomalous else ""
        return f"{self.n_normal} good{defective} images: {self.split}"


@dataclass(frozen=True)
class Threshold:
    """A decision threshold.

    Attributes:
        rule: a key of `RULES`.
        value: the threshold.
        seen: what it was chosen on.
    """

    rule: str
    value: float
    seen: Seen

    @property
    def title(self) -> str:
        """The rule in words."""
        return RULES[self.rule].title

    def judge(self, labels: Labels, scores: Scores) -> Decision:
        """Count its decisions on other images; arguments as of `blemish.evaluation.metrics.rank`."""
        return decide(labels, scores, self.value)

    def to_json(self) -> dict[str, Any]:
        """Rule, value and what was seen."""
        seen = {
            "split": self.seen.split,
            "n_normal": self.seen.n_normal,
            "n_anomalous": self.seen.n_anomalous,
        }
        return {"rule": self.rule, "value": self.value, "seen": seen}


@dataclass(frozen=True)
class Rule:
    """How a threshold is chosen: its name in words, the function, and whether that looks at defective images."""

    title: str
    of: Callable[[Labels, Scores], float]
    needs_anomalous: bool


def f1_threshold(labels: Labels, scores: Scores) -> float:
    """The highest threshold that reaches the best F1: just below an anomalous score.

    Args:
        labels: N, True or 1 for anomalous.
        scores: N floats, finite.

    Raises:
        UsageError: a class is absent, or the arrays do not match.
    """
    ranking = rank(labels, scores)
    _require_both(ranking.one_class)
    return ranking.best_f1().threshold


def youden_threshold(labels: Labels, scores: Scores) -> float:
    """The highest threshold with the largest J = recall - false-reject rate: just below an anomalous score.

    Youden, "Index for rating diagnostic tests", Cancer 1950. Arguments and errors as of `f1_threshold`.
    """
    ranking = rank(labels, scores)
    _require_both(ranking.one_class)
    # In whole numbers, so that what is equal stays equal.
    gain = ranking.true_positives * ranking.n_normal - ranking.false_positives * ranking.n_anomalous
    score = ranking.thresholds[int(np.argmax(gain))]
    return float(np.nextafter(score, score.dtype.type(-np.inf)))


RULES: Mapping[str, Rule] = {
    "f1": Rule("best F1", f1_threshold, True),
    "youden": Rule("Youden's J", youden_threshold, True),
    "deviations": Rule(
        f"mean + {DEVIATIONS:.0f} standard deviations",
        lambda labels, scores: deviation_threshold(_good(labels, scores), DEVIATIONS),
        False,
    ),
    "quantile": Rule(
        f"{100 * QUANTILE:g} % quantile",
        lambda labels, scores: quantile_threshold(_good(labels, scores), QUANTILE),
        False,
    ),
}
"""All rules, by name."""


def choose_thresholds(labels: Labels, scores: Scores, split: str) -> tuple[Threshold, ...]:
    """The threshold of every rule that these images allow: without defective ones, only those of good images.

    Args:
        labels: N, True or 1 for anomalous.
        scores: N floats, finite.
        split: what the images are, in words.

    Raises:
        UsageError: there are no good images, or the arrays do not match.
        BlemishError: a score is not finite.
    """
    ranking = rank(labels, scores)
    chosen = []
    for name, rule in RULES.items():
        if rule.needs_anomalous and ranking.one_class:
            continue
        seen = Seen(split, ranking.n_normal, ranking.n_anomalous if rule.needs_anomalous else 0)
        chosen.append(Threshold(name, rule.of(labels, scores), seen))
    return tuple(chosen)


def _good(labels: Labels, scores: Scores) -> Scores:
    good: Scores = np.asarray(scores)[~np.asarray(labels, bool)]
    return good


def _require_both(one_class: bool) -> None:
    if one_class:
        raise UsageError(
            "This threshold needs scores of good and of defective images, and one class is absent: give both, or "
            "choose a rule of good images alone."
        )
