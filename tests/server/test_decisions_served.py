"""The decision over the API: looked at, tried on the past, changed without a restart, undone, and who did it."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from server_clients import assert_problem, inspect, photographs, say

from blemish.core.types import ByteArray
from blemish.line.artifact import read_artifact
from blemish.station.keys import Role

DECISION = "/v1/inspectors/washer/decision"
LENIENT = {"threshold": 1e6, "review_threshold": 1e5}


@pytest.fixture(scope="module")
def clear(rejected: list[ByteArray]) -> list[bytes]:
    """Photographs of parts that the first decision rejects."""
    return list(photographs(rejected, 6))


@pytest.fixture
def deciding(served: Callable[..., Any]) -> Iterator[Any]:
    """A server of its own that asks for keys."""
    with served(keep="none", require_keys=True, keys=("made below",)) as server:
        yield server


@pytest.fixture
def operator(deciding: Any) -> Iterator[httpx.Client]:
    with deciding.client(deciding.service.keys.create("a-operator", Role.OPERATOR)) as session:
        yield session


@pytest.fixture
def admin(deciding: Any) -> Iterator[httpx.Client]:
    with deciding.client(deciding.service.keys.create("a-admin", Role.ADMIN)) as session:
        yield session


def _put(client: httpx.Client, **wanted: Any) -> dict[str, Any]:
    answer = client.put(DECISION, json=wanted)
    assert answer.status_code == 200, answer.text
    changed: dict[str, Any] = answer.json()
    return changed


def _judged(client: httpx.Client, *photographs: bytes) -> list[dict[str, Any]]:
    answer = inspect(client, *((f"{place}.png", one) for place, one in enumerate(photographs)))
    found: list[dict[str, Any]] = answer.json()["inspections"]
    return found


def test_a_decision_is_shown_with_what_others_would_mean(operator: httpx.Client, fitted: Path) -> None:
    artifact = read_artifact(fitted)
    calibration = artifact.calibration()
    found = operator.get(DECISION).json()
    assert (found["inspector"], found["version"], found["earlier"]) == ("washer", 1, [])
    assert found["decision"]["threshold"] == artifact.manifest.decision.threshold
    assert found["calibration"]["n"] == calibration.n
    assert found["calibration"]["smallest_rate"] == calibration.smallest_rate
    rates = [row["rate"] for row in found["table"]]
    assert rates == sorted(rates) and {0.01, calibration.smallest_rate, 0.2} <= set(rates)
    for row in found["table"]:
        assert row["missed"] is None
        if row["rate"] < calibration.smallest_rate:
            assert row["threshold"] is None
            assert row["more_needed"] == calibration.needed(row["rate"]) - calibration.n > 0
        else:
            assert row["threshold"] == calibration.threshold(row["rate"]) and row["more_needed"] == 0
            assert 0 < row["expected"] <= row["rate"] + 1e-9 < row["at_most"] + 1e-9 <= 1 + 1e-9
    assert found["in_effect"]["threshold"] == found["decision"]["threshold"]


def test_a_changed_decision_judges_at_once_and_names_who_changed_it(
    operator: httpx.Client, admin: httpx.Client, deciding: Any, clear: list[bytes]
) -> None:
    (before,) = _judged(operator, clear[0])
    assert before["verdict"] == "reject"
    changed = _put(operator, **LENIENT, note="too many false rejects", expected_version=1)
    assert changed["version"] == 2 and changed["decision"]["version"] == 2
    assert (
        changed["decision"]["by"] == "a-operator" and changed["decision"]["note"] == "too many false rejects"
    )
    assert [one["version"] for one in changed["earlier"]] == [1]
    (after,) = _judged(operator, clear[0])
    assert (after["verdict"], after["version"], after["threshold"]) == ("pass", 2, 1e6)
    assert after["score"] == before["score"] and after["review_threshold"] == 1e5
    score = before["score"]
    _put(operator, threshold=score + 1, review_threshold=score - 1)
    (review,) = _judged(operator, clear[0])
    assert review["verdict"] == "review" and review["regions"]
    # What was judged before keeps the decision that it was judged by.
    for record in (before, after, review):
        assert operator.get(f"/v1/inspections/{record['id']}").json() == record
    shelf = deciding.service.shelf
    own = read_artifact(shelf.get("washer", before["version"]).path).manifest.decision
    assert (before["threshold"], before["review_threshold"]) == (own.threshold, own.review_threshold)
    entry = admin.get("/v1/audit", params={"inspector": "washer"}).json()["entries"][1]
    assert (entry["action"], entry["by"]) == ("decide", "a-operator")
    assert (entry["version_before"], entry["version_after"]) == (1, 2)
    assert entry["detail"]["policy"] == LENIENT
    assert entry["detail"]["before"]["threshold"] == before["threshold"]
    assert entry["detail"]["after"]["note"] == "too many false rejects"


def test_no_second_network_is_compiled_for_a_decision(
    operator: httpx.Client, deciding: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    from blemish.line import runtime

    def refuse(*arguments: Any) -> Any:
        raise AssertionError("a network was compiled")

    monkeypatch.setattr(runtime, "inspector_network", refuse)
    _put(operator, **LENIENT)
    queue, active = deciding.service.queue, deciding.service.shelf.active("washer")
    for networks in (queue._side_by_side, queue._alone):
        assert networks.get(active).threshold == 1e6


def test_undo_goes_back_step_by_step(operator: httpx.Client, admin: httpx.Client) -> None:
    first = operator.get(DECISION).json()["decision"]
    _put(operator, threshold=1e6)
    _put(operator, threshold=2e6)
    undone = operator.post(f"{DECISION}/undo", json={"note": "it was a mistake"}).json()
    assert undone["decision"]["threshold"] == 1e6 and undone["decision"]["note"] == "it was a mistake"
    undone = operator.post(f"{DECISION}/undo").json()
    assert undone["decision"]["threshold"] == first["threshold"] and undone["version"] == 5
    problem = assert_problem(operator.post(f"{DECISION}/undo"), 422)
    assert "nothing to undo" in problem["detail"]
    actions = [one["action"] for one in admin.get("/v1/audit?inspector=washer").json()["entries"]]
    assert actions == ["undo-decision", "undo-decision", "decide", "decide", "activate", "add"]


def test_regions_are_decided_on_alone_and_shown_at_once(
    operator: httpx.Client, admin: httpx.Client, clear: list[bytes]
) -> None:
    before = operator.get(DECISION).json()["decision"]
    decision = _put(operator, regions={"pixel_rate": 0.3, "smallest_region": "8px"})["decision"]
    assert decision["threshold"] == before["threshold"]
    assert decision["pixels"]["rate"] == 0.3 and decision["pixels"]["smallest_side"] == 8
    (entry,) = (one for one in admin.get("/v1/audit").json()["entries"] if one["action"] == "decide")
    assert entry["detail"]["policy"] == {"pixel_rate": 0.3, "smallest_region": "8px"}
    (judged,) = _judged(operator, clear[0])
    assert judged["verdict"] == "reject" and judged["regions"]
    for region in judged["regions"]:
        assert region["area"] >= 64 and 0 < region["p_value"] <= 1 and len(region["contour"]) >= 3
        assert region["verdict"] in ("pass", "review", "reject")
    stored = operator.get(f"/v1/inspections/{judged['id']}").json()
    assert stored["regions"] == judged["regions"]


def test_nobody_overwrites_what_somebody_else_has_changed(
    operator: httpx.Client, admin: httpx.Client
) -> None:
    _put(operator, threshold=1e6)
    for answer in (
        admin.put(DECISION, json={"threshold": 5.0, "expected_version": 1}),
        admin.post(f"{DECISION}/undo", json={"expected_version": 1}),
    ):
        problem = assert_problem(answer, 409)
        assert "version 2 is active now, not version 1" in problem["detail"]
    assert operator.get(DECISION).json()["version"] == 2


@pytest.mark.parametrize(
    ("wanted", "said"),
    [
        ({}, "Nothing is asked for"),
        ({"false_reject_rate": 1e-4}, "cannot promise a rate of 0.0001"),
        ({"false_reject_rate": 2}, "less than 1"),
        ({"recall": 0.9}, "known defects"),
        ({"threshold": 3, "review_threshold": 4}, "above that of rejects"),
        ({"threshhold": 3}, "is threshold meant"),
        ({"regions": {"pixel_rate": 1e-4}}, "cannot promise a rate of 0.0001"),
        ({"regions": {"smallest_region": "0.4mm"}}, "needs the scale"),
        ({"regions": {"hysteresis": 0.5}, "note": "a\x85b"}, "note must be one line"),
        ({"threshold": 3, "note": "a\nb"}, "note cannot be used"),
        ({"threshold": 3, "note": "a\x85b"}, "note must be one line"),
    ],
)
def test_what_cannot_be_decided_is_refused_and_changes_nothing(
    client: httpx.Client, wanted: dict[str, Any], said: str
) -> None:
    before = client.get(DECISION).json()
    assert said in assert_problem(client.put(DECISION, json=wanted), 422)["detail"]
    assert client.get(DECISION).json() == before
    assert_problem(client.put("/v1/inspectors/nobody/decision", json={"threshold": 3}), 404)


def test_known_defects_are_counted_and_can_decide(
    operator: httpx.Client, good: bytes, clear: list[bytes]
) -> None:
    bad = _judged(operator, *clear)
    for record in (*bad, *_judged(operator, clear[0])):  # a photograph counts once
        say(operator, record["id"], "scratch")
    (found_good,) = _judged(operator, good)
    say(operator, found_good["id"], "good")
    state = operator.get(DECISION).json()
    assert (state["known_defects"], state["known_good"]) == (6, 1)
    for row in state["table"]:
        if row["threshold"] is not None:
            assert row["missed"] == sum(one["score"] <= row["threshold"] for one in bad)
            assert row["missed_low"] <= row["missed"] / 6 <= row["missed_high"]
            assert row["false_rejects"] == int(found_good["score"] > row["threshold"])
    changed = _put(operator, recall=1.0)
    assert changed["decision"]["rule"] == "recall" and changed["decision"]["seen"]["missed"] == 0
    assert changed["known_defects"] == 6  # the versions score alike, so what was said still counts
    assert changed["in_effect"]["missed"] == 0


def test_a_preview_says_what_the_past_would_have_been_and_changes_nothing(
    operator: httpx.Client, good: bytes, clear: list[bytes]
) -> None:
    records = _judged(operator, good, *clear[:4])
    scores = sorted(one["score"] for one in records)
    say(operator, records[1]["id"], "scratch")
    say(operator, records[2]["id"], "good")
    limit = (scores[-1] + scores[-2]) / 2
    wanted = {"threshold": limit, "review_threshold": limit}
    with_one = operator.post(f"{DECISION}/preview", json=wanted | {"last": 1}).json()
    assert with_one["n"] == 1
    seen = operator.post(f"{DECISION}/preview", json=wanted).json()
    after = {one["id"]: "reject" if one["score"] > limit else "pass" for one in records}
    assert seen["n"] == 5 == sum(turn["n"] for turn in seen["turns"])
    turned = [one["id"] for one in records if one["verdict"] != after[one["id"]]]
    assert turned and sorted(seen["changed_ids"]) == sorted(turned) and seen["changed"] == len(turned)
    for turn in seen["turns"]:
        same = [
            one for one in records if one["verdict"] == turn["before"] and after[one["id"]] == turn["after"]
        ]
        assert len(same) == turn["n"] > 0
    for name, record in (("known_defects", records[1]), ("known_good", records[2])):
        assert seen[name]["n"] == seen[name]["rejected_before"] == 1
        assert seen[name]["rejected_after"] == int(record["score"] > limit) == 1 - seen[name]["passed_after"]
    assert seen["decision"]["threshold"] == limit
    assert operator.get(DECISION).json()["version"] == 1


def test_a_decision_outlives_a_restart_with_the_same_file(
    served: Callable[..., Any], fitted: Path, tmp_path: Path, clear: list[bytes]
) -> None:
    with served(home=tmp_path) as server, server.client() as client:
        _put(client, **LENIENT)
        assert client.get("/v1/audit").json()["entries"][0]["by"] == "local"
        # Another process on the same history sees it too.
        with served(home=tmp_path, add=False) as other, other.client() as second:
            assert _judged(second, clear[0])[0]["threshold"] == 1e6
    with served(home=tmp_path, add=False) as server, server.client() as client:
        kept = server.service.inspectors.keep_or_activate(fitted)  # as blemish serve --inspector does
        assert (kept.name, kept.version) == ("washer", 2)
        (found,) = _judged(client, clear[0])
        assert (found["verdict"], found["version"], found["threshold"]) == ("pass", 2, 1e6)
        actions = [one["action"] for one in client.get("/v1/audit").json()["entries"]]
        assert actions == ["decide", "activate", "add"]


def test_photographs_are_judged_while_the_decision_changes(
    served: Callable[..., Any], clear: list[bytes]
) -> None:
    with served(keep="none", queue_size=200) as server:
        errors: list[str] = []
        records: list[dict[str, Any]] = []

        def judge() -> None:
            with server.client() as client:
                for _ in range(3):
                    answer = inspect(client, ("part.png", clear[0]))
                    if answer.status_code != 200:
                        errors.append(answer.text)
                    else:
                        records.extend(answer.json()["inspections"])

        threads = [threading.Thread(target=judge) for _ in range(20)]
        with server.client() as client:
            first = client.get(DECISION).json()["decision"]["threshold"]
            thresholds = {1: first}
            for thread in threads:
                thread.start()
            for place in range(4):
                changed = _put(client, threshold=1e6 + place)
                thresholds[changed["version"]] = 1e6 + place
            for thread in threads:
                thread.join()
            (last,) = _judged(client, clear[0])
        assert errors == [] and len(records) == 60
        for record in (*records, last):
            assert record["threshold"] == thresholds[record["version"]]
            assert record["verdict"] == ("reject" if record["score"] > record["threshold"] else "pass")
        assert last["version"] == 5 and len({one["version"] for one in records}) > 1


def test_of_many_who_change_it_at_once_one_wins(served: Callable[..., Any]) -> None:
    with served(keep="none") as server:
        status: list[int] = []

        def change(place: int) -> None:
            with server.client() as client:
                wanted = {"threshold": 10.0 + place, "expected_version": 1}
                status.append(client.put(DECISION, json=wanted).status_code)

        threads = [threading.Thread(target=change, args=(place,)) for place in range(6)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert sorted(status) == [200, *[409] * 5]
        with server.client() as client:
            assert client.get(DECISION).json()["version"] == 2
            decided = [one for one in client.get("/v1/audit").json()["entries"] if one["action"] == "decide"]
            assert len(decided) == 1
