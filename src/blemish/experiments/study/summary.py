"""The summary of a study: AUROC of every model with every combination, by category and on the mean of them."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from blemish.evaluation.intervals import mean_interval
from blemish.evaluation.worth import (
    BEST_F1,
    THRESHOLD_OF_BEST_F1,
    Worth,
    ranked_and_decided,
    ranking_in_words,
)
from blemish.experiments.categories import Category
from blemish.experiments.study.plan import Combination
from blemish.experiments.study.results import CellResult, Study

SMALL_GAP, LARGE_GAP = 0.05, 0.15
"""AUROC by which validation and test may differ and still agree; beyond the second they differ far."""


@dataclass(frozen=True)
class Reached:
    """What a model reached with a combination: on one category, or on the mean of several.

    Attributes:
        validation, test: AUROC; nan where there is none.
        interval: 95 % interval of the test AUROC; nan for a mean.
        without: categories that are missing from a mean.
    """

    validation: float
    test: float
    interval: tuple[float, float] = (math.nan, math.nan)
    without: int = 0


def reached(result: CellResult) -> Reached:
    """What one cell reached."""
    if result.choice is None or result.final is None:
        return Reached(math.nan, math.nan)
    ranking = result.final.test_ranking()
    test = math.nan if ranking is None else ranking.auroc()
    return Reached(result.choice.chosen.auroc, test, result.final.test_interval())


def mean_reached(of: Sequence[Reached]) -> Reached:
    """The mean over categories, without those that have no test AUROC."""
    known = [one for one in of if not math.isnan(one.test)]
    if not known:
        return Reached(math.nan, math.nan, without=len(of))
    validation, test = (np.mean([getattr(one, name) for one in known]) for name in ("validation", "test"))
    return Reached(float(validation), float(test), without=len(of) - len(known))


def by_model(study: Study, category: Category | None, combination: Combination) -> dict[str, Reached]:
    """What every model reached with a combination; on the mean of the categories where none is given."""
    if category is not None:
        return {result.cell.model: reached(result) for result in study.of(category, combination)}
    return mean_by_model(study, study.plan.categories, combination)


def mean_by_model(
    study: Study, categories: Sequence[Category], combination: Combination
) -> dict[str, Reached]:
    """What every model reached with a combination on the mean of some categories."""
    each = [by_model(study, one, combination) for one in categories]
    return {model: mean_reached([of[model] for of in each]) for model in study.plan.models}


def subclasses(study: Study) -> dict[str, list[Category]]:
    """The categories of each subclass, where they have any, in the order in which they come first."""
    found: dict[str, list[Category]] = {}
    for one in study.plan.categories:
        if one.catalog.subclass:
            found.setdefault(one.catalog.subclass, []).append(one)
    return found if len(study.plan.categories) > 1 else {}


def best_on_the_mean(study: Study) -> tuple[Combination, str, Reached] | None:
    """The combination and model with the highest mean test AUROC over all categories; None if none has all."""
    found = [
        (combination, model, one)
        for combination in study.plan.combinations
        for model, one in by_model(study, None, combination).items()
        if not one.without
    ]
    return max(found, key=lambda each: each[2].test) if found else None


def headline(study: Study) -> str:
    """The result in a sentence or two."""
    best = best_on_the_mean(study)
    if best is None:
        return "No model has a test AUROC on every category."
    combination, model, figures = best
    n = len(study.plan.categories)
    over = f"of {study.plan.categories[0].name}" if n == 1 else f"on the mean of {n} categories"
    tried = len(study.plan.combinations) * len(study.plan.models)
    worth = decided(study, combination, model)
    ranked = (
        f"{model} with {combination.name} ranks test images {over} best, with {ranking_in_words(worth)} "
        f"({figures.validation:.3f} on validation)"
    )
    return (
        f"{ranked_and_decided(ranked, worth, THRESHOLD_OF_BEST_F1)}. It is the best of {tried} by these same test "
        f"figures, so expect less of it on new parts. {gap_in_words(figures.validation, figures.test)}"
    ).rstrip()


def decided(study: Study, combination: Combination, model: str) -> Worth:
    """How a model ranks and decides test images with a combination; over several categories the means."""
    each = [
        result.final.worth(BEST_F1)
        for category in study.plan.categories
        for result in study.of(category, combination)
        if result.cell.model == model and result.final is not None
    ]
    if len(each) == 1:
        return each[0]
    aurocs = [one.auroc for one in each]
    return Worth(
        float(np.mean(aurocs)),
        mean_interval(aurocs, [one.interval for one in each]),
        float(np.mean([one.missed_share for one in each])),
        float(np.mean([one.rejected_share for one in each])),
    )


def gap_in_words(validation: float, test: float) -> str:
    """How far validation and test lie apart, in a sentence; "" where one of them is nan."""
    gap = round(test - validation, 3)
    if math.isnan(gap):
        return ""
    if abs(gap) <= SMALL_GAP:
        return "Validation and test agree."
    much = "far " if abs(gap) > LARGE_GAP else ""
    return f"Test is {much}{'above' if gap > 0 else 'below'} validation, by {abs(gap):.3f}."
