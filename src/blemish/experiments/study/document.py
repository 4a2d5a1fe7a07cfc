"""A study as the JSON document that `study.json` holds."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from blemish.core.json_values import number_or_none
from blemish.experiments.categories import Category
from blemish.experiments.study.results import CellResult, Study
from blemish.experiments.study.summary import mean_by_model, subclasses


def study_document(study: Study) -> dict[str, Any]:
    """The whole study, JSON-ready; all that differs between two runs is under `timings`."""
    plan = study.plan
    return {
        "models": list(plan.models),
        "combinations": [
            {"name": one.name, "features": one.features, "split": one.split} for one in plan.combinations
        ],
        "seed": plan.seed,
        "fixed": {"bit_depth": plan.bit_depth, **plan.fixed},
        "taken_out": plan.taken_out(),
        "categories": {
            category.name: {
                "digest": category.digest,
                "brightness_auroc": number_or_none(study.brightness[category.name]),
                "splits": {
                    split: {"name": of.name, "counts": of.catalog.counts()}
                    for (name, split), of in study.splits.items()
                    if name == category.name
                },
            }
            for category in plan.categories
        },
        "cells": [_cell(result) for result in study.results],
        "summary": _summary(study, study.plan.categories),
        "subclasses": {name: _summary(study, of) for name, of in subclasses(study).items()},
        "skipped": study.skipped,
        "timings": {
            "seconds": study.seconds,
            "measured_now": study.measured,
            "cells": [
                {"key": result.cell.key, "seconds": sum(trial.seconds for trial in result.choice.trials)}
                for result in study.results
                if result.choice
            ],
        },
    }


def _cell(result: CellResult) -> dict[str, Any]:
    """A cell without seconds."""
    cell = result.cell
    which = {
        "category": cell.category.name,
        "combination": cell.combination.name,
        "features": cell.combination.features,
        "split": cell.combination.split,
        "model": cell.model,
        "key": cell.key,
    }
    if result.choice is None or result.final is None:
        return which | {"error": result.error}
    return {
        **which,
        "trials": [trial.to_json() for trial in result.choice.trials],
        "fitted": result.choice.fitted,
        "chosen": result.choice.chosen.to_json(),
        **result.final.to_json(),
    }


def _summary(study: Study, categories: Sequence[Category]) -> dict[str, Any]:
    """Mean AUROC over some categories by combination and model; what is undefined is None."""
    return {
        combination.name: {
            model: {
                "validation_auroc": number_or_none(one.validation),
                "test_auroc": number_or_none(one.test),
                "without_categories": one.without,
            }
            for model, one in mean_by_model(study, categories, combination).items()
        }
        for combination in study.plan.combinations
    }
