"""Results of `blemish inspect`: one for each photograph, as JSON and as a table."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np

from blemish.core.image_files import RESULTS, TABLE
from blemish.core.spreadsheet import safe_cell
from blemish.core.storage import atomic_file
from blemish.core.types import Verdict
from blemish.line.inspection import Inspection
from blemish.line.photographs import LEFT_OUT

_COLUMNS = ("path", "verdict", "score", "threshold", "p_value", "regions", "overlay", "error", "kind")
_FURTHER = {"types": ("type", "type_probability"), "mask_probability": ("mask_probability",)}
METADATA = ("serial_number", "batch", "shift", "camera")
"""What may be known of a part, by its key."""

_FURTHER |= {name: (name,) for name in METADATA}
_FURTHER |= {"part_count": ("part_count",), "reason": ("reason",), "why": ("why",)}
"""Columns where a result has more to tell; they follow the others, which keep their places."""

_OF_LARGEST = {"largest_region": "area", "largest_region_mm2": "square_millimetres"}
"""Columns of a largest region, where one is known, by what is measured of it."""


NO_OVERLAY, NO_EXPLANATION, FAILED = "no-overlay", "no-explanation", "failed"
"""Kinds of errors besides those of photographs: the overlay, or the picture of an explanation, could not be written;
nobody expected it."""

_NO_MAP = np.empty((0, 0), np.float32)


@dataclass(frozen=True)
class Result:
    """What came of one photograph: an inspection, or the sentence and the kind of its error.

    Attributes:
        path: the photograph.
        inspection: without its map; None if it could not be inspected, or was by an earlier run.
        overlay: the overlay that was written, if any.
        error: why it could not be inspected; `kind` is one of `blemish.core.images.IMAGE_PROBLEM_KINDS`, "left-out"
            for a file that is no photograph, or "failed". With an inspection: why there is no overlay, "no-overlay", or
            no explanation, "no-explanation".
        earlier: the result as JSON-ready values, where it is of an earlier run.
        why: the explanation as JSON-ready values, with the path of its `picture` where that was written; None where
            none was asked for, or the part passed.
        part: what is known of the part, by the names of `METADATA`.
    """

    path: Path
    inspection: Inspection | None = None
    overlay: Path | None = None
    error: str = ""
    kind: str = ""
    earlier: dict[str, Any] | None = None
    why: dict[str, Any] | None = None
    part: dict[str, str] = field(default_factory=dict)

    @classmethod
    def of(cls, path: Path, inspection: Inspection, overlay: Path | None = None, error: str = "") -> Result:
        """The result of an inspection, whose overlay may have failed with a sentence.

        Its map and photograph are let go, as there may be a million results.
        """
        light = replace(inspection, anomaly_map=_NO_MAP, photograph=None, counted=None)
        return cls(path, light, overlay, error, NO_OVERLAY if error else "")

    def of_part(self, part: dict[str, str]) -> Result:
        """The same with what is known of the part."""
        return replace(self, part=part) if part else self

    def explained(self, why: dict[str, Any]) -> Result:
        """The same with its explanation."""
        return replace(self, why=why)

    def unexplained(self, error: str) -> Result:
        """The same, whose explanation has failed with a sentence; that of a missing overlay comes first."""
        return self if self.error else replace(self, error=error, kind=NO_EXPLANATION)

    @property
    def left_out(self) -> bool:
        """Whether the file is no photograph, and was not looked at further."""
        return self.kind == LEFT_OUT

    @property
    def verdict(self) -> Verdict | None:
        """The verdict; None if it could not be inspected."""
        if self.earlier is not None:
            return Verdict(self.earlier["verdict"])
        return self.inspection.verdict if self.inspection else None

    def to_json(self) -> dict[str, Any]:
        """The result as JSON-ready values."""
        document = {"path": str(self.path), **self.part, **(self.earlier or {})}
        if self.inspection is not None:
            document |= self.inspection.to_json()
        document |= {"overlay": str(self.overlay)} if self.overlay else {}
        document |= {"why": self.why} if self.why else {}
        return document | ({"error": self.error, "kind": self.kind} if self.error else {})


def write_results(folder: Path, results: Sequence[Result]) -> None:
    """Write `results.json` (as `--json` prints) and `results.csv` (a row each) into `folder`, atomically.

    One after another, as a million results are too many to hold as text.

    Raises:
        BlemishError: one of them cannot be written.
    """
    with atomic_file(folder / RESULTS) as stream:
        for piece in _json_pieces(results):
            stream.write(piece.encode("ascii"))
    with atomic_file(folder / TABLE) as stream:
        # The names of files are bytes, and need not be text.
        text = io.TextIOWrapper(stream, "utf-8", errors="surrogateescape", newline="")
        _write_table(text, results)
        text.detach()


def _json_pieces(results: Sequence[Result]) -> Iterator[str]:
    """The list of results as `json.dumps` with an indent of 2 writes it, and a line end."""
    before = "[\n  "
    for result in results:
        yield before + json.dumps(result.to_json(), indent=2, allow_nan=False).replace("\n", "\n  ")
        before = ",\n  "
    yield "\n]\n" if results else "[]\n"


def _write_table(text: io.TextIOWrapper, results: Sequence[Result]) -> None:
    told = set[str]()
    for result in results:
        document = result.to_json()
        told |= document.keys() & _FURTHER
        told |= {name for name in _OF_LARGEST if _largest(document, name) is not None}
    further = [name for key, names in _FURTHER.items() if key in told for name in names]
    further += [name for name in _OF_LARGEST if name in told]
    writer = csv.DictWriter(text, (*_COLUMNS, *further), restval="", extrasaction="ignore")
    writer.writeheader()
    for result in results:
        document = result.to_json()
        counted = {"regions": len(document["regions"]) if "regions" in document else ""}
        probability = document.get("types", {}).get(document.get("type"), "")
        largest = {name: _largest(document, name) or "" for name in _OF_LARGEST}
        why = document.get("why", {}).get("sentence", "")
        known = {name: safe_cell(document[name]) for name in METADATA if name in document}
        writer.writerow(document | counted | largest | known | {"type_probability": probability, "why": why})


def _largest(document: dict[str, Any], column: str) -> float | None:
    """Of the regions the largest value that a column of `_OF_LARGEST` is of; None where none is known."""
    name = _OF_LARGEST[column]
    return max((one[name] for one in document.get("regions", ()) if one.get(name) is not None), default=None)
