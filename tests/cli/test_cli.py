"""The verbs as a user and as a program meets them."""

from __future__ import annotations

import csv
import json
import os
import re
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.metrics import roc_auc_score

from blemish import __version__
from blemish.cli.verbs import VERBS
from blemish.core.errors import UsageError
from blemish.line.photographs import find_photographs

Call = Callable[..., Any]


def one_sentence(stderr: str) -> bool:
    """Whether the last thing said is one line for people."""
    return (
        "Traceback" not in stderr and stderr.endswith(".\n") and "\n" not in stderr.strip().splitlines()[-1]
    )


def test_help_lists_every_verb(blemish: Call) -> None:
    for arguments in ((), ("--help",), ("-h",)):
        outcome = blemish(*arguments)
        assert outcome.status == 0
        assert all(f"\n  {verb} " in outcome.stdout for verb in VERBS)
        assert "..." not in outcome.stdout.partition("Commands:")[2], "a summary is cut short"


GROUPS = {"data", "key", "gallery"}


@pytest.mark.parametrize("verb", VERBS)
def test_each_verb_explains_itself_with_an_example(blemish: Call, verb: str) -> None:
    outcome = blemish(verb, "--help")
    assert outcome.status == 0
    assert outcome.stdout.startswith(f"Usage: blemish {verb} [OPTIONS]")
    if verb in GROUPS:
        assert "\nCommands:\n" in outcome.stdout
    else:
        assert f"\n  blemish {verb}" in outcome.stdout
        assert "--json" in outcome.stdout


def test_version(blemish: Call) -> None:
    assert blemish("--version").stdout == f"blemish {__version__}\n"


WRONG = {
    "no such verb": (("inspekt",), 2, "Did you mean 'inspect'? See blemish --help."),
    "no such option": (("fit", "{data}", "--out", "x.blemish", "--colour", "red"), 2, "--colour"),
    "no data": (("fit",), 2, "DATA"),
    "no out": (("fit", "{data}"), 2, "--out"),
    "not a number": (("fit", "{data}", "--out", "x.blemish", "--size", "large"), 2, "--size"),
    "another suffix": (("fit", "{data}", "--out", "x.zip"), 2, "x.zip"),
    "another suffix of the report": (
        ("fit", "{data}", "--out", "x.blemish", "--report", "x.pdf"),
        2,
        "x.pdf",
    ),
    "no such folder": (("fit", "/nowhere/at/all", "--out", "x.blemish"), 1, "/nowhere/at/all"),
    "no such detector": (("fit", "{data}", "--out", "x.blemish", "--detector", "oracle"), 2, "oracle"),
    "no such preset": (("fit", "{data}", "--out", "x.blemish", "--preset", "magic"), 2, "magic"),
    "no such parameter": (("fit", "{data}", "--out", "x.blemish", "--set", "luck=7"), 2, "luck"),
    "no setting": (("fit", "{data}", "--out", "x.blemish", "--set", "luck"), 2, "luck"),
    "no such category": (("fit", "{data.parent}", "--out", "x.blemish", "--category", "nut"), 1, "washer"),
    "bit depth": (("fit", "{data}", "--out", "x.blemish", "--bit-depth", "20"), 2, "--bit-depth"),
    "no such inspector": (("inspect", "none.blemish", "{data}"), 1, "none.blemish"),
    "not an inspector": (("evaluate", "{data}/train/good/000.png", "{data}"), 1, "000.png"),
    "nothing to inspect": (("inspect", "none.blemish"), 2, "PATH"),
}


@pytest.mark.parametrize("case", WRONG)
def test_what_is_wrong_is_said_in_one_sentence(blemish: Call, washers: Path, case: str) -> None:
    arguments, status, named = WRONG[case]
    arguments = tuple(argument.format(data=washers) for argument in arguments)
    plain, as_json = blemish(*arguments), blemish(*arguments, "--json")
    assert plain.status == as_json.status == status, plain.stderr
    assert plain.stdout == ""
    assert named in plain.stderr
    assert one_sentence(plain.stderr)
    assert as_json.document["exit_status"] == status
    assert as_json.document["error"] == plain.stderr.strip().splitlines()[-1]


def test_the_unexpected_shows_its_traceback_only_with_debug(
    blemish: Call, washers: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object, **__: object) -> None:
        raise RuntimeError("the disk sang")

    monkeypatch.setattr("blemish.data.catalog.open_catalogs", fail)
    plain = blemish("check", washers)
    assert plain.status == 1
    assert one_sentence(plain.stderr)
    assert "the disk sang" in plain.stderr
    assert "--debug" in plain.stderr
    for arguments in (("--debug", "check", washers), ("check", washers, "--debug")):
        assert "in fail\n" in blemish(*arguments).stderr


