"""JSON lines: appended, mended, begun anew, for one station alone."""

from __future__ import annotations

import json
import os
import time
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from signal_makers import STATION, make_signal

from blemish.station.signals.json_lines import JsonLines
from blemish.station.signals.settings import JsonLinesSink
from blemish.station.signals.sink import SinkError


def sink(file: Path, **settings: Any) -> JsonLines:
    opened = JsonLines(JsonLinesSink(name="lines", file=file, **settings))
    opened.open()
    return opened


def numbers(*files: Path) -> list[int]:
    return [json.loads(line)["inspection"] for file in files for line in file.read_bytes().splitlines()]


def test_each_signal_is_a_line_with_all_that_is_known(tmp_path: Path) -> None:
    file = tmp_path / "new" / "verdicts.jsonl"
    signal = make_signal(
        2, Path("/line/Pr\udcfcfling.png"), serial_number="Grüße", batch="L\u2028 1", type="scratch"
    )
    opened = sink(file)
    opened.send([signal])
    opened.close()
    document = json.loads(file.read_bytes())
    assert document == signal.to_json()
    assert (
        document["id"] == f"{STATION}:2" and document["verdict"] == "reject" and document["verdict_code"] == 3
    )
    assert document["time"] == "2026-05-04T12:00:02.000000Z" and document["serial_number"] == "Grüße"
    assert document["origin"] == "/line/Pr\ufffdfling.png" and document["regions"][0]["width"] == 30
    assert file.read_bytes().count(b"\n") == 1


@settings(max_examples=30)
@given(cut=st.integers(0, 3000))
def test_a_line_torn_by_a_crash_is_mended(tmp_path_factory: pytest.TempPathFactory, cut: int) -> None:
    file = tmp_path_factory.mktemp("torn") / "verdicts.jsonl"
    first = sink(file)
    first.send([make_signal(1), make_signal(2)])
    first.close()
    content = file.read_bytes()
    file.write_bytes(content[: max(0, len(content) - cut)])
    second = sink(file)
    second.send([make_signal(2), make_signal(3)])
    second.close()
    found = numbers(file)
    assert found[-2:] == [2, 3] and set(found) <= {1, 2, 3} and len(found) <= 4


def test_files_are_begun_anew_by_size_and_the_oldest_go(tmp_path: Path) -> None:
    file = tmp_path / "verdicts.jsonl"
    size = len(make_signal(100).to_bytes()) + 1
    opened = sink(file, megabytes=(2.5 * size) / 1e6, keep=2)
    for number in range(100, 110):
        opened.send([make_signal(number)])
    full = sorted(path for path in tmp_path.iterdir() if path.name.startswith("verdicts-"))
    assert len(full) == 2 and numbers(*full, file) == [104, 105, 106, 107, 108, 109]
    opened.close()


def test_a_day_has_a_file_of_its_own(tmp_path: Path) -> None:
    file = tmp_path / "verdicts.jsonl"
    opened = sink(file)
    opened.send([make_signal(1)])
    opened.close()
    long_ago = time.time() - 3 * 86400
    os.utime(file, (long_ago, long_ago))
    opened = sink(file)
    opened.send([make_signal(2)])
    opened.send([make_signal(3)])
    opened.close()
    (old,) = tmp_path.glob("verdicts-*.jsonl")
    assert old.name == f"verdicts-{time.strftime('%Y%m%d', time.gmtime(long_ago))}-0001.jsonl"
    assert numbers(old) == [1] and numbers(file) == [2, 3]
    without = sink(tmp_path / "one.jsonl", daily=False)
    without.send([make_signal(1)])
    os.utime(tmp_path / "one.jsonl", (long_ago, long_ago))
    without.send([make_signal(2)])
    without.close()
    assert numbers(tmp_path / "one.jsonl") == [1, 2]


def test_a_file_is_written_by_one_station_and_moved_away_by_anybody(tmp_path: Path) -> None:
    file = tmp_path / "verdicts.jsonl"
    opened = sink(file)
    with pytest.raises(SinkError, match="another station"):
        sink(file)
    opened.send([make_signal(1)])
    file.rename(tmp_path / "taken.jsonl")
    opened.check()
    opened.send([make_signal(2)])
    opened.close()
    assert numbers(tmp_path / "taken.jsonl") == [1] and numbers(file) == [2]
    sink(file).close()


def test_half_a_line_on_a_full_disk_does_not_stay(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = tmp_path / "verdicts.jsonl"
    opened = sink(file)
    opened.send([make_signal(1)])
    with monkeypatch.context() as full:
        full.setattr(os, "write", _until_full(os.write, 50))
        with pytest.raises(SinkError, match="disk is full"):
            opened.send([make_signal(2)])
    opened.send([make_signal(3)])
    opened.close()
    assert numbers(file) == [1, 3]


def _until_full(write: Any, room: int) -> Any:
    left = [room]

    def limited(descriptor: int, content: Any) -> int:
        if not left[0]:
            raise OSError(28, "No space left on device")
        taken = min(left[0], len(content))
        left[0] -= taken
        return int(write(descriptor, bytes(content)[:taken]))

    return limited
