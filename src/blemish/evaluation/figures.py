"""Charts of an evaluation (Plotly) and pictures of inspected parts, for the report."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import plotly.graph_objects as go

from blemish.core.charts import (
    ANOMALOUS_COLOUR,
    NORMAL_COLOUR,
    THRESHOLD_COLOUR,
    chart_layout,
    chart_line,
    count_step,
    logarithmic_axis,
    thinned,
)
from blemish.core.errors import ImageError
from blemish.core.histogram_axis import HistogramAxis, histogram_axis
from blemish.core.images import read_image, read_mask
from blemish.core.overlay import Colour, contour_overlay, hatched, heatmap_overlay
from blemish.core.pictures import Picture, data_uri, fitted, picture
from blemish.core.types import BoolArray, ByteArray
from blemish.evaluation.curves import add_histograms, add_score_line, rate_figure, roc_axes
from blemish.evaluation.evaluate import mask_on_grid
from blemish.evaluation.result import Evaluation, ScoredImage
from blemish.evaluation.thresholds import Threshold
from blemish.line.inspection import type_in_words
from blemish.line.pixel_decision import PixelDecision
from blemish.line.regions import anomalous_pixels

_SEGMENTATION: Colour = (232, 60, 60)
_GROUND_TRUTH: Colour = (40, 200, 120)
_MOST_POINTS = 1500
_BINS = 36
_RULE_COLOURS = (THRESHOLD_COLOUR, "#009e73", "#cc79a7", "#7f8c8d")
_DASHES = ("dash", "dot", "dashdot", "longdash")


@dataclass(frozen=True)
class Exhibit:
    """One part in the gallery: its name, a word on it, its score, and the pictures that show why."""

    name: str
    note: str
    score: float
    pictures: tuple[Picture, ...]


@dataclass(frozen=True)
class Group:
    """Parts of one outcome: the title, one sentence, how many there are in all, and the ones shown."""

    title: str
    sentence: str
    total: int
    exhibits: tuple[Exhibit, ...]


def roc_figure(evaluation: Evaluation) -> go.Figure:
    """ROC curve of the image scores, with the point where the threshold works."""
    rate, recall = thinned(*evaluation.ranking.roc_curve(), _MOST_POINTS)
    figure = roc_axes()
    figure.add_scatter(
        x=rate,
        y=recall,
        mode="lines",
        line=chart_line(NORMAL_COLOUR),
        hovertemplate="%{y:.1%} of defects found<br>%{x:.1%} of good parts rejected<extra></extra>",
    )
    _mark_operating_point(figure, evaluation.false_rejects.value, evaluation.decision.recall)
    return figure


def precision_recall_figure(evaluation: Evaluation) -> go.Figure:
    """Precision against recall of the image scores, with the point where the threshold works."""
    recall, precision = thinned(*evaluation.ranking.precision_recall_curve(), _MOST_POINTS)
    figure = rate_figure("Recall (share of defects rejected)", "Precision")
    figure.add_scatter(
        x=recall,
        y=precision,
        mode="lines",
        line=chart_line(NORMAL_COLOUR, shape="vh"),
        hovertemplate="%{y:.1%} of rejects defective<br>%{x:.1%} of defects found<extra></extra>",
    )
    _mark_operating_point(figure, evaluation.decision.recall, evaluation.decision.precision)
    return figure


def score_figure(
    labels: npt.NDArray[np.bool_],
    scores: npt.NDArray[np.floating],
    threshold: float,
    review: float | None = None,
) -> go.Figure:
    """Histograms of the scores (N) of good and defective parts, with the threshold, and where a review begins."""
    marks = [threshold] if review is None else [threshold, review]
    figure, _, axis = _histograms(labels, scores, marks)
    add_score_line(figure, axis, threshold, f"threshold {threshold:.4g}")
    if review is not None:
        add_score_line(figure, axis, review, f"review {review:.4g}", "dot")
        figure.layout.annotations[1].update(yshift=15)  # above the other, as both lines are often close
    return figure


def threshold_figure(
    labels: npt.NDArray[np.bool_], scores: npt.NDArray[np.floating], thresholds: Sequence[Threshold]
) -> go.Figure:
    """Histograms of the scores (N) of good and defective parts, with a line for every threshold."""
    figure, highest, _ = _histograms(labels, scores, [threshold.value for threshold in thresholds])
    for place, threshold in enumerate(thresholds):
        figure.add_scatter(
            x=[threshold.value, threshold.value],
            y=[0, 1.04 * highest],
            mode="lines",
            name=threshold.title,
            line=chart_line(_RULE_COLOURS[place % len(_RULE_COLOURS)], 2, _DASHES[place % len(_DASHES)]),
            hovertemplate=f"{threshold.title}: %{{x:.4g}}<extra></extra>",
        )
    return figure.update_layout(margin_t=72, legend_y=1.42)


def _histograms(
    labels: npt.NDArray[np.bool_], scores: npt.NDArray[np.floating], marks: Sequence[float]
) -> tuple[go.Figure, int, HistogramAxis]:
    """Histograms by class that reach to all `marks`, the largest count, and the axis."""
    axis = histogram_axis(scores, marks, _BINS)
    figure = go.Figure(layout=chart_layout("", "Parts"))
    highest = add_histograms(figure, labels, scores, axis)
    figure.update_layout(barmode="overlay", bargap=0, showlegend=True, yaxis_rangemode="tozero", margin_t=54)
    figure.update_yaxes(dtick=count_step(highest))
    return figure.update_xaxes(**axis.layout("Anomaly score")), highest, axis


def region_overlap_figure(evaluation: Evaluation) -> go.Figure:
    """Mean share of each defect's area marked, against good pixels marked, as far as AUPRO integrates it."""
    assert evaluation.pixels is not None
    curve = evaluation.pixels.region_overlap
    figure = rate_figure("Good pixels marked", "Mean defect area marked")
    figure.add_scatter(
        x=curve[0],
        y=curve[1],
        mode="lines",
        fill="tozeroy",
        fillcolor=f"{NORMAL_COLOUR}22",
        line=chart_line(NORMAL_COLOUR),
        hovertemplate="%{y:.1%} of a defect’s area<br>%{x:.2%} of good pixels<extra></extra>",
    )
    return figure.update_xaxes(range=[-0.004, 0.304], tickvals=[0, 0.05, 0.1, 0.15, 0.2, 0.25, 0.3])


