"""A photograph that is not judged, through the API, in the history, its numbers, the gallery and the page's words."""

from __future__ import annotations

import csv
import io
from collections.abc import Callable
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from blemish.core.types import Verdict
from blemish.line.artifact import read_artifact, write_artifact
from blemish.line.runtime import Inspector
from blemish.server.wording import reason


def test_every_door_of_the_server_says_that_a_photograph_was_not_judged(
    served: Callable[..., Any], fitted: Path, washers: Path, tmp_path: Path
) -> None:
    artifact, lenient = read_artifact(fitted), tmp_path / "washer.blemish"
    decision = artifact.manifest.decision.model_copy(update={"threshold": 1e9, "review_threshold": 1e9})
    write_artifact(lenient, artifact.manifest.decided(decision), artifact.members)
    photograph = (washers / "test" / "good" / "000.png").read_bytes()
    dark = cv2.imencode(".png", cv2.imdecode(np.frombuffer(photograph, np.uint8), cv2.IMREAD_COLOR) // 30)[1]
    alone = Inspector.load(lenient).inspect(dark.tobytes())
    assert alone.verdict is Verdict.NOT_JUDGED and alone.reason
    with served(add=False) as server, server.client() as client:
        version = server.service.inspectors.add(lenient, "washer")
        server.service.inspectors.activate(version.name, version.version)
        files = [("images", ("good.png", photograph)), ("images", ("dark.png", dark.tobytes()))]
        answer = client.post("/v1/inspect", data={"inspector": "washer"}, files=files).json()
        good, found = answer["inspections"]

        assert (good["verdict"], good["reason"]) == ("pass", None)
        assert (found["verdict"], found["reason"], found["regions"]) == ("not judged", alone.reason, [])
        assert client.get(f"/v1/inspections/{found['id']}").json() == found
        chosen = client.get("/v1/inspections", params={"verdict": "not judged"}).json()["inspections"]
        assert [one["id"] for one in chosen] == [found["id"]]
        rows = list(csv.DictReader(io.StringIO(client.get("/v1/inspections.csv").text)))
        assert sorted(row["reason"] for row in rows) == ["", alone.reason]

        stats = client.get("/v1/stats").json()
        assert {name: stats["summary"][name] for name in ("n", "passed", "reviewed", "rejected")} == {
            "n": 2, "passed": 1, "reviewed": 0, "rejected": 0,
        }  # fmt: skip
        assert stats["summary"]["not_judged"] == 1 and stats["summary"]["reject_rate"] == 0
        assert [bucket["n"] for bucket in stats["reject_rates"]] == [1]
        metrics = client.get("/metrics").text
        assert 'blemish_verdicts_total{inspector="washer",verdict="not judged"} 1.0' in metrics

    said = reason(alone, 12)
    assert said.startswith(alone.reason[0].upper() + alone.reason[1:])
    assert "says nothing of such a photograph" in said
