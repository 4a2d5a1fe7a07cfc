"""How an inspector bears disturbed photographs: curves of its figures over the strength, and what they say in words."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import numpy.typing as npt

from blemish.core.json_values import number_or_none
from blemish.evaluation.disturbances import Disturbance
from blemish.evaluation.intervals import auroc_interval
from blemish.evaluation.metrics import image_auroc
from blemish.evaluation.rate import Rate
from blemish.evaluation.result import Failure

TIMES = 2.0
"""How many times the promise good parts may be rejected before a disturbance is said not to be borne."""


@dataclass(frozen=True)
class Promise:
    """Share of unseen good parts that the threshold rejects: `expected`, and `at_most` with 95 % confidence."""

    expected: float
    at_most: float

    @property
    def limit(self) -> float:
        """The share above which the promise is broken: `TIMES` times what it is at most."""
        return min(1.0, TIMES * self.at_most)

    def in_words(self) -> str:
        """`0.6 % expected, 1.5 % at most`."""
        return f"{_percent(self.expected)} of good parts rejected, at most {_percent(self.at_most)}"


@dataclass(frozen=True)
class Point:
    """What an inspector is worth on photographs disturbed by one strength.

    Attributes:
        strength: of the disturbance.
        auroc: of the image scores; nan where good or defective parts are absent.
        auroc_interval: where it lies with 95 % confidence.
        false_rejects: share of good parts rejected at the fixed threshold.
        escapes: share of defective parts passed at it.
    """

    strength: float
    auroc: float
    auroc_interval: tuple[float, float]
    false_rejects: Rate
    escapes: Rate

    @classmethod
    def of(
        cls, strength: float, labels: npt.NDArray[np.bool_], scores: npt.NDArray[np.float64], threshold: float
    ) -> Point:
        """Measured on scores (N) of parts of which `labels` (N) says whether they are defective."""
        bad, good = scores[labels], scores[~labels]
        auroc = image_auroc(labels, scores) if len(bad) and len(good) else math.nan
        return cls(
            strength,
            auroc,
            auroc_interval(auroc, len(bad), len(good)),
            Rate(int((good > threshold).sum()), len(good)),
            Rate(int((bad <= threshold).sum()), len(bad)),
        )

    def times(self, promise: Promise) -> float:
        """How many times the promise good parts are rejected; nan where there are none."""
        return self.false_rejects.value / promise.at_most

    def is_over(self, promise: Promise) -> bool:
        """Whether more good parts are rejected than the promise is worth; never where there are none."""
        return bool(self.false_rejects.value > promise.limit)

    def is_surely_over(self, promise: Promise) -> bool:
        """Whether chance does not explain it: the whole interval is over the limit."""
        return bool(self.false_rejects.interval[0] > promise.limit)

    def to_json(self, promise: Promise) -> dict[str, Any]:
        """The figures as JSON-ready values."""
        return {
            "strength": self.strength,
            "auroc": number_or_none(self.auroc),
            "auroc_interval": [number_or_none(edge) for edge in self.auroc_interval],
            "false_rejects": self.false_rejects.to_json(),
            "escapes": self.escapes.to_json(),
            "times_the_promise": number_or_none(self.times(promise)),
            "over": self.is_over(promise),
            "surely_over": self.is_surely_over(promise),
        }


@dataclass(frozen=True)
class StressCurve:
    """The points of one disturbance by ascending strength, the undisturbed photographs among them."""

    disturbance: Disturbance
    points: tuple[Point, ...]

    @property
    def undisturbed(self) -> Point:
        """The point of the photographs as they are."""
        return next(point for point in self.points if point.strength == self.disturbance.neutral)

    @property
    def sides(self) -> tuple[tuple[Point, ...], ...]:
        """The points on either side of the undisturbed ones, the nearest first; a side without any is left out."""
        place = self.points.index(self.undisturbed)
        sides = (self.points[:place][::-1], self.points[place + 1 :])
        return tuple(side for side in sides if side)

    def held(self, promise: Promise) -> list[Point]:
        """The farthest point of each side up to which all keep the promise: the undisturbed one where none does."""
        farthest = []
        for side in self.sides:
            last = self.undisturbed
            for point in side:
                if point.is_over(promise):
                    break
                last = point
            farthest.append(last)
        return farthest

    def first_over(self, promise: Promise) -> list[Point]:
        """The nearest point of each side that breaks the promise; nothing of a side where none does."""
        found = (next((point for point in side if point.is_over(promise)), None) for side in self.sides)
        return [point for point in found if point is not None]

    def in_words(self, promise: Promise) -> str:
        """What the disturbance does, in a sentence or three."""
        return " ".join(self._sentences(promise))

    def _held_in_words(self, promise: Promise) -> str:
        if self.undisturbed.is_over(promise):
            return f"false rejects are over {TIMES:g} times the promise on the photographs as they are"
        return f"holds {self.range_in_words(promise)}"

    def _sentences(self, promise: Promise) -> Iterator[str]:
        named, start = self.disturbance, self.undisturbed
        if start.false_rejects.n:
            yield f"{named.title}: {self._held_in_words(promise)}."
            for point in self.first_over(promise):
                sure = "" if point.is_surely_over(promise) else "; so few parts do not prove it"
                counted = f"{point.false_rejects.count} of {point.false_rejects.n} good parts"
                yield (
                    f"At {named.in_words(point.strength)} it rejects {counted} ({_percent(point.false_rejects.value)}, "
                    f"{point.times(promise):.1f} times the promise){sure}."
                )
        if start.escapes.n:
            worst = max(self.points, key=lambda point: point.escapes.value)
            name = "" if start.false_rejects.n else f"{named.title}: "
            yield f"{name}{_change('defects passed', start, worst, _passed, named)}."
        if not math.isnan(start.auroc):
            worst = min(self.points, key=lambda point: point.auroc)
            yield f"{_change('AUROC', start, worst, _auroc, named)}."

    def range_in_words(self, promise: Promise) -> str:
        """Up to which strengths the promise holds: `from -15 % to +30 %`."""
        named, ends = self.disturbance, self.held(promise)
        if self.undisturbed.is_over(promise):
            return "not on the photographs as they are"
        if all(end is self.undisturbed for end in ends):
            return "at none of the strengths tried"
        if len(ends) == 1:
            return f"up to {named.in_words(ends[0].strength)}"
        words = ["no change" if end is self.undisturbed else named.in_words(end.strength) for end in ends]
        return f"from {words[0]} to {words[1]}"


@dataclass(frozen=True)
class Stress:
    """An inspector under all disturbances.

    Attributes:
        category: of the photographs.
        threshold: at which parts are rejected; it is never changed here.
        promise: what the threshold promises of good parts.
        curves: one a disturbance.
        types: how many photographs of each defect type, "good" among them.
        failed: photographs that could not be read.
        learnt: how many photographs were left out as the inspector has learnt from them.
        left_out: disturbances that nothing here can undergo, each with why.
        wanted: photographs that were to be judged; more than those that were where `stopped`.
        judged: photographs judged now, and in how many seconds; others are known from an earlier run.
        seconds: of judging.
        stopped: whether Ctrl-C ended it before all were judged.
    """

    category: str
    threshold: float
    promise: Promise
    curves: tuple[StressCurve, ...]
    types: dict[str, int]
    failed: tuple[Failure, ...] = ()
    learnt: int = 0
    left_out: tuple[str, ...] = ()
    wanted: int = 0
    judged: int = 0
    seconds: float = 0.0
    stopped: bool = False

    @cached_property
    def undisturbed(self) -> Point:
        """The figures of the photographs as they are."""
        return self.curves[0].undisturbed

    @property
    def broken(self) -> tuple[StressCurve, ...]:
        """The curves of disturbances that break the promise somewhere."""
        return tuple(curve for curve in self.curves if curve.first_over(self.promise))

    def to_json(self) -> dict[str, Any]:
        """All figures as JSON-ready values."""
        curves = [
            {
                "disturbance": curve.disturbance.name,
                "unit": curve.disturbance.axis,
                "neutral": curve.disturbance.neutral,
                "in_words": curve.in_words(self.promise),
                "points": [point.to_json(self.promise) for point in curve.points],
            }
            for curve in self.curves
        ]
        return {
            "category": self.category,
            "threshold": self.threshold,
            "false_reject_rate": {
                "expected": self.promise.expected,
                "at_most_with_95_percent_confidence": self.promise.at_most,
            },
            "headline": headline(self),
            "undisturbed": self.undisturbed.to_json(self.promise),
            "disturbances": curves,
            "left_out": list(self.left_out),
            "photographs": self.types,
            "learnt_from": self.learnt,
            "failed": [{"path": str(one.path), "detail": one.detail} for one in self.failed],
            "seconds": self.seconds,
            "stopped": self.stopped,
        }


def headline(stress: Stress) -> str:
    """The result in two or three sentences."""
    promise, plain = stress.promise, stress.undisturbed
    sentences = [_scale_in_words(stress)]
    if not plain.false_rejects.n:
        return f"{sentences[0]} Without good parts nothing is said of false rejects."
    limit = f"twice the promise ({_percent(promise.limit)} of good parts)"
    rejected = f"{plain.false_rejects.count} of {plain.false_rejects.n} good parts rejected as they are"
    if plain.escapes.n:
        rejected += f", {plain.escapes.count} of {plain.escapes.n} defective ones passed"
    broken = [curve.disturbance.name.replace("-", " ").replace("jpeg", "JPEG") for curve in stress.broken]
    if not broken:
        sentences.append(f"False rejects stay under {limit} at every strength tried; {rejected}.")
    else:
        kept = len(stress.curves) - len(broken)
        others = f", and stay under it under the {kept} other{'' if kept == 1 else 's'}" if kept else ""
        sentences.append(f"False rejects go over {limit} under {_listed(broken)}{others}; {rejected}.")
    if not plain.escapes.n:
        sentences.append("Without defective parts nothing is said of escapes and AUROC.")
    return " ".join(sentences)


def _scale_in_words(stress: Stress) -> str:
    good, bad = stress.undisturbed.false_rejects.n, stress.undisturbed.escapes.n
    parts = [
        f"{count} {kind} part{'' if count == 1 else 's'}"
        for count, kind in ((good, "good"), (bad, "defective"))
        if count
    ]
    strengths = sum(len(curve.points) - 1 for curve in stress.curves)
    count = len(stress.curves)
    return f"{' and '.join(parts)} under {count} disturbance{'' if count == 1 else 's'} of {strengths} strengths."


def _passed(point: Point) -> str:
    return _percent(point.escapes.value)


def _auroc(point: Point) -> str:
    return f"{point.auroc:.3f}"


def _change(what: str, start: Point, worst: Point, shown: Any, named: Disturbance) -> str:
    """`AUROC: 0.970, at worst 0.910 (2 px)`."""
    first = what[0].upper() + what[1:]
    if shown(worst) == shown(start):
        return f"{first}: {shown(start)}, at no strength worse"
    return f"{first}: {shown(start)}, at worst {shown(worst)} ({named.in_words(worst.strength)})"


def _percent(share: float) -> str:
    return f"{100 * share:.1f} %"


def _listed(names: Sequence[str]) -> str:
    return names[0] if len(names) == 1 else f"{', '.join(names[:-1])} and {names[-1]}"
