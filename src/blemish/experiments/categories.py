"""The categories of an experiment, and the digests that tell when their files have changed."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from blemish.core.errors import CatalogError, UsageError
from blemish.data.catalog import Catalog, open_catalogs
from blemish.data.digest import catalog_digest
from blemish.data.told import NOTHING_TOLD, Told


@dataclass(frozen=True)
class Category:
    """One category.

    Attributes:
        catalog: all its photographs.
        digest: SHA-256 over names, labels and contents of all photographs and masks.
    """

    catalog: Catalog
    digest: str

    @property
    def name(self) -> str:
        """The category."""
        return self.catalog.category


def open_categories(roots: Sequence[Path], tested: bool = False, told: Told = NOTHING_TOLD) -> list[Category]:
    """Open every category in `roots`, in order; every file is read once for its digest, none is decoded.

    Args:
        roots: folders of one or several categories.
        tested: whether each must have test photographs.
        told: what the user says that each root is.

    Raises:
        CatalogError: a root cannot be used, or a category has no test photographs and must have some.
        UsageError: two categories have one name.
    """
    catalogs = [catalog for root in roots for catalog in open_catalogs(root, told)]
    by_name: dict[str, Catalog] = {}
    for catalog in catalogs:
        other = by_name.setdefault(catalog.category, catalog)
        if other is not catalog:
            raise UsageError(
                f"{other.root} and {catalog.root} are both the category {catalog.category}: rename one folder."
            )
        if tested and catalog.test().empty:
            raise CatalogError(
                f"{catalog.root} has no test photographs to compare detectors on: add a test folder with good "
                "and defective parts."
            )
    return [Category(catalog, catalog_digest(catalog)) for catalog in catalogs]