def loss_figure(history: Sequence[Mapping[str, float]]) -> go.Figure:
    """Training and validation loss by epoch, on a logarithmic axis where all are positive."""
    figure = go.Figure(layout=chart_layout("Epoch", "Loss") | {"showlegend": True})
    lines = (
        ("training_loss", "training", NORMAL_COLOUR, "solid"),
        ("validation_loss", "validation", ANOMALOUS_COLOUR, "dash"),
    )
    for key, name, colour, dash in lines:
        rows = [row for row in history if key in row]
        figure.add_scatter(
            x=[row["epoch"] for row in rows],
            y=[row[key] for row in rows],
            mode="lines+markers" if len(rows) < 30 else "lines",
            name=name,
            line=chart_line(colour, dash=dash),
        )
    losses = [row[key] for key, *_ in lines for row in history if key in row]
    if losses and min(losses) > 0:  # a little room, and at least a factor of 3, so that there are ticks
        middle = math.sqrt(min(losses) * max(losses))
        low, high = min(min(losses) / 1.1, middle / 1.8), max(max(losses) * 1.1, middle * 1.8)
        figure.update_yaxes(title_text="Loss (logarithmic)", **logarithmic_axis(low, high))
    return figure


def overlap_figure(history: Sequence[Mapping[str, float]]) -> go.Figure:
    """Intersection over union with the masks of held-out images by epoch, from 0 to 1."""
    rows = [row for row in history if "validation_iou" in row]
    figure = go.Figure(layout=chart_layout("Epoch", "IoU"))
    figure.add_scatter(
        x=[row["epoch"] for row in rows],
        y=[row["validation_iou"] for row in rows],
        mode="lines+markers" if len(rows) < 30 else "lines",
        name="validation",
        line=chart_line(ANOMALOUS_COLOUR),
        hovertemplate="epoch %{x}: IoU %{y:.3f}<extra></extra>",
    )
    return figure.update_yaxes(range=[0, 1])


Made = Callable[[Path], Sequence[tuple[str, ByteArray]]]
"""What an inspector's network made of a photograph: labelled pictures, none where it shows nothing of it."""


def made_pictures(made: Made | None, path: Path) -> list[tuple[str, ByteArray]]:
    """What a network made of a photograph, as pictures of a report with their captions."""
    return [(label.capitalize(), fitted(pixels)) for label, pixels in (made(path) if made else ())]


