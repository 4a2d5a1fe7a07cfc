"""Results of `blemish inspect`: one for each photograph, as JSON and as a table."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from blemish.core.storage import write_bytes, write_text
from blemish.core.types import Verdict
from blemish.line.inspection import Inspection

_COLUMNS = ("path", "verdict", "score", "threshold", "p_value", "regions", "overlay", "error", "kind")
_FURTHER = {"types": ("type", "type_probability"), "mask_probability": ("mask_probability",)}
"""Columns where a result has more to tell; they follow the others, which keep their places."""


@dataclass(frozen=True)
class Result:
    """What came of one photograph: an inspection, or the sentence and the kind of its error.

    Attributes:
        path: the photograph.
        inspection: without its map; None if it could not be inspected.
        overlay: the overlay that was written, if any.
        error: why it could not be inspected; `kind` is one of `blemish.core.images.IMAGE_PROBLEM_KINDS`.
    """

    path: Path
    inspection: Inspection | None = None
    overlay: Path | None = None
    error: str = ""
    kind: str = ""

    @classmethod
    def of(cls, path: Path, inspection: Inspection, overlay: Path | None = None) -> Result:
        """The result of an inspection; its map and photograph are let go, as there may be a million results."""
        light = replace(inspection, anomaly_map=np.empty((0, 0), np.float32), photograph=None)
        return cls(path, light, overlay)

    @property
    def verdict(self) -> Verdict | None:
        """The verdict; None if it could not be inspected."""
        return self.inspection.verdict if self.inspection else None

    def to_json(self) -> dict[str, Any]:
        """The result as JSON-ready values."""
        if self.inspection is None:
            return {"path": str(self.path), "error": self.error, "kind": self.kind}
        document = {"path": str(self.path), **self.inspection.to_json()}
        return document | ({"overlay": str(self.overlay)} if self.overlay else {})


def write_results(folder: Path, results: Sequence[Result]) -> None:
    """Write `results.json` (as `--json` prints) and `results.csv` (a row each) into `folder`, atomically."""
    documents = [result.to_json() for result in results]
    write_text(folder / "results.json", json.dumps(documents, indent=2, allow_nan=False) + "\n")
    table = io.StringIO(newline="")
    told = [names for key, names in _FURTHER.items() if any(key in document for document in documents)]
    columns = (*_COLUMNS, *(name for names in told for name in names))
    writer = csv.DictWriter(table, columns, restval="", extrasaction="ignore")
    writer.writeheader()
    for document in documents:
        counted = {"regions": len(document["regions"]) if "regions" in document else ""}
        probability = document.get("types", {}).get(document.get("type"), "")
        writer.writerow(document | counted | {"type_probability": probability})
    # The names of files are bytes, and need not be text.
    write_bytes(folder / "results.csv", table.getvalue().encode("utf-8", "surrogateescape"))
