"""What insight has found, in sentences: what a person should know first comes first."""

from __future__ import annotations

import math
from collections.abc import Iterator
from datetime import datetime, tzinfo

from blemish.station.insight.comparison import GroupRate
from blemish.station.insight.insight import By, Insight, RateStep
from blemish.station.insight.pareto import NOT_NAMED

_MOST_GROUPS = 3
_VITAL_FEW = 0.8


def headline(found: Insight) -> str:
    """The span in one sentence."""
    if not found.n:
        return f"Nothing was judged from {_day(found.since, found.zone)} to {_day(found.until, found.zone)}."
    said = f"{found.n:,} parts judged, {percent(found.rate)} rejected ({percent(found.low)} to {percent(found.high)})"
    if not math.isnan(found.before):
        said += f", {_against(found.rate, found.before)} the span before ({percent(found.before)})"
    if not math.isnan(found.first_pass_yield):
        said += f"; {percent(found.first_pass_yield)} of parts passed at their first inspection"
    return f"{said}."


def findings(found: Insight) -> list[str]:
    """What stands out, the most pressing first."""
    return [
        *(_step(one, found) for one in found.steps),
        *(one.sentence for one in found.kinds or ()),
        *_groups(found),
        *_gatherings(found),
        *_types(found),
        *_spread(found),
    ]


def percent(value: float) -> str:
    """A share as a percentage with two digits that mean something."""
    if math.isnan(value):
        return "-"
    hundredth = 100 * value
    return f"{hundredth:.0f} %" if hundredth >= 10 or hundredth == 0 else f"{hundredth:.2g} %"


def moment(time: datetime, found: Insight) -> str:
    """When a sample began, as exactly as the charts know it."""
    there = time.astimezone(found.zone)
    return f"{there:%Y-%m-%d %H:%M}" if found.bucket == "hour" else f"{there:%Y-%m-%d}"


def _step(one: RateStep, found: Insight) -> str:
    way = "higher" if one.rising else "lower"
    span = f"since {moment(one.since, found)}"
    if one.until is not None:
        last = moment(one.until, found)
        span = f"from {moment(one.since, found)} to {last}" if one.until > one.since else f"on {last}"
    verb = "is" if one.until is None else "was"
    said = f"The reject rate {verb} {way} {span}: {percent(one.rate)} instead of {percent(one.usual)}"
    if one.near:
        close = " and ".join(
            f"{near.what} ({near.time.astimezone(found.zone):%Y-%m-%d %H:%M})" for near in one.near
        )
        said += f"; at about that time: {close}"
    return f"{said}."


def _groups(found: Insight) -> Iterator[str]:
    for by, groups in found.groups.items():
        different = sorted((one for one in groups if one.differs), key=lambda one: one.p_value)
        # Where one group is worse the others are better than it: that says nothing more.
        worse = [one for one in different if one.rate > one.others]
        for one in (worse or different)[:_MOST_GROUPS]:
            yield (
                f"{group_name(by, one)}: {percent(one.rate)} of {one.n:,} parts rejected, {percent(one.others)} of all "
                f"others ({_probability(one.p_value)} after correction for {len(groups)} comparisons)."
            )


def group_name(by: By, one: GroupRate) -> str:
    """A group in words."""
    return f"The hour from {one.name}" if by == "hour" else f"{by.capitalize()} {one.name}"


def _probability(p_value: float) -> str:
    return "p < 0.001" if p_value < 0.001 else f"p = {p_value:.1g}"


def _gatherings(found: Insight) -> Iterator[str]:
    for week in found.weeks:
        for one in week.gatherings[:1]:
            yield (
                f"Defects gather {one.where} in the week from {_day(week.start, found.zone)}: {one.count:,} of "
                f"{one.n:,} there, {one.count_before:,} of {one.n_before:,} before."
            )


def _types(found: Insight) -> Iterator[str]:
    named = [one for one in found.types if one.defect_type != NOT_NAMED]
    total = sum(one.count for one in found.types)
    if not named:
        if total:
            yield f"None of {total:,} defects has a type: name some in the history."
        return
    few = [one for one in named if one.cumulative_share - one.share < _VITAL_FEW][:_MOST_GROUPS]
    listed = ", ".join(f"{one.defect_type} ({percent(one.share)})" for one in few)
    yield f"Most of {total:,} defects: {listed}."


def _spread(found: Insight) -> Iterator[str]:
    if found.chart.overdispersed:
        yield (
            f"Rates scatter {found.chart.spread:.1f} times as far from {found.bucket} to {found.bucket} as chance "
            "alone lets them, so limits and intervals are as much wider: parts of one time are more alike than others."
        )


def _against(rate: float, before: float) -> str:
    points = 100 * (rate - before)
    if abs(points) < 0.05:
        return "as in"
    return f"{abs(points):.1f} points {'more' if points > 0 else 'fewer'} than in"


def _day(time: datetime, zone: tzinfo) -> str:
    return f"{time.astimezone(zone):%Y-%m-%d %H:%M}"
