"""Statistics of the history: counts, control chart, Pareto, trend and drift of the scores."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Literal, NamedTuple

import numpy as np
import numpy.typing as npt
from sqlalchemy import BigInteger, Integer, case, func, literal_column, select, type_coerce

from blemish.core.errors import NotFoundError, UsageError
from blemish.core.types import Verdict
from blemish.station.database import Database
from blemish.station.log import conditions
from blemish.station.records import InspectionFilter
from blemish.station.schema import INSPECTIONS, ActivationRow, InspectorVersionRow

Bucket = Literal["hour", "day"]

_ROW = INSPECTIONS.c
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)
_BUCKETS: dict[Bucket, timedelta] = {"hour": timedelta(hours=1), "day": timedelta(days=1)}
_MOST_BUCKETS = 5000
_DRIFT_SCORES = 200
_FEWEST_DRIFT_SCORES = 50
_BINS = 10
# The usual bounds of the population stability index: Siddiqi, "Credit Risk Scorecards", 2006.
_WATCH_PSI, _DRIFT_PSI = 0.1, 0.25
_WATCH_P_VALUE, _DRIFT_P_VALUE = 0.01, 0.001


@dataclass(frozen=True)
class Summary:
    """Counts of inspections.

    Attributes:
        n: all; passed, reviewed, rejected, not_judged: by verdict.
        reject_rate: rejected / those judged; NaN where there are none.
        confirmed: passed and found good, or rejected and found bad.
        false_rejects: rejected, but found good; missed: passed, but found bad.
        without_feedback: of which nobody has said anything.
        without_defect_type: rejected or found bad, not found good, and without a defect type.
    """

    n: int
    passed: int
    reviewed: int
    rejected: int
    reject_rate: float
    confirmed: int
    false_rejects: int
    missed: int
    without_feedback: int
    without_defect_type: int
    not_judged: int

    @property
    def contradicted(self) -> int:
        """Verdicts that people found wrong."""
        return self.false_rejects + self.missed


class RateBucket(NamedTuple):
    """One hour or day of a control chart: its start in UTC, counts, reject rate, control limits, and if it is out.

    Photographs that were not judged are left out.
    """

    start: datetime
    n: int
    rejected: int
    rate: float
    lower: float
    upper: float
    out_of_control: bool


class DefectShare(NamedTuple):
    """One bar of a Pareto chart; shares are of all parts with a defect type, 0 to 1."""

    defect_type: str
    count: int  # type: ignore[assignment]  # hides tuple.count, which nobody needs here
    share: float
    cumulative_share: float


class ScorePoint(NamedTuple):
    """One point of the trend."""

    time: datetime
    score: float
    threshold: float


@dataclass(frozen=True)
class Drift:
    """How the latest scores of an inspector's active version compare with its own normal scores.

    Attributes:
        inspector, version: which one.
        n: latest scores that were compared, at most 200; parts that people found bad are left out, and photographs that
            were not judged.
        stability_index: population stability index in ten bins; NaN with fewer than 50 scores.
        statistic, p_value: of the Kolmogorov-Smirnov test; NaN likewise.
        median_percentile: where the median of the latest scores lies among the normal ones, 0 to 100; 50 without drift.
        state: "too few", "steady", "watch" or "drifted".
    """

    inspector: str
    version: int
    n: int
    stability_index: float
    statistic: float
    p_value: float
    median_percentile: float
    state: Literal["too few", "steady", "watch", "drifted"]


class HistoryStatistics:
    """What the history says as numbers; each question is one or two queries that use the filters' indexes."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def summary(self, which: InspectionFilter | None = None) -> Summary:
        """Counts by verdict and by feedback."""
        untyped = func.sum(case((_ROW.defect_type.is_(None), 1), else_=0))
        query = (
            select(_ROW.verdict, _ROW.truth, func.count(), untyped)
            .where(*conditions(which))
            .group_by(_ROW.verdict, _ROW.truth)
        )
        with self._database.session() as session:
            counted = [tuple(found) for found in session.execute(query)]

        def count(verdict: Verdict | None = None, *truths: str | None) -> int:
            return sum(
                int(n)
                for found, truth, n, _ in counted
                if verdict in (None, found) and (not truths or truth in truths)
            )

        n, rejected, not_judged = count(), count(Verdict.REJECT), count(Verdict.NOT_JUDGED)
        judged = n - not_judged
        return Summary(
            n=n,
            passed=count(Verdict.PASS),
            reviewed=count(Verdict.REVIEW),
            rejected=rejected,
            reject_rate=rejected / judged if judged else math.nan,
            confirmed=count(Verdict.PASS, "good") + count(Verdict.REJECT, "bad"),
            false_rejects=count(Verdict.REJECT, "good"),
            missed=count(Verdict.PASS, "bad"),
            without_feedback=count(None, None),
            without_defect_type=sum(
                int(n)
                for found, truth, _, n in counted
                if truth == "bad" or (found == Verdict.REJECT and truth is None)
            ),
            not_judged=not_judged,
        )

    def reject_rates(
        self, which: InspectionFilter | None = None, bucket: Bucket = "hour"
    ) -> list[RateBucket]:
        """A p chart of the reject rate by hours or days of UTC, oldest first, empty ones left out, the latest 5,000.

        Raises:
            UsageError: `bucket` is neither "hour" nor "day".
        """
        if bucket not in _BUCKETS:
            raise UsageError(f"Rates by {str(bucket)[:40]!a} are not possible: choose hour or day.")
        span = _BUCKETS[bucket]
        # Times are whole microseconds in every database: a division tells the hour.
        number = type_coerce(_ROW.time, BigInteger) // literal_column(str(span // _MICROSECOND), Integer)
        query = (
            select(
                number.label("number"),
                func.count(),
                func.sum(case((_ROW.verdict == Verdict.REJECT.value, 1), else_=0)),
            )
            .where(_ROW.verdict != Verdict.NOT_JUDGED.value, *conditions(which))
            .group_by("number")
            .order_by(number.desc())
            .limit(_MOST_BUCKETS)
        )
        with self._database.session() as session:
            rows = [(int(found[0]), int(found[1]), int(found[2])) for found in session.execute(query)][::-1]
        limits = control_limits([n for _, n, _ in rows], [rejected for *_, rejected in rows])
        return [
            RateBucket(
                _EPOCH + position * span,
                n,
                rejected,
                rejected / n,
                lower,
                upper,
                not lower <= rejected / n <= upper,
            )
            for (position, n, rejected), (lower, upper) in zip(rows, limits, strict=True)
        ]

    def pareto(self, which: InspectionFilter | None = None) -> list[DefectShare]:
        """Defect types that people gave, the most frequent first."""
        query = (
            select(_ROW.defect_type, func.count())
            .where(_ROW.defect_type.is_not(None), *conditions(which))
            .group_by(_ROW.defect_type)
            .order_by(func.count().desc(), _ROW.defect_type)
        )
        with self._database.session() as session:
            counted = [(str(name), int(count)) for name, count in session.execute(query)]
        total, reached, shares = sum(count for _, count in counted), 0, []
        for name, count in counted:
            reached += count
            shares.append(DefectShare(name, count, count / total, reached / total))
        return shares

    def scores(self, which: InspectionFilter | None = None, limit: int = 1000) -> list[ScorePoint]:
        """The latest `limit` scores with their thresholds, oldest first."""
        query = (
            select(_ROW.time, _ROW.score, _ROW.threshold)
            .where(*conditions(which))
            .order_by(_ROW.time.desc(), _ROW.id.desc())
            .limit(limit)
        )
        with self._database.session() as session:
            return [ScorePoint(*found) for found in session.execute(query)][::-1]

    def drift(self, inspector: str) -> Drift:
        """Whether the scores of an inspector's active version have moved away from those of its normal images.

        A run of truly bad parts moves them too: it says that something changed, not what.

        Raises:
            NotFoundError: no version of this inspector is active.
        """
        active = (
            select(
                InspectorVersionRow.version,
                InspectorVersionRow.normal_scores,
                InspectorVersionRow.n_normal_scores,
            )
            .join(
                ActivationRow,
                (ActivationRow.name == InspectorVersionRow.name)
                & (ActivationRow.version == InspectorVersionRow.version),
            )
            .where(InspectorVersionRow.name == inspector, ActivationRow.rolled_back.is_(None))
            .order_by(ActivationRow.id.desc())
            .limit(1)
        )
        with self._database.session() as session:
            found = session.execute(active).one_or_none()
            if found is None:
                raise NotFoundError(f"There is no active inspector {inspector[:80]!a}: add and activate one.")
            version, normal, n_normal = found
            latest = (
                select(_ROW.score)
                .where(
                    _ROW.inspector == inspector,
                    _ROW.version == version,
                    func.coalesce(_ROW.truth, "") != "bad",
                    _ROW.verdict != Verdict.NOT_JUDGED.value,
                )
                .order_by(_ROW.time.desc(), _ROW.id.desc())
                .limit(_DRIFT_SCORES)
            )
            scores = list(session.scalars(latest))
        return _drift(inspector, version, normal, n_normal, scores)


