"""The report of a study: one HTML file that holds everything and asks the network for nothing."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import numpy as np
from plotly.offline import get_plotlyjs

from blemish.core.progress import track
from blemish.core.report_page import chart, render_page
from blemish.core.storage import write_text
from blemish.data.catalog import Catalog
from blemish.data.entries import ANOMALOUS
from blemish.evaluation.metrics import Decision, decide
from blemish.evaluation.report import shown_figure
from blemish.evaluation.thresholds import RULES
from blemish.evaluation.worth import BEST_F1
from blemish.experiments.categories import Category
from blemish.experiments.final import Final
from blemish.experiments.shown import shown_figures, shown_fixed, shown_setting
from blemish.experiments.study import figures
from blemish.experiments.study.brightness import is_telling
from blemish.experiments.study.plan import Combination
from blemish.experiments.study.results import CellResult, Study
from blemish.experiments.study.summary import Reached, by_model, headline, mean_by_model, reached, subclasses

_FEATURES = {
    "direct": "handcrafted features",
    "deep-last": "a backbone's last stage, averaged over space",
    "deep-mid": "a backbone after strides 8 and 16, averaged over space",
    "pixels": "the 150,528 raw values of the image at 224 x 224",
    "direct-pixels": "handcrafted features and raw values",
}
_SPLITS = {
    "test": "settings are chosen on 60 % of the labelled test images, the test is on the other 40 %",
    "train": "settings are chosen on good training images with painted defects, the test is on the whole test set",
}


def write_report(study: Study, out: Path) -> None:
    """Write one self-contained HTML report.

    Raises:
        BlemishError: the file cannot be written.
    """
    plan = study.plan
    sections = [
        _section(number, category, study)
        for number, category in enumerate(track(plan.categories, "Report"), 1)
    ]
    context = {
        "title": "Classical detectors by features and split",
        "headline": headline(study),
        "facts": _facts(study),
        "models": [(model, figures.colour(model)) for model in plan.models],
        "blocks": _blocks(study),
        "charts": _overall_charts(study),
        "bars": _bar_charts(study),
        "combinations": [
            {"name": one.name, "features": _FEATURES[one.features], "split": _SPLITS[one.split]}
            for one in plan.combinations
        ],
        "rules": [(rule.title, *figures.rule_lines()[name]) for name, rule in RULES.items()],
        "rule_title": RULES[BEST_F1].title,
        "sections": sections,
        "lights": [(name, f"{auroc:.3f}") for name, auroc in study.brightness.items() if is_telling(auroc)],
        "failed": [f"{result.cell.title}: {result.error}" for result in study.failed],
        "skipped": study.skipped,
    }
    write_text(out, render_page("blemish.experiments.study", "study.html.j2", get_plotlyjs(), context))


def _facts(study: Study) -> dict[str, str]:
    """What a reader must know to trust the figures."""
    plan = study.plan
    trials = [trial for result in study.results if result.choice for trial in result.choice.trials]
    fitted = sum(result.choice.fitted for result in study.results if result.choice)
    taken_out = [f"{model} {shown_fixed(values)}" for model, values in plan.taken_out().items()]
    return {
        "Categories": ", ".join(category.name for category in plan.categories),
        "Cells": f"{len(plan.combinations)} combinations x {len(plan.models)} models x {len(plan.categories)}",
        "Settings": f"{len(trials)} on 3 folds each, {fitted} of them different",
        "Chosen by": "mean validation AUROC",
        "Test images": "scored once, when all had chosen",
        "Seed": str(plan.seed),
        "Set besides": shown_fixed(plan.fixed),
        **({"Taken out of the default spaces": "; ".join(taken_out)} if taken_out else {}),
    }


def _blocks(study: Study) -> list[dict[str, Any]]:
    """The table of the summary: blocks for the mean and for those of subclasses, and one for each category."""
    categories, combinations = study.plan.categories, study.plan.combinations
    means = {"Mean of the categories": list(categories)} if len(categories) > 1 else {}
    means |= {f"Mean of {name}": of for name, of in subclasses(study).items()}
    blocks = [
        _block(title, "", {one.name: mean_by_model(study, of, one) for one in combinations})
        for title, of in means.items()
    ]
    return blocks + [
        _block(one.name, f"#category-{number}", {of.name: by_model(study, one, of) for of in combinations})
        for number, one in enumerate(categories, 1)
    ]


def _block(title: str, link: str, found: dict[str, dict[str, Reached]]) -> dict[str, Any]:
    rows = [{"name": name, "cells": _row(of)} for name, of in found.items()]
    return {"title": title, "link": link, "rows": rows}


def _row(found: dict[str, Reached]) -> list[dict[str, Any]]:
    best = max((round(one.test, 3) for one in found.values() if not math.isnan(one.test)), default=math.nan)
    return [
        {
            "test": shown_figure(one.test),
            "best": round(one.test, 3) == best and len(found) > 1,
            "interval": "" if math.isnan(one.interval[0]) else "{:.2f} to {:.2f}".format(*one.interval),
            "validation": shown_figure(one.validation),
            "without": one.without,
        }
        for one in found.values()
    ]


def _overall_charts(study: Study) -> list[dict[str, Any]]:
    categories = study.plan.categories
    only = categories[0] if len(categories) == 1 else None
    note = "" if only else f"Means of {len(categories)} categories. "
    groups = {one.name: by_model(study, only, one) for one in study.plan.combinations}
    cells = [
        (result.cell.title, result.cell.model, result.cell.combination.split, reached(result))
        for result in study.results
    ]
    return [
        chart("Over the combinations", f"{note}The dotted line is chance.", figures.bar_figure(groups)),
        chart(
            "What validation promised, and what test gave",
            "On the dotted line they agree; below it validation flattered. Filled dots: split (i); open "
            "diamonds: (ii), where validation has painted defects.",
            figures.promise_figure(cells),
        ),
    ]


def _bar_charts(study: Study) -> list[dict[str, Any]]:
    """A bar chart of AUROC by category and model for each combination."""
    charts = []
    for combination in study.plan.combinations:
        groups = {one.name: by_model(study, one, combination) for one in study.plan.categories}
        if len(groups) > 1:
            groups["mean"] = by_model(study, None, combination)
        note = f"{_FEATURES[combination.features]}; the bars' thin lines are 95 % intervals."
        charts.append(chart(combination.name, note[0].upper() + note[1:], figures.bar_figure(groups)))
    return charts


def _section(number: int, category: Category, study: Study) -> dict[str, Any]:
    """Everything the template shows of one category."""
    return {
        "anchor": f"category-{number}",
        "category": category.name,
        "brightness": shown_figure(study.brightness[category.name]),
        "combinations": [
            _combination(f"category-{number}-{place}", combination, study.of(category, combination), study)
            for place, combination in enumerate(study.plan.combinations, 1)
        ],
    }


def _combination(
    anchor: str, combination: Combination, results: list[CellResult], study: Study
) -> dict[str, Any]:
    """One combination on one category."""
    finals = {result.cell.model: result.final for result in results if result.final}
    split = study.splits.get((results[0].cell.category.name, combination.split))
    tested = any(final.test is not None for final in finals.values())
    rule = RULES[BEST_F1].title
    note = f"On the test images; each mark is where the threshold of {rule}, chosen on validation, works."
    roc = chart("ROC curves", note, figures.roc_figure(finals, BEST_F1)) if tested else None
    return {
        "anchor": anchor,
        "name": combination.name,
        "split": split.name if split else "",
        "counts": _counts(split.catalog.counts()) if split else "",
        "rejecting_all": _rejecting_all(split.catalog) if split else "",
        "roc": roc,
        "models": [_model(result) for result in results],
        "thresholds": [
            {"model": model, "colour": figures.colour(model), **row}
            for model, final in finals.items()
            for row in _thresholds(final)
        ],
    }


def _rejecting_all(catalog: Catalog) -> str:
    """F1 of rejecting every test image: what a threshold must beat to be worth anything."""
    labels = (catalog.test()["label"] == ANOMALOUS).to_numpy()
    if not labels.any():
        return ""
    return shown_figure(decide(labels, np.ones(len(labels)), 0.0).f1)


def _counts(counts: dict[str, dict[str, int]]) -> str:
    """`train 192 good; validation 32 good, 96 defective; test 41 good, 119 defective`."""
    said = []
    for split, of in counts.items():
        good = of.get("good", 0)
        defective = sum(of.values()) - good
        said.append(f"{split} {good} good" + (f", {defective} defective" if defective else ""))
    return "; ".join(said)


def _model(result: CellResult) -> dict[str, Any]:
    """Chosen setting, figures, confusion matrix and histograms of one cell."""
    model = {
        "label": result.cell.model,
        "colour": figures.colour(result.cell.model),
        "error": result.error,
    }
    if result.choice is None or result.final is None:
        return model
    one = reached(result)
    decided = next(
        (
            (threshold, unseen)
            for threshold, _, unseen in result.final.decisions()
            if threshold.rule == BEST_F1 and unseen
        ),
        None,
    )
    chosen = result.choice.chosen
    note = f"Validation AUROC {one.validation:.3f} (folds {shown_figures(chosen.aurocs)})."
    return {
        **model,
        "setting": shown_setting(chosen.setting),
        "chart": chart("Scores", note, figures.score_figure(result.final)),
        "confusion": decided[1] if decided else None,
        "figures": [
            ("AUROC", shown_figure(one.test)),
            *zip(("F1", "Precision", "Recall"), _decision(decided[1] if decided else None), strict=False),
            ("Threshold", f"{decided[0].value:.4g}" if decided else "–"),
        ],
    }


def _thresholds(final: Final) -> list[dict[str, Any]]:
    return [
        {
            "title": threshold.title,
            "value": f"{threshold.value:.4g}",
            "seen": f"{threshold.seen.n_normal} good"
            + (f" and {threshold.seen.n_anomalous} defective" if threshold.seen.n_anomalous else ""),
            "decisions": [_decision(seen), _decision(unseen)],
            "first": threshold == final.thresholds[0],
            "n": len(final.thresholds),
        }
        for threshold, seen, unseen in final.decisions()
    ]


def _decision(decision: Decision | None) -> list[str]:
    """F1, precision, recall, and the share of good parts rejected."""
    if decision is None:
        return ["–"] * 4
    shares = decision.f1, decision.precision, decision.recall, decision.false_reject_rate
    return [shown_figure(share) for share in shares]
