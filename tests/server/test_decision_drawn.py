"""What a page needs to draw a decision: the scores it rests on, and what each of its thresholds would do."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import pytest
from server_clients import assert_problem, inspect, photographs, say

from blemish.core.known_defects import escapes
from blemish.core.types import ByteArray
from blemish.line.artifact import read_artifact
from blemish.server.calibration_documents import MOST_SCORES, thinned

CALIBRATION, PREVIEW = "/v1/inspectors/washer/calibration", "/v1/inspectors/washer/decision/preview"


@pytest.fixture(scope="module")
def corrected(
    served: Callable[..., Any], good: bytes, rejected: list[ByteArray]
) -> Iterator[tuple[httpx.Client, list[dict[str, Any]]]]:
    """A server that knows three defects and a good part, and their inspections."""
    with served(keep="all") as server, server.client() as client:
        files = [(f"{place}.png", one) for place, one in enumerate([*photographs(rejected, 3), good])]
        records = inspect(client, *files).json()["inspections"]
        for record, word in zip(records, ("scratch", "scratch", "flash", "good"), strict=True):
            say(client, record["id"], word)
        yield client, records


def test_all_scores_are_given_of_good_photographs_and_of_corrected_ones(corrected: Any, fitted: Path) -> None:
    client, records = corrected
    found = client.get(CALIBRATION).json()
    calibration = read_artifact(fitted).calibration()
    assert found["good"] == {
        "n": len(calibration.scores),
        "scores": [float(one) for one in calibration.scores],
    }
    assert found["calibration"] == client.get("/v1/inspectors/washer/decision").json()["calibration"]
    scores = [record["score"] for record in records]
    assert found["known_defects"] == {"n": 3, "scores": sorted(scores[:3])}
    assert found["known_good"] == {"n": 1, "scores": scores[3:]}
    assert_problem(client.get("/v1/inspectors/nobody/calibration"), 404)


def test_of_very_many_scores_as_many_quantiles_are_given() -> None:
    scores = np.sort(np.random.default_rng(0).normal(size=10_000))
    few = thinned(scores)
    assert len(few) == MOST_SCORES and few == sorted(few)
    assert (few[0], few[-1]) == (scores[0], scores[-1])
    for share in (0.1, 0.5, 0.99):
        assert np.searchsorted(few, np.quantile(scores, share)) == pytest.approx(share * MOST_SCORES, abs=2)


def test_a_preview_says_what_both_thresholds_promise(corrected: Any, fitted: Path) -> None:
    client, records = corrected
    calibration = read_artifact(fitted).calibration()
    defects = [record["score"] for record in records[:3]]
    limit, lower = sorted(defects)[1], float(calibration.scores[2])
    seen = client.post(PREVIEW, json={"threshold": limit, "review_threshold": lower}).json()
    for row, threshold in ((seen["rejects"], limit), (seen["reviews"], lower)):
        promise, known = calibration.promise(threshold), escapes(defects, threshold)
        assert (row["threshold"], row["expected"], row["at_most"]) == (
            threshold,
            promise.expected,
            promise.at_most,
        )
        assert (row["missed"], row["missed_low"], row["missed_high"]) == (known.missed, known.low, known.high)
    assert seen["rejects"]["missed"] == 2 and seen["model"] is None
    assert [one["id"] for one in seen["newest_changed"]] == seen["changed_ids"]
    by_id = {record["id"]: record for record in records}
    for one in seen["newest_changed"]:
        assert one["score"] == by_id[one["id"]]["score"]
        assert client.get(one["thumbnail"]).headers["content-type"] == "image/jpeg"
        assert one["before"] == by_id[one["id"]]["verdict"] != one["after"]
    alone = client.post(PREVIEW, json={"threshold": limit, "review_rate": 0}).json()
    assert alone["reviews"] is None


def test_a_preview_of_nothing_is_one_of_the_decision_in_effect(corrected: Any) -> None:
    client, _ = corrected
    state = client.get("/v1/inspectors/washer/decision").json()
    seen = client.post(PREVIEW, json={"last": 4}).json()
    assert seen["decision"] == state["decision"] and (seen["n"], seen["changed"]) == (4, 0)
    assert seen["rejects"]["expected"] == state["in_effect"]["expected"]
    assert state["regions"] == {"hysteresis": 1.0, "millimetres": None}
    changed = {"regions": {"hysteresis": 0.25}}
    assert client.put("/v1/inspectors/washer/decision", json=changed).json()["regions"]["hysteresis"] == 0.25
