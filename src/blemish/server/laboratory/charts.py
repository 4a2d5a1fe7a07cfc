"""Charts of the history as SVG: they need no script, and take their colours from the page."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import datetime

from blemish.core.charts import ANOMALOUS_COLOUR, NORMAL_COLOUR, THRESHOLD_COLOUR
from blemish.server.laboratory.fragments import escaped
from blemish.server.wording import number
from blemish.station.statistics import DefectShare, RateBucket, ScorePoint

WIDTH, HEIGHT = 560, 190
LEFT, RIGHT, TOP, BOTTOM = 46, 12, 12, 30

Scale = Callable[[float], float]


def reject_rate_chart(buckets: Sequence[RateBucket]) -> str:
    """The p-chart: reject rate of each span with its control limits; spans out of control are marked."""
    buckets = [bucket for bucket in buckets if bucket.n]
    if not buckets:
        return _empty("Reject rate", "No inspections in this period.")
    highest = max(max(bucket.rate for bucket in buckets), max(bucket.upper for bucket in buckets)) or 0.01
    top = min(1.0, highest * 1.15)
    x, y = _across(len(buckets)), _up(0, top)
    dots = "".join(
        f'<circle cx="{x(i):.1f}" cy="{y(b.rate):.1f}" r="{5 if b.out_of_control else 3.5}" '
        f'fill="{ANOMALOUS_COLOUR if b.out_of_control else NORMAL_COLOUR}">'
        f"<title>{_when(b.start)}: {b.rejected} of {b.n} rejected ({b.rate:.1%})</title></circle>"
        for i, b in enumerate(buckets)
    )
    lines = (
        _line([(x(i), y(b.rate)) for i, b in enumerate(buckets)], NORMAL_COLOUR)
        + _line([(x(i), y(min(top, b.upper))) for i, b in enumerate(buckets)], THRESHOLD_COLOUR, "5 4")
        + _line([(x(i), y(b.lower)) for i, b in enumerate(buckets)], THRESHOLD_COLOUR, "5 4")
    )
    out = sum(bucket.out_of_control for bucket in buckets)
    caption = (
        f"Reject rate, with 3-sigma control limits (dashed); {out} of {len(buckets)} spans out of control"
    )
    ends = _when(buckets[0].start), _when(buckets[-1].start)
    return _chart("Reject rate", caption, _grid(top, y, "{:.0%}", ends) + lines + dots)


def score_chart(points: Sequence[ScorePoint]) -> str:
    """Scores in their order, against their thresholds."""
    if not points:
        return _empty("Score trend", "No inspections in this period.")
    ordered = sorted(points, key=lambda point: point.time)
    relative = [p.score / p.threshold if p.threshold > 0 else p.score for p in ordered]
    top = min(max(1.2, max(relative) * 1.1), 6.0)
    x, y = _across(len(ordered)), _up(0, top)
    dots = "".join(
        f'<circle cx="{x(i):.1f}" cy="{y(min(max(value, 0), top)):.1f}" r="3" '
        f'fill="{ANOMALOUS_COLOUR if p.score > p.threshold else NORMAL_COLOUR}">'
        f"<title>{_when(p.time)}: score {number(p.score)}, threshold {number(p.threshold)}</title></circle>"
        for i, (p, value) in enumerate(zip(ordered, relative, strict=True))
    )
    threshold = _line([(LEFT, y(1)), (WIDTH - RIGHT, y(1))], THRESHOLD_COLOUR, "5 4")
    ends = _when(ordered[0].time), _when(ordered[-1].time)
    caption = "Score over threshold of each part, in their order; above 1 (dashed) it is rejected"
    return _chart("Score trend", caption, _grid(top, y, "{:.2f}", ends) + threshold + dots)


def pareto_chart(shares: Sequence[DefectShare]) -> str:
    """Defect types by how often they were given, with their cumulative share."""
    if not shares:
        return _empty("Defect types", "No part has been given a defect type yet.")
    shown = list(shares)[:8]
    most = max(share.count for share in shown)
    rows = "".join(
        f'<tr><th scope="row">{escaped(s.defect_type)}</th><td><div class="bl-bar" '
        f'style="width:{100 * s.count / most:.0f}%"></div></td><td>{s.count}</td><td>{s.cumulative_share:.0%}</td></tr>'
        for s in shown
    )
    return (
        '<figure class="bl-chart"><figcaption>Defect types, most frequent first, with cumulative share</figcaption>'
        f'<table class="bl-bars"><tbody>{rows}</tbody></table></figure>'
    )


def _chart(title: str, caption: str, inside: str) -> str:
    return (
        f'<figure class="bl-chart"><figcaption>{escaped(caption)}</figcaption><svg viewBox="0 0 {WIDTH} {HEIGHT}" '
        f'role="img" aria-label="{escaped(title)}: {escaped(caption)}">{inside}</svg></figure>'
    )


def _empty(title: str, sentence: str) -> str:
    return (
        f'<figure class="bl-chart"><figcaption>{escaped(title)}</figcaption>'
        f"<p>{escaped(sentence)}</p></figure>"
    )


def _across(count: int) -> Scale:
    span = WIDTH - LEFT - RIGHT - 16
    return lambda place: LEFT + 8 + span * (place + 0.5) / count


def _up(low: float, high: float) -> Scale:
    span = HEIGHT - TOP - BOTTOM
    return lambda value: TOP + span * (1 - (value - low) / (high - low))


def _grid(top: float, y: Scale, form: str, ends: tuple[str, str]) -> str:
    """Horizontal lines with their values, and the first and the last time."""
    drawn = []
    for step in range(5):
        value = top * step / 4
        drawn.append(
            f'<line class="bl-grid" x1="{LEFT}" x2="{WIDTH - RIGHT}" y1="{y(value):.1f}" y2="{y(value):.1f}"/>'
            f'<text x="{LEFT - 6}" y="{y(value) + 4:.1f}" text-anchor="end">{form.format(value)}</text>'
        )
    foot = HEIGHT - 8
    drawn.append(f'<text x="{LEFT}" y="{foot}">{ends[0]}</text>')
    if ends[1] != ends[0]:
        drawn.append(f'<text x="{WIDTH - RIGHT}" y="{foot}" text-anchor="end">{ends[1]}</text>')
    return "".join(drawn)


def _line(points: Sequence[tuple[float, float]], colour: str, dash: str = "") -> str:
    path = " ".join(f"{x:.1f},{y:.1f}" for x, y in points)
    return f'<polyline points="{path}" fill="none" stroke="{colour}" stroke-width="2" stroke-dasharray="{dash}"/>'


def _when(time: datetime) -> str:
    return f"{time.astimezone():%d %b %H:%M}"
