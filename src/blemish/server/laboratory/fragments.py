"""Pieces of HTML that the laboratory shows. Pure functions."""

from __future__ import annotations

import html
from collections.abc import Sequence

from blemish.core.types import NONE_OF_THESE
from blemish.line.inspection import Inspection

_MOST_TYPES = 6


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


def escaped(text: object) -> str:
    """Text that may stand in HTML, in attributes too."""
    return html.escape(str(text), quote=True)


def table(head: Sequence[str], rows: Sequence[Sequence[str]], caption: str) -> str:
    """An HTML table; the cells are HTML already, the head and the caption are text."""
    top = "".join(f'<th scope="col">{escaped(title)}</th>' for title in head)
    body = "".join("<tr>" + "".join(f"<td>{cell}</td>" for cell in row) + "</tr>" for row in rows)
    return (
        f'<div class="bl-scroll" role="region" aria-label="{escaped(caption)}" tabindex="0">'
        f'<table class="bl-table"><caption>{escaped(caption)}</caption>'
        f"<thead><tr>{top}</tr></thead><tbody>{body}</tbody></table></div>"
    )


def note(text: str, bad: bool = False) -> str:
    """A paragraph set apart; in another colour where something went wrong."""
    return f'<p class="bl-note{" bl-note-bad" if bad else ""}">{escaped(text)}</p>'


def report_frame(document: str, title: str) -> str:
    """A report, which is a whole HTML page, in a frame that can run its charts and reach nothing else."""
    return (
        f'<iframe class="bl-report" title="{escaped(title)}" sandbox="allow-scripts allow-downloads" '
        f'srcdoc="{escaped(document)}"></iframe>'
    )
