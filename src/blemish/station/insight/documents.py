"""Insight as JSON-ready values, and as one table for spreadsheets."""

from __future__ import annotations

import math
from collections.abc import Iterator
from datetime import datetime
from typing import Any

from blemish.core.spreadsheet import csv_table
from blemish.station.insight.findings import findings, headline
from blemish.station.insight.insight import Insight

_COLUMNS = ("section", "name", "from", "until", "n", "rejected", "rate", "low", "high", "note")


def document(found: Insight) -> dict[str, Any]:
    """All of it as JSON-ready values; null for what is no number."""
    values: dict[str, Any] = _plain(
        {
            "inspector": found.inspector,
            "since": found.since,
            "until": found.until,
            "bucket": found.bucket,
            "filter": {
                name: getattr(found.which, name)
                for name in ("version", "serial_number", "batch", "shift", "camera")
            },
            "headline": headline(found),
            "findings": findings(found),
            "n": found.n,
            "rejected": found.rejected,
            "reject_rate": found.rate,
            "reject_rate_interval": [found.low, found.high],
            "reject_rate_before": found.before,
            "first_pass": found.first_pass._asdict(),
            "first_pass_yield": found.first_pass_yield,
            "first_pass_yield_before": found.first_pass_yield_before,
            "usual_rate": found.chart.mean,
            "spread": found.chart.spread,
            "cusum_limit": found.limit,
            "points": [vars(one) for one in found.points],
            "steps": [vars(one) | {"near": [near.to_json() for near in one.near]} for one in found.steps],
            "types": [vars(one) for one in found.types],
            "groups": {
                by: [vars(one) | {"differs": one.differs} for one in groups]
                for by, groups in found.groups.items()
            },
            "weeks": [
                {
                    "start": week.start,
                    "n": week.n,
                    "cells": week.cells.tolist(),
                    "gatherings": [vars(one) | {"where": one.where} for one in week.gatherings],
                }
                for week in found.weeks
            ],
            "changes": [one.to_json() for one in found.changes],
            "new_kinds": None if found.kinds is None else [one.to_json() for one in found.kinds],
            "new_kinds_trouble": found.kinds_trouble,
        }
    )
    return values


def table(found: Insight) -> str:
    """All of it as one CSV table: each row says of which section it is."""
    rows = [{name: row.get(name) for name in _COLUMNS} for row in _rows(found)]
    return csv_table(rows)


def _rows(found: Insight) -> Iterator[dict[str, Any]]:
    yield {
        "section": "span", "name": found.inspector, "from": found.since.isoformat(), "until": found.until.isoformat(),
        "n": found.n, "rejected": found.rejected, "rate": _number(found.rate), "low": _number(found.low),
        "high": _number(found.high), "note": headline(found),
    }  # fmt: skip
    first = found.first_pass
    yield {
        "section": "first pass", "name": "passed at first", "n": first.n, "rejected": first.rejected,
        "rate": _number(found.first_pass_yield),
    }  # fmt: skip
    for said in findings(found):
        yield {"section": "finding", "note": said}
    for one in found.points:
        yield {
            "section": f"rate by {found.bucket}", "from": one.start.isoformat(), "n": one.n, "rejected": one.rejected,
            "rate": one.rate, "low": one.lower, "high": one.upper, "note": "out of control" if one.out else None,
        }  # fmt: skip
    for bar in found.types:
        yield {"section": "defect type", "name": bar.defect_type, "n": bar.count, "rate": bar.share}
    for by, groups in found.groups.items():
        for group in groups:
            yield {
                "section": by, "name": group.name, "n": group.n, "rejected": group.rejected, "rate": group.rate,
                "low": group.low, "high": group.high, "note": f"p = {group.p_value:.3g}",
            }  # fmt: skip
    for change in found.changes:
        yield {
            "section": "change", "name": change.kind, "from": change.time.isoformat(),
            "note": change.what + (f", by {change.by}" if change.by else ""),
        }  # fmt: skip
    for kind in found.kinds or ():
        yield {
            "section": "new kind", "from": kind.since.isoformat(), "until": kind.latest.isoformat(), "n": kind.count,
            "note": kind.sentence,
        }  # fmt: skip


def _number(value: float) -> float | None:
    return value if math.isfinite(value) else None


def _plain(value: Any) -> Any:
    if isinstance(value, dict):
        return {name: _plain(one) for name, one in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(one) for one in value]
    if isinstance(value, datetime):
        return value.isoformat()
    if isinstance(value, float):
        return _number(value)
    return value
