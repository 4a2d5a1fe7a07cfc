"""The policy that somebody asks for, and the decision that it becomes: changed, remembered and undone without a fit.

What is not asked for stays as it is: another false-reject rate leaves the review band where it was, and the other way
round. Decisions are appended, never rewritten: undoing appends the one before once more.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields
from datetime import UTC, datetime
from typing import Annotated, Any

from pydantic import Field, TypeAdapter, ValidationError

from blemish.core.conformal import Calibration
from blemish.core.errors import UsageError
from blemish.core.known_defects import DEFECTIVE_SHARE, Choice, Costs, Thresholds, escapes
from blemish.core.records import Finite, NotNegative, Record, Text
from blemish.core.tail import Tail, fit_tail
from blemish.core.types import FloatArray
from blemish.line.decision import Decision, Rate, SeenDefects
from blemish.line.manifest import Manifest

_NEED_DEFECTS = {"recall", "cost_missed", "cost_false_reject", "best_f1"}


class Policy(Record):
    """What is asked for; at least one thing, and what is not asked for stays.

    Attributes:
        false_reject_rate: share of good parts that may be rejected; beside a recall or a cost, at most.
        review_rate: share of good parts that may be rejected or reviewed; 0 for no review.
        threshold, review_threshold: scores instead of rates.
        recall: share of the known defects to be found.
        cost_missed, cost_false_reject: of one error each, in one unit; both or neither.
        defective_share: share of parts that is defective, for costs (0.01 where None) and F1 (as seen where None).
        best_f1: the threshold of the best F1 on what is known.
        tail: the false-reject rate by a model of the highest scores, where it is smaller than the scores can promise.
        undo: the decision before once more.
    """

    false_reject_rate: Rate | None = None
    review_rate: Annotated[float, Field(ge=0, lt=1)] | None = None
    threshold: Finite | None = None
    review_threshold: Finite | None = None
    recall: Annotated[float, Field(gt=0, le=1)] | None = None
    cost_missed: NotNegative | None = None
    cost_false_reject: NotNegative | None = None
    defective_share: Rate | None = None
    best_f1: bool = False
    tail: bool = False
    undo: bool = False

    @property
    def asked(self) -> frozenset[str]:
        """Names of what is asked for."""
        return frozenset(self.model_dump(exclude_none=True, exclude_defaults=True))

    @property
    def needs_defects(self) -> bool:
        """Whether it can only be followed where defects are known."""
        return bool(self.asked & _NEED_DEFECTS)


def policy_of(asked: Mapping[str, Any]) -> Policy:
    """A policy of values by name.

    Raises:
        UsageError: a name is unknown, or a value is not possible.
    """
    try:
        return Policy.model_validate(dict(asked))
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        name = str(first["loc"][0])
        if name not in Policy.model_fields:
            known = ", ".join(Policy.model_fields)
            raise UsageError(f"A policy has no {name!r}: give one of {known}.") from error
        raise UsageError(
            f"{name} {first['input']!r} is not possible: {first['msg'].removeprefix('Value error, ').lower()}."
        ) from error


@dataclass(frozen=True)
class _Rejecting:
    """The part of a decision that is about rejects; attributes as there."""

    rule: Any
    threshold: float
    false_reject_rate: float | None
    expected: float
    at_most: float
    gave_way: str | None = None
    seen: SeenDefects | None = None
    tail: Tail | None = None


def decided(
    manifest: Manifest,
    calibration: Calibration,
    policy: Policy,
    defects: FloatArray | None = None,
    *,
    by: str = "local",
    note: str | None = None,
) -> Manifest:
    """The manifest with the decision that a policy becomes in effect; those before are remembered.

    Args:
        manifest: of the inspector.
        calibration: scores of its good parts.
        policy: what is asked for.
        defects: scores of known defects, N, any order; None where none are known.
        by, note: as of `Decision`.

    Raises:
        UsageError: the policy asks for nothing, contradicts itself or cannot be promised, or there is nothing to undo.
    """
    current = manifest.decision
    made = {
        "version": current.version + 1,
        "parent": current.version,
        "made": datetime.now(UTC),
        "by": _line(by, "by"),
        "note": None if note is None else _line(note, "note"),
    }
    if policy.undo:
        require_possible(policy, calibration)
        before = _before(manifest)
        return manifest.decided(
            before.model_copy(update=made | {"restores": before.restores or before.version})
        )
    require_possible(policy, calibration, defects is not None and len(defects) > 0)
    rejecting = _rejecting(current, calibration, policy, defects)
    review_threshold, review_rate = _reviewing(current, calibration, policy, rejecting.threshold)
    reviews = review_threshold < rejecting.threshold
    decision = Decision(
        rule=rejecting.rule,
        threshold=rejecting.threshold,
        review_threshold=review_threshold,
        false_reject_rate=rejecting.false_reject_rate,
        review_rate=review_rate,
        expected=rejecting.expected,
        at_most=rejecting.at_most,
        review_expected=calibration.promise(review_threshold).expected if reviews else rejecting.expected,
        pixels=current.pixels,
        gave_way=rejecting.gave_way,
        seen=rejecting.seen,
        tail=rejecting.tail,
        **made,
    )
    return manifest.decided(decision)


def _line(said: str, name: str) -> str:
    """One line, as records keep it."""
    try:
        return TypeAdapter(Text).validate_python(said)
    except ValidationError as error:
        raise UsageError(
            f"{name} must be one line of 1 to 200 characters, which {said[:40]!r} is not: write it so."
        ) from error


def _before(manifest: Manifest) -> Decision:
    """The decision that was in effect before the one that is, or that it restores.

    Raises:
        UsageError: there is none, or it is no longer remembered.
    """
    current = manifest.decision
    undone = current.restores or current.version
    before = [decision for decision in manifest.decisions if decision.version < undone]
    if not before:
        raise UsageError(
            f"{manifest.name} has no decision before version {undone}, which is in effect: there is nothing to undo."
        )
    return before[-1]


def require_possible(policy: Policy, calibration: Calibration, defects: bool = False) -> None:
    """Refuse what contradicts itself or cannot be promised, before known defects are scored.

    Args:
        policy: what is asked for.
        calibration: scores of good parts.
        defects: whether defects are known.

    Raises:
        UsageError: see the sentences.
    """
    asked = policy.asked
    if policy.undo:
        if len(asked) > 1:
            raise UsageError(
                "Undoing brings the decision before back as it was: ask for nothing else with it."
            )
        return
    if not asked - {"tail", "defective_share"}:
        raise UsageError(
            "Nothing is asked for: give a false-reject rate, a review rate, a threshold, a recall, costs or best F1."
        )
    others = asked & (_NEED_DEFECTS | {"false_reject_rate", "tail"})
    if "threshold" in asked and others:
        raise UsageError(f"A threshold and {_named(others)} are two ways to one decision: give one of them.")
    if {"review_threshold", "review_rate"} <= asked:
        raise UsageError("A review threshold and a review rate are two ways to one band: give one of them.")
    if ("cost_missed" in asked) != ("cost_false_reject" in asked):
        raise UsageError(
            "A cost weighs against another: give both that of a miss and that of a false reject."
        )
    if policy.best_f1 and policy.cost_missed is not None:
        raise UsageError("The best F1 and the least cost are two ways to one decision: give one of them.")
    if policy.tail and (policy.needs_defects or policy.false_reject_rate is None):
        raise UsageError(
            "The model of the tail gives a threshold for a rate: give a false-reject rate with it, and no recall, "
            "costs or F1."
        )
    if policy.defective_share is not None and not (policy.best_f1 or policy.cost_missed is not None):
        raise UsageError("A share of defective parts weighs costs or the F1: give one of them with it.")
    if policy.needs_defects and not defects:
        needing = _named(asked & _NEED_DEFECTS)
        raise UsageError(f"There are no known defects, which {needing} needs: give photographs of some.")
    for rate in (None if policy.tail else policy.false_reject_rate, policy.review_rate):
        if rate:
            calibration.threshold(rate)


def _named(names: frozenset[str]) -> str:
    """Names of a policy in words."""
    return " and ".join(sorted(name.replace("_", " ") for name in names))


def _rejecting(
    current: Decision, calibration: Calibration, policy: Policy, defects: FloatArray | None
) -> _Rejecting:
    """What becomes of rejects."""
    if policy.needs_defects and defects is not None:
        return _by_defects(calibration, policy, defects)
    if policy.threshold is not None:
        rule, threshold, rate = "threshold", policy.threshold, None
    elif policy.false_reject_rate is not None:
        rule, rate = "rate", policy.false_reject_rate
        if policy.tail:
            return _by_tail(calibration, rate, defects)
        threshold = calibration.threshold(rate)
    else:
        kept = {one.name: getattr(current, one.name) for one in fields(_Rejecting)}
        return _Rejecting(**kept)
    promise = calibration.promise(threshold)
    return _Rejecting(
        rule, threshold, rate, promise.expected, promise.at_most, seen=_seen(defects, threshold)
    )


def _by_tail(calibration: Calibration, rate: float, defects: FloatArray | None) -> _Rejecting:
    """A rate by the model of the highest scores: it says what to expect, the bound needs no model."""
    tail = fit_tail(calibration)
    threshold = tail.threshold(rate)
    if rate < calibration.smallest_rate:  # the model may lie below a score that alone promises more
        threshold = max(threshold, float(calibration.scores[-1]))
    expected = tail.promise(threshold).expected
    at_most = max(expected, calibration.promise(threshold).at_most)
    return _Rejecting("tail", threshold, rate, expected, at_most, seen=_seen(defects, threshold), tail=tail)


def _by_defects(calibration: Calibration, policy: Policy, defects: FloatArray) -> _Rejecting:
    """The threshold that known defects ask for."""
    thresholds, limits = Thresholds.of(calibration, defects), (policy.recall, policy.false_reject_rate)
    share, weighed = policy.defective_share, dict[str, Any]()
    if policy.cost_missed is not None and policy.cost_false_reject is not None:
        costs = Costs(policy.cost_missed, policy.cost_false_reject, share or DEFECTIVE_SHARE)
        rule, choice = "cost", thresholds.by_cost(costs, *limits)
        weighed = {
            "cost_missed": costs.missed,
            "cost_false_reject": costs.false_reject,
            "defective_share": costs.defective_share,
            "cost": choice.value,
        }
    elif policy.best_f1:
        rule, choice = "f1", thresholds.by_f1(share, *limits)
        weighed = {"defective_share": share, "f1": choice.value}
    elif policy.recall is not None:
        rule, choice = "recall", thresholds.by_recall(policy.recall, policy.false_reject_rate)
    promise = calibration.promise(choice.threshold)
    return _Rejecting(
        rule,
        choice.threshold,
        policy.false_reject_rate,
        promise.expected,
        promise.at_most,
        choice.gave_way,
        _seen_of(choice, recall=policy.recall, **weighed),
    )


def _seen(defects: FloatArray | None, threshold: float) -> SeenDefects | None:
    if defects is None or not len(defects):
        return None
    return _seen_of(Choice(threshold, escapes(defects, threshold)))


def _seen_of(choice: Choice, **asked: Any) -> SeenDefects:
    seen = choice.escapes
    return SeenDefects(n=seen.n, missed=seen.missed, missed_low=seen.low, missed_high=seen.high, **asked)


def _reviewing(
    current: Decision, calibration: Calibration, policy: Policy, threshold: float
) -> tuple[float, float | None]:
    """Threshold of the review band, and the rate it was asked by; the threshold of rejects where nothing is reviewed.

    Raises:
        UsageError: the review threshold is above that of rejects, or the calibration cannot promise the rate.
    """
    reviews, rate = current.review_threshold, current.review_rate
    if policy.review_threshold is not None:
        reviews, rate = policy.review_threshold, None
        if reviews > threshold:
            raise UsageError(
                f"A review threshold of {reviews:g} is above that of rejects, {threshold:g}: give a lower one."
            )
    elif policy.review_rate is not None:
        rate = policy.review_rate
        reviews = calibration.threshold(rate) if rate else threshold
    elif current.review_threshold == current.threshold:
        reviews = threshold  # nothing was reviewed, and nobody asks for it
    return (reviews, rate) if reviews < threshold else (threshold, None)
