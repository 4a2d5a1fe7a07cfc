"""The calibration of an inspector made anew: good parts of the line beside those that it was fitted with."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from blemish.core.conformal import Calibration
from blemish.core.types import FloatArray
from blemish.line.artifact import (
    KNOWN_DEFECTS,
    NORMAL_BANK_SCORES,
    NORMAL_GROUPS,
    NORMAL_POOLED,
    NORMAL_SCORES,
    Artifact,
    array_content,
)
from blemish.line.decision import Decision
from blemish.line.good_patches import NORMAL_PATCHES
from blemish.line.manifest import Manifest
from blemish.line.pixel_policy import PixelPolicy, decided_whole
from blemish.line.policy import Policy
from blemish.line.region_statistics import (
    NORMAL_AREAS,
    NORMAL_LEVELS,
    NORMAL_MAXIMA,
    RegionStatistics,
    region_statistics,
)
from blemish.making.corrected_goods import bank_scores
from blemish.making.known_defect_head import KnownDefectHead, learn_head

MOST_GOOD = 10_000
"""Good photographs that a calibration rests on; with so many the smallest rate is a hundredth of a percent."""


@dataclass(frozen=True)
class GoodOfTheLine:
    """What the bank says of a good photograph of the line that it has not seen.

    Attributes:
        score: of the photograph.
        maximum: highest value of its map.
        levels, areas: its curve, see `blemish.line.region_statistics.area_curve`.
        farthest: largest distance of a patch.
        pooled: mean of its farthest patches, float32 K.
    """

    score: float
    maximum: float
    levels: FloatArray
    areas: FloatArray
    farthest: float
    pooled: FloatArray


@dataclass(frozen=True, eq=False)
class CalibratedAnew:
    """A calibration with the line's own good parts in it.

    Attributes:
        calibration: the scores, with the head beside the bank.
        regions: of these photographs; None where an older inspector does not keep them.
        head: of known defects; None where there is none.
        members: the artifact's members that say all this.
    """

    calibration: Calibration
    regions: RegionStatistics | None
    head: KnownDefectHead | None
    members: dict[str, bytes]


def calibrate_anew(artifact: Artifact, found: Sequence[GoodOfTheLine], defects: FloatArray) -> CalibratedAnew:
    """The stored scores of good parts, as they are, and those of the line's good parts.

    The stored ones were scored by a bank that has only grown since, so that they are no lower than they would be now:
    what is promised holds.

    Args:
        artifact: the inspector that is learnt from.
        found: good photographs of the line, each scored as if unseen.
        defects: means of the farthest patches of known defects, M x K.
    """
    stored = artifact.calibration()
    scores = np.append(bank_scores(artifact), [one.score for one in found]).astype(np.float32)
    groups = _groups(stored, len(found))
    pooled, head = _pooled(artifact, found), None
    combined = scores
    if pooled is not None:
        head, combined = learn_head(pooled, scores, defects)
    order = np.argsort(combined, kind="stable")
    ordered_groups = None if groups is None else groups[order]
    calibration = Calibration(combined[order], ordered_groups)
    members = {NORMAL_SCORES: array_content(calibration.scores.astype(np.float32))}
    if head is not None:
        members[NORMAL_BANK_SCORES] = array_content(scores[order])
    if ordered_groups is not None:
        members[NORMAL_GROUPS] = array_content(ordered_groups.astype(np.int32))
    if pooled is not None:
        members[NORMAL_POOLED] = array_content(pooled[order])
    if len(defects):
        members[KNOWN_DEFECTS] = array_content(np.asarray(defects, np.float32))
    if NORMAL_PATCHES in artifact.members:
        farthest = np.append(artifact.array(NORMAL_PATCHES), [one.farthest for one in found])
        members[NORMAL_PATCHES] = array_content(np.sort(farthest.astype(np.float32)))
    regions = _regions(region_statistics(artifact), found, order, ordered_groups)
    if regions is not None:
        members |= {
            NORMAL_MAXIMA: array_content(regions.maxima),
            NORMAL_LEVELS: array_content(regions.levels),
            NORMAL_AREAS: array_content(regions.areas),
        }
    return CalibratedAnew(calibration, regions, head, members)


def decided_anew(manifest: Manifest, anew: CalibratedAnew, by: str, note: str) -> Manifest:
    """The manifest with the policy that was in effect on the new calibration: the same rates, other thresholds.

    A threshold that a person gave, or chose by known defects, stays; what it promises is said anew.
    """
    before = manifest.decision
    asked: dict[str, object] = {"threshold": before.threshold}
    if before.rule in ("rate", "tail") and before.false_reject_rate is not None:
        asked = {"false_reject_rate": before.false_reject_rate, "tail": before.rule == "tail"}
    elif before.rule == "quantile":
        asked = {"false_reject_rate": max(before.expected, anew.calibration.smallest_rate)}
    if before.review_threshold < before.threshold:
        by_rate = before.review_rate is not None
        name = "review_rate" if by_rate else "review_threshold"
        asked[name] = getattr(before, name)
    maxima = None if anew.regions is None else anew.regions.calibration
    by_rate = before.pixels.rate is not None and maxima is not None
    pixels = PixelPolicy(pixel_rate=before.pixels.rate) if by_rate else PixelPolicy()
    policy = Policy.model_validate(asked)
    decided = decided_whole(manifest, anew.calibration, policy, pixels, maxima, by=by, note=note)
    return decided if "threshold" not in asked else _of_the_rule(decided, before)


def _of_the_rule(manifest: Manifest, before: Decision) -> Manifest:
    """A threshold that stays was chosen by the rule that it was chosen by, by what was seen then."""
    kept = {"rule": before.rule, "seen": before.seen, "false_reject_rate": before.false_reject_rate}
    decision = manifest.decision.model_copy(update=kept | {"gave_way": before.gave_way})
    return manifest.model_copy(update={"decisions": (*manifest.decisions[:-1], decision)})


def _groups(stored: Calibration, more: int) -> np.ndarray | None:
    """Groups of all scores, where there are any: each photograph of the line is its own."""
    if stored.groups is None:
        return None
    following = int(stored.groups.max()) + 1
    return np.append(stored.groups, np.arange(following, following + more))


def _pooled(artifact: Artifact, found: Sequence[GoodOfTheLine]) -> FloatArray | None:
    if NORMAL_POOLED not in artifact.members:
        return None
    rows = artifact.array(NORMAL_POOLED)
    if not found:
        return np.asarray(rows, np.float32)
    return np.concatenate([rows, np.stack([one.pooled for one in found])]).astype(np.float32)


def _regions(
    before: RegionStatistics | None,
    found: Sequence[GoodOfTheLine],
    order: np.ndarray,
    groups: np.ndarray | None,
) -> RegionStatistics | None:
    if before is None:
        return None
    if not found:
        whole = before
    else:
        whole = RegionStatistics(
            np.append(before.maxima, np.asarray([one.maximum for one in found], np.float32)),
            np.concatenate([before.levels, np.stack([one.levels for one in found])]),
            np.concatenate([before.areas, np.stack([one.areas for one in found])]),
        )
    return dataclasses.replace(
        whole,
        maxima=np.asarray(whole.maxima[order], np.float32),
        levels=np.asarray(whole.levels[order], np.float32),
        areas=np.asarray(whole.areas[order], np.float32),
        groups=groups,
    )
