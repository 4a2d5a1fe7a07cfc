"""`benchmark --executor ray`: the cells of a local run, kept in the same store."""

from __future__ import annotations

from pathlib import Path

import pytest

from blemish.core.errors import UsageError
from blemish.workflows.benchmark import BenchmarkRequest, benchmark
from blemish.workflows.fields import Executor

pytest.importorskip("ray", reason="Ray is not installed: pip install -e '.[scale]'")


def test_cells_are_those_of_a_local_run_and_are_measured_once(washers: Path, tmp_path: Path) -> None:
    asked = BenchmarkRequest(
        data=(washers,),
        detectors=("isolation-forest", "one-class-svm"),
        out=tmp_path / "local",
        quick=True,
        workers=1,
    )
    local = benchmark(asked).benchmark
    on_ray = asked.model_copy(update={"out": tmp_path / "ray", "executor": Executor.RAY})
    spread = benchmark(on_ray).benchmark
    assert not spread.failed and spread.measured == 2
    assert [one.metrics for one in spread.results] == [one.metrics for one in local.results]
    assert [one.cell.key for one in spread.results] == [one.cell.key for one in local.results]
    again = benchmark(asked.model_copy(update={"out": tmp_path / "ray"})).benchmark
    assert again.measured == 0  # the store of cells is one, whoever filled it


def test_an_address_without_a_cluster_is_refused(washers: Path, tmp_path: Path) -> None:
    asked = BenchmarkRequest(data=(washers,), detectors=("isolation-forest",), out=tmp_path, address="auto")
    with pytest.raises(UsageError, match="--executor ray"):
        benchmark(asked)
