"""`blemish decide`: shown, changed, undone; what it prints is what the file then does."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from blemish.line.artifact import read_artifact
from blemish.line.runtime import Inspector

Blemish = Callable[..., Any]


@pytest.fixture
def inspector(fitted: Path, tmp_path: Path) -> Path:
    """A tiny inspector to change."""
    return Path(shutil.copy(fitted, tmp_path / "washer.blemish"))


@pytest.fixture
def defects(washers: Path, tmp_path: Path) -> Path:
    """A folder of photographs of defects, and of nothing else."""
    folder = tmp_path / "defects"
    folder.mkdir()
    for path in sorted(washers.glob("test/*/*.png")):
        if path.parent.name != "good":
            shutil.copy(path, folder / f"{path.parent.name}-{path.name}")
    return folder


def figures(stdout: str) -> list[list[str]]:
    """Rows of the table."""
    return [
        re.split(r"  +", line.strip()) for line in stdout.splitlines() if re.match(r" *(\d+\.\d+%|-)  ", line)
    ]


def test_without_options_it_only_shows(inspector: Path, blemish: Blemish) -> None:
    before = inspector.read_bytes()
    outcome = blemish("decide", inspector)
    assert (outcome.status, inspector.read_bytes()) == (0, before)
    decision = read_artifact(inspector).manifest.decision
    assert f"rejects above        {decision.threshold:.4g}" in outcome.stdout
    assert "12 good photographs, which promise no rate under 0.0770; 0.05 takes 7 more" in outcome.stdout
    assert figures(outcome.stdout)[0][:4] == ["7.69%", f"{decision.threshold:.4g}", "7.69%", "22.09%"]
    assert (
        sum(int(line.split("# ")[1].split()[0]) for line in outcome.stdout.splitlines() if "# " in line) == 12
    )


def test_a_change_is_in_effect_remembered_and_undone(inspector: Path, blemish: Blemish) -> None:
    before = Inspector.load(inspector).decision
    asked = ("--false-reject-rate", 0.2, "--review-rate", 0.4, "--by", "anna", "--note", "too many stops")
    outcome = blemish("decide", inspector, *asked)
    assert outcome.status == 0, outcome.stderr
    now = Inspector.load(inspector)
    assert (now.decision.version, now.decision.parent, now.decision.by) == (2, 1, "anna")
    assert now.decision.threshold == now.calibration.threshold(0.2) < before.threshold
    assert now.manifest.decisions[0] == before
    assert f"rejects above        {before.threshold:.4g} -> {now.threshold:.4g}" in outcome.stdout
    assert "to review above      nothing -> " in outcome.stdout
    assert "by anna: too many stops" in outcome.stdout
    undo = next(line for line in outcome.stdout.splitlines() if line.startswith("Undo: blemish "))
    assert blemish(*undo.removeprefix("Undo: blemish ").split()).status == 0
    again = Inspector.load(inspector).decision
    assert (again.version, again.restores, again.threshold) == (3, 1, before.threshold)
    refused = blemish("decide", inspector, "--undo")
    assert (refused.status, refused.stdout) == (2, "")
    assert "there is nothing to undo" in refused.stderr


def test_the_verdicts_are_those_of_the_new_decision(inspector: Path, washers: Path, blemish: Blemish) -> None:
    photograph = sorted(washers.glob("test/good/*.png"))[0]
    score = Inspector.load(inspector).inspect(photograph).score
    verdicts = []
    for threshold, review in ((score - 1, score - 1), (score + 1, score - 1), (score + 1, score + 0.5)):
        asked = ("--threshold", threshold, "--review-threshold", review)
        assert blemish("decide", inspector, *asked).status == 0
        verdicts.append(blemish("inspect", inspector, photograph, "--json").document[0]["verdict"])
    assert verdicts == ["reject", "review", "pass"]


def test_known_defects_of_a_folder_and_of_a_data_set_are_the_same(
    inspector: Path, washers: Path, defects: Path, blemish: Blemish
) -> None:
    of_folder, of_set = (
        blemish("decide", inspector, "--from-defects", data, "--json").document for data in (defects, washers)
    )
    assert of_folder["table"] == of_set["table"]
    known = of_folder["known_defects"]
    assert known["n"] == known["rejected"] + known["to_review"] + known["passed"] == 12
    scores = [Inspector.load(inspector).inspect(path).score for path in defects.iterdir()]
    for row in of_folder["table"]:
        assert row["escapes"]["missed"] == np.count_nonzero(np.asarray(scores) <= row["threshold"])
    assert of_folder["before"] is None


def test_a_wanted_recall_is_reached_and_what_gave_way_is_said(
    inspector: Path, defects: Path, tmp_path: Path, blemish: Blemish
) -> None:
    before, out = inspector.read_bytes(), tmp_path / "other.blemish"
    asked = ("--from-defects", defects, "--recall", 0.9, "--false-reject-rate", 0.08, "--out", out)
    outcome = blemish("decide", inspector, *asked)
    assert outcome.status == 0, outcome.stderr
    assert inspector.read_bytes() == before
    decided = Inspector.load(out)
    scores = np.array([decided.inspect(path).score for path in defects.iterdir()])
    assert np.count_nonzero(scores > decided.threshold) >= 11
    assert f"it becomes {decided.decision.expected:.4f}" in outcome.stdout
    assert "All 12 photographs" in outcome.stderr
    document = blemish("decide", out, "--json").document
    assert document["decision"]["seen"]["recall"] == 0.9
    assert len(document["history"]) == 2


def test_costs_are_weighed_and_reported(
    inspector: Path, defects: Path, tmp_path: Path, blemish: Blemish
) -> None:
    report = tmp_path / "decide.html"
    asked = ("--from-defects", defects, "--cost-missed", 500, "--cost-false-reject", 1, "--report", report)
    outcome = blemish("decide", inspector, *asked)
    assert outcome.status == 0, outcome.stderr
    assert "the least cost of 500 for a miss and 1 for a false reject where 0.01 of parts" in outcome.stdout
    page = report.read_text("utf-8")
    decision = read_artifact(inspector).manifest.decision
    assert f"above {decision.threshold:.4g}" in page
    assert "Known defects missed" in page
    assert decision.seen is not None
    assert f'<td class="number">{decision.seen.missed} of 12</td>' in page


def test_what_was_learnt_from_is_no_known_defect(
    inspector: Path, washers: Path, defects: Path, blemish: Blemish
) -> None:
    learnt = sorted(washers.glob("train/good/*.png"))[0]
    shutil.copy(learnt, defects / "learnt.png")
    shutil.copy(next(defects.glob("scratch*")), defects / "twice.png")
    (defects / "broken.png").write_bytes((defects / "learnt.png").read_bytes()[:60])
    document = blemish("decide", inspector, "--from-defects", defects, "--json").document
    left_out = {Path(one["path"]).name: one["detail"] for one in document["known_defects"]["left_out"]}
    assert document["known_defects"]["n"] == 12
    assert left_out.keys() >= {"learnt.png", "broken.png"}
    assert "has learnt from it" in left_out["learnt.png"]
    assert sum("same file as another" in detail for detail in left_out.values()) == 1
    outcome = blemish("decide", inspector, "--from-defects", washers / "train" / "good", "--best-f1")
    assert outcome.status == 2
    assert "None of 12 photographs counts as a known defect" in outcome.stderr


@pytest.mark.parametrize(
    ("asked", "reason"),
    [
        (("--false-reject-rate", 0.01), "smallest that they can is 0.0770. Give that, or 87 more"),
        (("--false-reject-rate", 0.01, "--tail"), "12 good photographs are too few to extrapolate"),
        (("--recall", 0.9), "no known defects, which recall needs"),
        (("--out", "b.blemish"), "Nothing is changed for b.blemish"),
        (("--threshold", 3, "--out", "b.txt"), "b.txt does not end in .blemish"),
        (("--report", "b.txt"), "b.txt is not the name of an HTML file"),
        (("--from-defects", "nowhere"), "nowhere does not exist"),
        (("--threshold", 3, "--by", "an\x1bna"), "--by"),
    ],
)
def test_what_cannot_be_is_refused_and_changes_nothing(
    inspector: Path, blemish: Blemish, asked: tuple[Any, ...], reason: str
) -> None:
    before = inspector.read_bytes()
    outcome = blemish("decide", inspector, *asked)
    assert (outcome.status, outcome.stdout, inspector.read_bytes()) == (2, "", before)
    assert reason in outcome.stderr


def test_a_station_keeps_its_files(fitted: Path, tmp_path: Path, blemish: Blemish) -> None:
    shelf = tmp_path / "inspectors" / "washer"
    shelf.mkdir(parents=True)
    kept = Path(shutil.copy(fitted, shelf / "0001-0123456789ab.blemish"))
    refused = blemish("decide", kept, "--threshold", 3)
    assert refused.status == 2
    assert "version 1 of washer at a station" in refused.stderr
    assert blemish("decide", kept, "--threshold", 3, "--out", tmp_path / "free.blemish").status == 0


def test_fit_refuses_a_rate_before_it_learns(washers: Path, tmp_path: Path, blemish: Blemish) -> None:
    out = tmp_path / "washer.blemish"
    refused = blemish("fit", washers, "--out", out, "--quick", "--false-reject-rate", 0.05)
    assert refused.status == 2
    assert "12 good photographs cannot promise a false-reject rate of 0.05" in refused.stderr
    assert "Give that, or 7 more" in refused.stderr
    assert not out.exists()


def test_python_decides_too(inspector: Path, defects: Path, tmp_path: Path) -> None:
    import blemish

    opened = blemish.load(inspector)
    decided = opened.decide(recall=1.0, defects=sorted(defects.iterdir()), by="anna")
    assert opened.decision.version == 1
    assert decided.decision.seen is not None
    assert (decided.decision.seen.n, decided.decision.seen.missed) == (12, 0)
    assert all(decided.inspect(path).verdict == "reject" for path in defects.iterdir())
    decided.save(tmp_path / "decided.blemish")
    assert blemish.load(tmp_path / "decided.blemish").decision == decided.decision
    assert decided.decide(undo=True).threshold == opened.threshold
    with pytest.raises(blemish.UsageError, match="A policy has no 'rate'"):
        opened.decide(rate=0.1)


def test_showing_needs_no_laboratory(inspector: Path, defects: Path) -> None:
    program = (
        "import sys\n"
        "for name in ('torch', 'plotly', 'scipy', 'pandas', 'sklearn'): sys.modules[name] = None\n"
        "from blemish.cli.main import main\n"
        "main(sys.argv[1:])\n"
    )
    for asked in (["--threshold", "3"], ["--from-defects", str(defects), "--recall", "0.9"]):
        ran = subprocess.run(
            [sys.executable, "-c", program, "decide", str(inspector), *asked],
            capture_output=True,
            text=True,
            check=False,
        )
        assert ran.returncode == 0, ran.stderr
    assert read_artifact(inspector).manifest.decision.rule == "recall"
