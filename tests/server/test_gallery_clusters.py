"""Clusters of past defects through the API."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from server_clients import assert_problem, inspected, photographs, say, wait_for_gallery

from blemish.core.types import ByteArray


def test_clusters_are_new_until_somebody_names_one_of_them(
    served: Callable[..., Any], rejected: list[ByteArray], tmp_path: Path
) -> None:
    with served(home=tmp_path) as server, server.client() as client:
        assert client.get("/v1/gallery/clusters").json() == {
            "count": 0, "total": 0, "clusters": [], "single": [],
        }  # fmt: skip
        # Of each of two defects six files that differ in a pixel, so that a detector sees the same.
        pairs = list(photographs(rejected[:2], 12))
        numbers = [inspected(client, content) for content in pairs]
        wait_for_gallery(client)
        found = client.get("/v1/gallery/clusters").json()
        assert (found["count"], found["total"], found["single"]) == (12, 12, [])
        members = [{one["inspection_id"] for one in cluster["defects"]} for cluster in found["clusters"]]
        assert sorted(map(sorted, members)) == [numbers[0::2], numbers[1::2]]
        assert [cluster["is_new"] for cluster in found["clusters"]] == [True, True]

        say(client, numbers[1], "hole")
        wait_for_gallery(client)
        first, second = client.get("/v1/gallery/clusters", params={"category": "washer"}).json()["clusters"]
        assert first["is_new"] and first["defect_type"] is None
        assert (second["defect_type"], second["types"]) == ("hole", {"hole": 1})
        assert numbers[1] in {one["inspection_id"] for one in second["defects"]}

        assert len(client.get("/v1/gallery/clusters", params={"min_cluster_size": 7}).json()["single"]) == 12
        assert client.get("/v1/gallery/clusters", params={"category": "screw"}).json()["count"] == 0
        assert_problem(client.get("/v1/gallery/clusters", params={"min_cluster_size": 1}), 422)
