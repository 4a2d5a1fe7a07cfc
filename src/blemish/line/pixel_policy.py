"""What is asked of the regions, and the decision that it becomes, without learning anew."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from pydantic import ValidationError

from blemish.core.conformal import Calibration
from blemish.core.errors import UsageError
from blemish.core.records import Finite, Record, Text
from blemish.core.types import FloatArray
from blemish.line.manifest import Manifest
from blemish.line.pixel_decision import PixelDecision, Rate, Share, grown_from, hysteresis_of
from blemish.line.policy import Policy, decided, one_line
from blemish.view.quantities import length_pixels


class PixelPolicy(Record):
    """What is asked of the regions; what is not named stays as it was.

    Attributes:
        pixel_rate: share of good parts that may show a region.
        pixel_threshold: of the map, by hand.
        hysteresis: where regions stop to grow, as a share of the way from what is usual on good parts to the threshold;
            1 for no growth.
        smallest_region: side of the smallest region that is reported, as "14px" or "0.4mm"; "0px" for all.
        merge_distance: regions that are no farther apart are one, as "10px" or "0.3mm"; "0px" for none.
    """

    pixel_rate: Rate | None = None
    pixel_threshold: Finite | None = None
    hysteresis: Share | None = None
    smallest_region: Text | None = None
    merge_distance: Text | None = None

    @property
    def asked(self) -> bool:
        """Whether anything is asked for."""
        return self != SAME_REGIONS


SAME_REGIONS = PixelPolicy()
"""Nothing is asked for."""


def pixel_policy_of(asked: Mapping[str, Any]) -> PixelPolicy:
    """A policy of values by name.

    Raises:
        UsageError: a value is not possible.
    """
    try:
        return PixelPolicy.model_validate(dict(asked))
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        raise UsageError(
            f"{first['loc'][0]} {first['input']!r} is not possible: {first['msg'].lower()}."
        ) from error


def decided_pixels(
    manifest: Manifest,
    maxima: Calibration | None,
    policy: PixelPolicy,
    *,
    by: str = "local",
    note: str | None = None,
) -> Manifest:
    """The manifest with another decision on regions in effect; thresholds of scores stay, and those before are
    remembered.

    Args:
        manifest: of the inspector.
        maxima: highest map values of good parts, `RegionStatistics.calibration`; None where an older inspector does not
            hold them.
        policy: what is asked for.
        by, note: as of `Decision`.

    Raises:
        UsageError: the detector shows no place; nothing is asked for, or a rate and a threshold at once; a rate without
            maxima, or smaller than they can promise; millimetres without a scale; no length; or `note` is not a line.
    """
    pixels = asked_pixels(manifest, maxima, policy)
    current = manifest.decision
    made = {
        "version": current.version + 1,
        "parent": current.version,
        "restores": None,
        "made": datetime.now(UTC),
        "by": one_line(by, "by"),
        "note": None if note is None else one_line(note, "note"),
    }
    return manifest.decided(current.model_copy(update=made | {"pixels": pixels}))


def decided_whole(
    manifest: Manifest,
    calibration: Calibration,
    policy: Policy,
    of_regions: PixelPolicy,
    maxima: Calibration | None,
    defects: FloatArray | None = None,
    *,
    by: str = "local",
    note: str | None = None,
) -> Manifest:
    """The manifest with one decision more, on scores as `blemish.line.policy.decided` and on regions.

    Args:
        of_regions, maxima: as of `decided_pixels`; the others as of `decided`.

    Raises:
        UsageError: as there, or a decision is to be undone and another made at once.
    """
    if not of_regions.asked:
        return decided(manifest, calibration, policy, defects, by=by, note=note)
    if not policy.asked:
        return decided_pixels(manifest, maxima, of_regions, by=by, note=note)
    if policy.undo:
        raise UsageError("Undoing brings the decision before back as it was: ask for nothing else with it.")
    pixels = asked_pixels(manifest, maxima, of_regions)
    decision = decided(manifest, calibration, policy, defects, by=by, note=note).decision
    return manifest.decided(decision.model_copy(update={"pixels": pixels}))


def asked_pixels(manifest: Manifest, maxima: Calibration | None, policy: PixelPolicy) -> PixelDecision:
    """What the decision of an inspector on regions becomes; arguments and errors as `decided_pixels`."""
    if not manifest.detector.gives_maps:
        raise UsageError(
            f"{manifest.name} ({manifest.detector.name}) shows no place: it has no regions to decide on."
        )
    if not policy.asked:
        raise UsageError(
            "Nothing is asked for: give a pixel rate, a hysteresis, a smallest region or a distance to merge by."
        )
    before, usual = manifest.decision.pixels, manifest.calibration.map_low
    return changed_pixels(before, policy, usual, maxima, manifest.millimetres)


def changed_pixels(
    before: PixelDecision,
    policy: PixelPolicy,
    usual: float,
    maxima: Calibration | None = None,
    millimetres: float | None = None,
) -> PixelDecision:
    """Another decision on regions, without learning anew.

    Args:
        before: the one in effect.
        policy: what is asked.
        usual: map value of a good part's usual pixel, `map_low` of the calibration.
        maxima: highest map values of good parts; None where an older inspector does not hold them.
        millimetres: for each pixel of the photographs; None where nobody said.

    Raises:
        UsageError: a rate and a threshold are asked for at once; a rate, without maxima or smaller than they can
            promise; millimetres, without a scale; or no length.
    """
    threshold, rate = _threshold(before, policy, maxima)
    asked = policy.hysteresis
    low = grown_from(threshold, usual, hysteresis_of(before, usual) if asked is None else asked)
    return PixelDecision(
        threshold=threshold,
        rate=rate,
        low=low,
        smallest_side=_length("smallest_region", policy.smallest_region, before.smallest_side, millimetres),
        merge_distance=_length("merge_distance", policy.merge_distance, before.merge_distance, millimetres),
    )


def _threshold(
    before: PixelDecision, policy: PixelPolicy, maxima: Calibration | None
) -> tuple[float, float | None]:
    """The map's threshold, and the share of good parts that are expected above it."""
    if policy.pixel_rate is not None and policy.pixel_threshold is not None:
        raise UsageError(
            f"A pixel rate of {policy.pixel_rate:g} and a pixel threshold of {policy.pixel_threshold:g} cannot both "
            "decide: give one."
        )
    if policy.pixel_threshold is not None:
        expected = None if maxima is None else maxima.promise(policy.pixel_threshold).expected
        return policy.pixel_threshold, None if expected is None or expected >= 1 else expected
    if policy.pixel_rate is None:
        return before.threshold, before.rate
    if maxima is None:
        raise UsageError(
            f"A pixel rate of {policy.pixel_rate:g} cannot be promised, as this inspector was made before Blemish kept "
            "the highest map values of good parts: fit it anew, or give a pixel threshold."
        )
    return maxima.threshold(policy.pixel_rate), policy.pixel_rate


def _length(name: str, asked: str | None, before: float, millimetres: float | None) -> float:
    return before if asked is None else length_pixels(name, asked, millimetres)
