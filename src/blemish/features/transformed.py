"""Tables of transformed features: scaled, or reduced to principal components, as the training images alone say."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from blemish.core.errors import CatalogError
from blemish.core.types import FloatArray
from blemish.features.handcrafted import metadata_table
from blemish.features.projection import Arrays, Rows, fit_projection, fit_streamed_projection, project
from blemish.features.rows import StreamedRows, Vectors

if TYPE_CHECKING:
    import pandas as pd

    from blemish.data.catalog import Catalog

FEWEST = 2


@dataclass(frozen=True)
class Transform:
    """How features are transformed.

    Attributes:
        scaling: "standard" (mean 0, deviation 1) or "minmax" (0 to 1).
        components: whether principal components come behind it.
        explained: share of the variance that these explain together, in (0, 1].
        streamed: whether the rows are too long to be held: see `blemish.features.projection.fit_streamed_projection`.
    """

    scaling: str = "standard"
    components: bool = True
    explained: float = 0.95
    streamed: bool = False

    def learnt(self, training: StreamedRows) -> Arrays:
        """Scaling and components of rows of good training images.

        Raises:
            CatalogError: they are all alike.
        """
        if self.streamed and self.components:
            return fit_streamed_projection(training.blocks, self.scaling, self.explained, None)
        exact = np.concatenate(list(training.blocks())).astype(np.float64)
        return fit_projection(exact, self.scaling, self.explained if self.components else 0.0, None)


def transformed_table(catalogs: Sequence[Catalog], vectors: Vectors, transform: Transform) -> pd.DataFrame:
    """Features of all images of some catalogs, transformed as their good training images say, and these alone.

    Images that cannot be read are left out; `table.attrs["skipped"]` lists each with path and detail.

    Args:
        catalogs: one transform is learnt for all of them.
        vectors: turns files into rows of features.
        transform: how.

    Returns:
        The columns `METADATA` of `blemish.features.handcrafted`, and float32 columns: the features by their names, or
        `component_001`, ... `table.attrs["explained"]` lists the share of the variance that each component explains.

    Raises:
        CatalogError: fewer than 2 good training images, or all are alike.
    """
    import pandas as pd

    tables = [metadata_table(one, lambda path: next(vectors.stream([path]))) for one in catalogs]
    skipped = [one for table in tables for one in table.attrs.pop("skipped")]
    table = pd.concat(tables, ignore_index=True)
    rows = StreamedRows(vectors, [Path(path) for path in table["path"]])
    good = np.flatnonzero((table["set_type"] == "train") & (table["anomaly_status"] == "normal"))
    if len(good) < FEWEST:
        raise CatalogError(
            f"{len(good)} good training images are too few to learn a scaling from: give at least {FEWEST}, or leave "
            "out --transform."
        )
    learnt = transform.learnt(rows.take(good.tolist()))
    names = _names(vectors, learnt)
    projected = [_single(project(block.astype(np.float64), learnt)) for block in rows.blocks()]
    joined = pd.concat([table, pd.DataFrame(np.concatenate(projected), columns=names)], axis=1)
    joined.attrs.update(skipped=skipped, explained=learnt["explained"].tolist())
    return joined


def _names(vectors: Vectors, learnt: Arrays) -> list[str]:
    """Names of the columns."""
    kept = len(learnt["components"])
    if not kept:
        return list(vectors.names)
    return [f"component_{number:0{max(3, len(str(kept)))}d}" for number in range(1, kept + 1)]


def _single(rows: Rows) -> FloatArray:
    return rows.astype(np.float32)
