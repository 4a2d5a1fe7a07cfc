"""What a person reads of a judged photograph: the verdict in large and why, and detectors side by side."""

from __future__ import annotations

from collections.abc import Sequence

from blemish.core.types import Verdict
from blemish.line import sensitivity
from blemish.line.comparison import inspector_view
from blemish.line.sensitivity import View
from blemish.line.sensitivity_words import answers, bounds_in_words, extremes
from blemish.server.laboratory.fragments import escaped, note, table
from blemish.server.wording import VERDICT_WORDS, number, reason
from blemish.station.judgement import Judgement


def verdict_banner(judgement: Judgement, facts: Sequence[str]) -> str:
    """PASS, REVIEW or REJECT in large, with the reason in words and further facts."""
    verdict = judgement.inspection.verdict
    why = reason(judgement.inspection, judgement.inspector.manifest.calibration.n_scores)
    probability = judgement.inspection.mask_probability
    if probability is not None:
        facts = [*facts, f"mask probability {probability:.3g}"]
    return (
        f'<div class="bl-verdict bl-{verdict}" role="status" aria-live="assertive">'
        f'<span class="bl-word">{VERDICT_WORDS[verdict]}</span><div><p class="bl-reason">{escaped(why)}</p>'
        f'<p class="bl-facts">{escaped(" · ".join(facts))}</p></div></div>'
    )


def comparison(judgements: Sequence[Judgement]) -> str:
    """The detectors side by side on this photograph, most sensitive first, and what the pattern means."""
    views = sensitivity.ranked(
        [inspector_view(one.version.name, one.inspector, one.inspection) for one in judgements]
    )
    verdicts = {one.version.name: one.inspection.verdict for one in judgements}
    found = sensitivity.pattern(views)
    has_masks = any(view.mask_probability is not None for view in views)
    highest = max(1.5, *(min(view.level, 6.0) for view in views))
    rows = [
        [
            escaped(view.name),
            escaped(view.detector),
            chip(verdicts[view.name]),
            _level(view, highest),
            f"{view.level:.2f}",
            f"{number(view.score)} / {number(view.threshold)}",
            f"{view.percentile:.1f} %",
            f"{view.area:.1%}" if view.gives_map else "shows no place",
            *([sensitivity.probability_in_words(view.mask_probability)] if has_masks else []),
        ]
        for view in views
    ]
    head = [
        "Inspector",
        "Detector",
        "Verdict",
        "On its own scale",
        "Level",
        "Score / threshold",
        "Percentile",
        "Area",
        *(["Mask probability"] if has_masks else []),
    ]
    caption = "The most sensitive first. Level: 0 is a usual good part, 1 the threshold (mark)"
    said = [
        [escaped(one.name), escaped(one.metric), number(one.value), one.sensitivity, escaped(one.sentence)]
        for one in answers(views)
    ]
    bounds = f"{extremes(views)} By the percentile: {bounds_in_words()}"
    words = table(["Inspector", "Metric", "Value", "Sensitivity", "Why"], said, bounds)
    pairs = [
        [escaped(f"{pair.first} and {pair.second}"), f"{pair.overlap:.0%}", f"{pair.correlation:.2f}"]
        for pair in sensitivity.agreements(views)
    ]
    agreed = table(["Maps of", "Overlap", "Correlation"], pairs, "How far the maps agree") if pairs else ""
    return (
        f"<h3>Comparison of the detectors</h3>{note(f'{found.name.capitalize()}: {found.sentence}')}"
        f"{table(head, rows, caption)}{words}{agreed}"
    )


def _level(view: View, highest: float) -> str:
    width = 100 * min(max(view.level, 0.0), highest) / highest
    return (
        f'<div class="bl-level {"bl-over" if view.rejected else ""}"><div style="width:{width:.0f}%"></div>'
        f'<i style="left:{100 / highest:.0f}%"></i></div>'
    )


def chip(verdict: Verdict) -> str:
    """A verdict in small."""
    return f'<span class="bl-chip bl-{verdict}">{VERDICT_WORDS[verdict]}</span>'
