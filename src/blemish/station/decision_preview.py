"""A decision that is not in effect yet: what it becomes, what its thresholds mean, what the past would have been."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Any

import numpy as np
import numpy.typing as npt

from blemish.core.conformal import Calibration
from blemish.core.known_defects import Escapes, escapes
from blemish.line.decision import Decision
from blemish.line.manifest import Manifest
from blemish.line.pixel_policy import PixelPolicy, decided_whole
from blemish.line.policy import Policy
from blemish.station.decision_history import CorrectedParts, CorrectedScores, DecisionHistory, Preview
from blemish.station.region_preview import RegionPreview, region_preview


@dataclass(frozen=True)
class Seen:
    """What a threshold means for good parts, and for those that people have corrected.

    Attributes:
        rate: share of good parts to be rejected; None of a threshold that is given.
        threshold: where rejecting begins; None where the calibration cannot promise the rate.
        more_needed: good photographs that are missing for the rate; 0 where none are.
        expected, at_most: share of unseen good parts that is rejected, the latter with 95 % confidence.
        known: known defects that it misses; None where none are known, or there is no threshold.
        false_rejects: parts found good that it rejects; None where there is no threshold.
    """

    rate: float | None
    threshold: float | None
    more_needed: int = 0
    expected: float | None = None
    at_most: float | None = None
    known: Escapes | None = None
    false_rejects: int | None = None

    def to_json(self) -> dict[str, Any]:
        """All of it as JSON-ready values."""
        known = self.known
        return {
            name: value for name, value in vars(self).items() if name not in ("known", "false_rejects")
        } | {
            "missed": known and known.missed,
            "missed_low": known and known.low,
            "missed_high": known and known.high,
            "false_rejects": self.false_rejects,
        }


@dataclass(frozen=True)
class Previewed:
    """A decision that is not in effect yet, and what it would do.

    Attributes:
        decision: what was asked for has become.
        history: what it would have made of the past.
        rejects, reviews: what its thresholds mean; the latter None where nothing is reviewed.
        regions: what it would have made of regions of the past; None where nothing is asked of them.
        elsewhere: what becomes of known defects that no person at the station has found; None where there are none.
    """

    decision: Decision
    history: Preview
    rejects: Seen
    reviews: Seen | None
    regions: RegionPreview | None = None
    elsewhere: CorrectedParts | None = None

    def to_json(self) -> dict[str, Any]:
        """All of it as JSON-ready values, as the API gives it."""
        history, tail = self.history, self.decision.tail
        return {
            "decision": self.decision.model_dump(mode="json"),
            "rejects": self.rejects.to_json(),
            "reviews": self.reviews and self.reviews.to_json(),
            "model": tail and tail.sentence(),
            "n": history.n,
            "turns": [_document(turn) for turn in history.turns],
            "changed": history.changed,
            "changed_ids": list(history.changed_ids),
            "newest_changed": [_document(one) for one in history.newest],
            "known_good": dict(vars(history.good)),
            "known_defects": dict(vars(history.bad)),
            "defects_elsewhere": self.elsewhere and dict(vars(self.elsewhere)),
            "regions": self.regions and self.regions.to_json(),
        }


def previewed(
    history: DecisionHistory,
    manifest: Manifest,
    calibration: Calibration,
    maxima: Calibration | None,
    corrected: CorrectedScores,
    policy: Policy,
    of_regions: PixelPolicy,
    last: int,
    decided_by: Callable[[int], Decision | None],
) -> Previewed:
    """What a policy becomes, and what it would have made of the past; the decision in effect where it asks for nothing.

    Args:
        history: of versions that score alike.
        manifest, calibration, maxima: of the inspector, as `blemish.line.pixel_policy.decided_whole` takes them.
        corrected: known defects and good parts, which the policy and its thresholds are seen by.
        policy, of_regions: what is asked for.
        last: how many of the latest inspections.
        decided_by: the decision of a version; None where nobody knows it.

    Raises:
        UsageError: the policy or the number of inspections is not possible.
    """
    decision = manifest.decision
    if policy.asked or of_regions.asked:
        scores = known_scores(corrected)
        decision = decided_whole(manifest, calibration, policy, of_regions, maxima, scores).decision
    regions = None
    if of_regions.asked:
        by_peak = manifest.detector.score_is_maximum
        regions = region_preview(history.regions(decision, last), decision, decided_by, by_peak)
    seen_by = both_seen(decision, calibration, corrected)
    elsewhere = _parts_of(corrected.elsewhere, manifest.decision, decision) if corrected.elsewhere else None
    return Previewed(decision, history.preview(decision, last), *seen_by, regions, elsewhere)


def _parts_of(scores: tuple[float, ...], before: Decision, after: Decision) -> CorrectedParts:
    """What two decisions make of known defects, by their scores."""
    found = np.asarray(scores, np.float64)
    rejected = (int(np.count_nonzero(found > one.threshold)) for one in (before, after))
    passed = (int(np.count_nonzero(found <= one.review_threshold)) for one in (before, after))
    return CorrectedParts(len(scores), *rejected, *passed)


def _document(value: object) -> dict[str, Any]:
    return {name: str(one) if isinstance(one, StrEnum) else one for name, one in vars(value).items()}


def known_scores(corrected: CorrectedScores) -> npt.NDArray[np.float32] | None:
    """Scores of known defects as a policy takes them: networks give float32, so nothing is lost."""
    return corrected.bad.astype(np.float32) if len(corrected.bad) else None


def seen_at(rate: float, calibration: Calibration, corrected: CorrectedScores) -> Seen:
    """What the threshold of a rate means."""
    missing = calibration.needed(rate) - calibration.n
    if missing > 0:
        return Seen(rate, None, missing)
    return seen(calibration.threshold(rate), rate, calibration, corrected)


def both_seen(
    decision: Decision, calibration: Calibration, corrected: CorrectedScores
) -> tuple[Seen, Seen | None]:
    """What the thresholds of a decision mean; a share that a model expects is that of the decision."""
    rejects = replace(
        seen(decision.threshold, decision.false_reject_rate, calibration, corrected),
        expected=decision.expected,
        at_most=decision.at_most,
    )
    if decision.review_threshold == decision.threshold:
        return rejects, None
    return rejects, seen(decision.review_threshold, decision.review_rate, calibration, corrected)


def seen(threshold: float, rate: float | None, calibration: Calibration, corrected: CorrectedScores) -> Seen:
    """What a threshold means."""
    promise = calibration.promise(threshold)
    return Seen(
        rate,
        threshold,
        expected=promise.expected,
        at_most=promise.at_most,
        known=escapes(corrected.bad, threshold) if len(corrected.bad) else None,
        false_rejects=int(np.count_nonzero(corrected.good > threshold)),
    )
