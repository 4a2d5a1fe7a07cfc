"""What the tests of detectors share: a small catalog of washers, and a few of its test photographs."""

from __future__ import annotations

from pathlib import Path

import pytest

from blemish.data.catalog import Catalog, open_catalog


@pytest.fixture(scope="session")
def catalog(washers: Path) -> Catalog:
    """The small category of washers."""
    return open_catalog(washers)


@pytest.fixture(scope="session")
def tested(catalog: Catalog) -> list[Path]:
    """Good and defective test photographs."""
    return [Path(path) for path in catalog.test()["path"][::4]]
