"""Policies become decisions: only what is asked for changes, nothing is forgotten, and undoing goes back in steps."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from blemish.core.conformal import Calibration
from blemish.core.errors import UsageError
from blemish.core.types import FloatArray
from blemish.line.artifact import array_content, read_artifact, write_artifact
from blemish.line.decision import Decision, PixelDecision, by_rates
from blemish.line.manifest import (
    CalibrationRecord,
    DetectorRecord,
    Manifest,
    ParityRecord,
    TrainingRecord,
)
from blemish.line.policy import Policy, decided, policy_of
from blemish.view.preprocessing import Preprocessing

SCORES = np.sort(np.random.default_rng(0).gamma(4, 1, 320)).astype(np.float32)
CALIBRATION = Calibration(SCORES)
DEFECTS: FloatArray = np.random.default_rng(1).gamma(12, 1, 40)
MADE = {"version", "parent", "restores", "made", "by", "note"}


def manifest_of(calibration: Calibration = CALIBRATION, **rates: float) -> Manifest:
    decision = by_rates(calibration, PixelDecision(threshold=2.5), **rates)
    return Manifest(
        name="screw",
        detector=DetectorRecord(name="patchcore"),
        preprocessing=Preprocessing(height=64, width=64, mean=(127, 127, 127), std=(128, 128, 128)),
        calibration=CalibrationRecord(
            map_low=0.7, map_high=4.3, n_scores=len(calibration.scores), method="k-fold", folds=5
        ),
        decisions=(decision,),
        training=TrainingRecord(
            category="screw", n_images=1, digests=("0" * 64,), seed=7, created=datetime(2025, 3, 4, tzinfo=UTC),
            seconds=1.0,
        ),
        libraries={},
        parity=ParityRecord(n_images=1, max_relative_error=0.0),
    )  # fmt: skip


def after(*policies: Policy, defects: FloatArray | None = DEFECTS) -> Manifest:
    manifest = manifest_of()
    for policy in policies:
        manifest = decided(manifest, CALIBRATION, policy, defects)
    return manifest


def what(decision: Decision) -> dict[str, Any]:
    """All that a decision decides, without when and by whom."""
    return decision.model_dump(exclude=MADE)


def test_a_rate_is_kept_and_what_is_not_asked_for_stays() -> None:
    before = manifest_of().decision
    now = after(Policy(false_reject_rate=0.02)).decision
    assert (now.rule, now.version, now.parent, now.false_reject_rate) == ("rate", 2, 1, 0.02)
    assert now.threshold == CALIBRATION.threshold(0.02)
    promise = CALIBRATION.promise(now.threshold)
    assert (now.expected, now.at_most) == (promise.expected, promise.at_most)
    assert (now.review_threshold, now.review_rate) == (before.review_threshold, before.review_rate)
    assert now.pixels == before.pixels
    reviewed = after(Policy(review_rate=0.1)).decision
    assert (reviewed.threshold, reviewed.false_reject_rate) == (before.threshold, before.false_reject_rate)
    assert reviewed.review_threshold == CALIBRATION.threshold(0.1)
    assert CALIBRATION.p_value(np.nextafter(reviewed.review_threshold, np.inf)) <= 0.1


def test_a_threshold_by_hand_says_what_it_promises() -> None:
    now = after(Policy(threshold=7.25)).decision
    assert (now.rule, now.threshold, now.false_reject_rate) == ("threshold", 7.25, None)
    assert now.expected == pytest.approx((1 + np.count_nonzero(SCORES > 7.25)) / 321)
    below = after(Policy(threshold=-1.0)).decision
    assert (below.expected, below.at_most, below.review_threshold) == (1.0, 1.0, -1.0)


def test_a_review_ends_where_it_is_asked_to() -> None:
    none = after(Policy(review_rate=0)).decision
    assert (none.review_threshold, none.review_rate) == (none.threshold, None)
    still = after(Policy(review_rate=0), Policy(false_reject_rate=0.005)).decision
    assert still.review_threshold == still.threshold  # nobody has asked for a band again
    swallowed = after(Policy(false_reject_rate=0.1)).decision
    assert (swallowed.review_threshold, swallowed.review_rate) == (swallowed.threshold, None)


def test_known_defects_are_counted_at_any_threshold() -> None:
    seen = after(Policy(false_reject_rate=0.02)).decision.seen
    assert seen is not None
    assert (seen.n, seen.missed) == (40, np.count_nonzero(CALIBRATION.threshold(0.02) >= DEFECTS))
    assert seen.missed_low <= seen.missed / 40 <= seen.missed_high
    assert after(Policy(false_reject_rate=0.02), defects=None).decision.seen is None


def test_a_recall_a_cost_and_the_f1_say_what_they_saw() -> None:
    recall = after(Policy(recall=0.95, false_reject_rate=0.01)).decision
    assert recall.rule == "recall"
    assert recall.seen is not None
    assert recall.seen.recall == 0.95
    assert recall.seen.missed <= 2
    assert recall.gave_way is not None
    assert f"{recall.expected:.4f}" in recall.gave_way
    assert recall.expected > 0.01
    cost = after(Policy(cost_missed=50, cost_false_reject=1)).decision
    assert cost.seen is not None
    assert (cost.rule, cost.seen.defective_share) == ("cost", 0.01)
    assert cost.seen.cost == pytest.approx(0.01 * 50 * cost.seen.missed / 40 + 0.99 * cost.expected)
    best = after(Policy(best_f1=True)).decision
    assert best.seen is not None
    assert best.rule == "f1"
    assert best.seen.f1 is not None
    assert best.seen.f1 > 0.8


def test_a_tail_is_marked_as_a_model_and_its_bound_is_none_of_its() -> None:
    now = after(Policy(false_reject_rate=0.001, tail=True)).decision
    assert (now.rule, now.false_reject_rate) == ("tail", 0.001)
    assert 0.001 < now.expected < 0.003, "a tail fitted to so few is exceeded more often than it says"
    assert now.threshold > CALIBRATION.threshold(0.01)
    assert now.tail is not None
    assert 0 < now.tail.goodness <= 1
    assert now.at_most >= CALIBRATION.promise(now.threshold).at_most
    outlier = Calibration(np.append(SCORES[:-1], SCORES[-1] + 50))
    far = decided(manifest_of(outlier), outlier, Policy(false_reject_rate=0.003, tail=True)).decision
    assert far.threshold >= outlier.threshold(outlier.smallest_rate)  # a smaller rate, no lower threshold
    with pytest.raises(UsageError, match=r"cannot promise a rate of 0\.001: .* or 679 more"):
        after(Policy(false_reject_rate=0.001))


def test_two_undos_go_back_two_steps_and_a_change_between_begins_anew() -> None:
    first, second, third = Policy(false_reject_rate=0.02), Policy(threshold=9.0), Policy(best_f1=True)
    undo = Policy(undo=True)
    made = after(first, second, third).decisions
    one, two, three = (after(first, second, third, *[undo] * count) for count in (1, 2, 3))
    assert what(one.decision) == what(made[2])
    assert what(two.decision) == what(made[1])
    assert what(three.decision) == what(made[0])
    assert [decision.restores for decision in three.decisions[4:]] == [3, 2, 1]
    assert [what(decision) for decision in three.decisions[:4]] == [what(decision) for decision in made]
    with pytest.raises(UsageError, match="nothing to undo"):
        decided(three, CALIBRATION, undo)
    again = after(first, second, undo, third, undo)
    assert what(again.decision) == what(made[1])


POLICIES = st.lists(
    st.one_of(
        st.just(Policy(undo=True)),
        st.floats(0.004, 0.3).map(lambda rate: Policy(false_reject_rate=rate)),
        st.floats(-1, 20).map(lambda at: Policy(threshold=at)),
        st.floats(0.05, 1).map(lambda recall: Policy(recall=recall)),
        st.sampled_from([0.0, 0.05, 0.2]).map(lambda rate: Policy(review_rate=rate)),
    ),
    max_size=12,
)


@given(POLICIES)
def test_undo_is_a_stack_and_the_history_only_grows(policies: list[Policy]) -> None:
    manifest = manifest_of()
    stack = [what(manifest.decision)]
    for policy in policies:
        if policy.undo and len(stack) == 1:
            with pytest.raises(UsageError, match="nothing to undo"):
                decided(manifest, CALIBRATION, policy, DEFECTS)
            continue
        changed = decided(manifest, CALIBRATION, policy, DEFECTS)
        assert changed.decisions[:-1] == manifest.decisions
        manifest = changed
        if policy.undo:
            stack.pop()
        else:
            stack.append(what(manifest.decision))
        assert what(manifest.decision) == stack[-1]
        assert manifest.decision.review_threshold <= manifest.decision.threshold
        assert [one.version for one in manifest.decisions] == list(range(1, len(manifest.decisions) + 1))


def test_decisions_survive_the_file(tmp_path: Path) -> None:
    written = after(
        Policy(recall=1.0, false_reject_rate=0.01),
        Policy(false_reject_rate=0.001, tail=True),
        Policy(undo=True),
    )
    write_artifact(tmp_path / "a.blemish", written, {"normal_scores.npy": array_content(SCORES)})
    assert read_artifact(tmp_path / "a.blemish").manifest.decisions == written.decisions


def test_who_and_why_are_one_line() -> None:
    now = decided(
        manifest_of(), CALIBRATION, Policy(threshold=9.0), by="anna", note="glare at night"
    ).decision
    assert (now.by, now.note) == ("anna", "glare at night")
    for said in ({"by": "an\x1bna"}, {"by": ""}, {"note": "x" * 201}):
        with pytest.raises(UsageError, match="must be one line of 1 to 200 characters"):
            decided(manifest_of(), CALIBRATION, Policy(undo=True), **said)


@pytest.mark.parametrize(
    ("asked", "reason"),
    [
        ({}, "Nothing is asked for"),
        ({"tail": True}, "Nothing is asked for"),
        ({"undo": True, "threshold": 3.0}, "ask for nothing else"),
        ({"threshold": 3.0, "recall": 0.5}, "A threshold and recall are two ways"),
        ({"threshold": 3.0, "false_reject_rate": 0.5}, "two ways to one decision"),
        ({"review_threshold": 3.0, "review_rate": 0.5}, "two ways to one band"),
        ({"threshold": 3.0, "review_threshold": 4.0}, "above that of rejects"),
        ({"cost_missed": 50}, "give both"),
        ({"cost_missed": 50, "cost_false_reject": 1, "best_f1": True}, "two ways to one decision"),
        ({"tail": True, "recall": 0.9}, "no recall"),
        ({"defective_share": 0.1, "recall": 0.9}, "weighs costs"),
        ({"review_rate": 0.0001}, "smallest that they can is 0.0032"),
        ({"false_reject_rat": 0.1}, "A policy has no 'false_reject_rat'"),
        ({"false_reject_rate": 1.0}, "false_reject_rate 1.0 is not possible"),
        ({"threshold": float("nan")}, "threshold nan is not possible"),
    ],
)
def test_what_contradicts_itself_is_refused(asked: dict[str, Any], reason: str) -> None:
    with pytest.raises(UsageError, match=reason):
        decided(manifest_of(), CALIBRATION, policy_of(asked), DEFECTS)


@pytest.mark.parametrize("policy", [Policy(recall=0.9), Policy(best_f1=True)])
def test_defects_are_needed_where_they_decide(policy: Policy) -> None:
    for none in (None, np.empty(0)):
        with pytest.raises(UsageError, match="no known defects"):
            decided(manifest_of(), CALIBRATION, policy, none)


def test_groups_count_as_one_each() -> None:
    grouped = Calibration(SCORES, np.arange(320) // 4)
    manifest = manifest_of(grouped)
    with pytest.raises(UsageError, match=r"80 groups of good photographs cannot promise a rate of 0\.01"):
        decided(manifest, grouped, Policy(false_reject_rate=0.01))
    now = decided(manifest, grouped, Policy(recall=0.9), DEFECTS).decision
    assert now.at_most == grouped.promise(now.threshold).at_most
