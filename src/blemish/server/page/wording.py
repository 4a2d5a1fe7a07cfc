"""What the page says of an inspection, in words for a person at the line. Pure functions."""

from __future__ import annotations

import html
from collections.abc import Sequence
from datetime import datetime

from blemish.core.types import NONE_OF_THESE, Region, Verdict
from blemish.line.inspection import Inspection

_MOST_TYPES = 6

VERDICT_WORDS = {verdict: verdict.upper() for verdict in Verdict}


def reason(inspection: Inspection, n_scores: int) -> str:
    """Why the verdict is what it is: score, how usual it is among `n_scores` good parts, and where."""
    sentences = [_score_sentence(inspection), _rarity_sentence(inspection.p_value, n_scores)]
    if inspection.type is not None:
        sentences.append(_type_sentence(inspection))
    if inspection.regions:
        sentences.append(_place_sentence(inspection))
    elif inspection.verdict is not Verdict.PASS and not inspection.gives_map:
        sentences.append("This detector does not show where.")
    return " ".join(sentences)


def _score_sentence(inspection: Inspection) -> str:
    score, threshold = number(inspection.score), number(inspection.threshold)
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


def _type_sentence(inspection: Inspection) -> str:
    if inspection.type == NONE_OF_THESE:
        return "The defect is like none of the types known: look at it, and name it."
    return f"The defect looks like {inspection.type} ({inspection.types[str(inspection.type)]:.0%})."


def type_bars(inspection: Inspection) -> str:
    """The defect types known by their probability, the likeliest first; nothing where none are told."""
    if not inspection.types:
        return ""
    ordered = sorted(inspection.types.items(), key=lambda one: -one[1])
    rows = "".join(
        f"<li{' class=bl-told' if name == inspection.type else ''}><span>{escaped(name)}</span>"
        f'<div class="bl-share"><div style="width:{100 * share:.1f}%"></div></div><b>{share:.0%}</b></li>'
        for name, share in ordered[:_MOST_TYPES]
    )
    more = len(ordered) - _MOST_TYPES
    rest = f'<p class="bl-facts">and {more} less likely</p>' if more > 0 else ""
    doubt = '<p class="bl-doubt">None of these</p>' if inspection.type == NONE_OF_THESE else ""
    return (
        f'<section class="bl-types" aria-label="Defect types by their probability"><h4>Which defect</h4>{doubt}'
        f"<ol>{rows}</ol>{rest}</section>"
    )


def _place_sentence(inspection: Inspection) -> str:
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


def moment(time: datetime) -> str:
    """A time as the people at the server's place write it."""
    return f"{time.astimezone():%Y-%m-%d %H:%M:%S}"


def escaped(text: object) -> str:
    """Text that may stand in HTML, in attributes too."""
    return html.escape(str(text), quote=True)


def table(head: Sequence[str], rows: Sequence[Sequence[str]], caption: str) -> str:
    """An HTML table; the cells are HTML already, the head and the caption are text."""
    top = "".join(f'<th scope="col">{escaped(title)}</th>' for title in head)
    body = "".join("<tr>" + "".join(f"<td>{cell}</td>" for cell in row) + "</tr>" for row in rows)
    return (
        f'<div class="bl-scroll"><table class="bl-table"><caption>{escaped(caption)}</caption>'
        f"<thead><tr>{top}</tr></thead><tbody>{body}</tbody></table></div>"
    )


def note(text: str, bad: bool = False) -> str:
    """A paragraph set apart; in another colour where something went wrong."""
    return f'<p class="bl-note{" bl-note-bad" if bad else ""}">{escaped(text)}</p>'


def report_frame(document: str, title: str) -> str:
    """A report, which is a whole HTML page, in a frame that can run its charts and reach nothing else."""
    return (
        f'<iframe class="bl-report" title="{escaped(title)}" sandbox="allow-scripts" '
        f'srcdoc="{escaped(document)}"></iframe>'
    )
