"""What `blemish inspect` has written of photographs, read again: results.json, `--json` as printed, or results.csv."""

from __future__ import annotations

import csv
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from blemish.core.errors import UsageError
from blemish.core.types import Verdict

MOST_BYTES = 2**30
"""Of such a file: two million photographs."""


@dataclass(frozen=True)
class EarlierResult:
    """What was said of one photograph.

    Attributes:
        path: of the photograph, as it was written.
        verdict, score, p_value, review_threshold, reason: as of `Inspection`; None where it says nothing, as a table of
            the review threshold.
        error: why it was not judged; empty where it was.
    """

    path: str
    verdict: Verdict | None
    score: float | None
    p_value: float | None
    review_threshold: float | None
    reason: str | None
    error: str


def earlier_results(path: Path) -> Iterator[EarlierResult]:
    """The results in a file, in their order.

    Raises:
        UsageError: it cannot be read, is too large, or holds something else.
    """
    try:
        if path.stat().st_size > MOST_BYTES:
            raise UsageError(f"{path} has more than {MOST_BYTES:,} bytes: split it.")
        text = path.read_text("utf-8", errors="surrogateescape")
    except OSError as error:
        reason = (error.strerror or str(error)).lower()
        raise UsageError(f"{path} cannot be read ({reason}): name results of `blemish inspect`.") from error
    try:
        rows = list(csv.DictReader(text.splitlines())) if path.suffix.lower() == ".csv" else json.loads(text)
        if not isinstance(rows, list):
            raise TypeError("no list")
        found = [_result(row) for row in rows]
    except (ValueError, TypeError, KeyError, RecursionError, csv.Error) as error:
        raise UsageError(
            f"{path} holds no results of `blemish inspect`: name its results.json or results.csv."
        ) from error
    yield from found


def _result(row: Mapping[str, Any]) -> EarlierResult:
    verdict = row.get("verdict") or None
    return EarlierResult(
        path=str(row["path"]),
        verdict=None if verdict is None else Verdict(verdict),
        score=_number(row.get("score")),
        p_value=_number(row.get("p_value")),
        review_threshold=_number(row.get("review_threshold")),
        reason=row.get("reason") or None,
        error=str(row.get("error") or ("" if verdict else "it has no verdict.")),
    )


def _number(value: Any) -> float | None:
    return None if value in (None, "") else float(value)
