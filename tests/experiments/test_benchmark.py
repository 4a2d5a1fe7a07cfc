"""The matrix: measured as `blemish evaluate` measures, resumed after a kill, extended, the same twice, and shown."""

from __future__ import annotations

import copy
import csv
import io
import json
import math
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from sklearn import metrics as reference

from blemish.core.network import CompiledNetwork
from blemish.data.catalog import open_catalog
from blemish.detectors.registry import create_detector
from blemish.experiments.benchmark.candidates import open_candidates
from blemish.experiments.benchmark.cell import make_cell, read_result
from blemish.experiments.benchmark.compared import open_compared
from blemish.experiments.benchmark.headline import headline
from blemish.experiments.benchmark.shared_reading import read_category
from blemish.experiments.benchmark.table import COLUMNS, PLACES, Block, Row, Table
from blemish.features import extraction, together

Command = Callable[..., Any]
FIRST, SECOND = "patchcore:quick", "patchcore:paper"


def arguments(data: Path, out: Path, *detectors: str) -> list[str]:
    return [
        "benchmark", str(data), "--detectors", ",".join(detectors), "--size", "128", "--out", str(out), "--json",
        "--workers", "1",
    ]  # fmt: skip


@pytest.fixture(scope="module")
def first(blemish: Command, washers: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A finished comparison of one detector."""
    out = tmp_path_factory.mktemp("comparison")
    outcome = blemish(*arguments(washers, out, FIRST))
    assert outcome.status == 0, outcome.stderr
    return out


@pytest.fixture(scope="module")
def both(blemish: Command, washers: Path, first: Path) -> tuple[Path, dict[str, Any]]:
    """The same comparison after a further detector, and its document."""
    before = contents(first / "cells")
    outcome = blemish(*arguments(washers, first, FIRST, SECOND))
    assert outcome.status == 0, outcome.stderr
    after = contents(first / "cells")
    assert {path: after[path] for path in before} == before
    return first, outcome.document


def contents(folder: Path) -> dict[str, tuple[int, bytes]]:
    """Time and content of every file."""
    files = sorted(path for path in folder.rglob("*") if path.is_file())
    return {str(path): (path.stat().st_mtime_ns, path.read_bytes()) for path in files}


def without_times(document: dict[str, Any]) -> dict[str, Any]:
    kept = copy.deepcopy(document)
    del kept["timings"], kept["report"]
    return kept


def test_a_further_detector_repeats_nothing(both: tuple[Path, dict[str, Any]]) -> None:
    _, document = both
    assert document["timings"]["measured_now"] == 1
    assert [cell["detector"] for cell in document["cells"]] == [FIRST, SECOND]


def test_the_figures_are_those_of_evaluate_on_the_same_inspector(
    blemish: Command, both: tuple[Path, dict[str, Any]], washers: Path, tmp_path: Path
) -> None:
    out, document = both
    for cell in document["cells"]:
        (folder,) = (out / "cells").glob(f"*-{cell['key'][:12]}")
        evaluated = blemish(
            "evaluate", folder / "inspector.blemish", washers, "--out", tmp_path, "--json"
        ).document
        for name in (
            "precision",
            "recall",
            "accuracy",
            "f1",
            "confusion",
            "threshold",
            "n_normal",
            "n_anomalous",
        ):
            assert cell["metrics"][name] == evaluated[name], name
        for name in ("image_auroc", "image_ap", "pixel_auroc", "pixel_ap", "aupro"):
            assert cell["metrics"][name] == pytest.approx(evaluated[name], abs=1e-3), name
        assert cell["metrics"]["pixel_f1_best"] == pytest.approx(evaluated["pixel_f1"], abs=1e-3)
        assert cell["metrics"]["pixel_f1"] <= cell["metrics"]["pixel_f1_best"] + 1e-9
        size = (folder / "inspector.blemish").stat().st_size / 1e6
        assert cell["metrics"]["megabytes"] == pytest.approx(size, rel=0.02)


def test_the_kept_scores_give_the_figures(both: tuple[Path, dict[str, Any]], washers: Path) -> None:
    out, document = both
    good = (open_catalog(washers).test()["label"] == "normal").to_numpy()
    for cell in document["cells"]:
        (folder,) = (out / "cells").glob(f"*-{cell['key'][:12]}")
        with np.load(folder / "arrays.npz", allow_pickle=False) as arrays:
            labels, scores = arrays["labels"], arrays["scores"]
        assert (labels == ~good).all()
        assert cell["metrics"]["image_auroc"] == pytest.approx(reference.roc_auc_score(labels, scores))
        rejected = scores > cell["metrics"]["threshold"]
        assert cell["metrics"]["f1"] == pytest.approx(reference.f1_score(labels, rejected, zero_division=0))
        assert cell["metrics"]["accuracy"] == pytest.approx(np.mean(labels == rejected))


def test_the_document_tells_times_from_figures(both: tuple[Path, dict[str, Any]]) -> None:
    out, document = both
    assert json.loads((out / "benchmark.json").read_text()) == document
    assert not {"ms", "fit_seconds"} & set(document["table"]["mean"][FIRST])
    (row,) = [cell for cell in document["timings"]["cells"] if cell["detector"] == SECOND]
    assert row["ms"] > 0 and row["fit_seconds"] >= row["learning_seconds"] > 0
    assert document["timings"]["table"]["mean"][SECOND]["ms"] == pytest.approx(row["ms"])


def test_it_is_the_same_twice_and_after_a_kill(
    both: tuple[Path, dict[str, Any]], blemish: Command, washers: Path, tmp_path: Path
) -> None:
    _, document = both
    out, cache = tmp_path / "again", tmp_path / "cache"  # nothing is known here
    command = [sys.executable, "-m", "blemish", *arguments(washers, out, FIRST, SECOND)]
    running = subprocess.Popen(
        command,
        env=os.environ | {"BLEMISH_CACHE": str(cache)},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    waited = time.monotonic() + 120
    while not list(out.glob("cells/*/cell.json")) and time.monotonic() < waited and running.poll() is None:
        time.sleep(0.02)
    running.send_signal(signal.SIGKILL)
    running.wait()
    (done,) = out.glob("cells/*/cell.json")
    assert not (out / "benchmark.json").exists()
    figures, before = json.loads(done.read_text()), contents(done.parent)
    outcome = blemish(*arguments(washers, out, FIRST, SECOND))
    assert outcome.status == 0, outcome.stderr
    after, again = json.loads(done.read_text()), contents(done.parent)
    del before[str(done)], again[str(done)]
    assert again == before
    assert not {"ms", "decode_ms"} & set(figures["timings"]) and after["timings"].pop("ms") > 0
    assert after["timings"].pop("decode_ms") > 0 and after == figures  # timed only when all was measured
    assert outcome.document["timings"]["measured_now"] == 1
    assert without_times(outcome.document) == without_times(document)
    assert not list(out.rglob("*.part"))


@pytest.mark.parametrize("damage", ["no figures", "cut figures", "other arrays", "no inspector"])
def test_a_cell_that_is_not_whole_is_not_believed(
    damage: str, both: tuple[Path, dict[str, Any]], washers: Path, tmp_path: Path
) -> None:
    out = tmp_path / "copy"
    shutil.copytree(both[0], out)
    (data,) = open_compared([washers])
    cell = make_cell(open_candidates([FIRST], size=128)[0], data.name, data.digest, 0, out)
    kept = read_result(cell)
    assert kept is not None and kept.metrics["image_auroc"] > 0.5
    path = cell.folder / {"other arrays": "arrays.npz", "no inspector": "inspector.blemish"}.get(
        damage, "cell.json"
    )
    content = path.read_bytes()
    path.unlink()
    if damage == "cut figures":
        path.write_bytes(content[: len(content) // 2])
    if damage == "other arrays":
        path.write_bytes(content[:-1] + bytes([content[-1] ^ 1]))
    assert read_result(cell) is None


def test_what_a_result_depends_on_makes_another_cell(washers: Path, tmp_path: Path) -> None:
    (data,) = open_compared([washers])
    (candidate,), (larger,), (other,) = (
        open_candidates([FIRST], size=128),
        open_candidates([FIRST], size=160),
        open_candidates([SECOND], size=128),
    )
    cell = make_cell(candidate, data.name, data.digest, 0, tmp_path)
    assert make_cell(candidate, data.name, data.digest, 0, tmp_path / "elsewhere").key == cell.key
    changed = [
        make_cell(larger, data.name, data.digest, 0, tmp_path),
        make_cell(other, data.name, data.digest, 0, tmp_path),
        make_cell(candidate, data.name, data.digest, 1, tmp_path),
        make_cell(candidate, "another", data.digest, 0, tmp_path),
    ]
    assert len({cell.key, *(one.key for one in changed)}) == 5
    copied = tmp_path / washers.name
    shutil.copytree(washers, copied)
    assert open_compared([copied])[0].digest == data.digest
    mask = next(copied.rglob("*_mask.png"))
    mask.write_bytes(mask.read_bytes() + b"x")
    assert open_compared([copied])[0].digest != data.digest


def test_a_failing_cell_is_recorded_and_the_others_go_on(
    both: tuple[Path, dict[str, Any]], blemish: Command, washers: Path, tmp_path: Path
) -> None:
    out, broken = tmp_path / "out", tmp_path / "broken"
    shutil.copytree(both[0], out)
    shutil.copytree(washers, broken)
    for path in (broken / "train" / "good").iterdir():
        path.write_bytes(path.read_bytes()[:200])
    given = arguments(washers, out, FIRST)
    outcome = blemish(*given[:2], broken, *given[2:])
    assert outcome.status == 1
    good, bad = outcome.document["cells"]
    assert good["metrics"]["image_auroc"] > 0.5
    assert bad["error"].startswith("None of the 12 photographs in") and bad["category"] == "broken"
    assert outcome.document["table"]["broken"][FIRST]["image_auroc"] is None
    assert outcome.document["table"]["mean"][FIRST]["image_auroc"] == good["metrics"]["image_auroc"]
    assert f"FAILED  {FIRST} on broken" in outcome.stderr
    page = (out / "report.html").read_text("utf-8")
    assert "1 cell failed" in page and "without 1 of 2 categories" in page
    again = blemish(*given[:2], broken, *given[2:])
    assert (again.status, again.document["timings"]["measured_now"]) == (1, 1)  # tried again, and only this


def test_every_photograph_is_decoded_once_and_every_network_run_once(
    washers: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("BLEMISH_CACHE", str(tmp_path / "cache"))
    (data,) = open_compared([washers])
    detectors = [
        create_detector("patchcore", size=128),
        create_detector("patchcore", size=128, taps=(4, 8)),
        create_detector("patchcore", size=64),
        create_detector("cae", size=64),
    ]
    decoded, runs, decode, run = [], [], together.decode_photograph, CompiledNetwork.__call__
    monkeypatch.setattr(
        together, "decode_photograph", lambda *a, **k: decoded.append(a[1]) or decode(*a, **k)
    )
    monkeypatch.setattr(CompiledNetwork, "__call__", lambda *a: runs.append(a[1].shape) or run(*a))
    found, seconds = read_category(data, detectors, tmp_path)
    n = len(data.catalog)
    assert len(decoded) == len(set(decoded)) == found.decoded == n
    assert sorted(map(len, (found.digests, found.problems))) == [0, n]
    assert runs.count((1, 3, 128, 128)) == runs.count((1, 3, 64, 64)) == n
    assert len(runs) == 2 * n
    assert all(value is not None and value > 0 for value in seconds[:3]) and seconds[3] is None

    def fail(*_: object, **__: object) -> None:
        raise AssertionError("it was decoded again")

    monkeypatch.setattr(extraction, "open_photograph", fail)
    for detector in detectors[:3]:
        assert len(list(detector.extractor().stream(data.catalog.train_normal()))) == 12
    again, remembered = read_category(data, detectors, tmp_path)
    assert (again.decoded, len(runs), remembered) == (0, 2 * n, seconds)


@pytest.mark.parametrize(
    ("given", "sentence"),
    [
        (["--detectors", "patchcor"], "There is no detector patchcor"),
        (["--detectors", "patchcore:fast"], "has no preset fast"),
        (["--detectors", "cae,cae"], "named twice"),
        (["--detectors", "patchcore,patchcore:quick", "--quick"], "are the same detector"),
        (["--detectors", ","], "no detector to compare"),
        (["--detectors", "cae", "--seeds", "0,0"], "--seeds 0,0"),
        (["--detectors", "cae", "--seeds", "one"], "--seeds one"),
    ],
)
def test_a_wrong_command_is_said_before_anything_is_measured(
    given: list[str], sentence: str, blemish: Command, washers: Path, tmp_path: Path
) -> None:
    outcome = blemish("benchmark", washers, *given, "--out", tmp_path / "out")
    assert outcome.status == 2
    assert sentence in outcome.stderr
    assert not (tmp_path / "out" / "cells").exists()


def test_two_categories_of_one_name_are_refused(blemish: Command, washers: Path, tmp_path: Path) -> None:
    shutil.copytree(washers, tmp_path / washers.name)
    outcome = blemish(
        "benchmark", washers, tmp_path / washers.name, "--detectors", "cae", "--out", tmp_path / "out"
    )
    assert outcome.status == 2
    assert "rename one folder" in outcome.stderr


def open_text(path: Path | str) -> io.StringIO:
    return io.StringIO(Path(path).read_text("utf-8"))


@pytest.mark.browser
def test_the_report_works_in_a_browser_without_a_network(
    both: tuple[Path, dict[str, Any]], report_page: Any
) -> None:
    with report_page(both[0] / "report.html") as page:
        page.wait_for_selector(
            "html[data-drawn='6']"
        )  # speed, ROC, precision-recall, defect types, two histograms
        assert page.locator(".chart .main-svg .cartesianlayer .subplot").count() == 6
        assert page.locator(".matrix .best").count() >= 5
        rows = page.locator(".side-by-side .exhibit")
        assert rows.count() == 10
        assert rows.first.locator("img").count() == 6
        rows.first.locator(".pictures").click()
        assert page.locator("#viewer .picture img").count() == 6
        page.keyboard.press("Escape")

        table = page.locator(".matrix").first
        megabytes = {label: of["megabytes"] for label, of in both[1]["table"]["mean"].items()}
        for order in (1, -1):  # the smaller the better, and the other way round
            table.get_by_role("button", name="MB", exact=True).click()
            labels = table.locator("tr.of th").all_inner_texts()
            assert labels == sorted(megabytes, key=lambda label: order * megabytes[label])
        with page.expect_download() as download:
            page.get_by_role("button", name="Save Figures of every detector as CSV").click()
        saved = {one["detector"]: one for one in csv.DictReader(open_text(download.value.path()))}
        written = {one["detector"]: one for one in csv.DictReader(open_text(both[0] / "benchmark.csv"))}
        assert set(saved) == set(written) == {FIRST, SECOND}
        for label, key in product(
            saved, ("image_auroc", "image_auroc_low", "recall_high", "false_reject", "ms")
        ):
            assert float(saved[label][key]) == pytest.approx(float(written[label][key]), rel=1e-4), key

        with page.expect_download() as download:
            page.get_by_role("button", name="Save Precision-recall curves as CSV").click()
        names = {one["series"] for one in csv.DictReader(open_text(download.value.path()))}
        assert names >= {FIRST, SECOND}
        page.locator("[data-shared-legend]").get_by_role("button", name=FIRST, exact=True).click()
        with page.expect_download() as download:
            page.get_by_role("button", name="Save ROC curves as CSV").click()
        names = {one["series"] for one in csv.DictReader(open_text(download.value.path()))}
        assert FIRST not in names and SECOND in names


def row(label: str, note: str = "", remark: str = "", **figures: float) -> Row:
    """A row with these figures, and the others undefined."""
    values = tuple(figures.get(column.key, math.nan) for column in COLUMNS)
    return Row(label, values, (math.nan,) * len(values), note, remark)


def test_the_best_of_each_column_is_what_is_shown_as_best() -> None:
    common = {"pixel_auroc": 0.5, "megabytes": 3.0}
    good = row("a", image_auroc=0.9001, iou=0.2, fit_seconds=9.0, ms=5.0, recall=0.9, **common)
    same = row("b", image_auroc=0.9004, iou=0.1, fit_seconds=8.0, ms=7.0, recall=0.2, **common)
    worse = row("c", image_auroc=0.7, iou=0.1, fit_seconds=9.0, ms=9.0, recall=0.1, **common)
    everything = dict.fromkeys((column.key for column in COLUMNS), 1.0)
    partial = row("d", note="without 1 of 2 categories, where it failed", **everything)
    best = dict(zip(PLACES, Block("mean", (good, same, worse, partial)).best(), strict=True))
    assert best["image_auroc"] == {0, 1}  # equal to three decimals
    assert best["pixel_auroc"] == best["f1"] == best["megabytes"] == set()  # all alike, undefined, all alike
    assert (best["iou"], best["fit_seconds"], best["ms"]) == ({0}, {1}, {0})  # higher, then lower is better
    assert best["recall"] == set()  # rejecting everything would be the best


def test_a_detector_tested_on_other_photographs_is_not_the_best_beside_the_rest() -> None:
    (low, high, taught), said = (
        [dict.fromkeys((column.key for column in COLUMNS), value) for value in (0.7, 0.8, 0.99)],
        "learnt from 30 labelled test photographs",
    )
    block = Block("mean", (row("a", **low), row("b", **high), row("taught", remark=said, **taught)))
    assert block.best()[0] == {1}
    assert headline(Table((block, block))).startswith("b ranks parts best")
    pair = row("taught", remark=said, **taught), row("worse", remark=said, **low)
    assert Block("mean", pair).best()[0] == {0}