def control_limits(counts: Sequence[int], rejected: Sequence[int]) -> list[tuple[float, float]]:
    """Limits of a p chart: three standard errors around the mean rate, by the size of each sample, within 0 and 1.

    Follows NIST/SEMATECH, e-Handbook of Statistical Methods, 6.3.3.2 "Proportions Control Charts".

    Args:
        counts: inspected parts of each sample, each at least 1.
        rejected: how many of them were rejected.
    """
    total = sum(counts)
    mean = sum(rejected) / total if total else 0.0
    spreads = [3 * math.sqrt(mean * (1 - mean) / n) for n in counts]
    return [(max(0.0, mean - spread), min(1.0, mean + spread)) for spread in spreads]


def population_stability_index(expected: npt.ArrayLike, observed: npt.ArrayLike, bins: int = _BINS) -> float:
    """How far two samples of scores are apart: sum of (o - e) ln(o / e) over bins with equal shares of `expected`.

    Follows Siddiqi, "Credit Risk Scorecards", 2006; half a score is added to each bin, so that none is empty.
    """
    reference, values = np.asarray(expected, np.float64), np.asarray(observed, np.float64)
    edges = np.unique(np.quantile(reference, np.linspace(0, 1, bins + 1)[1:-1]))
    size = len(edges) + 1
    shares = []
    for sample in (reference, values):
        counted = np.bincount(np.searchsorted(edges, sample, side="left"), minlength=size) + 0.5
        shares.append(counted / counted.sum())
    return float(np.sum((shares[1] - shares[0]) * np.log(shares[1] / shares[0])))


