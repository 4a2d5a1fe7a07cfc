"""What a folder of images holds, and what is wrong with it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from blemish.workflows.data_request import DataRequest
from blemish.workflows.fields import Images
from blemish.workflows.request import Outcome

if TYPE_CHECKING:
    from blemish.data.catalog import Catalog, Problem


class CheckRequest(DataRequest):
    """Find what is wrong with images."""

    data: Images


@dataclass(frozen=True)
class CheckResult(Outcome):
    """Each category with its problems."""

    found: tuple[tuple[Catalog, tuple[Problem, ...]], ...]

    @property
    def complete(self) -> bool:
        """Whether nothing is wrong."""
        return not any(problems for _, problems in self.found)

    def to_json(self) -> dict[str, Any]:
        """The result as JSON-ready values."""
        return {"categories": [_document(catalog, problems) for catalog, problems in self.found]}


def check(request: CheckRequest) -> CheckResult:
    """Decode every image and mask once, and list what is wrong.

    Raises:
        CatalogError: the folder cannot be opened at all.
    """
    from blemish.data.catalog import open_catalogs
    from blemish.data.checks import check_catalog

    catalogs = open_catalogs(request.data, request.told, guess=True)
    return CheckResult(tuple((catalog, tuple(check_catalog(catalog))) for catalog in catalogs))


def _document(catalog: Catalog, problems: tuple[Problem, ...]) -> dict[str, Any]:
    return {
        "category": catalog.category,
        "root": str(catalog.root),
        "layout": catalog.layout,
        "reason": catalog.reason,
        "unclear": catalog.unclear,
        "folders": [use.to_json() for use in catalog.uses],
        "litter": [str(path) for path in catalog.litter],
        "left_out": [str(path) for path in catalog.left_out],
        "images": len(catalog),
        "masks": int(catalog.table["mask"].notna().sum()),
        "counts": catalog.counts(),
        "problems": [problem.to_json() for problem in problems],
    }
