"""Test images are held back: nothing is chosen on them, and what was measured on them is not measured again."""

from __future__ import annotations

from pathlib import Path

import pytest

from blemish.core.errors import UsageError
from blemish.data.catalog import Catalog, open_catalog
from blemish.experiments.held_back import hold_back
from blemish.workflows.benchmark import BenchmarkRequest, benchmark
from blemish.workflows.search import SearchRequest
from blemish.workflows.study import StudyRequest


def test_what_is_chosen_on_has_no_test_image(washers: Path) -> None:
    catalog = open_catalog(washers)
    choosing, held_back = hold_back(catalog)
    assert choosing.test().empty and choosing.train_normal() == catalog.train_normal()
    assert not held_back.empty and hold_back(choosing)[1].empty


def test_they_are_looked_at_once_and_what_was_found_is_kept_first(washers: Path) -> None:
    catalog = open_catalog(washers)
    _, held_back = hold_back(catalog)
    looked: list[Catalog] = []
    kept: list[int] = []

    def measure(seen: Catalog) -> int:
        looked.append(seen)
        return len(seen.test())

    assert held_back.measured_once(None, measure, kept.append) == (len(catalog.test()), True)
    assert held_back.measured_once(kept[0], measure, kept.append) == (len(catalog.test()), False)
    assert looked == [catalog] and kept == [len(catalog.test())]

    def fail(found: int) -> None:
        raise OSError("the disk is full")

    with pytest.raises(OSError, match="full"):
        held_back.measured_once(None, measure, fail)


def test_a_request_goes_through_json() -> None:
    search = SearchRequest(
        data=Path("a"), detector="knn", out=Path("b"), parameters={"taps": [8, 16]}, trials=3
    )
    study = StudyRequest(data=(Path("a"), Path("b")), out=Path("c"), models=("one-class-svm",))
    for request in (search, study):
        assert type(request).model_validate_json(request.model_dump_json()) == request
    with pytest.raises(ValueError, match="speed"):
        SearchRequest(data=Path("a"), detector="knn", out=Path("b"), speed=9)  # type: ignore[call-arg]


@pytest.mark.parametrize("seeds", [(), (0, 0), (-1,), (2**32,)])
def test_seeds_are_refused_below_the_verb(seeds: tuple[int, ...], washers: Path, tmp_path: Path) -> None:
    request = BenchmarkRequest(data=(washers,), detectors=("cae",), out=tmp_path / "out", seeds=seeds)
    with pytest.raises(UsageError, match="different whole numbers"):
        benchmark(request)
    assert not (tmp_path / "out").exists()
