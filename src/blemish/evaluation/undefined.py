"""Why a figure of an evaluation is undefined, and shown as `-`."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from blemish.evaluation.result import Evaluation

WORDS = {
    "image_auroc": "AUROC",
    "image_ap": "AP",
    "image_f1": "best F1",
    "precision": "precision",
    "recall": "recall",
    "f1": "F1",
    "pixel_auroc": "pixel AUROC",
    "pixel_ap": "pixel AP",
    "pixel_f1": "pixel F1",
    "aupro": "AUPRO",
    "detection_ap_10": "box AP .1",
    "detection_ap_50": "box AP .5",
}
"""Figures that can be undefined, by their name in the JSON, as tables call them."""


def why_undefined(evaluation: Evaluation, figures: Mapping[str, Any]) -> dict[str, str]:
    """For each of `WORDS` that is None among the figures the reason, a sentence."""
    return {name: _reason(name, evaluation) for name in WORDS if name in figures and figures[name] is None}


def in_words(reasons: Mapping[str, str]) -> list[str]:
    """A line for each reason, as `Not measured: AUROC, AP. There is no ...`."""
    together: dict[str, list[str]] = defaultdict(list)
    for name, reason in reasons.items():
        together[reason].append(WORDS[name])
    return [f"Not measured: {', '.join(names)}. {reason}" for reason, names in together.items()]


def _reason(name: str, evaluation: Evaluation) -> str:
    if name == "precision":
        return "Nothing was rejected."
    if not evaluation.ranking.n_anomalous:
        return "There is no defective photograph among the tested ones."
    if name.startswith("image"):
        return "There is no good photograph among the tested ones."
    return evaluation.pixel_note or "No mask marks a defect."
