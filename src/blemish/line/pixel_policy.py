"""What is asked of the regions, and the decision that it becomes, without learning anew."""

from __future__ import annotations

from datetime import UTC, datetime

from blemish.core.conformal import Calibration
from blemish.core.errors import UsageError
from blemish.core.records import Finite, Record, Text
from blemish.line.manifest import Manifest
from blemish.line.pixel_decision import PixelDecision, Rate, Share, grown_from
from blemish.view.quantities import length_pixels


class PixelPolicy(Record):
    """What is asked of the regions; what is not named stays as it was.

    Attributes:
        rate: share of good parts that may show a region.
        threshold: of the map, by hand.
        hysteresis: where regions stop to grow, as a share of the way from what is usual on good parts to the threshold;
            1 for no growth.
        smallest_region: side of the smallest region that is reported, as "14px" or "0.4mm"; "0px" for all.
        merge_distance: regions that are no farther apart are one, as "10px" or "0.3mm"; "0px" for none.
    """

    rate: Rate | None = None
    threshold: Finite | None = None
    hysteresis: Share | None = None
    smallest_region: Text | None = None
    merge_distance: Text | None = None


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
            maxima, or smaller than they can promise; millimetres without a scale; or no length.
    """
    if not manifest.detector.gives_maps:
        raise UsageError(
            f"{manifest.name} ({manifest.detector.name}) shows no place: it has no regions to decide on."
        )
    if policy == PixelPolicy():
        raise UsageError(
            "Nothing is asked for: give a pixel rate, a hysteresis, a smallest region or a distance to merge by."
        )
    current = manifest.decision
    pixels = changed_pixels(
        current.pixels, policy, manifest.calibration.map_low, maxima, manifest.millimetres
    )
    made = {"version": current.version + 1, "made": datetime.now(UTC), "by": by, "note": note}
    return manifest.decided(current.model_copy(update=made | {"pixels": pixels}))


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
    if policy.hysteresis is not None:
        low = grown_from(threshold, usual, policy.hysteresis)
    else:
        way = 1.0 if before.low is None else (before.low - usual) / (before.threshold - usual)
        low = grown_from(threshold, usual, way)
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
    if policy.rate is not None and policy.threshold is not None:
        raise UsageError(
            f"A pixel rate of {policy.rate:g} and a pixel threshold of {policy.threshold:g} cannot both decide: "
            "give one."
        )
    if policy.threshold is not None:
        expected = None if maxima is None else maxima.promise(policy.threshold).expected
        return policy.threshold, None if expected is None or expected >= 1 else expected
    if policy.rate is None:
        return before.threshold, before.rate
    if maxima is None:
        raise UsageError(
            f"A pixel rate of {policy.rate:g} cannot be promised, as this inspector was made before Blemish kept the "
            "highest map values of good parts: fit it anew, or give a pixel threshold."
        )
    return maxima.threshold(policy.rate), policy.rate


def _length(name: str, asked: str | None, before: float, millimetres: float | None) -> float:
    return before if asked is None else length_pixels(name, asked, millimetres)
