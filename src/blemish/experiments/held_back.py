"""Test images are held back until everything is chosen, and then looked at once."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeVar

from blemish.data.catalog import Catalog
from blemish.data.entries import TEST

T = TypeVar("T")


@dataclass(frozen=True)
class HeldBack:
    """The test images of a catalog. `measured_once` is the only way to them in an experiment."""

    _catalog: Catalog

    @property
    def empty(self) -> bool:
        """Whether there are none."""
        return self._catalog.test().empty

    def measured_once(
        self, kept: T | None, measure: Callable[[Catalog], T], keep: Callable[[T], None]
    ) -> tuple[T, bool]:
        """What the test images give, and whether that was measured now.

        Args:
            kept: what was measured before; None if nothing was. Where there is something, no image is looked at.
            measure: called with the whole catalog, test images and all.
            keep: writes what was measured, before anybody sees it.
        """
        if kept is not None:
            return kept, False
        found = measure(self._catalog)
        keep(found)
        return found, True


def hold_back(catalog: Catalog) -> tuple[Catalog, HeldBack]:
    """The catalog without its test images, for all that is chosen, and these, for the one measurement at the end."""
    return catalog.subset((catalog.table["split"] != TEST).to_numpy()), HeldBack(catalog)
