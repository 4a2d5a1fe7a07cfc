"""`search` and `explore` with `--executor ray`: what one machine finds, found by several."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest

from blemish.cluster.session import cluster
from blemish.cluster.workers import Done, spread

Call = Callable[..., Any]

pytest.importorskip("ray", reason="Ray is not installed: pip install -e '.[scale]'")


@pytest.fixture(scope="module", autouse=True)
def ray() -> Iterator[Any]:
    """A cluster of one node with two workers' room, on the loopback, which the verbs join."""
    with cluster(workers=2) as running:
        yield running


class Doubles:
    """The simplest work."""

    def prepare(self) -> None:
        """Nothing is needed."""

    def answer(self, items: Sequence[int]) -> list[int]:
        return [2 * one for one in items]


def test_items_are_asked_for_when_a_worker_is_free(ray: Any) -> None:
    ray.cloudpickle.register_pickle_by_value(sys.modules[__name__])
    drawn, back = [], []

    def items() -> Iterator[int]:
        for number in range(7):
            drawn.append((number, len(back)))
            yield number

    done: Done[int, int]
    for done in spread(ray, Doubles(), items(), workers=1):
        assert done.answers == [2 * one for one in done.items]
        back.append(done)
    assert drawn == [(number, number) for number in range(7)], (
        "each follows from all that came back before it"
    )
    assert list(spread(ray, Doubles(), iter(()), workers=1)) == []


@pytest.mark.parametrize("method", ["grid", "bayes"])
def test_trials_are_those_of_one_machine(method: str, blemish: Call, washers: Path, tmp_path: Path) -> None:
    space = tmp_path / "space.toml"
    space.write_text("size = [64, 96]\npooling = ['mean', 'extremes']\n")
    asked = ["search", washers, "--detector", "elliptic-envelope", "--space", space, "--method", method]
    asked += ["--trials", 4, "--json"]
    found = {}
    for executor in ("local", "ray"):
        outcome = blemish(*asked, "--out", tmp_path / executor, "--executor", executor)
        assert outcome.status == 0, outcome.stderr
        found[executor] = outcome.document

    def by_setting(document: dict[str, Any]) -> dict[str, Any]:
        return {json.dumps(one["setting"], sort_keys=True): one["auroc"] for one in document["trials"]}

    assert by_setting(found["ray"]) == by_setting(found["local"])
    assert [one["number"] for one in found["ray"]["trials"]] == list(range(len(found["ray"]["trials"])))
    assert found["ray"]["timings"]["measured_now"] == len(found["local"]["trials"])
    again = blemish(*asked, "--out", tmp_path / "ray").document
    assert again["timings"]["measured_now"] == 0, "the trials are kept where a local search looks for them"


def test_what_is_explored_is_the_same(blemish: Call, washers: Path, tmp_path: Path) -> None:
    documents = []
    for executor in ("local", "ray"):
        out = tmp_path / executor
        outcome = blemish(
            "explore", washers, "--out", out, "--backbone", "none", "--json", "--executor", executor
        )
        assert outcome.status == 0, outcome.stderr
        documents.append({**outcome.document, "report": None})
        assert (out / "report.html").stat().st_size > 10_000
    assert documents[0] == documents[1]
    assert (tmp_path / "local" / "images.csv").read_text() == (tmp_path / "ray" / "images.csv").read_text()


def test_a_backbone_embeds_in_every_worker(blemish: Call, washers: Path, tmp_path: Path) -> None:
    outcome = blemish("explore", washers, "--out", tmp_path, "--json", "--executor", "ray", "--workers", 2)
    assert outcome.status == 0, outcome.stderr
    assert "PCA" in (tmp_path / "report.html").read_text()


def test_a_card_or_an_address_without_a_cluster_is_refused(
    blemish: Call, washers: Path, tmp_path: Path
) -> None:
    explored = blemish("explore", washers, "--out", tmp_path, "--address", "auto")
    assert explored.status == 2 and "add --executor ray" in explored.stderr
    searched = blemish("search", washers, "--detector", "knn", "--out", tmp_path, "--address", "auto")
    assert searched.status == 2
    alone = blemish("search", washers, "--detector", "knn", "--out", tmp_path, "--workers", 2)
    assert alone.status == 2 and "--workers is of a Ray cluster" in alone.stderr
