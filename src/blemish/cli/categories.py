"""`--category`: which of several categories in a folder a verb works on."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from blemish.core.errors import CatalogError

if TYPE_CHECKING:
    from blemish.data.catalog import Catalog


def open_category(data: Path, category: str | None, default: str | None = None) -> Catalog:
    """The catalog of `data`, or of one of several categories in it.

    Args:
        data: a folder in any layout, or a manifest.
        category: the one asked for; with none, `default` is taken where there are several.
        default: the one that is meant if nobody says otherwise.

    Raises:
        CatalogError: there is no such category, several and none was chosen, or the folder is unusable.
    """
    from blemish.data.catalog import open_catalog, open_catalogs

    catalogs = open_catalogs(data) if category or default else [open_catalog(data)]
    if category is None and len(catalogs) == 1:
        return catalogs[0]
    wanted = category or default
    for catalog in catalogs:
        if catalog.category == wanted:
            return catalog
    names = ", ".join(catalog.category for catalog in catalogs)
    raise CatalogError(f"{data} has no category {wanted!r}: choose with --category of {names}.")
