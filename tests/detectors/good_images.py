"""Catalogs of few good photographs."""

from __future__ import annotations

import numpy as np

from blemish.data.catalog import Catalog


def first_good(catalog: Catalog, count: int) -> Catalog:
    """The first good training images alone."""
    return catalog.subset(np.flatnonzero(catalog.table["split"] == "train")[:count])
