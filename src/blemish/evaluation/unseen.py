"""An inspector is judged by photographs that it has not learnt from, whoever asks."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from blemish.core.cores import available_cores
from blemish.core.errors import CatalogError
from blemish.core.storage import file_digest
from blemish.data.entries import TEST
from blemish.evaluation.evaluate import TIMED, evaluate
from blemish.evaluation.result import Evaluation

if TYPE_CHECKING:
    from blemish.data.catalog import Catalog
    from blemish.line.manifest import Manifest
    from blemish.line.runtime import Inspector


def evaluate_inspector(inspector: Inspector, catalog: Catalog, binned: bool = False) -> Evaluation:
    """Inspect those test photographs of a catalog that the inspector has not learnt from; see `evaluate`.

    As many are inspected at the same time as there are cores.

    Raises:
        CatalogError: there is no such photograph, or none could be read.
    """
    tested, cores = unseen(catalog, inspector), available_cores()
    several = cores > 1 and len(tested.test()) > TIMED
    return evaluate(
        inspector.inspect,
        tested,
        inspector.threshold,
        pixel_threshold=inspector.pixel_threshold,
        map_scale=inspector.map_scale,
        learnt_types=inspector.manifest.detector.types,
        binned=binned,
        side_by_side=inspector.side_by_side(cores).inspect if several else None,
        threads=cores,
    )


def learnt_from(manifest: Manifest) -> frozenset[str]:
    """SHA-256 of all photographs that an inspector has learnt from; of more than 10,000 none is known."""
    supervision = manifest.training.supervision
    labelled = frozenset(supervision.digests if supervision else ())
    return frozenset(manifest.training.digests) | labelled | manifest.corrected_digests


def unseen(catalog: Catalog, inspector: Inspector) -> Catalog:
    """The catalog without the test photographs that the inspector has learnt from, or a calibration rests on.

    Raises:
        CatalogError: nothing is left to test with.
    """
    manifest = inspector.manifest
    supervision = manifest.training.supervision
    learnt = {
        *(supervision.digests if supervision else ()),
        *manifest.calibration.digests,
        *manifest.corrected_digests,
    }
    if not learnt:
        return catalog
    tested = catalog.table["split"] == TEST
    seen = [
        bool(t) and file_digest(Path(p)) in learnt for p, t in zip(catalog.table["path"], tested, strict=True)
    ]
    if sum(seen) == tested.sum():
        raise CatalogError(
            f"{inspector.path} has learnt from all {sum(seen)} test photographs of {catalog.root}, or has its "
            "threshold from them: evaluate it on others."
        )
    return catalog.subset([not was for was in seen])
