"""Which detectors are compared: labels as a user writes them, and the parameters they mean."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from blemish.core.errors import UsageError
from blemish.detectors.base import Detector
from blemish.detectors.registry import create_detector, detector_info, quick_parameters, split_label


@dataclass(frozen=True)
class Candidate:
    """One detector of a comparison: a column of its charts, a row of its tables.

    Attributes:
        label: as the user wrote it, `NAME` or `NAME:PRESET`.
        name: the detector.
        preset: named set of its parameters, or None.
        parameters: what is set besides.
    """

    label: str
    name: str
    preset: str | None
    parameters: dict[str, Any]

    def detector(self, seed: int) -> Detector:
        """A new unfitted detector."""
        return create_detector(self.name, self.preset, **self.parameters, seed=seed)


def open_candidates(
    labels: Sequence[str], *, size: int | None = None, bit_depth: int = 16, quick: bool = False
) -> list[Candidate]:
    """Candidates from labels such as `patchcore` or `patchcore:quick`.

    Args:
        labels: in the order of the tables.
        size: input size of all; each detector's own when None.
        bit_depth: bits that 16-bit photographs really use.
        quick: small runs: the preset `quick` where there is one and none is named, 128 px unless `size` says
            otherwise, and at most 5 epochs.

    Raises:
        UsageError: a detector or preset does not exist, two labels mean the same, or there is none.
    """
    if not labels:
        raise UsageError("There is no detector to compare: name some with --detectors, as patchcore,cae.")
    if len(set(labels)) < len(labels):
        twice = next(label for label in labels if list(labels).count(label) > 1)
        raise UsageError(f"The detector {twice} is named twice in --detectors: name it once.")
    candidates = [_candidate(label, size, bit_depth, quick) for label in labels]
    for place, candidate in enumerate(candidates):
        for other in candidates[:place]:
            same = (
                candidate.name == other.name
                and candidate.detector(0).get_params() == other.detector(0).get_params()
            )
            if same:
                raise UsageError(
                    f"{other.label} and {candidate.label} are the same detector with these options: name one of them."
                )
    return candidates


def _candidate(label: str, size: int | None, bit_depth: int, quick: bool) -> Candidate:
    name, preset = split_label(label)
    info = detector_info(name)
    chosen = preset or ("quick" if quick and "quick" in info.presets else None)
    parameters: dict[str, Any] = {"bit_depth": bit_depth}
    if quick:
        parameters |= quick_parameters(name, chosen)
    if size is not None:
        parameters["size"] = size
    candidate = Candidate(label, name, chosen, parameters)
    candidate.detector(0)  # says now what cannot be meant
    return candidate
