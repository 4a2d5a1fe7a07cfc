"""The type of a defect through the API, in the history, and in the words of the page."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

from blemish.core.types import NONE_OF_THESE
from blemish.line.runtime import Inspector
from blemish.server.laboratory.fragments import type_bars
from blemish.server.wording import reason


def test_the_api_and_the_history_tell_the_type(served: Callable[..., Any], typed: Path, plates: Path) -> None:
    alone, paths = Inspector.load(typed), sorted((plates / "test").glob("*/*.png"))[::3]
    with served(add=False) as server, server.client() as client:
        version = server.service.inspectors.add(typed, "plate")
        server.service.inspectors.activate(version.name, version.version)
        answers = []
        for path in paths:
            answer = client.post(
                "/v1/inspect", data={"inspector": "plate"}, files={"images": (path.name, path.read_bytes())}
            )
            answers += answer.json()["inspections"]
        for path, found in zip(paths, answers, strict=True):
            said = alone.inspect(path)
            assert found["type"] == said.type and found["types"].keys() == said.types.keys()
            assert client.get(f"/v1/inspections/{found['id']}").json() == found
        assert {"spot", "line"} <= {found["type"] for found in answers}
        rows = list(csv.DictReader(io.StringIO(client.get("/v1/inspections.csv").text)))
        assert [row["type"] or None for row in rows] == [found["type"] for found in answers]
        assert [json.loads(row["types"]) for row in rows] == [found["types"] for found in answers]
        schema = client.get("/openapi.json").json()["components"]["schemas"]["InspectionDocument"][
            "properties"
        ]
        assert NONE_OF_THESE in schema["type"]["description"] and schema["types"]["type"] == "object"


def test_the_page_says_the_type_in_words_and_bars(typed: Path, plates: Path) -> None:
    inspector = Inspector.load(typed)
    lines = [inspector.inspect(path) for path in sorted((plates / "test" / "line").glob("*.png"))]
    said = next(one for one in lines if one.type == "line")
    assert f"looks like line ({said.types['line']:.0%})" in reason(said, 8)
    bars = type_bars(said)
    assert bars.count("<li") == 3 and bars.index("line") < bars.index("spot") and bars.count("bl-told") == 1
    strange = replace(said, type=NONE_OF_THESE)
    assert "like none of the types known" in reason(strange, 8)
    assert "None of these" in type_bars(strange) and "bl-told" not in type_bars(strange)
    many = replace(said, types={f"<{number}>": 0.1 for number in range(10)})
    assert "4 less likely" in type_bars(many) and "<0>" not in type_bars(many)
    passed = replace(said, type=None, types={})
    assert type_bars(passed) == "" and "looks like" not in reason(passed, 8)
