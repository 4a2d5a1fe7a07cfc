"""What is said of an inspection, in words for a person at the line. Pure functions."""

from __future__ import annotations

from datetime import datetime

from blemish.core.types import NONE_OF_THESE, Region, Verdict
from blemish.line.inspection import Inspection
from blemish.station.records import InspectionRecord

VERDICT_WORDS = {verdict: verdict.upper() for verdict in Verdict}


Judged = Inspection | InspectionRecord
"""What was found, at hand or from the history."""


def reason(inspection: Judged, n_scores: int) -> str:
    """Why the verdict is what it is: score, how usual it is among `n_scores` good parts, and where."""
    sentences = [_score_sentence(inspection), _rarity_sentence(inspection.p_value, n_scores)]
    if inspection.reason is not None:
        sentences.insert(0, f"{inspection.reason[0].upper()}{inspection.reason[1:]}.")
    if inspection.type is not None:
        sentences.append(_type_sentence(inspection))
    if inspection.regions:
        sentences.append(_place_sentence(inspection))
    elif inspection.verdict in (Verdict.REVIEW, Verdict.REJECT) and not inspection.gives_map:
        sentences.append("This detector does not show where.")
    return " ".join(sentences)


def _score_sentence(inspection: Judged) -> str:
    score, threshold = number(inspection.score), number(inspection.threshold)
    if inspection.verdict is Verdict.NOT_JUDGED:
        return f"Score {score}, threshold {threshold}: it says nothing of such a photograph."
    if inspection.verdict is Verdict.REVIEW:
        beyond = number(
            inspection.threshold if inspection.review_threshold is None else inspection.review_threshold
        )
        return (
            f"Look at the part: score {score} is above {beyond}, where review begins, but not above the threshold "
            f"{threshold}."
        )
    where = "above" if inspection.score > inspection.threshold else "not above"
    return f"Score {score} is {where} the threshold {threshold}."


def _rarity_sentence(p_value: float, n_scores: int) -> str:
    """A conformal p-value in words: of n + 1 parts, this one included, how many score as high."""
    as_high = round(p_value * (n_scores + 1)) - 1
    if as_high <= 0:
        return f"None of the {n_scores:,} good parts it was calibrated on scores as high."
    if p_value >= 0.01:
        return f"{p_value:.0%} of good parts score as high."
    return f"{max(1, round(1000 * p_value))} of 1,000 good parts scores as high."


def _type_sentence(inspection: Judged) -> str:
    if inspection.type == NONE_OF_THESE:
        return "The defect is like none of the types known: look at it, and name it."
    return f"The defect looks like {inspection.type} ({inspection.types[str(inspection.type)]:.0%})."


def _place_sentence(inspection: Judged) -> str:
    regions = inspection.regions
    largest = max(regions, key=lambda region: region.width * region.height)
    where = place(largest, inspection.width, inspection.height)
    size = f"{largest.width} x {largest.height} pixels"
    if len(regions) == 1:
        return f"1 region, {where}, {size}."
    return f"{len(regions)} regions, the largest {where}, {size}."


def place(region: Region, width: int, height: int) -> str:
    """Where a region lies on a photograph of `width` x `height`: `at the top left`, `in the middle`."""
    across = 3 * (region.x + region.width / 2) / max(width, 1)
    down = 3 * (region.y + region.height / 2) / max(height, 1)
    column = ("left", "", "right")[min(2, int(across))]
    row = ("top", "", "bottom")[min(2, int(down))]
    if not column and not row:
        return "in the middle"
    return f"at the {row} {column}".strip().replace("  ", " ")


def number(value: float) -> str:
    """A score with as many digits as mean something."""
    return f"{value:.3g}" if abs(value) < 1000 else f"{value:,.0f}"


def share(value: float) -> str:
    """A share from 0 to 1 as a percentage with two digits that mean something."""
    percent = 100 * value
    shown = round(percent) if percent >= 10 or percent == 0 else float(f"{percent:.2g}")
    return f"{shown:g} %"


def moment(time: datetime) -> str:
    """A time as the people at the server's place write it."""
    return f"{time.astimezone():%Y-%m-%d %H:%M:%S}"
