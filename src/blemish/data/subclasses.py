"""Subclasses: groups of categories, as textures and objects, that tables and means are parted by.

A manifest says its category's in the column `subclass`; for folders `subclasses.toml` says it, in the category's folder
or beside it, a line a subclass::

    "regular texture" = ["carpet", "grid"]
"""

from __future__ import annotations

import tomllib
from functools import lru_cache
from pathlib import Path

from blemish.core.errors import CatalogError

SUBCLASSES_FILE = "subclasses.toml"


def subclass_of(category: str, folder: Path) -> str:
    """The subclass of a category whose folder this is; "" where nobody has given one.

    Raises:
        CatalogError: the file that gives it cannot be used.
    """
    for path in (folder / SUBCLASSES_FILE, folder.parent / SUBCLASSES_FILE):
        if path.is_file():
            return _by_category(path, path.stat().st_mtime_ns).get(category, "")
    return ""


@lru_cache(maxsize=4)
def _by_category(path: Path, moment: int) -> dict[str, str]:
    """Subclass of each category in a file as of a moment."""
    try:
        table = tomllib.loads(path.read_text("utf-8"))
    except (OSError, ValueError) as error:
        raise CatalogError(
            f'{path} cannot be read as TOML ({error}): write a line a subclass, as "textures" = ["carpet", "grid"].'
        ) from error
    found: dict[str, str] = {}
    for subclass, categories in table.items():
        if not isinstance(categories, list) or not all(isinstance(one, str) for one in categories):
            raise CatalogError(
                f'{path}: {subclass} is no list of categories: write it as ["carpet", "grid"].'
            )
        for category in categories:
            if category in found:
                raise CatalogError(
                    f"{path}: {category} is in {found[category]} and in {subclass}: leave it in one of them."
                )
            found[category] = subclass
    return found
