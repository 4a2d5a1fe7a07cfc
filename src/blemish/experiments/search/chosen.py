"""The chosen setting of a search on validation and on the test images; what was measured is kept."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from blemish.core.errors import BlemishError
from blemish.core.storage import write_json
from blemish.data.catalog import Catalog
from blemish.data.entries import TEST
from blemish.experiments.final import Final
from blemish.experiments.space import Setting, setting_key
from blemish.experiments.split_catalog import SplitCatalog
from blemish.experiments.validation import MakeDetector, Scores, learning_split, score, validate

FINAL = "final.json"


def measure_chosen(split: SplitCatalog, make: MakeDetector, out: Path, key: str, setting: Setting) -> Final:
    """Score validation and test with the chosen setting, once: what `out` holds of it already is read.

    Args:
        split: a split with folds.
        make: gives the unfitted detector of the setting.
        out: folder that keeps the scores, in `final.json`.
        key: of the search.
        setting: what was chosen.

    Raises:
        BlemishError: fitting or scoring failed, or `out` cannot be read or written.
    """
    path, name = out / FINAL, f"{key}/{setting_key(setting)}"
    kept = _read(path)

    def measure(catalog: Catalog) -> dict[str, Any]:
        validated = validate(make, split.choosing)
        test = None
        if not split.held_back.empty:
            detector = validated.detector
            if detector is None:
                detector = make()
                detector.fit(learning_split(split.choosing, detector))
            test = score(detector, catalog, TEST)
        return {
            "split": split.name,
            "refitted": validated.detector is None,
            "validation": validated.together().to_json(),
            "test": test.to_json() if test else None,
        }

    def keep(found: dict[str, Any]) -> None:
        kept[name] = found
        write_json(path, kept)

    found, _ = split.held_back.measured_once(kept.get(name), measure, keep)
    return Final.judged(
        validation=Scores.from_json(found["validation"]),
        test=Scores.from_json(found["test"]) if found["test"] else None,
        split=split.name,
        refitted=bool(found["refitted"]),
        measured=sum(one["split"] == split.name for one in kept.values()),
    )


def _read(path: Path) -> dict[str, Any]:
    """What was measured in this folder. Where it cannot be told, nothing more may be: a setting would go uncounted."""
    try:
        kept = json.loads(path.read_text("utf-8"))
    except FileNotFoundError:
        return {}
    except (OSError, ValueError) as error:
        raise BlemishError(f"{path} cannot be read: remove it, or choose another --out.") from error
    if not isinstance(kept, dict):
        raise BlemishError(f"{path} is not what a search wrote: remove it, or choose another --out.")
    return kept
