"""The one pass over the photographs to learn from: which can be read, and all that a detector reads of them."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
from pydantic import ValidationError

from blemish.core.errors import CatalogError, ImageError
from blemish.core.images import require_bit_depth
from blemish.core.progress import track
from blemish.core.types import FloatArray
from blemish.data.catalog import Catalog
from blemish.data.copies import counted_once
from blemish.data.entries import ANOMALOUS, TRAIN
from blemish.data.splits import require_defects_to_move, supervised_split
from blemish.detectors.base import Detector
from blemish.features.extraction import FeatureExtractor
from blemish.features.pixels import PixelCache
from blemish.features.together import Measured, Reads, Together, read_together
from blemish.making.calibration_set import (
    NO_CALIBRATION_SET,
    CalibrationSet,
    calibration_set,
    validation_paths,
)
from blemish.making.near_copies import small_contract
from blemish.view.preprocessing import Preprocessing

LABELLED_SHARE = 0.5


@dataclasses.dataclass(frozen=True)
class Readable:
    """The training photographs of a catalog that can be read.

    Attributes:
        catalog: these alone, each content once (see `blemish.data.copies.counted_once`).
        digests: SHA-256 of their files and of their copies', by path.
        skipped: those that cannot be read, each with path, kind and detail.
        copies: those left out as copies, each with path and the one that it shows the same pixels as.
        calibration: good photographs that the layout sets aside; none of them is in the catalog.
        groups: of all photographs, where it was said which belong together.
        measures: of all that can be read, by path, float32 (`blemish.line.photograph_measures`); empty where nobody
            asked.
    """

    catalog: Catalog
    digests: dict[str, str]
    skipped: list[dict[str, str]]
    copies: list[dict[str, str]]
    calibration: CalibrationSet = NO_CALIBRATION_SET
    groups: Mapping[Path, str] = dataclasses.field(default_factory=dict)
    measures: Mapping[Path, FloatArray] = dataclasses.field(default_factory=dict)

    def without(self, paths: Sequence[Path]) -> Readable:
        """The same without some of the photographs, to learn from and to calibrate on."""
        gone = {str(path) for path in paths}
        return dataclasses.replace(
            self,
            catalog=self.catalog.subset([path not in gone for path in self.catalog.table["path"]]),
            digests={path: digest for path, digest in self.digests.items() if path not in gone},
            calibration=self.calibration.without(paths),
        )


def learning_catalog(
    catalog: Catalog,
    detector: Detector,
    labelled_share: float = LABELLED_SHARE,
    known: Mapping[Path, str] | None = None,
) -> Catalog:
    """The catalog that a detector is to learn from, and whose test images are to judge it.

    A detector that needs defects gets a stratified share of the labelled test images, chosen by its seed, where none
    stand among the training images. Any other gets the catalog as it is.

    Args:
        catalog: one category.
        detector: unfitted.
        labelled_share: share of each type's labelled test images.
        known: `pixel_digest` of the photographs that have been decoded already.

    Raises:
        CatalogError: it needs defects, and there are none.
    """
    if not _takes_from_test(catalog, detector):
        return catalog
    return supervised_split(catalog, labelled_share, detector.seed, known)


def read_for_learning(
    catalog: Catalog, detector: Detector, labelled_share: float = LABELLED_SHARE, *, measure: bool = False
) -> Readable:
    """Decode every photograph of the `learning_catalog` once, and keep in the caches all that will be read of it.

    Where `measure` says so, each is measured for `blemish.making.suitability` too.

    Raises:
        UsageError: the detector cannot read at its bit depth, or its backbone at its size.
        CatalogError: no photograph can be read, or there are no defects for a detector that needs them.
    """
    require_bit_depth(detector.bit_depth)
    detector.look_as(detector.plan_view(catalog.train_normal()))
    detector.check_tiles()
    if detector.cuts is not None:
        return _read_parts(catalog, detector, labelled_share, measure)
    table, pixels, wanted = catalog.table, PixelCache(), _reads_of(detector)
    measured = _measured_of(detector) if measure else None
    if detector.calibration == "k-fold" and not catalog.group_by:
        wanted = dataclasses.replace(
            wanted, contracts=(*wanted.contracts, small_contract(detector.bit_depth))
        )
    if not _takes_from_test(catalog, detector):
        paths = [Path(path) for path in table.loc[table["split"] == TRAIN, "path"]]
        paths += validation_paths(catalog)
        reads = _that_fits(wanted, len(paths), pixels)
        together = read_together(
            paths, reads.extractors, reads.contracts, detector.bit_depth, pixels, measured=measured
        )
        return readable_for(catalog, together)
    require_defects_to_move(catalog, labelled_share)
    # Which test photographs are learnt from depends on the pixels of all: networks wait until that is known.
    paths = [Path(path) for path in table["path"]]
    reads = _that_fits(_as_pixels(wanted), len(paths), pixels)
    together = read_together(paths, (), reads.contracts, detector.bit_depth, pixels, measured=measured)
    return readable_for(learning_catalog(catalog, detector, labelled_share, together.contents), together)


def readable_for(catalog: Catalog, together: Together) -> Readable:
    """The training photographs of `catalog` that were readable, and those set aside for the calibration.

    Raises:
        CatalogError: there are some, and none was; or one is labelled good and defective.
    """
    rows, digests, skipped = [], {}, []
    for row in np.flatnonzero(catalog.table["split"] == TRAIN).tolist():
        path = Path(catalog.table["path"].iloc[row])
        if path in together.digests:
            rows.append(row)
            digests[str(path)] = together.digests[path]
        else:
            problem = together.problems[path]
            skipped.append({"path": str(path), "kind": problem.kind, "detail": problem.detail})
    if skipped and not rows:
        raise CatalogError(
            f"None of the {len(skipped)} photographs in {catalog.root} can be read; the first: "
            f"{skipped[0]['path']}: {skipped[0]['detail']}"
        )
    whole = catalog.subset(rows)
    once = counted_once(whole, together.contents)
    left_out = once.problems[len(whole.problems) :]
    copies = [{"path": one.path, "same_as": str(one.other)} for one in left_out]
    set_aside = calibration_set(catalog, together)
    return Readable(once, digests, skipped, copies, set_aside, catalog.groups(), together.measures)


def _read_parts(catalog: Catalog, detector: Detector, labelled_share: float, measure: bool) -> Readable:
    """As `read_for_learning`, where photographs are cut into parts: those that show none are left out too."""
    pixels, takes = PixelCache(), _takes_from_test(catalog, detector)
    if takes:
        require_defects_to_move(catalog, labelled_share)
    table = catalog.table if takes else catalog.table[catalog.table["split"] == TRAIN]
    paths = [*(Path(path) for path in table["path"]), *validation_paths(catalog)]
    measured = _measured_of(detector) if measure else None
    different = list(dict.fromkeys(paths))
    together = read_together(different, (), (), detector.bit_depth, pixels, measured=measured)
    learning = learning_catalog(catalog, detector, labelled_share, together.contents) if takes else catalog
    wanted = {Path(path) for path in learning.table.loc[learning.table["split"] == TRAIN, "path"]}
    wanted |= set(validation_paths(catalog))
    files: list[Path] = []
    for path in track([path for path in together.digests if path in wanted], "Cutting parts out"):
        try:
            files += detector.files_seen([path])
        except ImageError as error:
            together.problems[path] = error
    for path in together.problems:
        together.digests.pop(path, None)
        together.contents.pop(path, None)
    reads = _that_fits(_reads_of(detector), len(files), pixels)
    read_together(files, reads.extractors, reads.contracts, detector.bit_depth, pixels, "Reading parts")
    return readable_for(learning, together)


def _takes_from_test(catalog: Catalog, detector: Detector) -> bool:
    """Whether the detector needs defects that stand among the test photographs only."""
    training = catalog.table[catalog.table["split"] == TRAIN]
    return detector.learns_from_defects() and not (training["label"] == ANOMALOUS).any()


def _reads_of(detector: Detector) -> Reads:
    """What the detector reads; nothing where its size is no size at all, which `fit` will say in its own words."""
    try:
        return detector.reads()
    except ValidationError:
        return Reads()


def _measured_of(detector: Detector) -> Measured | None:
    """What is measured of photographs; nothing where `_reads_of` has nothing."""
    try:
        return Measured(detector.photograph_preprocessing(), detector.row_features is not None)
    except ValidationError:
        return None


def _as_pixels(reads: Reads) -> Reads:
    """The same as pixels alone: an extractor finds its network's input among them."""
    contracts = (*reads.contracts, *(extractor.contract for extractor in reads.extractors))
    return Reads(contracts=tuple(dict.fromkeys(contracts)))


def _that_fits(reads: Reads, images: int, pixels: PixelCache) -> Reads:
    """What the caches can hold of so many photographs: what would be thrown away again is not worth making."""
    return Reads(
        reads.extractors if _bytes_of_features(reads.extractors) * images <= _room(reads.extractors) else (),
        reads.contracts if _bytes_of_pixels(reads.contracts) * images <= pixels.limit_bytes else (),
    )


def _bytes_of_features(extractors: Sequence[FeatureExtractor]) -> int:
    """Of one photograph's feature maps, float32."""
    return 4 * sum(int(np.prod(shape)) for extractor in extractors for shape in extractor.shapes)


def _bytes_of_pixels(contracts: Sequence[Preprocessing]) -> int:
    """Of one photograph's pixels, uint8."""
    return 3 * sum(contract.height * contract.width for contract in contracts)


def _room(extractors: Sequence[FeatureExtractor]) -> int:
    """Most bytes that all their caches keep."""
    return min((extractor.cache.limit_bytes for extractor in extractors), default=0)
