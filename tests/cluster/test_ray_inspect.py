"""`inspect --executor ray`: the rows of a local run, whatever dies meanwhile, on a cluster of this machine."""

from __future__ import annotations

import json
import os
import shutil
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from blemish.cluster.session import cluster
from blemish.cluster.workers import Done, spread
from blemish.line.parquet_results import FOLDER
from blemish.workflows.fields import Executor
from blemish.workflows.inspect import InspectRequest, Save, inspect
from blemish.workflows.inspect_on_cluster import inspect_on_cluster

pytest.importorskip("ray", reason="Ray is not installed: pip install -e '.[scale]'")
pq = pytest.importorskip("pyarrow.parquet")


@pytest.fixture(scope="module")
def ray() -> Iterator[Any]:
    """A cluster of one node with two workers' room, on the loopback."""
    with cluster(workers=2) as running:
        yield running


@pytest.fixture(scope="module")
def photographs(washers: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Parts, a text, and a photograph that is none."""
    folder = tmp_path_factory.mktemp("photographs")
    for number, file in enumerate(sorted((washers / "test").rglob("*.png"))):
        shutil.copy(file, folder / f"L7_S{number:02d}_cam.png")
    (folder / "notes.txt").write_text("of the shift")
    (folder / "broken.png").write_bytes(b"\x89PNG\r\n\x1a\n then nothing")
    return folder


def rows(out: Path) -> list[dict[str, Any]]:
    """All results that the Parquet files hold."""
    return [json.loads(one) for one in pq.read_table(out / FOLDER)["result"].to_pylist()]


def by_path(results: list[dict[str, Any]], out: Path) -> dict[str, dict[str, Any]]:
    """Results by photograph, without where their overlays lie; each photograph is in them once."""
    found = {one["path"]: json.loads(json.dumps(one).replace(str(out), "OUT")) for one in results}
    assert len(found) == len(results)
    return found


def asked(fitted: Path, photographs: Path, out: Path, **more: Any) -> InspectRequest:
    return InspectRequest(inspector=fitted, paths=(photographs,), out=out, executor=Executor.RAY, **more)


def same(one: Any, other: Any) -> bool:
    """Whether documents are the same but for the last bits of their numbers: threads add up in another order."""
    if isinstance(one, dict):
        return one.keys() == other.keys() and all(same(one[key], other[key]) for key in one)
    if isinstance(one, list):
        return len(one) == len(other) and all(map(same, one, other))
    return one == (pytest.approx(other, rel=1e-5) if isinstance(one, float) else other)


def test_the_rows_are_those_of_a_local_run(ray: Any, fitted: Path, photographs: Path, tmp_path: Path) -> None:
    template = "{batch}_{serial}_{camera}.png"
    local = InspectRequest(
        inspector=fitted, paths=(photographs,), out=tmp_path / "local", explain=True, file_name=template
    )
    expected = by_path(inspect(local).to_json(), tmp_path / "local")
    found = inspect_on_cluster(asked(fitted, photographs, tmp_path / "ray", explain=True, file_name=template))
    results = by_path(rows(tmp_path / "ray"), tmp_path / "ray")
    assert same(results, expected)
    assert found.total == len(expected) == sum(found.counts.values()) and not found.complete
    pictures = {file.name for file in (tmp_path / "local").iterdir() if file.suffix in (".jpg", ".png")}
    assert pictures == {file.name for file in (tmp_path / "ray").iterdir() if file.is_file()}
    table = pq.read_table(tmp_path / "ray" / FOLDER).to_pylist()
    assert {one["serial_number"] for one in table if one["batch"] == "L7"} == {
        f"S{number:02d}" for number in range(18)
    }


def test_a_second_run_judges_what_is_new_changed_or_failed(
    ray: Any, fitted: Path, photographs: Path, tmp_path: Path
) -> None:
    here = shutil.copytree(photographs, tmp_path / "here")
    out = tmp_path / "out"
    first = inspect_on_cluster(asked(fitted, here, out, save=Save.NONE))
    names = sorted(file for file in here.iterdir() if file.name.startswith("L7"))
    names[0].unlink()
    shutil.copy(names[2], names[1])
    shutil.copy(names[2], here / "new.png")
    again = inspect_on_cluster(asked(fitted, here, out, save=Save.NONE, resume=True))
    assert again.earlier == len(names) - 2  # neither the gone one, nor the changed one
    assert again.total == first.total
    results = by_path(rows(out), out)
    assert set(results) == {str(file) for file in here.iterdir()}
    twin, changed = results[str(names[2])], results[str(names[1])]
    assert changed["score"] == twin["score"] == results[str(here / "new.png")]["score"]
    anew = inspect_on_cluster(asked(fitted, here, out, save=Save.NONE))
    assert anew.earlier == 0 and len(rows(out)) == again.total


class Torches:
    """Says of each item whether this worker has imported torch or pandas; the item "kill" kills it."""

    def prepare(self) -> None:
        from blemish.line.runtime import Inspector  # noqa: F401

    def answer(self, items: Any) -> list[Any]:
        if "kill" in items:
            os._exit(9)
        return [[name for name in ("torch", "pandas") if name in sys.modules] for _ in items]


def test_an_item_that_kills_its_worker_is_lost_alone_and_no_worker_needs_torch(ray: Any) -> None:
    ray.cloudpickle.register_pickle_by_value(sys.modules[__name__])
    items = ["a", "b", "kill", "d", "e"]
    done: list[Done[str, Any]] = list(spread(ray, Torches(), items, chunk=3))
    answers = {
        item: answer
        for one in done
        if one.answers
        for item, answer in zip(one.items, one.answers, strict=True)
    }
    assert answers == {item: [] for item in "abde"}
    assert [one.items for one in done if one.answers is None] == [["kill"]]


def test_the_verb_says_what_is_wrong_in_a_sentence(
    blemish: Callable[..., Any], fitted: Path, photographs: Path, tmp_path: Path
) -> None:
    for arguments, said in (
        (("--executor", "ray"), "--out"),
        (("--address", "auto"), "--executor ray"),
        (("--workers", "2"), "--executor ray"),
    ):
        outcome = blemish("inspect", fitted, photographs, *arguments)
        assert outcome.status == 2 and said in outcome.stderr and "Traceback" not in outcome.stderr
    stored = blemish("inspect", fitted, "s3://archive/parts", "--out", tmp_path / "out")
    assert stored.status == 2 and "--executor ray" in stored.stderr


def test_the_verb_prints_counts_and_where_the_rows_are(
    ray: Any, blemish: Callable[..., Any], fitted: Path, photographs: Path, tmp_path: Path
) -> None:
    words = (
        "inspect",
        fitted,
        photographs,
        "--out",
        tmp_path,
        "--save",
        "none",
        "--executor",
        "ray",
        "--json",
    )
    outcome = blemish(*words)
    assert outcome.status == 1, outcome.stderr
    assert sum(outcome.document["counts"].values()) == outcome.document["photographs"] == 20
    assert len(rows(tmp_path)) == 20 and not list(tmp_path.glob(".shared-*"))
