"""Photographs that are judged at the same time: every bit is what one after another gives."""

from __future__ import annotations

import json
import shutil
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest

from blemish.core.ahead import look_ahead
from blemish.data.catalog import open_catalog
from blemish.evaluation import unseen
from blemish.evaluation.evaluate import TIMED
from blemish.line.inspection import Inspection
from blemish.line.runtime import Inspector
from blemish.workflows import inspect as workflow
from blemish.workflows.inspect import InspectRequest, inspect

Cores = Callable[[int], None]


@pytest.fixture
def cores(monkeypatch: pytest.MonkeyPatch) -> Cores:
    """Let the work believe that there are so many."""

    def believe(count: int) -> None:
        monkeypatch.setattr("blemish.core.cores.available_cores", lambda: count)
        monkeypatch.setattr(unseen, "available_cores", lambda: count)

    return believe


def same(one: Inspection, other: Inspection) -> bool:
    same_maps = np.array_equal(one.anomaly_map, other.anomaly_map)
    return same_maps and (one.verdict, one.score, one.p_value, one.regions) == (
        other.verdict, other.score, other.p_value, other.regions,
    )  # fmt: skip


def test_many_threads_at_one_inspector_get_what_each_alone_would(fitted: Path, washers: Path) -> None:
    paths = sorted((washers / "test").rglob("*.png"))
    alone = [Inspector.load(fitted, threads=1).inspect(path) for path in paths]
    for inspector in (
        Inspector.load(fitted, streams=3),
        Inspector.load(fitted).side_by_side(2),
        Inspector.load(fitted),
    ):
        with ThreadPoolExecutor(6) as pool:
            found = list(pool.map(inspector.inspect, paths * 2))
        assert all(same(one, other) for one, other in zip(found, alone * 2, strict=True))


def test_a_folder_gives_the_same_files_in_the_same_order_on_any_number_of_cores(
    fitted: Path, washers: Path, tmp_path: Path, cores: Cores
) -> None:
    photographs = shutil.copytree(washers / "test", tmp_path / "photographs")
    (photographs / "good" / "002.png").write_bytes(b"none")
    documents, files = [], []
    for count in (1, 4):
        cores(count)
        told: list[Path] = []
        request = InspectRequest(inspector=fitted, paths=(photographs,), out=tmp_path / "out")
        result = inspect(request, lambda one, told=told: told.append(one.path))  # type: ignore[misc]
        assert told == [one.path for one in result.results] == sorted(told)
        documents.append(json.dumps(result.to_json()))
        files.append(
            {path.relative_to(tmp_path): path.read_bytes() for path in sorted((tmp_path / "out").rglob("*"))
             if path.is_file()}
        )  # fmt: skip
        shutil.rmtree(tmp_path / "out")
    assert documents[0] == documents[1] and files[0] == files[1]
    assert len(files[0]) == 17 + 3  # overlays, both tables, the journal


def test_as_many_photographs_as_there_are_cores_are_on_their_way_and_no_more(
    fitted: Path, washers: Path, cores: Cores, monkeypatch: pytest.MonkeyPatch
) -> None:
    cores(3)
    judge, turn, now, most = workflow.judged, threading.Lock(), 0, 0

    def judged(*arguments: object) -> object:
        nonlocal now, most
        with turn:
            now += 1
            most = max(most, now)
        time.sleep(0.02)
        try:
            return judge(*arguments)  # type: ignore[arg-type]
        finally:
            with turn:
                now -= 1

    monkeypatch.setattr(workflow, "judged", judged)
    assert inspect(InspectRequest(inspector=fitted, paths=(washers / "test",))).count == 18
    assert most == 3


def test_what_is_ready_waits_within_its_bound() -> None:
    begun: list[int] = []
    coming = look_ahead(lambda number: begun.append(number) or number, range(100), threads=2, waiting=4)
    assert next(coming) == 0
    time.sleep(0.1)
    assert len(begun) <= 5
    assert list(coming) == list(range(1, 100))


def test_an_evaluation_says_the_same_on_any_number_of_cores(
    fitted: Path, washers: Path, tmp_path: Path, cores: Cores
) -> None:
    data = shutil.copytree(washers, tmp_path / "washer")
    (data / "test" / "good" / "000.png").write_bytes(b"none")
    (data / "test" / "stain" / "001.png").write_bytes(b"none")
    inspector, found = Inspector.load(fitted), []
    for count in (1, 4):
        cores(count)
        found.append(unseen.evaluate_inspector(inspector, open_catalog(data)))
    one, several = found
    assert [image.name for image in one.images] == [image.name for image in several.images]
    assert [image.score for image in one.images] == [image.score for image in several.images]
    assert one.failed == several.failed and len(one.failed) == 2
    for image, other in zip(one.images, several.images, strict=True):
        assert np.array_equal(image.anomaly_map, other.anomaly_map) and image.regions == other.regions
    documents = [evaluation.to_json() for evaluation in found]
    for document in documents:
        assert document.pop("latency_ms")["p50"] > 0 and document.pop("decode_ms")["p50"] > 0
    assert documents[0] == documents[1]
    timed = [not np.isnan(image.inspect_ms) for image in several.images]
    assert timed == [True] * TIMED + [False] * (len(timed) - TIMED)
