"""Which of several categories in a folder is meant, and what a single one is called."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from blemish.core.errors import CatalogError
from blemish.data.catalog import Catalog, open_catalog, open_catalogs
from blemish.data.told import NOTHING_TOLD, Told


def open_category(
    data: Path,
    category: str | None,
    default: str | None = None,
    told: Told = NOTHING_TOLD,
    *,
    guess: bool = False,
) -> Catalog:
    """The catalog of `data`, or of one of several categories in it.

    Args:
        data: a folder in any layout, or a manifest.
        category: of several, the one asked for; where `data` itself is one category, what it is called.
        default: of several, the one that is meant if nobody says otherwise.
        told, guess: see `blemish.data.catalog.open_catalog`.

    Raises:
        CatalogError: there is no such category, several and none was chosen, or the folder is unusable.
        UsageError: `told` groups its photographs as cannot be.
    """
    # The names of the other categories' photographs need not say what belongs together.
    catalog = _chosen(data, category, default, replace(told, group_by=None), guess)
    return catalog.grouped(told.group_by) if told.group_by else catalog


def _chosen(data: Path, category: str | None, default: str | None, told: Told, guess: bool) -> Catalog:
    if category or default:
        catalogs = open_catalogs(data, told, guess=guess)
    else:
        catalogs = [open_catalog(data, told=told, guess=guess)]
    only = catalogs[0] if len(catalogs) == 1 else None
    if only and category is None:
        return only
    wanted = category or default
    for catalog in catalogs:
        if catalog.category == wanted:
            return catalog
    if only and category and (data.is_file() or only.root.samefile(data)):
        return replace(only, category=category)
    names = ", ".join(catalog.category for catalog in catalogs)
    raise CatalogError(f"{data} has no category {wanted!r}: choose with --category of {names}.")
