"""Which detectors are compared: labels as a user writes them, with one set of options."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import combinations
from pathlib import Path
from typing import Any

from blemish.core.errors import UsageError
from blemish.detectors.chosen import ChosenDetector, choose_detectors, with_settings

_QUICK = "quick"
_ELSEWHERE = {"seed": "give them with --seeds", "bit_depth": "give it with --bit-depth"}


def open_candidates(
    labels: Sequence[str],
    *,
    size: int | None = None,
    backbone: str | None = None,
    bit_depth: int = 16,
    quick: bool = False,
    settings: Mapping[str, Any] | None = None,
    weights: Mapping[str, Path] | None = None,
) -> list[ChosenDetector]:
    """The detectors of a comparison, from labels such as `patchcore` or `patchcore:quick`.

    Args:
        labels: in the order of the tables.
        size: input size of all; each detector's own when None.
        backbone: of all that have one; each detector's own when None.
        bit_depth: bits that 16-bit photographs really use.
        quick: small runs: the preset `quick` where there is one and none is named, 128 px unless `size` says
            otherwise, and at most 5 epochs.
        settings, weights: see `blemish.detectors.chosen.choose_detectors`.

    Raises:
        UsageError: a detector or preset does not exist, two labels mean the same, or there is none; an option is not
            possible.
    """
    if not labels:
        raise UsageError("There is no detector to compare: name some with --detectors, as patchcore,cae.")
    if len(set(labels)) < len(labels):
        twice = next(label for label in labels if list(labels).count(label) > 1)
        raise UsageError(f"The detector {twice} is named twice in --detectors: name it once.")
    candidates = choose_detectors(
        labels,
        with_settings({"size": size, "backbone": backbone}, settings or {}),
        common={"bit_depth": bit_depth},
        usual_preset=_QUICK if quick else None,
        quick=quick,
        weights=weights,
        elsewhere=_ELSEWHERE,
    )
    for one, other in combinations(candidates, 2):
        if one.name == other.name and one.make().get_params() == other.make().get_params():
            raise UsageError(
                f"{one.label} and {other.label} are the same detector with these options: name one of them."
            )
    return list(candidates)
