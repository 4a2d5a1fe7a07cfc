"""A machine of the cluster goes down midway: no photograph is lost, none is told twice."""

from __future__ import annotations

import json
import shutil
import threading
import time
from pathlib import Path
from typing import Any

import pytest

from blemish.line.parquet_results import FOLDER
from blemish.workflows.fields import Executor
from blemish.workflows.inspect import InspectRequest
from blemish.workflows.inspect_on_cluster import inspect_on_cluster

pytest.importorskip("ray", reason="Ray is not installed: pip install -e '.[scale]'")
pq = pytest.importorskip("pyarrow.parquet")
psutil = pytest.importorskip("psutil")

COPIES = 12


def down(node: Any) -> int:
    """Kill all processes of a node at once, as a power cut does; how many workers of ours were among them."""
    raylet = psutil.Process(node.all_processes["raylet"][0].process.pid)
    all_of_it = [*raylet.children(recursive=True), raylet]
    ours = sum("_Worker" in " ".join(one.cmdline()) for one in all_of_it)
    for one in all_of_it:
        one.kill()
    return ours


@pytest.mark.slow
def test_a_node_killed_midway_costs_no_photograph(fitted: Path, washers: Path, tmp_path: Path) -> None:
    from ray.cluster_utils import Cluster

    here, out = tmp_path / "here", tmp_path / "out"
    here.mkdir()
    for number, file in enumerate(sorted((washers / "test").rglob("*.png")) * COPIES):
        shutil.copy(file, here / f"{number:04d}.png")
    total = len(list(here.iterdir()))
    node = {"num_cpus": 1, "object_store_memory": 100 * 2**20}
    nodes = Cluster(initialize_head=True, head_node_args=node | {"include_dashboard": False})
    killed: list[int] = []
    try:
        second = nodes.add_node(**node)
        nodes.add_node(**node)
        nodes.wait_for_nodes()

        def kill_midway() -> None:
            while len(list(out.glob("*.jpg"))) < total // 4:
                time.sleep(0.02)
            killed.extend((down(second), len(list(out.glob("*.jpg")))))

        watching = threading.Thread(target=kill_midway, daemon=True)
        watching.start()
        request = InspectRequest(
            inspector=fitted, paths=(here,), out=out, executor=Executor.RAY, address=nodes.address
        )
        found = inspect_on_cluster(request)
        watching.join(timeout=10)
    finally:
        nodes.shutdown()
    assert killed[0] == 1 and killed[1] < total  # a worker of ours went down with it, before the end
    paths = [json.loads(one)["path"] for one in pq.read_table(out / FOLDER)["result"].to_pylist()]
    assert sorted(paths) == sorted(map(str, here.iterdir())) and found.total == total
    assert not found.counts.get("failed") and len(list(out.glob("*.jpg"))) == total
