"""The training report: what was learnt from good parts alone, before any defect was shown."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from plotly.offline import get_plotlyjs

from blemish.core.errors import ImageError
from blemish.core.images import read_image
from blemish.core.overlay import hatched, heatmap_overlay
from blemish.core.pictures import fitted, picture
from blemish.core.report_page import chart, render_page
from blemish.core.storage import write_text
from blemish.data.entries import named
from blemish.evaluation import figures
from blemish.evaluation.normal_scores import NormalImage, NormalScores
from blemish.evaluation.report import percent, training_charts
from blemish.line.decision import Decision

_MOST_LISTED = 20
_MOST_SHOWN = 40


@dataclass(frozen=True)
class Training:
    """What the report shows of a training.

    Attributes:
        inspector: file name of the inspector, as the commands in the report name it.
        detector: name of the detector, for the same commands.
        n_train: photographs learnt from, those held out from training included.
        normal: the good photographs scored as if unseen.
        how_unseen: how they were, as "each by a detector that had learnt from the others".
        decision: what makes verdicts of scores.
        map_scale: map values of the heatmaps' ends.
        gives_maps: whether the detector shows a place.
        bit_depth: bits that 16-bit photographs really use.
        skipped: photographs that could not be read, each with path and detail.
        history: losses and IoU of each epoch; empty where the detector does not train.
        made: what the inspector's network makes of a photograph, to be shown beside it.
    """

    inspector: str
    detector: str
    n_train: int
    normal: NormalScores
    how_unseen: str
    decision: Decision
    map_scale: tuple[float, float]
    gives_maps: bool
    bit_depth: int
    skipped: Sequence[Mapping[str, str]]
    history: Sequence[Mapping[str, float]]
    made: figures.Made | None = None


def write_training_report(training: Training, out: Path, title: str, facts: Mapping[str, str]) -> None:
    """Write one self-contained HTML report on a training.

    Args:
        training: what was learnt.
        out: the HTML file; replaced as a whole when the report is ready.
        title: heading and window title.
        facts: what a reader must know to trust it: category, detector, photographs, date.

    Raises:
        BlemishError: the file cannot be written.
    """
    charts = [_score_chart(training)]
    if training.history:
        charts += training_charts(training.history)
    context = {
        "title": title,
        "facts": facts,
        "headline": headline(training),
        "training": training,
        "outliers": outliers_in_words(training.normal, training.decision),
        "skipped": [{"name": Path(one["path"]).name, "detail": one["detail"]} for one in training.skipped],
        "most_listed": _MOST_LISTED,
        "charts": charts,
        "scale": figures.colour_scale(*training.map_scale, training.decision.pixels.threshold),
        "groups": _groups(training),
    }
    page = render_page("blemish.evaluation", "training_report.html.j2", get_plotlyjs(), context)
    write_text(out, page)


def headline(training: Training) -> str:
    """The result in plain words: what the threshold rejects of good parts, and what nobody knows yet."""
    decision = training.decision
    expected, at_most = percent(decision.expected), percent(decision.at_most)
    review = ""
    if decision.review_rate is not None:
        more = percent(decision.review_expected - decision.expected)
        review = f" Above {decision.review_threshold:.4g} it is shown to a person, {more} of good parts."
    return (
        f"A part is rejected when its anomaly score is above {decision.threshold:.4g}. Of good parts that it has not "
        f"seen, the inspector is expected to reject {expected}, and at most {at_most} with 95 % confidence.{review} "
        "How many defects it finds is not known until it has been shown some."
    )


def outliers_in_words(normal: NormalScores, decision: Decision) -> str:
    """Which photographs stand out of the good ones, and what they do to the threshold; "" where none does."""
    outliers, scored = normal.outliers, normal.far_out
    names = [image.name for image, _ in outliers] + [path.name for path in normal.unscored]
    if not names:
        return ""
    one, shown = len(names) == 1, len(names) - len(scored)
    why = []
    if scored:
        far = f"far above the others, by {scored[-1][1]:.0f} standard deviations or more"
        why.append(
            f"{len(scored)} of the {len(normal)} good photographs score{'s' if len(scored) == 1 else ''} {far}"
        )
    if shown:
        of = f"{shown} more" if scored else f"{shown} of the good photographs"
        why.append(f"{of} show{'s' if shown == 1 else ''} what no other does")
    sentence = (
        f"{', and '.join(why)}: {named(names, 5)}. Look whether {'it is' if one else 'they are'} damaged, dark, "
        "defective or of something else: learnt as good, it lets its like pass."
    )
    if not outliers:
        return sentence
    threshold = decision.threshold
    without = normal.threshold_without_outliers(decision.false_reject_rate or decision.expected)
    those, more = "it" if one else "them", len(normal.leaving) - len(names)
    if more:
        those += f" and {more} other photograph{'' if more == 1 else 's'} of {'its part' if one else 'their parts'}"
    return (
        f"{sentence} Without {those} the threshold would be {without:.4g} instead of {threshold:.4g}; fit leaves "
        f"{'it' if one and not more else 'them'} out with --leave-out-suspicious."
    )


def _score_chart(training: Training) -> dict[str, Any]:
    """Histogram of the scores with the threshold."""
    scores = training.normal.scores
    decision = training.decision
    rate = percent(decision.false_reject_rate or decision.expected)
    where = f"Above the threshold lies no more of them than lets {rate} of good parts be expected there"
    if decision.threshold >= scores[-1]:
        where = "The threshold is the highest of these scores: there are too few to go closer"
    note = f"{len(scores)} good photographs scored as if unseen, {training.how_unseen}. {where}."
    figure = figures.score_figure(np.zeros(len(scores), np.bool_), scores, decision.threshold)
    return chart("Anomaly scores of good parts", note, figure.update_layout(showlegend=False))


def _groups(training: Training) -> list[figures.Group]:
    """The two ends of the good photographs, with pictures."""
    total = len(training.normal)
    outliers = [image for image, _ in training.normal.outliers]
    unusual, usual = training.normal.most_unusual, training.normal.most_usual
    advice = (
        "Look whether one of them is defective, dirty or wrongly placed: learnt as good, it raises the threshold, and "
        "its like will pass. Take it out and train again."
    )
    if total < training.n_train:
        advice += (
            f" Only {total} of the {training.n_train} photographs were scored as if unseen: a defective one among the "
            "others is not found here; patchcore scores them all."
        )
    groups = [
        figures.Group(
            "Far out of all others",
            "Their scores stand apart from those of the other good photographs, or they show what no other does.",
            total,
            _exhibits(training, outliers[:_MOST_SHOWN]),
        ),
        figures.Group(
            "The most unusual of the good photographs" if not outliers else "The most unusual of the others",
            advice,
            total,
            _exhibits(training, [image for image in unusual if image not in outliers]),
        ),
        figures.Group(
            "The most usual ones, for comparison",
            "What the inspector holds for the plainest good parts; the lowest score first.",
            total,
            _exhibits(training, [image for image in usual if image not in outliers]),
        ),
    ]
    return [group for group in groups if group.exhibits]


def _exhibits(training: Training, images: Sequence[NormalImage]) -> tuple[figures.Exhibit, ...]:
    """Photograph and heatmap of each; a photograph that can no longer be read is left out."""
    exhibits = []
    for image in images:
        try:
            photograph = fitted(read_image(image.path, bit_depth=training.bit_depth))
        except ImageError:
            continue
        drawn = [("Photograph", photograph)]
        if image.anomaly_map is not None:
            heat = heatmap_overlay(photograph, image.anomaly_map, *training.map_scale)
            if image.counted is not None:
                heat = hatched(heat, ~image.counted)
            drawn.append(("Heatmap", heat))
        drawn += figures.made_pictures(training.made, image.path)
        pictures = tuple(picture(caption, pixels, image.name) for caption, pixels in drawn)
        exhibits.append(
            figures.Exhibit(
                image.name, _standing(image.score, training.decision.threshold), image.score, pictures
            )
        )
    return tuple(exhibits)


def _standing(score: float, threshold: float) -> str:
    if score == threshold:
        return "its score is the threshold"
    return "over the threshold" if score > threshold else "below the threshold"
