"""A version judges beside the active one: over HTTP, by the command line, in Python, and until it takes over."""

from __future__ import annotations

import itertools
import time
from collections.abc import Callable, Iterator
from itertools import islice
from pathlib import Path
from typing import Any

import httpx
import pytest
from server_clients import assert_problem, inspect, photographs, say

import blemish as bl
from blemish.core.types import ByteArray
from blemish.station.audit import Action
from blemish.station.shadow_report import Ending

SHADOW = "/v1/inspectors/washer/shadow"
_SENT = itertools.count()


def reported(client: httpx.Client, until: Callable[[dict[str, Any]], bool]) -> dict[str, Any]:
    """What the server says of the version beside, once that is so."""
    end = time.monotonic() + 60
    while time.monotonic() < end:
        found: dict[str, Any] = client.get(SHADOW).json()
        if until(found):
            return found
        time.sleep(0.05)
    raise AssertionError(found)


@pytest.fixture(scope="module")
def shelf(served: Callable[..., Any]) -> Iterator[Any]:
    """A server whose `washer` has a second version that rejects nothing that the first one rejects."""
    with served() as server:
        add_lenient(server)
        yield server


@pytest.fixture
def strict(shelf: Any) -> Iterator[Any]:
    """The same, where the first version judges, nothing beside it, and all files are whole."""
    inspectors, second = shelf.service.inspectors, shelf.service.shelf.get("washer", 2).path
    inspectors.activate("washer", 1)
    whole = second.read_bytes()
    yield shelf
    second.write_bytes(whole)
    with shelf.client() as client:
        client.delete(SHADOW)


def add_lenient(server: Any) -> None:
    """Put a version on the shelf whose threshold no part reaches; version 1 goes on judging."""
    inspectors, shelf = server.service.inspectors, server.service.shelf
    server.service.decisions.change("washer", _policy(threshold=1e6), "local")
    assert shelf.active("washer").version == 2
    inspectors.activate("washer", 1)


def _policy(**asked: Any) -> Any:
    from blemish.line.policy import Policy

    return Policy(**asked)


def send(client: httpx.Client, images: list[ByteArray], count: int) -> list[dict[str, Any]]:
    """Inspect so many photographs, each a file that was never sent before, one after another."""
    found = []
    first = next(_SENT)
    for _ in range(count - 1):
        next(_SENT)
    for number, content in enumerate(islice(photographs(images, first + count), first, None)):
        answer = inspect(client, (f"{number:03d}.png", content))
        assert answer.status_code == 200, answer.text
        found += answer.json()["inspections"]
    return found


