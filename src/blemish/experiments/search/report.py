"""The report of a search: one HTML file that holds everything and asks the network for nothing."""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from plotly.offline import get_plotlyjs

from blemish.core.report_page import chart, render_page
from blemish.core.storage import write_text
from blemish.evaluation.figures import threshold_figure
from blemish.evaluation.metrics import Decision
from blemish.evaluation.report import shown_figure
from blemish.evaluation.worth import (
    BEST_F1,
    THRESHOLD_OF_BEST_F1,
    ranked_and_decided,
    ranking_in_words,
)
from blemish.experiments.final import Final
from blemish.experiments.search import figures
from blemish.experiments.search.search import Search, SearchPlan
from blemish.experiments.shown import shown, shown_figures, shown_fixed, shown_setting
from blemish.experiments.space import Interval

MOST_ROWS, _MOST_VALUE_CHARTS = 200, 4


def write_report(result: Search, out: Path) -> None:
    """Write one self-contained HTML report.

    Raises:
        BlemishError: the file cannot be written.
    """
    plan = result.plan
    ranked = sorted(result.trials, key=lambda trial: (math.isnan(trial.auroc), -trial.auroc, trial.number))
    context = {
        "title": f"Settings of {plan.detector} for {plan.split.catalog.category}",
        "headline": headline(result),
        "facts": _facts(result),
        "names": list(plan.space),
        "trials": [
            {
                "number": trial.number,
                "values": [shown(trial.setting[name]) for name in plan.space],
                "auroc": shown_figure(trial.auroc),
                "folds": shown_figures(trial.aurocs),
                "seconds": f"{trial.seconds:.1f}",
                "error": trial.error,
                "chosen": trial == result.chosen,
            }
            for trial in ranked[:MOST_ROWS]
        ],
        "n_trials": len(ranked),
        "failed": result.failed,
        "skipped": plan.split.skipped,
        "cards": _cards(result),
        "charts": _charts(result),
        "importance_note": "" if result.importance else result.importance_note,
        "threshold_charts": _threshold_charts(result.final),
        "thresholds": _thresholds(result.final),
        "refitted": result.final.refitted,
    }
    write_text(out, render_page("blemish.experiments.search", "search.html.j2", get_plotlyjs(), context))


def headline(result: Search) -> str:
    """The result in a sentence or two: what was chosen, what it reached on validation, and what on test."""
    values = shown_setting(result.chosen.setting)
    n, detector = len(result.trials), result.plan.detector
    ranks = f"Of {n} setting{'' if n == 1 else 's'} of {detector}, {values} ranks validation images best"
    if not result.plan.space:
        ranks = f"{detector} {values} ranks validation images"
    sentence = f"{ranks}, with a mean AUROC of {result.chosen.auroc:.3f}."
    ranking = result.final.test_ranking()
    if ranking is None:
        return f"{sentence} There are no test images to measure it on."
    if ranking.one_class:
        return f"{sentence} The test images are of one class only, so they give no AUROC."
    worth = result.final.worth(BEST_F1)
    ranked = f"On the test images, which nothing was chosen on, it reaches {ranking_in_words(worth)}"
    return f"{sentence} {ranked_and_decided(ranked, worth, THRESHOLD_OF_BEST_F1)}."


def _facts(result: Search) -> dict[str, str]:
    """What a reader must know to trust the figures."""
    plan = result.plan
    counts = "; ".join(f"{split} {sum(of.values())}" for split, of in plan.split.catalog.counts().items())
    return {
        "Split": plan.split.name,
        "Images": counts,
        "Method": "Bayesian (TPE)" if plan.method == "bayes" else "grid",
        "Seed": str(plan.seed),
        "Preset": _preset(plan),
        "Set besides": shown_fixed(plan.fixed),
        "Tried": ", ".join(plan.space) or "nothing: all is set",
        **({"Taken out of the default space": shown_fixed(plan.taken_out)} if plan.taken_out else {}),
    }


def _preset(plan: SearchPlan) -> str:
    """The preset, and what of it is varied."""
    varied = ", ".join(plan.varied)
    return f"{plan.chosen.preset or 'none'}{f', but for {varied}: tried' if varied else ''}"


def _cards(result: Search) -> list[tuple[str, str, str]]:
    chosen, final = result.chosen, result.final
    cards = [("Validation AUROC", f"{chosen.auroc:.3f}", f"mean of the folds {shown_figures(chosen.aurocs)}")]
    ranking = final.test_ranking()
    if ranking is None:
        cards.append(("Test AUROC", "–", "no test images"))
    else:
        low, high = final.test_interval()
        counts = f"{ranking.n_normal} good and {ranking.n_anomalous} defective"
        note = f"95 % interval {shown_figure(low)} to {shown_figure(high)}, {counts}"
        cards.append(("Test AUROC", shown_figure(ranking.auroc()), note))
        once = "once, at the end" if final.measured == 1 else "so choosing among them by it would flatter"
        cards.append(("Settings ever measured on test", str(final.measured), once))
    failed = f"{len(result.failed)} failed" if result.failed else "none failed"
    cards.append(("Trials", str(len(result.trials)), f"{failed}; {result.measured} measured now"))
    return cards


def _charts(result: Search) -> list[dict[str, Any]]:
    note = "Each dot is one setting; the bar spans its folds."
    charts = [chart("History", note, figures.history_figure(result.trials))]
    if result.importance:
        charts.append(
            chart("What matters", result.importance_note, figures.importance_figure(result.importance))
        )
    for name in list(result.importance)[:_MOST_VALUE_CHARTS]:
        dimension = result.plan.space[name]
        figure = figures.value_figure(result.trials, name, isinstance(dimension, Interval) and dimension.log)
        charts.append(chart(f"By {name}", "Each dot is one setting.", figure))
    return charts


def _threshold_charts(final: Final) -> list[dict[str, Any]]:
    charts = [
        chart(
            "Validation: chosen here",
            f"Scores of {_counted(final.validation.labels)}.",
            threshold_figure(final.validation.labels, final.validation.scores, final.thresholds),
        )
    ]
    if final.test is not None:
        note = f"Scores of {_counted(final.test.labels)}; the same thresholds."
        figure = threshold_figure(final.test.labels, final.test.scores, final.thresholds)
        charts.append(chart("Test: judged here", note, figure))
    return charts


def _thresholds(final: Final) -> list[dict[str, Any]]:
    return [
        {
            "title": threshold.title,
            "value": f"{threshold.value:.4g}",
            "seen": threshold.seen.sentence(),
            "decisions": [_decision(seen), _decision(unseen)],
        }
        for threshold, seen, unseen in final.decisions()
    ]


def _decision(decision: Decision | None) -> list[str]:
    """Precision, recall, F1, and the share of good parts rejected."""
    if decision is None:
        return ["–"] * 4
    shares = decision.precision, decision.recall, decision.f1, decision.false_reject_rate
    return [shown_figure(share) for share in shares]


def _counted(labels: Sequence[bool] | Any) -> str:
    defective = int(sum(labels))
    return f"{len(labels) - defective} good and {defective} defective images"
