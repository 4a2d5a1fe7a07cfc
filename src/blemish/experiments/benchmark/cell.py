"""Cells of a comparison: what one detector reached on one category with one seed, and how that is kept."""

from __future__ import annotations

import io
import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from blemish import __version__
from blemish.core.storage import file_digest, write_bytes
from blemish.detectors.chosen import ChosenDetector
from blemish.experiments.store import Cell, by_content, cell_folder, file_digests, key_of

FORMAT = 2
CELL, ARRAYS, INSPECTOR, TRAINING = "cell.json", "arrays.npz", "inspector.blemish", "training"

Arrays = dict[str, npt.NDArray[Any]]


@dataclass(frozen=True)
class ComparedCell(Cell):
    """One detector on one category with one seed.

    Attributes:
        candidate, category, seed: which.
        parameters: all parameters of the detector, JSON-ready.
    """

    candidate: ChosenDetector
    category: str
    seed: int
    parameters: dict[str, Any]

    @property
    def title(self) -> str:
        """As messages call it."""
        return f"{self.candidate.label} on {self.category}, seed {self.seed}"

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
        copies: training photographs that were left out, as they show the same pixels as another; path and `same_as`.
        shown: the photographs that the report shows: name, score and whether rejected.
        timed: photographs to time the inspector with.
        arrays: `scores` (float64) and `labels` (bool) of the test images, and the pictures that are shown, the bytes of
            JPEG files by `heatmap_N` and `segmentation_N`.
    """

    cell: ComparedCell
    error: str = ""
    metrics: dict[str, Any] = field(default_factory=dict)
    timings: dict[str, Any] = field(default_factory=dict)
    unreadable: list[dict[str, str]] = field(default_factory=list)
    copies: list[dict[str, str]] = field(default_factory=list)
    shown: list[dict[str, Any]] = field(default_factory=list)
    timed: list[str] = field(default_factory=list)
    arrays: Arrays = field(default_factory=dict)


def make_cell(
    candidate: ChosenDetector, category: str, data_digest: str, seed: int, out: Path
) -> ComparedCell:
    """The cell of a detector on a category; its folder lies in `out`."""
    detector = candidate.make(seed=seed)
    parameters = json.loads(json.dumps(detector.get_params(), default=str))
    key = key_of(
        {
            "format": FORMAT,
            "blemish": __version__,
            "detector": candidate.name,
            "parameters": by_content(detector.key_parameters()),
            "files": file_digests(parameters),
            "category": category,
            "data": data_digest,
        }
    )
    folder = cell_folder(out, key, category, candidate.label, f"seed{seed}")
    return ComparedCell(candidate, category, seed, parameters, key=key, folder=folder)


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
        "detector": cell.candidate.label,
        "parameters": cell.parameters,
        "category": cell.category,
        "seed": cell.seed,
        "error": result.error,
        "metrics": result.metrics,
        "timings": result.timings,
        "unreadable": result.unreadable,
        "copies": result.copies,
        "shown": result.shown,
        "timed": result.timed,
    }
    if not result.error:
        document["files"] = {name: file_digest(cell.folder / name) for name in (ARRAYS, INSPECTOR)}
    cell.keep(CELL, document)


def read_result(cell: ComparedCell) -> CellResult | None:
    """The kept result of a cell; None if there is none, it failed, or its files are not those that were written."""

    def parse(document: dict[str, Any]) -> CellResult | None:
        if document["error"]:
            return None
        if any(file_digest(cell.folder / name) != digest for name, digest in document["files"].items()):
            return None
        with np.load(cell.folder / ARRAYS, allow_pickle=False) as stored:
            arrays = {name: stored[name] for name in stored.files}
        kept = {name: document[name] for name in ("metrics", "timings", "unreadable", "shown", "timed")}
        copies = document.get("copies", [])  # cells of earlier versions know of none
        return CellResult(cell, arrays=arrays, copies=copies, **kept)

    return cell.kept(CELL, parse)


def clean(cell: Cell) -> None:
    """Remove what a killed process has left half-written in the cell's folder; checkpoints of a training stay."""
    for path in cell.folder.glob(".*.part"):
        path.unlink(missing_ok=True)
