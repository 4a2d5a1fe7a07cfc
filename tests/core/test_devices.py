"""Devices and precisions: what is not there is refused in a sentence; what the processor says of itself is believed."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import spearmanr

from blemish.core.devices import available_devices, available_precisions, require_execution
from blemish.core.energy import EnergyMeter
from blemish.core.errors import UsageError
from blemish.core.execution import DEVICES, PRECISIONS, Execution
from blemish.line.precision_evidence import rank_correlation


@pytest.mark.parametrize(
    ("values", "named"),
    [
        ({"device": "tpu"}, "'tpu' is no device"),
        ({"precision": "f64"}, "'f64' is no precision"),
        ({"threads": 0}, "0 threads"),
    ],
)
def test_what_is_not_possible_is_refused(values: dict[str, str | int], named: str) -> None:
    with pytest.raises(UsageError, match=named):
        Execution(**values)  # type: ignore[arg-type]


@pytest.mark.parametrize("device", DEVICES)
def test_a_device_that_is_absent_is_named_with_those_that_are_there(device: str) -> None:
    if device in available_devices():
        assert available_precisions(device)
        return
    with pytest.raises(UsageError, match=f"no device {device}, only cpu.*leave --device {device} out"):
        require_execution(Execution(device))


@pytest.mark.parametrize("precision", PRECISIONS)
def test_a_precision_that_the_processor_lacks_is_refused(precision: str) -> None:
    import openvino

    able = openvino.Core().get_property("CPU", "OPTIMIZATION_CAPABILITIES")
    names = {"f32": "FP32", "bf16": "BF16", "f16": "FP16", "int8": "INT8"}
    assert (precision in available_precisions("cpu")) == (names[precision] in able)
    if names[precision] not in able:
        with pytest.raises(UsageError, match=f"cannot compute in {precision}: take --precision f32"):
            require_execution(Execution(precision=precision))


def counter(folder: Path, name: str, used: int) -> None:
    (folder / name).mkdir(parents=True, exist_ok=True)
    (folder / name / "energy_uj").write_text(f"{used}\n")
    (folder / name / "max_energy_range_uj").write_text("262143328850\n")


def test_energy_is_the_sum_of_the_packages_and_survives_a_counter_that_begins_anew(tmp_path: Path) -> None:
    counter(tmp_path, "intel-rapl:0", 5_000_000)
    counter(tmp_path, "intel-rapl:1", 262_143_328_850 - 1_000_000)
    counter(tmp_path, "intel-rapl:0:0", 7)  # the cores of package 0: they are in it already
    meter = EnergyMeter(tmp_path)
    counter(tmp_path, "intel-rapl:0", 8_000_000)
    counter(tmp_path, "intel-rapl:1", 500_000)
    counter(tmp_path, "intel-rapl:0:0", 9_000_000)
    assert meter.joules() == pytest.approx(3 + 1.5)


def test_where_there_are_no_counters_it_is_said(tmp_path: Path) -> None:
    meter = EnergyMeter(tmp_path)
    assert meter.joules() is None and "no energy counters" in str(meter.trouble)
    counter(tmp_path, "intel-rapl:0", 5)
    (tmp_path / "intel-rapl:0" / "energy_uj").unlink()
    assert "cannot be read" in str(EnergyMeter(tmp_path).trouble)


@given(st.lists(st.tuples(st.integers(-5, 5), st.integers(-5, 5)), min_size=3, max_size=40))
def test_the_rank_correlation_is_scipys(pairs: list[tuple[int, int]]) -> None:
    one, other = np.array(pairs).T
    if len(set(one)) > 1 and len(set(other)) > 1:
        assert rank_correlation(one, other) == pytest.approx(spearmanr(one, other).statistic)