def test_ctrl_c_is_one_sentence_and_130(
    blemish: Call, washers: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupt(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("blemish.data.catalog.open_catalogs", interrupt)
    outcome = blemish("check", washers)
    assert (outcome.status, outcome.stdout, outcome.stderr) == (130, "", "Stopped by Ctrl-C.\n")


def test_detectors_are_those_of_the_registry(blemish: Call) -> None:
    from blemish.detectors.registry import create_detector, detector_names

    listed = blemish("detectors", "--json").document
    assert [entry["name"] for entry in listed] == detector_names()
    for entry in listed:
        for preset in (None, *entry["presets"]):
            create_detector(entry["name"], preset)
        text = blemish("detectors").stdout
        assert entry["summary"] in text
        assert entry["reference"] in text


def test_check_finds_nothing_in_a_clean_category_and_names_what_is_wrong(
    blemish: Call, washers: Path, tmp_path: Path
) -> None:
    clean = blemish("check", washers, "--json")
    assert (clean.status, clean.document["categories"][0]["problems"]) == (0, [])
    assert clean.document["categories"][0]["counts"]["train"] == {"good": 12}

    spoilt = shutil.copytree(washers, tmp_path / "washer")
    shutil.copy(spoilt / "train/good/000.png", spoilt / "test/good/900.png")
    (spoilt / "train/good/001.png").write_bytes(b"not an image")
    outcome = blemish("check", spoilt, "--json")
    kinds = {
        Path(entry["path"]).name: entry["kind"] for entry in outcome.document["categories"][0]["problems"]
    }
    assert outcome.status == 1
    assert kinds["001.png"] == "not-an-image"
    assert "duplicate-across-splits" in kinds.values()
    assert "duplicate-across-splits" in blemish("check", spoilt).stdout


def test_fit_says_what_it_did_and_what_comes_next(blemish: Call, washers: Path, tmp_path: Path) -> None:
    folder = tmp_path / "good parts"  # only photographs, one of them unreadable
    shutil.copytree(washers / "train/good", folder)
    (folder / "000.png").write_bytes((folder / "000.png").read_bytes()[:3000])
    out = tmp_path / "new" / "part.blemish"
    options = ("--seed", 3, "--set", "coreset_size=100", "--set", "copies=none")
    outcome = blemish("fit", folder, "--out", out, "--size", 96, *options)
    assert outcome.status == 0, outcome.stderr
    assert f"Skipped {folder / '000.png'}: the file ends before its image does" in outcome.stderr
    assert "11 photographs of good parts" in outcome.stdout
    assert f"blemish inspect {out}" in outcome.stdout  # there is nothing to evaluate on

    assert not list(out.parent.glob("*.html"))

    again = blemish("fit", folder, "--out", out, "--set", "size=96", *options, "--json").document
    assert again["report"] is None
    assert again["n_train"] == 11
    assert [Path(entry["path"]).name for entry in again["skipped"]] == ["000.png"]
    assert 0 < again["decision"]["expected"] < 0.2
    assert f"{again['threshold']:.4g}" in outcome.stdout, "the same seed learns the same"
    assert again["megabytes"] == pytest.approx(out.stat().st_size / 1e6, rel=0.1)


@pytest.mark.parametrize(
    ("detector", "setting"), [("patchcore", "seed=1"), ("one-class-svm", "seed=1"), ("cae", "epochs=2")]
)
def test_fit_reports_the_most_unusual_of_the_good_photographs(
    blemish: Call, washers: Path, tmp_path: Path, detector: str, setting: str
) -> None:
    folder, report = tmp_path / "good parts", tmp_path / "reports" / "part.html"
    shutil.copytree(washers / "train/good", folder)
    noise = np.random.default_rng(0).integers(0, 256, (128, 128), np.uint8)
    assert cv2.imwrite(str(folder / "odd & new.png"), noise)
    out = tmp_path / "part.blemish"
    options = ("--size", 96, "--detector", detector, "--quick", "--set", setting)
    outcome = blemish("fit", folder, "--out", out, *options, "--report", report, "--json")
    assert outcome.status == 0, outcome.stderr
    assert outcome.document["report"] == str(report)
    assert "normal" not in outcome.document
    page = report.read_text("utf-8")
    text = page.partition("<main")[2].partition("<dialog")[0]
    assert f"above {outcome.document['threshold']:.4g}" in page and "is not known until" in page
    assert "13 photographs of good parts" in page and f"<dd>{detector}</dd>" in page
    assert (">Heatmap<" in text) == (detector != "one-class-svm")
    assert ("Loss in " in text) == (detector == "cae")
    names = re.findall(r'class="name">([^<]*)<', text)
    assert len(names) == len(set(names)) == min(12, outcome.document["n_scores"])
    if detector == "patchcore":  # the others are not sure to hold noise for unusual after so little training
        assert names[0] == "odd &amp; new.png"


def test_a_report_that_cannot_be_written_leaves_the_inspector(
    blemish: Call, washers: Path, tmp_path: Path
) -> None:
    blocked, out = tmp_path / "file", tmp_path / "part.blemish"
    blocked.write_text("no folder")
    options = ("--size", 96, "--quick", "--report", blocked / "part.html")
    outcome = blemish("fit", washers / "train/good", "--out", out, *options)
    assert outcome.status != 0 and one_sentence(outcome.stderr)
    assert f"The inspector is written all the same: {out}." in " ".join(outcome.stderr.split())
    assert blemish("inspect", out, washers / "train/good").status in (0, 1)


def test_evaluate_agrees_with_what_inspect_says_of_each_photograph(
    blemish: Call, washers: Path, fitted: Path, tmp_path: Path
) -> None:
    outcome = blemish("evaluate", fitted, washers, "--out", tmp_path, "--json")
    measured = outcome.document
    assert outcome.status == 0
    inspected = blemish("inspect", fitted, washers / "test", "--json").document
    anomalous = np.array([Path(entry["path"]).parent.name != "good" for entry in inspected])
    rejected = np.array([entry["verdict"] == "reject" for entry in inspected])
    scores = [entry["score"] for entry in inspected]

    assert measured["image_auroc"] == pytest.approx(roc_auc_score(anomalous, scores))
    assert measured["recall"] == pytest.approx(rejected[anomalous].mean())
    assert measured["accuracy"] == pytest.approx((rejected == anomalous).mean())
    assert (measured["n_normal"], measured["n_anomalous"]) == (6, 12)
    assert measured["image_auroc"] > 0.6, "nothing was learnt"
    expected = "image_ap image_f1 precision threshold pixel_auroc pixel_ap pixel_f1 aupro latency_ms"
    assert set(expected.split()) <= set(measured)
    assert set(measured["latency_ms"]) == {"p50", "p99"}
    assert len(measured["per_defect_type"]) == 6
    assert json.loads((tmp_path / "metrics.json").read_text()) == measured
    assert "washer" in Path(measured["report"]).read_text()

    text = blemish("evaluate", fitted, washers, "--out", tmp_path).stdout
    assert f"{measured['image_auroc']:.3f}" in text
    assert str(tmp_path / "report.html") in text


def test_evaluate_writes_beside_the_inspector_unless_told(blemish: Call, washers: Path, fitted: Path) -> None:
    report = blemish("evaluate", fitted, washers, "--json").document["report"]
    assert Path(report) == fitted.parent / "washer-evaluation" / "report.html"
    assert Path(report).is_file()


def test_a_folder_of_several_categories_is_searched_for_the_inspectors_own(
    blemish: Call, washers: Path, fitted: Path, tmp_path: Path
) -> None:
    for name in ("nut", "washer"):
        shutil.copytree(washers, tmp_path / name)
    outcome = blemish("evaluate", fitted, tmp_path, "--out", tmp_path / "out", "--json")
    assert outcome.document["category"] == "washer"
    outcome = blemish("evaluate", fitted, tmp_path, "--category", "nut", "--out", tmp_path / "out", "--json")
    assert outcome.document["category"] == "nut"
    refused = blemish("fit", tmp_path, "--out", tmp_path / "x.blemish")
    assert "nut, washer" in refused.stderr


def test_inspect_gives_verdicts_overlays_and_tables(
    blemish: Call, washers: Path, fitted: Path, tmp_path: Path
) -> None:
    outcome = blemish("inspect", fitted, washers / "test", "--out", tmp_path, "--json")
    entries = outcome.document
    assert len(entries) == 18
    assert outcome.status == int(any(entry["verdict"] != "pass" for entry in entries))
    for entry in entries:
        assert entry["verdict"] == ("reject" if entry["score"] > entry["threshold"] else "pass")
        assert 0 < entry["p_value"] <= 1
        assert bool(entry["regions"]) == (entry["verdict"] == "reject")
        for region in entry["regions"]:
            assert 0 <= region["x"] < region["x"] + region["width"] <= 128
            assert 0 <= region["y"] < region["y"] + region["height"] <= 128
        overlay = cv2.imread(entry["overlay"])
        assert overlay.shape[0] >= 128
        assert overlay.shape[1] >= 256, "photograph and heatmap, side by side"
        place = Path(entry["path"]).relative_to(washers / "test")
        assert Path(entry["overlay"]) == tmp_path / place.with_suffix(".jpg")
    assert json.loads((tmp_path / "results.json").read_text()) == entries
    with (tmp_path / "results.csv").open(newline="") as table:
        rows = list(csv.DictReader(table))
    assert [row["path"] for row in rows] == [entry["path"] for entry in entries]
    assert [float(row["score"]) for row in rows] == [entry["score"] for entry in entries]
    assert [int(row["regions"]) for row in rows] == [len(entry["regions"]) for entry in entries]


def test_inspect_prints_a_line_for_each_and_ends_with_1_if_any_is_rejected(
    blemish: Call, washers: Path, fitted: Path, tmp_path: Path
) -> None:
    verdicts = {
        entry["path"]: entry["verdict"]
        for entry in blemish("inspect", fitted, washers / "test", "--json").document
    }
    passed = next(path for path, verdict in verdicts.items() if verdict == "pass")
    rejected = next(path for path, verdict in verdicts.items() if verdict == "reject")
    for paths, status in (((passed,), 0), ((rejected,), 1), ((passed, rejected), 1)):
        outcome = blemish("inspect", fitted, *paths, "--out", tmp_path, "--save", "rejects")
        lines = outcome.stdout.splitlines()
        assert outcome.status == status
        assert [line.split()[0].lower() for line in lines[: len(paths)]] == [verdicts[path] for path in paths]
        assert all(path in line for path, line in zip(paths, lines, strict=False))
    assert len(list(tmp_path.glob("*.jpg"))) == 1, "an overlay of the rejected one alone"


def test_inspecting_twice_into_a_folder_inside_does_not_inspect_the_overlays(
    blemish: Call, washers: Path, fitted: Path, tmp_path: Path
) -> None:
    folder = shutil.copytree(washers / "test" / "good", tmp_path / "new")
    for _ in range(2):
        outcome = blemish("inspect", fitted, folder, "--out", folder / "verdicts", "--json")
        assert len(outcome.document) == 6
    refused = blemish("inspect", fitted, folder, "--out", folder)
    assert refused.status == 2
    assert "--out" in refused.stderr


NAMES = st.lists(
    st.tuples(
        st.sampled_from(["", "a", "b", "A", "a/b"]),
        st.sampled_from(["1", "2", "x", "X", "1-2"]),
        st.sampled_from([".png", ".jpg", ".JPG", ".tif"]),
    ),
    min_size=1,
    max_size=12,
    unique=True,
)


@settings(max_examples=40, deadline=None)
@given(names=NAMES, inside=st.booleans())
def test_an_overlay_never_takes_the_place_of_a_photograph_or_of_another(
    tmp_path_factory: pytest.TempPathFactory, names: list[tuple[str, str, str]], inside: bool
) -> None:
    root = tmp_path_factory.mktemp("photographs")
    files = [root / folder / f"{stem}{suffix}" for folder, stem, suffix in names]
    for file in files:
        file.parent.mkdir(parents=True, exist_ok=True)
        file.touch()
    out = root if inside else root.parent / f"{root.name}-out"
    given_paths = files if inside else [root, *files]
    found = find_photographs(given_paths, out)
    assert {photograph.path for photograph in found} == set(files)
    assert len(found) == len(set(files)), "each once"
    places = [os.path.normcase(out / photograph.place).lower() for photograph in found]
    assert len(set(places)) == len(places)
    assert not set(places) & {str(file).lower() for file in files}
    assert all((out / photograph.place).resolve().is_relative_to(out.resolve()) for photograph in found)


def test_out_may_not_be_a_folder_to_inspect(tmp_path: Path) -> None:
    (tmp_path / "1.png").touch()
    with pytest.raises(UsageError, match="choose another"):
        find_photographs([tmp_path], tmp_path / "." / "")


@pytest.mark.slow
def test_the_demo_ends_within_three_minutes_and_learns_every_category(blemish: Call, tmp_path: Path) -> None:
    outcome = blemish("demo", "--out", tmp_path, "--json")
    assert outcome.status == 0, outcome.stderr
    assert outcome.document["seconds"] < 180
    assert len(outcome.document["evaluations"]) == 6
    assert all(evaluation["image_auroc"] > 0.7 for evaluation in outcome.document["evaluations"])
    assert (tmp_path / "report.html").is_file()
