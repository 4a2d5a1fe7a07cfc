"""Cells on disk: what one detector reached on one category, found again by what it depends on."""

from __future__ import annotations

import hashlib
import io
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from blemish import __version__
from blemish.core.storage import file_digest, write_bytes, write_json
from blemish.experiments.benchmark.choices import Choice

FORMAT = 2
CELL, ARRAYS, INSPECTOR, TRAINING = "cell.json", "arrays.npz", "inspector.blemish", "training"

Arrays = dict[str, npt.NDArray[Any]]


@dataclass(frozen=True)
class Cell:
    """One detector on one category with one seed.

    Attributes:
        choice, category, seed: which.
        parameters: all parameters of the detector, JSON-ready.
        key: SHA-256 over everything that the result depends on.
        folder: where it is kept.
    """

    choice: Choice
    category: str
    seed: int
    parameters: dict[str, Any]
    key: str
    folder: Path

    @property
    def inspector(self) -> Path:
        """The inspector that the cell fits."""
        return self.folder / INSPECTOR

    @property
    def training(self) -> Path:
        """Where a training that is under way may keep its checkpoints."""
        return self.folder / TRAINING


@dataclass(frozen=True)
class CellResult:
    """What came of a cell.

    Attributes:
        cell: which.
        error: the sentence that says why it failed; empty if it did not.
        metrics: figures that are the same at every repetition.
        timings: figures that are not.
        unreadable: photographs that were left out, each with path and detail.
        shown: the gallery's images: name, score and whether rejected.
        timed: photographs to time the inspector with.
        arrays: `scores` (float64) and `labels` (bool) of the test images, and the pictures of the gallery, the bytes of
            JPEG files by `heatmap_N` and `segmentation_N`.
    """

    cell: Cell
    error: str = ""
    metrics: dict[str, Any] = field(default_factory=dict)
    timings: dict[str, Any] = field(default_factory=dict)
    unreadable: list[dict[str, str]] = field(default_factory=list)
    shown: list[dict[str, Any]] = field(default_factory=list)
    timed: list[str] = field(default_factory=list)
    arrays: Arrays = field(default_factory=dict)


def make_cell(choice: Choice, category: str, data_digest: str, seed: int, out: Path) -> Cell:
    """The cell of a detector on a category; its folder lies in `out`."""
    detector = choice.detector(seed)
    parameters = json.loads(json.dumps(detector.parameters(), default=str))
    depends_on = {
        "format": FORMAT,
        "blemish": __version__,
        "detector": choice.name,
        "parameters": parameters,
        "files": _files(parameters),
        "category": category,
        "data": data_digest,
    }
    text = json.dumps(depends_on, sort_keys=True)
    key = hashlib.sha256(text.encode("utf-8", "surrogateescape")).hexdigest()
    name = "-".join(re.sub(r"[^A-Za-z0-9_.]+", "_", part)[:40] for part in (category, choice.label))
    folder = out / "cells" / f"{name}-seed{seed}-{key[:12]}"
    return Cell(choice, category, seed, parameters, key, folder)


def write_result(result: CellResult) -> None:
    """Keep a result: its arrays first and its figures last, so that what has figures is complete."""
    if not result.error:
        stream = io.BytesIO()
        np.savez(stream, **result.arrays)  # type: ignore[arg-type]
        write_bytes(result.cell.folder / ARRAYS, stream.getvalue())
    write_figures(result)


def write_figures(result: CellResult) -> None:
    """Keep the figures of a result whose arrays and inspector are there already."""
    cell = result.cell
    document = {
        "key": cell.key,
        "detector": cell.choice.label,
        "parameters": cell.parameters,
        "category": cell.category,
        "seed": cell.seed,
        "error": result.error,
        "metrics": result.metrics,
        "timings": result.timings,
        "unreadable": result.unreadable,
        "shown": result.shown,
        "timed": result.timed,
    }
    if not result.error:
        document["files"] = {name: file_digest(cell.folder / name) for name in (ARRAYS, INSPECTOR)}
    write_json(cell.folder / CELL, document)


def read_result(cell: Cell) -> CellResult | None:
    """The kept result of a cell; None if there is none, it failed, or its files are not those that were written."""
    try:
        document = json.loads((cell.folder / CELL).read_text("utf-8"))
        if document["key"] != cell.key or document["error"]:
            return None
        if any(file_digest(cell.folder / name) != digest for name, digest in document["files"].items()):
            return None
        with np.load(cell.folder / ARRAYS, allow_pickle=False) as stored:
            arrays = {name: stored[name] for name in stored.files}
        kept = {name: document[name] for name in ("metrics", "timings", "unreadable", "shown", "timed")}
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return None
    return CellResult(cell, arrays=arrays, **kept)


def clean(cell: Cell) -> None:
    """Remove what a killed process has left half-written in the cell's folder; checkpoints of a training stay."""
    for path in cell.folder.glob(".*.part"):
        path.unlink(missing_ok=True)


def _files(parameters: Mapping[str, Any]) -> dict[str, str]:
    """Digests of the files that parameters name, as weights: their content counts, not their name."""
    return {
        name: file_digest(Path(value))
        for name, value in sorted(parameters.items())
        if isinstance(value, str) and value and Path(value).is_file()
    }