def test_a_version_judges_beside_and_a_person_decides(
    strict: Any, rejected: list[ByteArray], good: bytes
) -> None:
    with strict.client() as client:
        (before,) = inspect(client, ("before.png", good)).json()["inspections"]
        begun = client.post(SHADOW, json={"version": 2, "parts": 6})
        assert begun.status_code == 201, begun.text
        assert (begun.json()["version"], begun.json()["beside"], begun.json()["n"]) == (2, 1, 0)
        assert_problem(client.post(SHADOW, json={"version": 2}), 409)
        taken_up(strict)
        judged = send(client, rejected, 5)
        (again,) = inspect(client, ("again.png", good)).json()["inspections"]  # a repeat says nothing new
        assert again["repeat_of"] == before["id"]
        report = reported(client, lambda one: one["n"] == 5)
        assert not report["ready"] and report["outcome"] is None and report["passed_over"] == 0
        assert report["met"] == [{"active": "reject", "shadow": "pass", "n": 5, "good": 0, "bad": 0}]
        assert report["rejected_by_active"]["rate"] == 1 and report["rejected_by_shadow"]["rate"] == 0
        low, high = report["rejected_by_shadow"]["interval"]
        assert low == 0 and high == pytest.approx(1 - 0.025 ** (1 / 5))

        say(client, judged[0]["id"], "scratch")
        say(client, judged[1]["id"], "good")
        client.post(f"/v1/inspections/{judged[2]['id']}/void", json={"reason": "a hand in the picture"})
        report = reported(client, lambda one: one["n"] == 4)
        assert report["met"] == [{"active": "reject", "shadow": "pass", "n": 4, "good": 1, "bad": 1}]
        assert "Of 1 that people found defective, version 1 rejects 1 and version 2 0." in report["message"]

        send(client, rejected, 2)
        report = reported(client, lambda one: one["ended"] is not None)
        assert (report["outcome"], report["n"], report["ready"], report["differences"]) == (
            "complete",
            6,
            True,
            6,
        )
        assert "A person decides whether it takes over." in report["message"]
        first = client.get(f"{SHADOW}/differences", params={"limit": 4}).json()
        rest = client.get(f"{SHADOW}/differences", params={"limit": 4, "cursor": first["next_cursor"]}).json()
        found = [one["inspection"]["id"] for one in first["differences"] + rest["differences"]]
        assert found == sorted(found, reverse=True) and len(found) == 6 and judged[2]["id"] not in found
        assert rest["next_cursor"] is None
        one = first["differences"][0]
        assert (
            one["verdict"] == "pass" and one["inspection"]["verdict"] == "reject" and one["threshold"] == 1e6
        )
        assert client.get(one["inspection"]["thumbnail"]).status_code == 200
        assert strict.service.shelf.active("washer").version == 1, "it has changed nothing"
        ended, voided, begun = strict.service.audit.page("washer").entries[:3]
        assert [one.action for one in (ended, voided, begun)] == [
            Action.END_SHADOW, Action.VOID, Action.BEGIN_SHADOW,
        ]  # fmt: skip
        assert dict(ended.detail) == {"outcome": "complete", "parts": 6, "differences": 6}


def taken_up(server: Any) -> None:
    """Wait until the thread that judges beside knows of it."""
    end = time.monotonic() + 30
    while "washer" not in server.service.shadow_judge.inspectors:
        assert time.monotonic() < end
        time.sleep(0.01)


def test_it_takes_over_by_itself_only_where_so_few_differ(
    served: Callable[..., Any], rejected: list[ByteArray]
) -> None:
    with served() as server, server.client() as client:
        add_lenient(server)
        server.service.decisions.change("washer", _policy(false_reject_rate=0.2), "local")
        server.service.inspectors.activate("washer", 1)
        for version, outcome, active in ((2, "complete", 1), (3, "taken-over", 3)):
            asked = {"version": version, "parts": 3, "most_differences": 0}
            assert client.post(SHADOW, json=asked).status_code == 201
            taken_up(server)
            send(client, rejected, 3)
            report = reported(client, lambda one: one["ended"] is not None)
            assert (report["outcome"], report["n"]) == (outcome, 3)
            assert server.service.shelf.active("washer").version == active
        newest = server.service.audit.page("washer").entries[:2]
        assert {one.action for one in newest} == {Action.ACTIVATE, Action.END_SHADOW}
        (found,) = send(client, rejected, 1)
        assert found["version"] == 3


def test_what_somebody_activates_meanwhile_ends_it(strict: Any) -> None:
    with strict.client() as client:
        strict.service.decisions.change("washer", _policy(false_reject_rate=0.2), "local")
        for let, outcome in ((3, "overtaken"), (2, "activated")):
            strict.service.inspectors.activate("washer", 1)
            assert client.post(SHADOW, json={"version": 2, "parts": 9}).status_code == 201
            taken_up(strict)
            strict.service.inspectors.activate("washer", let)
            report = reported(client, lambda one: one["ended"] is not None)
            assert report["outcome"] == outcome
        strict.service.inspectors.activate("washer", 1)
        assert client.post(SHADOW, json={"version": 2}).json()["parts"] == 500
        assert client.delete(SHADOW).json()["outcome"] == "stopped"
        assert_problem(client.delete(SHADOW), 404)