def gallery(evaluation: Evaluation, most: int, made: Made | None = None) -> list[Group]:
    """At most `most` parts with pictures: worst misses first, then false rejects, found defects, good parts.

    Misses take up to half of the places and false rejects a quarter; what they leave goes to the others. A
    photograph that can no longer be read is left out. Outcomes that did not occur are left out too.
    """
    by_score = sorted(evaluation.images, key=lambda image: image.score)
    rejected = [image for image in by_score if image.score > evaluation.threshold]
    passed = [image for image in by_score if image.score <= evaluation.threshold]
    missed = [image for image in passed if image.anomalous]
    false_rejects = [image for image in reversed(rejected) if not image.anomalous]
    found = [image for image in rejected if image.anomalous]
    good = [image for image in reversed(passed) if not image.anomalous]

    shown_missed, shown_false = missed[: most // 2], false_rejects[: most // 4]
    shown_good = _spread(good, most // 8 or 1)
    shown_found = _spread(found, most - len(shown_missed) - len(shown_false) - len(shown_good))
    plan = [
        ("Missed defects", "Defective, but passed; the lowest score first.", missed, shown_missed),
        ("False rejects", "Good, but rejected; the highest score first.", false_rejects, shown_false),
        (
            "Defects found",
            "Defective and rejected; from the least certain to the most certain.",
            found,
            shown_found,
        ),
        ("Good parts passed", "Good and passed; from the nearest to the threshold down.", good, shown_good),
    ]
    return [
        Group(title, sentence, len(images), _exhibits(evaluation, shown, made))
        for title, sentence, images, shown in plan
        if images
    ]


def colour_scale(low: float, high: float, threshold: float) -> dict[str, Any]:
    """The heatmaps' colour scale for the page: its map values, and a picture drawn by the same function.

    The picture, under "uri", is a data URI with `low` at its left.
    """
    ramp = np.tile(np.linspace(low, high, 256, dtype=np.float32), (12, 1))
    drawn = heatmap_overlay(np.full((12, 256, 3), 128, np.uint8), ramp, low, high)
    return {"uri": data_uri(drawn, ".png"), "low": low, "high": high, "threshold": threshold}


def _exhibits(
    evaluation: Evaluation, images: Iterable[ScoredImage], made: Made | None
) -> tuple[Exhibit, ...]:
    exhibits = []
    for image in images:
        try:
            pictures = _pictures(evaluation, image, made)
        except ImageError:
            continue
        said = type_in_words(image.type, image.types)
        note = f"{image.defect_type}, called {said}" if said else image.defect_type
        exhibits.append(Exhibit(image.name, note, image.score, pictures))
    return tuple(exhibits)


def _pictures(evaluation: Evaluation, image: ScoredImage, made: Made | None) -> tuple[Picture, ...]:
    """Photograph, heatmap and segmentation where the detector has maps, what its network made of it where it shows
    that, and ground truth where it is known."""
    photograph = fitted(read_image(image.path))
    drawn = [("Photograph", photograph)]
    if image.gives_map:
        pixels = image.pixels or PixelDecision(threshold=evaluation.pixel_threshold)
        found = anomalous_pixels(image.anomaly_map, pixels, image.counted)
        heat = heatmap_overlay(photograph, image.anomaly_map, *evaluation.map_scale)
        if image.counted is not None:
            heat = hatched(heat, ~image.counted)
        outlined = contour_overlay(photograph, found, _SEGMENTATION)
        drawn += [
            ("Heatmap", heat),
            ("Segmentation" if found.any() else "Segmentation: nothing", outlined),
        ]
    drawn += made_pictures(made, image.path)
    if image.mask_path is not None:
        truth: BoolArray = mask_on_grid(read_mask(image.mask_path), *photograph.shape[:2])
        drawn.append(("Ground truth", contour_overlay(photograph, truth, _GROUND_TRUTH)))
    return tuple(picture(caption, pixels, image.name) for caption, pixels in drawn)


def _spread(images: list[ScoredImage], limit: int) -> list[ScoredImage]:
    """At most `limit` images, spread evenly from the first to the last."""
    if len(images) <= limit:
        return images
    return [images[index] for index in np.linspace(0, len(images) - 1, limit).round().astype(int)]


def _mark_operating_point(figure: go.Figure, x: float, y: float) -> None:
    """Mark where the decision threshold works; nothing where it is undefined."""
    if not np.isfinite([x, y]).all():
        return
    figure.add_scatter(
        x=[x],
        y=[y],
        mode="markers",
        marker={"size": 13, "color": THRESHOLD_COLOUR, "line": {"width": 2, "color": "#fff"}},
        hovertemplate="at the threshold: %{x:.1%}, %{y:.1%}<extra></extra>",
    )
