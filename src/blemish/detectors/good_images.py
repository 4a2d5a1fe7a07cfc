"""The good photographs that a detector learns from."""

from __future__ import annotations

from pathlib import Path

from blemish.core.errors import CatalogError
from blemish.data.catalog import Catalog


def normal_images(catalog: Catalog, fewest: int = 2) -> list[Path]:
    """The catalog's normal training images.

    Raises:
        CatalogError: fewer than `fewest`, or defective images among the training images.
    """
    training = catalog.table[catalog.table["split"] == "train"]
    defective = training[training["label"] == "anomalous"]
    if len(defective):
        raise CatalogError(
            f"{len(defective)} training images of {catalog.root} are labelled defective, the first is "
            f"{defective['path'].iloc[0]}: this detector learns from good parts only; move them to test."
        )
    paths = catalog.train_normal()
    if len(paths) < fewest:
        copies = sum(problem.kind == "duplicate" for problem in catalog.problems)
        different, why = (" different", f" ({copies} more show the same pixels)") if copies else ("", "")
        raise CatalogError(
            f"{catalog.root} has {len(paths)}{different} good training images{why} and at least {fewest} are needed: "
            "photograph more good parts."
        )
    return paths
