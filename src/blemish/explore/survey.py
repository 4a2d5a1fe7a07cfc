"""The one pass over a category's photographs: each is decoded once, measured, and let go."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt
import pandas as pd

from blemish.core.images import DEFAULT_LIMITS, DecodeLimits
from blemish.core.progress import track
from blemish.core.types import FloatArray
from blemish.data.catalog import Catalog
from blemish.data.checks import CatalogChecks, Row, rows_of
from blemish.data.entries import NORMAL, TRAIN
from blemish.explore.defects import DefectMap, MaskMeasures
from blemish.explore.duplicates import near_duplicates
from blemish.explore.findings import Finding, finding_of
from blemish.explore.looking import Look, Lookers, Seen, Threads
from blemish.explore.mask_agreement import MaskAgreement
from blemish.explore.measures import HISTOGRAM_BINS, Measures
from blemish.explore.outliers import quality_findings
from blemish.explore.statistics import compared_sample
from blemish.explore.thumbnails import Thumbnails

MOST_EMBEDDED = 10_000
"""Photographs of a category that are embedded; of more, these are spread evenly."""

_MAJORITY = 0.8


@dataclass
class ClassHistogram:
    """Red, green and blue histograms of a class, added one by one: their mean and spread, 3 x 64 each."""

    count: int = 0
    total: npt.NDArray[np.float64] = field(default_factory=lambda: np.zeros((3, HISTOGRAM_BINS)))
    squares: npt.NDArray[np.float64] = field(default_factory=lambda: np.zeros((3, HISTOGRAM_BINS)))

    def add(self, values: FloatArray) -> None:
        """Add the histograms of one photograph."""
        self.count += 1
        self.total += values
        self.squares += np.square(values, dtype=np.float64)

    def mean(self) -> npt.NDArray[np.float64]:
        """Mean over the photographs."""
        return self.total / max(self.count, 1)

    def spread(self) -> npt.NDArray[np.float64]:
        """Standard deviation over the photographs."""
        mean = self.mean()
        return np.sqrt(np.maximum(self.squares / max(self.count, 1) - mean**2, 0))


@dataclass
class Survey:
    """What the pass over one category found.

    Attributes:
        catalog: the category.
        table: the catalog's table, with `width`, `height`, `channels`, `bits`, the columns of `Measures` and
            further measures; NaN where a file cannot be read. Index as in the catalog.
        findings: everything to look at, gravest for a file first in the order of the table.
        histograms: by label.
        defects: the masks.
        embedded: index of each embedded photograph.
        vectors: their features averaged over the photograph, float32 len(embedded) x C.
        thumbnails: by index.
    """

    catalog: Catalog
    table: pd.DataFrame
    findings: list[Finding]
    histograms: dict[str, ClassHistogram]
    defects: DefectMap
    embedded: npt.NDArray[np.intp]
    vectors: FloatArray
    thumbnails: Thumbnails


def survey(
    catalog: Catalog,
    thumbnails: Thumbnails,
    lookers: Lookers | None = None,
    handcrafted: bool = False,
    limits: DecodeLimits = DEFAULT_LIMITS,
) -> Survey:
    """Look at every photograph of a category once.

    Memory: a few photographs at a time, and for each about a kilobyte of numbers; pictures go to `thumbnails`.
    A file that cannot be read becomes a finding and never stops the pass.

    Args:
        catalog: the category.
        thumbnails: where small pictures are kept.
        lookers: who looks; where they do not embed there is no map, and exchanged masks are not looked for. None for
            threads that do not.
        handcrafted: whether handcrafted features enter the table, of the photographs in `compared_sample`.
        limits: bytes and pixels allowed.
    """
    lookers = lookers or Threads()
    rows = rows_of(catalog)
    wanted = _spread(len(rows), MOST_EMBEDDED) if lookers.embeds else frozenset()
    compared = compared_sample(catalog.table.reset_index(drop=True)) if handcrafted else frozenset()
    # Good parts to learn from come first: what is unusual is told by them, and a copy is named in the test set.
    order = sorted(range(len(rows)), key=lambda index: not _learnable(rows[index]))
    agreement = MaskAgreement(sum(1 for index in order if index in wanted and _learnable(rows[index])))
    collector = _Collector(catalog, thumbnails, agreement)
    seen = lookers.look(Look(rows, limits, wanted, compared), order)
    for one in track(seen, f"Exploring {catalog.category}", total=len(rows)):
        collector.add(one)
    return collector.finish()


class _Collector:
    """Adds what the threads hand over; everything here runs on one thread, in a fixed order."""

    def __init__(self, catalog: Catalog, thumbnails: Thumbnails, agreement: MaskAgreement) -> None:
        self._catalog = catalog
        self._thumbnails = thumbnails
        self._agreement = agreement
        self._checks = CatalogChecks(catalog)
        self._findings: list[tuple[int, Finding]] = []
        self._rows: dict[int, dict[str, float]] = {}
        self._histograms: dict[str, ClassHistogram] = {}
        self._defects = DefectMap()
        self._masks: dict[bytes, list[tuple[int, Row]]] = {}
        self._digests: dict[int, str] = {}
        self._vectors: dict[int, FloatArray] = {}

    def add(self, seen: Seen) -> None:
        """Add one photograph."""
        row, index = seen.examined.row, seen.index
        self._findings += [(index, finding_of(problem)) for problem in self._checks.add(seen.examined)]
        if seen.measures is None or seen.histograms is None or seen.signature is None:
            return
        examined = seen.examined
        self._rows[index] = {
            "width": examined.width,
            "height": examined.height,
            "channels": examined.channels,
            "bits": examined.bits,
            **seen.measures._asdict(),
            **seen.more,
        }
        self._digests[index] = examined.digest
        self._histograms.setdefault(row.label, ClassHistogram()).add(seen.histograms)
        self._thumbnails.add(index, seen.thumbnail, seen.signature)
        if seen.features is not None:
            self._vectors[index] = seen.features.mean(axis=(1, 2), dtype=np.float32)
            if _learnable(row):
                self._agreement.add_normal(seen.features)
        if seen.mask is not None:
            self._add_mask(index, row, seen.mask, seen.features)

    def _add_mask(self, index: int, row: Row, mask: MaskMeasures, features: FloatArray | None) -> None:
        self._defects.add(row.defect_type, row.path, mask)
        if mask.regions:
            self._masks.setdefault(mask.grid.tobytes(), []).append((index, row))
        if features is not None:
            self._agreement.add_masked(row.path, str(row.mask), features, mask.grid)

    def finish(self) -> Survey:
        """Everything that only shows when all photographs are seen together."""
        table = self._table()
        quality = quality_findings(table)
        index_of = dict(zip(table["path"], table.index.tolist(), strict=True))
        found = self._findings + [(index_of[finding.path], finding) for finding in quality]
        found += self._near_duplicates(table)
        odd = odd_findings(table)
        found += [(index_of[finding.path], finding) for finding in odd]
        found.sort(key=lambda item: item[0])
        whole = [finding_of(problem) for problem in self._checks.whole()]
        if any(finding.kind == "odd-size" for finding in odd):
            whole = [finding for finding in whole if finding.kind != "mixed-sizes"]
        # A blank frame is told as dark, bright or low in contrast, by how it was measured.
        findings = [finding_of(problem) for problem in self._catalog.problems if problem.kind != "blank"]
        findings += [finding for _, finding in found]
        findings += self._same_masks() + self._agreement.exchanged() + whole
        embedded = sorted(self._vectors)
        vectors = np.stack([self._vectors[index] for index in embedded]) if embedded else np.empty((0, 0))
        return Survey(
            self._catalog,
            table,
            findings,
            self._histograms,
            self._defects,
            np.asarray(embedded, np.intp),
            vectors.astype(np.float32),
            self._thumbnails,
        )

    def _table(self) -> pd.DataFrame:
        names = ["width", "height", "channels", "bits", *Measures._fields]
        names += sorted({name for row in self._rows.values() for name in row} - set(names))
        nothing: dict[str, float] = {}
        columns = {
            name: [self._rows.get(index, nothing).get(name, np.nan) for index in range(len(self._catalog))]
            for name in names
        }
        return self._catalog.table.assign(**columns)

    def _near_duplicates(self, table: pd.DataFrame) -> list[tuple[int, Finding]]:
        """The same photograph in other pixels, each file once; exact copies are found by their digests."""
        numbers, found = self._thumbnails.numbers, {}
        paths, splits = table["path"].tolist(), table["split"].tolist()
        for first, second, correlation in near_duplicates(self._thumbnails.signatures()):
            one, other = numbers[first], numbers[second]
            if other in found or self._digests[one] == self._digests[other]:
                continue
            across = splits[one] != splits[other]
            detail = f"it is nearly the same photograph as {paths[one]}"
            detail += (
                f", which is in {splits[one]}: results would flatter; remove one."
                if across
                else "; remove one."
            )
            kind = "near-duplicate-across-splits" if across else "near-duplicate"
            found[other] = Finding(kind, paths[other], detail, value=correlation, other=paths[one])
        return list(found.items())

    def _same_masks(self) -> list[Finding]:
        """One mask for several photographs, though it marks less than half and the photographs differ."""
        findings = []
        for group in self._masks.values():
            first_index, first = group[0]
            for index, row in group[1:]:
                if self._digests[index] == self._digests[first_index]:
                    continue
                detail = f"it is the same mask as {first.mask}, but the photographs differ; draw it again."
                findings.append(Finding("mask-mismatch", str(row.mask), detail, other=first.mask))
        return findings


def odd_findings(table: pd.DataFrame) -> list[Finding]:
    """Photographs whose size, channels or bits differ from those of at least 80 % of the category."""
    readable = table[table["width"].notna()]
    sizes = readable["width"].astype(int).astype(str) + " x " + readable["height"].astype(int).astype(str)
    sentences = {
        "odd-size": (sizes + " pixels", "crop or take it like the others"),
        "odd-channels": (
            readable["channels"].map(lambda count: "colour" if count >= 3 else "grey"),
            "save it like the others",
        ),
        "odd-bit-depth": (
            readable["bits"].map(lambda bits: "16-bit" if bits > 8 else "8-bit"),
            "save it like the others, or their brightness cannot be compared",
        ),
    }
    findings = []
    for kind, (values, way_out) in sentences.items():
        counts = values.value_counts()
        if len(counts) < 2 or counts.iloc[0] < _MAJORITY * len(values):
            continue
        usual = counts.index[0]
        for index, value in values[values != usual].items():
            detail = f"it has {value}, {counts.iloc[0]} of {len(values)} have {usual}: {way_out}."
            if kind != "odd-size":
                detail = f"it is {value}, {counts.iloc[0]} of {len(values)} are {usual}: {way_out}."
            findings.append(Finding(kind, str(readable.loc[index, "path"]), detail))
    return findings


def _learnable(row: Row) -> bool:
    return row.split == TRAIN and row.label == NORMAL


def _spread(count: int, most: int) -> frozenset[int]:
    """At most `most` of `count` numbers, spread evenly."""
    if count <= most:
        return frozenset(range(count))
    return frozenset(np.linspace(0, count - 1, most).round().astype(int).tolist())