def test_what_cannot_be_is_refused_in_a_sentence(strict: Any, fitted: Path) -> None:
    with strict.client() as client:
        strict.service.inspectors.add(fitted, "fresh")
        assert "has judged beside" in assert_problem(client.get("/v1/inspectors/fresh/shadow"), 404)["detail"]
        assert_problem(client.get("/v1/inspectors/nut/shadow"), 404)
        before = strict.service.shadows.latest("washer")
        assert (
            "is the one that judges"
            in assert_problem(client.post(SHADOW, json={"version": 1}), 422)["detail"]
        )
        assert_problem(client.post(SHADOW, json={"version": 9}), 404)
        assert_problem(client.post(SHADOW, json={"version": 2, "parts": 5, "most_differences": 5}), 422)
        strict.service.shelf.get("washer", 2).path.write_bytes(b"no inspector")
        problem = assert_problem(client.post(SHADOW, json={"version": 2}), 422)
        assert strict.service.shadows.latest("washer") == before, problem


def test_a_file_that_is_swapped_meanwhile_ends_it_and_harms_no_verdict(
    strict: Any, rejected: list[ByteArray]
) -> None:
    with strict.client() as client:
        assert client.post(SHADOW, json={"version": 2}).status_code == 201
        taken_up(strict)
        strict.service.shelf.get("washer", 2).path.write_bytes(b"no inspector")
        assert [one["verdict"] for one in send(client, rejected, 1)] == ["reject"]
        report = reported(client, lambda one: one["ended"] is not None)
        assert report["outcome"] == "failed" and report["trouble"] and report["trouble"] in report["message"]


def test_a_pass_that_the_other_would_reject_is_kept_to_be_looked_at(
    served: Callable[..., Any], rejected: list[ByteArray]
) -> None:
    with served(keep="rejects", buffer_megabytes=0) as server, server.client() as client:
        add_lenient(server)
        server.service.inspectors.activate("washer", 2)
        assert client.post(SHADOW, json={"version": 1, "parts": 2}).status_code == 201
        taken_up(server)
        passed = send(client, rejected, 2)
        assert [one["image"] for one in passed] == [None, None]
        reported(client, lambda one: one["outcome"] == "complete")
        found = client.get(f"{SHADOW}/differences").json()["differences"]
        assert [one["verdict"] for one in found] == ["reject", "reject"]
        assert all(client.get(one["inspection"]["image"]).status_code == 200 for one in found)


def test_the_command_line_and_python_begin_what_the_server_judges(
    strict: Any, blemish: Callable[..., Any], rejected: list[ByteArray]
) -> None:
    home = strict.service.home.path
    nothing = blemish("shadow", "nut", "--home", home)
    assert nothing.status == 1 and nothing.stderr.count("\n") == 1
    begun = blemish(
        "shadow", "washer", "--version", 2, "--parts", 4, "--by", "anna", "--home", home, "--json"
    )
    assert begun.status == 0 and begun.document["by"] == "anna" and begun.document["parts"] == 4
    for wrong in (("--stop", "--activate"), ("--parts", 4), ("--stop", "--version", 2)):
        assert blemish("shadow", "washer", *wrong, "--home", home).status == 2
    taken_up(strict)
    with strict.client() as client:
        send(client, rejected, 4)
        reported(client, lambda one: one["ended"] is not None)
    said = blemish("shadow", "washer", "--home", home)
    assert said.status == 0 and "4 of 4 verdicts differ" in said.stdout and "003.png" in said.stdout
    found = bl.shadow("washer", home=home, differences=3)
    assert found.report.shadow.outcome is Ending.COMPLETE and len(found.differences) == 3
    assert found.to_json()["newest_differences"][0]["shadow"]["verdict"] == "pass"
    let = blemish("shadow", "washer", "--activate", "--by", "anna", "--home", home)
    assert let.status == 0 and strict.service.shelf.active("washer").version == 2
    with pytest.raises(bl.UsageError, match="is the one that judges"):
        bl.shadow("washer", version=2, home=home)
