"""The decision report: what each rate does to good parts and to known defects, and how the decision came about."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import plotly.graph_objects as go
from plotly.offline import get_plotlyjs

from blemish.core.charts import ANOMALOUS_COLOUR, NORMAL_COLOUR, chart_layout, chart_line
from blemish.core.conformal import Calibration, told
from blemish.core.report_page import chart, render_page
from blemish.core.storage import write_text
from blemish.core.types import FloatArray
from blemish.evaluation import figures
from blemish.evaluation.report import percent
from blemish.line.decision import Decision
from blemish.line.decision_table import Row, decision_table, shares

_CURVE = tuple(float(rate) for rate in np.geomspace(0.001, 0.5, 60))


@dataclass(frozen=True, eq=False)
class Shown:
    """What the report shows.

    Attributes:
        decisions: from the first remembered to the one in effect.
        before: what was in effect until now; None where nothing was changed.
        calibration: scores of good parts.
        rows: from the highest threshold to the lowest.
        defects: scores of known defects; None where none are known.
    """

    decisions: Sequence[Decision]
    before: Decision | None
    calibration: Calibration
    rows: Sequence[Row]
    defects: FloatArray | None

    @property
    def decision(self) -> Decision:
        """The one in effect."""
        return self.decisions[-1]


def write_decision_report(shown: Shown, out: Path, title: str, facts: Mapping[str, str]) -> None:
    """Write one self-contained HTML report on a decision.

    Args:
        shown: the decision, and what others would do.
        out: the HTML file; replaced as a whole when the report is ready.
        title: heading and window title.
        facts: what a reader must know to trust the figures.

    Raises:
        BlemishError: the file cannot be written.
    """
    context = {
        "title": title,
        "facts": facts,
        "headline": headline(shown),
        "shown": shown,
        "charts": [_score_chart(shown), _rate_chart(shown)],
    }
    page = render_page(
        "blemish.evaluation", "decision_report.html.j2", get_plotlyjs(), context, {"percent": percent}
    )
    write_text(out, page)


def headline(shown: Shown) -> str:
    """The decision in plain words, and what it changes."""
    decision = shown.decision
    said = (
        f"A part is rejected when its anomaly score is above {decision.threshold:.4g}: {percent(decision.expected)} of "
        f"good parts are expected to be, at most {percent(decision.at_most)} with 95 % confidence."
    )
    if decision.review_threshold < decision.threshold:
        more = percent(decision.review_expected - decision.expected)
        said += f" Above {decision.review_threshold:.4g} it is shown to a person, {more} of good parts."
    if shown.defects is not None:
        rejected, reviewed, passed = shares(decision, shown.defects)
        said += f" Of {len(shown.defects)} known defects {rejected} are rejected, {reviewed} reviewed, {passed} passed."
    if shown.before is not None:
        said += f" Until now the threshold was {shown.before.threshold:.4g}."
    return said


def _score_chart(shown: Shown) -> dict[str, Any]:
    """Histograms of the scores with both thresholds."""
    good = np.asarray(shown.calibration.scores, np.float64)
    defects = np.empty(0) if shown.defects is None else shown.defects
    labels = np.repeat([False, True], [len(good), len(defects)])
    decision = shown.decision
    review = decision.review_threshold if decision.review_threshold < decision.threshold else None
    scores = np.concatenate([good, np.asarray(defects, np.float64)])
    figure = figures.score_figure(labels, scores, decision.threshold, review)
    note = f"{len(good)} good photographs scored as if unseen"
    note += f", and {len(defects)} of known defects." if len(defects) else "."
    if review is not None:
        note += f" The dotted line, at {review:.4g}, begins the review."
    figure.update_layout(showlegend=bool(len(defects)))
    return chart("Scores, and where parts are rejected", note, figure)


def _rate_chart(shown: Shown) -> dict[str, Any]:
    """Shares of good parts and of known defects over the rate that is asked for."""
    rows = [
        row
        for row in decision_table(shown.decision, shown.calibration, shown.defects, _CURVE)
        if row.rate is not None
    ]
    rates = [row.rate for row in rows]
    figure = go.Figure(
        layout=chart_layout("False-reject rate asked for (logarithmic)", "Share of parts")
        | {"showlegend": True}
    )
    lines = [
        ("good rejected, expected", [row.expected for row in rows], NORMAL_COLOUR, "solid"),
        ("good rejected, 95 % bound", [row.at_most for row in rows], NORMAL_COLOUR, "dot"),
    ]
    known = [row.escapes for row in rows if row.escapes is not None]
    if known:
        missed = [one.missed / one.n for one in known]
        lines += [
            ("known defects missed", missed, ANOMALOUS_COLOUR, "dash"),
            ("missed, 95 % interval", [one.high for one in known], ANOMALOUS_COLOUR, "dashdot"),
            ("missed, lower end", [one.low for one in known], ANOMALOUS_COLOUR, "dashdot"),
        ]
    for name, values, colour, dash in lines:
        figure.add_scatter(
            x=rates,
            y=values,
            mode="lines",
            name=name,
            line=chart_line(colour, 2, dash),
            showlegend=name != "missed, lower end",
            legendgroup=name.replace("lower end", "95 % interval"),
            hovertemplate=f"{name}: %{{y:.2%}} at %{{x:.2%}}<extra></extra>",
        )
    figure.update_xaxes(type="log", tickformat=".1%")
    figure.update_yaxes(tickformat=".0%", range=[0, 1] if known else None, rangemode="tozero")
    smallest = told(shown.calibration.smallest_rate)
    note = f"{shown.calibration.n} independent good parts promise no rate under {smallest}."
    return chart("What a rate costs", note, figure.update_layout(margin_t=72, legend_y=1.42))