def kolmogorov_smirnov(
    first: npt.ArrayLike, second: npt.ArrayLike, n_first: int | None = None
) -> tuple[float, float]:
    """Two-sample Kolmogorov-Smirnov test: the largest distance between the distributions, and its asymptotic p-value.

    Follows Stephens, "Use of the Kolmogorov-Smirnov, Cramer-von Mises and related statistics", Journal of the
    Royal Statistical Society B 32, 1970, for the correction of small samples.

    Args:
        first, second: the samples.
        n_first: size of the sample that `first` are the quantiles of; its own size when None.
    """
    one, two = np.sort(np.asarray(first, np.float64)), np.sort(np.asarray(second, np.float64))
    everywhere = np.concatenate([one, two])
    shares = [np.searchsorted(sample, everywhere, side="right") / len(sample) for sample in (one, two)]
    distance = float(np.abs(shares[0] - shares[1]).max())
    size = n_first or len(one)
    root = math.sqrt(size * len(two) / (size + len(two)))
    scaled = (root + 0.12 + 0.11 / root) * distance
    if scaled < 0.2:  # the series converges slowly there, and its sum is 1
        return distance, 1.0
    series = (2 * (-1) ** (k - 1) * math.exp(-2 * k * k * scaled * scaled) for k in range(1, 101))
    return distance, min(1.0, max(0.0, math.fsum(series)))


def _drift(
    inspector: str, version: int, normal: Sequence[float], n_normal: int, scores: Sequence[float]
) -> Drift:
    if len(scores) < _FEWEST_DRIFT_SCORES:
        nan = math.nan
        return Drift(inspector, version, len(scores), nan, nan, nan, nan, "too few")
    index = population_stability_index(normal, scores)
    statistic, p_value = kolmogorov_smirnov(normal, scores, n_normal)
    below = np.searchsorted(np.asarray(normal), float(np.median(scores))) / len(normal)
    state: Literal["steady", "watch", "drifted"] = "steady"
    if index >= _DRIFT_PSI and p_value < _DRIFT_P_VALUE:
        state = "drifted"
    elif index >= _WATCH_PSI and p_value < _WATCH_P_VALUE:
        state = "watch"
    return Drift(inspector, version, len(scores), index, statistic, p_value, float(100 * below), state)
