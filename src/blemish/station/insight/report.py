"""Insight as HTML: the body that the page shows too, and a report that asks the network for nothing."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from pathlib import Path
from typing import Any

from blemish.core.report_page import render_page
from blemish.station.insight.drawing import (
    cusum_chart,
    group_chart,
    pareto_chart,
    place_chart,
    rate_chart,
)
from blemish.station.insight.findings import findings, headline, moment, percent
from blemish.station.insight.insight import Insight

STYLE = Path(__file__).parent / "static" / "insight.css"
"""The style of the body."""

_MOST_GROUPS = 24

Picture = Callable[[int], str]
"""Gives HTML that shows an inspection by its number; empty where there is nothing to show."""


def render_body(found: Insight, picture: Picture) -> str:
    """The charts and sentences as HTML without script, and without style of its own."""
    import jinja2
    from markupsafe import Markup

    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(Path(__file__).parent / "templates"),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )

    def exactly(time: datetime) -> str:
        return f"{time.astimezone(found.zone):%Y-%m-%d %H:%M}"

    def date(time: datetime) -> str:
        return f"{time.astimezone(found.zone):%Y-%m-%d}"

    environment.filters.update(
        percent=percent, exactly=exactly, date=date, moment=lambda time: moment(time, found)
    )
    return environment.get_template("insight_body.html.j2").render(
        found=found,
        headline=headline(found),
        findings=findings(found),
        charts=_charts(found, Markup),
        picture=lambda number: Markup(picture(number)),
    )


def render_report(found: Insight, picture: Picture = lambda number: f"<span>{number}</span> ") -> str:
    """The report as one HTML file."""
    from markupsafe import Markup

    zone = f"{found.since.astimezone(found.zone):%Z}" or "local time"
    facts = {
        "From": f"{found.since.astimezone(found.zone):%Y-%m-%d %H:%M}",
        "To": f"{found.until.astimezone(found.zone):%Y-%m-%d %H:%M}",
        "Clock": zone,
    }
    for name in ("version", "batch", "shift", "camera", "serial_number"):
        if (value := getattr(found.which, name)) is not None:
            facts[name.replace("_", " ").capitalize()] = str(value)
    context = {
        "title": f"{found.inspector}: what the history says",
        "facts": facts,
        "insight_style": Markup(STYLE.read_text("utf-8")),
        "body": Markup(render_body(found, picture)),
    }
    return render_page("blemish.station.insight", "insight_report.html.j2", "", context)


def _charts(found: Insight, markup: Callable[[str], Any]) -> dict[str, Any]:
    highest = max((int(week.cells.max()) for week in found.weeks), default=0)
    groups = []
    for by, rates in found.groups.items():
        drawn = rates
        if len(rates) > _MOST_GROUPS:
            worst = sorted(rates, key=lambda one: one.p_value)[:_MOST_GROUPS]
            drawn = tuple(one for one in rates if one in worst)
        groups.append((by, markup(group_chart(found, drawn, by)), rates, len(drawn)))
    return {
        "rate": markup(rate_chart(found)) if found.points else "",
        "cusum": markup(cusum_chart(found)) if found.points else "",
        "types": markup(pareto_chart(found)),
        "places": [
            (markup(place_chart(week, highest, f"Where {week.n} defects sit on the photograph")), week)
            for week in found.weeks
        ],
        "groups": groups,
    }
