"""Charts of insight as SVG, without script or style of their own: classes colour them, on light ground and dark."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from datetime import datetime, timedelta
from xml.etree import ElementTree

from blemish.station.insight.comparison import GroupRate
from blemish.station.insight.findings import moment, percent
from blemish.station.insight.insight import Insight, WeekMap

_WIDTH, _HEIGHT = 560, 240
_LEFT, _RIGHT, _TOP, _BOTTOM = 48, 12, 18, 30
_ROW = 24
_NAME_WIDTH = 130
_LETTERS = 18

Element = ElementTree.Element


def rate_chart(found: Insight) -> str:
    """The p-chart: rates, limits, the usual rate, and numbers where something changed."""
    plot = _TimePlot(found, 0.0, 1.05 * max(_limits_seen(found)))
    svg = plot.svg(f"Reject rate by {found.bucket}, with control limits")
    plot.steps(svg)
    plot.rulers(svg, percent)
    there = [(one.start, one.upper) for one in found.points]
    back = [(one.start, one.lower) for one in reversed(found.points)]
    _add(svg, "path", d=f"{plot.path([*there, *back])}Z", **{"class": "insight-band"})
    plot.level(svg, found.chart.mean, "insight-usual")
    _add(
        svg, "path", d=plot.path([(one.start, one.rate) for one in found.points]), **{"class": "insight-line"}
    )
    for one in found.points:
        x, y = plot.x(one.start), plot.y(one.rate)
        if one.out:
            mark = _add(svg, "path", d=f"M{x:.1f} {y - 6:.1f}l6 6l-6 6l-6 -6Z", **{"class": "insight-out"})
        else:
            mark = _add(svg, "circle", cx=x, cy=y, r=2.5, **{"class": "insight-dot"})
        _add(mark, "title", f"{moment(one.start, found)}: {percent(one.rate)}, {one.rejected:,} of {one.n:,}")
    plot.changes(svg)
    return _text_of(svg)


def cusum_chart(found: Insight) -> str:
    """Evidence upwards for a higher rate, downwards for a lower one, with the limits."""
    most = max(found.limit, *(one.risen for one in found.points))
    least = max(found.limit, *(one.fallen for one in found.points))
    plot = _TimePlot(found, -least - 0.08 * most, most + 0.08 * least)
    svg = plot.svg("CUSUM of the evidence that the reject rate has changed")
    plot.steps(svg)
    plot.rulers(svg, lambda value: f"{abs(value):.3g}")
    for level in (found.limit, -found.limit):
        plot.level(svg, level, "insight-limit")
    plot.level(svg, 0, "insight-usual")
    risen = plot.path([(one.start, one.risen) for one in found.points])
    _add(svg, "path", d=risen, **{"class": "insight-line"})
    fallen = plot.path([(one.start, -one.fallen) for one in found.points])
    _add(svg, "path", d=fallen, **{"class": "insight-line insight-fallen"})
    plot.changes(svg)
    return _text_of(svg)


def pareto_chart(found: Insight, most: int = 10) -> str:
    """Bars of the defect types, with what they and all before are together."""
    bars = found.types[:most]
    svg = _lying(len(bars), "Defect types, the most frequent first")
    highest = max((one.count for one in bars), default=1)
    right = _WIDTH - 175
    for row, one in enumerate(bars):
        y = _ROW * row
        _name(svg, one.defect_type, y)
        width = (right - _NAME_WIDTH) * one.count / highest
        _add(svg, "rect", x=_NAME_WIDTH, y=y + 4, width=width, height=_ROW - 8, **{"class": "insight-bar"})
        said = f"{one.count:,} · {percent(one.cumulative_share)} so far"
        _add(svg, "text", said, x=_NAME_WIDTH + width + 6, y=y + 16, **{"class": "insight-said"})
    return _text_of(svg)


def group_chart(found: Insight, groups: Sequence[GroupRate], by: str) -> str:
    """Rates of groups with their intervals, beside the rate of all."""
    svg = _lying(len(groups), f"Reject rate by {by}, with intervals", more=22)
    top = max([found.rate, *(one.high for one in groups)]) * 1.02 or 1.0
    bottom = _ROW * len(groups)

    def x(rate: float) -> float:
        return _NAME_WIDTH + (_WIDTH - _NAME_WIDTH - 60) * rate / top

    for tick in _ticks(0, top, 4):
        _add(svg, "line", x1=x(tick), x2=x(tick), y1=0, y2=bottom, **{"class": "insight-grid"})
        _add(
            svg,
            "text",
            percent(tick),
            x=x(tick),
            y=bottom + 16,
            **{"class": "insight-said", "text-anchor": "middle"},
        )
    _add(svg, "line", x1=x(found.rate), x2=x(found.rate), y1=0, y2=bottom, **{"class": "insight-usual"})
    for row, one in enumerate(groups):
        y = _ROW * row + _ROW / 2
        kind = " insight-differs" if one.differs else ""
        _name(svg, one.name, _ROW * row)
        _add(svg, "line", x1=x(one.low), x2=x(one.high), y1=y, y2=y, **{"class": f"insight-interval{kind}"})
        if one.differs:
            d = f"M{x(one.rate):.1f} {y - 6:.1f}l6 6l-6 6l-6 -6Z"
            mark = _add(svg, "path", d=d, **{"class": "insight-out"})
        else:
            mark = _add(svg, "circle", cx=x(one.rate), cy=y, r=4, **{"class": "insight-dot"})
        _add(mark, "title", f"{one.name}: {percent(one.rate)} of {one.n:,}, p = {one.p_value:.2g}")
    return _text_of(svg)


def place_chart(week: WeekMap, highest: int, said: str) -> str:
    """The map of a week; `highest` is the count that is drawn darkest, of all weeks."""
    cells = len(week.cells)
    svg = _svg(cells, cells, said, "insight-map")
    _add(svg, "rect", x=0, y=0, width=cells, height=cells, **{"class": "insight-ground"})
    for down, row in enumerate(week.cells.tolist()):
        for across, count in enumerate(row):
            if count:
                # By the root, so that single defects are seen beside a gathering.
                strength = 0.15 + 0.85 * math.sqrt(count / max(highest, 1))
                cell = _add(
                    svg, "rect", x=across, y=down, width=1, height=1,
                    **{"class": "insight-cell", "fill-opacity": f"{strength:.2f}"},
                )  # fmt: skip
                _add(cell, "title", f"{count} here")
    return _text_of(svg)


class _TimePlot:
    """The frame of a chart over time."""

    def __init__(self, found: Insight, low: float, high: float) -> None:
        self._found, self._low, self._high = found, low, high if high > low else low + 1
        times = [one.start for one in found.points]
        self._first, self._last = times[0], times[-1]

    def svg(self, said: str) -> Element:
        return _svg(_WIDTH, _HEIGHT, said, "insight-chart")

    def x(self, time: datetime) -> float:
        span = (self._last - self._first) / timedelta(seconds=1)
        inner = _WIDTH - _LEFT - _RIGHT
        place = (time - self._first) / timedelta(seconds=1) / span if span else 0.5
        return _LEFT + inner * min(1.0, max(0.0, place))

    def y(self, value: float) -> float:
        inner = _HEIGHT - _TOP - _BOTTOM
        return _HEIGHT - _BOTTOM - inner * (value - self._low) / (self._high - self._low)

    def path(self, points: Sequence[tuple[datetime, float]]) -> str:
        places = [f"{self.x(time):.1f} {self.y(value):.1f}" for time, value in points]
        return f"M{'L'.join(places)}"

    def level(self, svg: Element, value: float, name: str) -> None:
        y = self.y(value)
        _add(svg, "line", x1=_LEFT, x2=_WIDTH - _RIGHT, y1=y, y2=y, **{"class": name})

    def rulers(self, svg: Element, show: Callable[[float], str]) -> None:
        for tick in _ticks(self._low, self._high, 4):
            self.level(svg, tick, "insight-grid")
            _add(
                svg, "text", show(tick), x=_LEFT - 6, y=self.y(tick) + 4,
                **{"class": "insight-said", "text-anchor": "end"},
            )  # fmt: skip
        labels = [(self._first, "start")]
        if self._last > self._first:
            middle = self._first + (self._last - self._first) / 2
            labels += [(middle, "middle"), (self._last, "end")]
        for time, anchor in labels:
            there = time.astimezone(self._found.zone)
            said = f"{there:%d %b %H:%M}" if self._found.bucket == "hour" else f"{there:%d %b}"
            _add(
                svg,
                "text",
                said,
                x=self.x(time),
                y=_HEIGHT - 10,
                **{"class": "insight-said", "text-anchor": anchor},
            )

    def steps(self, svg: Element) -> None:
        """Spans in which the rate is not as usual."""
        for one in self._found.steps:
            left, right = self.x(one.since), self.x(one.until or self._last)
            area = _add(
                svg, "rect", x=left - 3, y=_TOP, width=right - left + 6, height=_HEIGHT - _TOP - _BOTTOM,
                **{"class": "insight-step"},
            )  # fmt: skip
            _add(area, "title", f"{percent(one.rate)} instead of {percent(one.usual)}")

    def changes(self, svg: Element) -> None:
        """What changed, by the numbers of the list below; numbers of what is close to each other stand side by side."""
        free = 0.0
        for number, one in enumerate(self._found.changes, 1):
            x = self.x(one.time)
            bounds = {"x1": x, "x2": x, "y1": _TOP, "y2": _HEIGHT - _BOTTOM}
            _add(svg, "line", **bounds, **{"class": f"insight-change of-{one.kind}"})
            place = max(x, free)
            free = place + 9 * len(str(number)) + 2
            anchor = {"class": "insight-number", "text-anchor": "middle"}
            mark = _add(svg, "text", str(number), x=place, y=_TOP - 5, **anchor)
            _add(mark, "title", one.what)


def _limits_seen(found: Insight) -> list[float]:
    return [max(one.rate, one.upper) for one in found.points] or [1.0]


def _svg(width: float, height: float, said: str, name: str) -> Element:
    return Element(
        "svg", {"viewBox": f"0 0 {width:g} {height:g}", "class": name, "role": "img", "aria-label": said}
    )


def _lying(rows: int, said: str, more: int = 0) -> Element:
    return _svg(_WIDTH, max(_ROW * rows + more, 1), said, "insight-chart")


def _name(svg: Element, name: str, y: float) -> None:
    short = name if len(name) <= _LETTERS else f"{name[: _LETTERS - 1]}…"
    made = _add(
        svg, "text", short, x=_NAME_WIDTH - 8, y=y + 16, **{"class": "insight-name", "text-anchor": "end"}
    )
    if short != name:
        _add(made, "title", name)


def _add(parent: Element, tag: str, text: str | None = None, /, **attributes: str | float) -> Element:
    written = {
        name.rstrip("_"): f"{value:.2f}".rstrip("0").rstrip(".") if isinstance(value, float) else str(value)
        for name, value in attributes.items()
    }
    made = ElementTree.SubElement(parent, tag, written)
    made.text = text
    return made


def _text_of(svg: Element) -> str:
    return ElementTree.tostring(svg, encoding="unicode")


def _ticks(low: float, high: float, count: int) -> list[float]:
    """Values at which an axis is marked: about so many, each 1, 2 or 5 times a power of ten."""
    rough = (high - low) / count
    power = 10 ** math.floor(math.log10(rough))
    step = next(one * power for one in (1, 2, 5, 10) if one * power >= rough * (1 - 1e-9))
    first, last = math.ceil(low / step - 1e-9), math.floor(high / step + 1e-9)
    return [number * step for number in range(first, last + 1)]
