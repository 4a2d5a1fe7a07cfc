"""Reading a category once for all detectors of a comparison."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from blemish.core.errors import BlemishError
from blemish.core.storage import write_json
from blemish.detectors.base import Detector
from blemish.detectors.frozen import BackboneDetector
from blemish.experiments.benchmark.compared import ComparedCategory
from blemish.features.extraction import FeatureExtractor
from blemish.features.together import Together, identities, read_together, union_extractors
from blemish.view.preprocessing import Preprocessing

READING = "reading.json"


def read_category(
    data: ComparedCategory, detectors: Sequence[Detector], out: Path
) -> tuple[Together, list[float | None]]:
    """Fill the caches with all that the detectors want of a category, decoding each photograph once.

    Where the features of a detector are in the cache from an earlier run of this comparison, its time is remembered.

    Args:
        data: the category.
        detectors: unfitted; one whose parameters cannot be meant is passed over, it will say so itself.
        out: folder of the comparison.

    Returns:
        What was found, and for each detector the seconds that its backbone takes for a photograph (None: unknown, or no
        backbone).
    """
    extractors: dict[int, FeatureExtractor] = {}
    contracts: list[Preprocessing] = []
    for position, detector in enumerate(detectors):
        try:
            if detector.row_features is not None:
                contracts += [one for one in detector.reads().contracts if one not in contracts]
            elif isinstance(detector, BackboneDetector):
                extractors[position] = detector.extractor()
            elif (contract := detector.preprocessing()) not in contracts:
                contracts.append(contract)
        except BlemishError:
            continue
    places = list(extractors)
    wanted = list(extractors.values())
    widened = _widened(detectors, extractors)
    serving = union_extractors([*widened, *wanted])
    paths = [Path(path) for path in data.catalog.table["path"]]
    found = read_together(
        paths,
        [server for server, _ in serving],
        contracts,
        data.bit_depth,
        description=f"Reading {data.name} for all detectors",
    )
    seconds: dict[int, float | None] = {}
    for (_, served), measured in zip(serving, found.seconds, strict=True):
        for position in served:
            if position >= len(widened):
                seconds[places[position - len(widened)]] = measured
    remembered = _remembered(out, {place: _name(extractors[place]) for place in places}, seconds)
    return found, [remembered.get(position) for position in range(len(detectors))]


def _widened(
    detectors: Sequence[Detector], extractors: dict[int, FeatureExtractor]
) -> list[FeatureExtractor]:
    """For detectors of one network and preprocessing, an extractor with the union of their taps."""
    groups: dict[str, list[int]] = {}
    for position, extractor in extractors.items():
        detector = detectors[position]
        assert isinstance(detector, BackboneDetector)
        key = (extractor.backbone.name, detector.weights, extractor.contract.model_dump_json())
        groups.setdefault(json.dumps(key), []).append(position)
    widened = []
    for positions in groups.values():
        taps = sorted({tap for position in positions for tap in extractors[position].backbone.taps})
        if any(len(extractors[position].backbone.taps) == len(taps) for position in positions):
            continue
        first = detectors[positions[0]]
        try:
            candidate: Any = type(first)(**{**first.get_params(), "taps": tuple(taps)})
            union: FeatureExtractor = candidate.extractor()
        except (BlemishError, TypeError):
            continue
        # Random weights differ with the cut: then each network has to be run by itself.
        if all(identities(extractors[position]) <= identities(union) for position in positions):
            widened.append(union)
    return widened


def _name(extractor: FeatureExtractor) -> str:
    """What the time of an extractor depends on, as a name."""
    return hashlib.sha256("\n".join(sorted(map(str, identities(extractor)))).encode()).hexdigest()[:16]


def _remembered(
    out: Path, names: dict[int, str], seconds: dict[int, float | None]
) -> dict[int, float | None]:
    """The times measured now, and for the others those of earlier runs; all are kept in `out`."""
    path = out / READING
    try:
        known = {str(name): float(value) for name, value in json.loads(path.read_text("utf-8")).items()}
    except (OSError, ValueError, TypeError, AttributeError):
        known = {}
    known |= {names[place]: value for place, value in seconds.items() if value is not None}
    if known:
        write_json(path, dict(sorted(known.items())))
    return {place: known.get(name) for place, name in names.items()}
