"""Corrections learnt: the bank takes good parts in, the gate holds, the promise stays, defects get a head, and back."""

from __future__ import annotations

import dataclasses
import hashlib
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

pytest.importorskip("torch", reason="the extra [train] is not installed")

from blemish.core.errors import UsageError
from blemish.core.images import read_image
from blemish.core.pictures import encoded
from blemish.line.artifact import (
    KNOWN_DEFECTS,
    NORMAL_BANK_SCORES,
    NORMAL_POOLED,
    NORMAL_SCORES,
    Artifact,
    array_content,
    read_artifact,
    write_artifact,
)
from blemish.line.correction import Correction, LinePhotograph
from blemish.line.runtime import Inspector
from blemish.making.bank_graph import BankGraph
from blemish.making.corrected_goods import LARGEST_SHARE
from blemish.making.known_defect_head import KnownDefectHead, learn_head
from blemish.making.learn_corrections import Learnt, learn_corrections


def correction(content: bytes, good: bool, name: str = "part.png", confirmed: bool = False) -> Correction:
    digest = hashlib.sha256(content).hexdigest()
    return Correction(LinePhotograph(name, digest, lambda: content), good, "anna", confirmed)


def photographs(folder: Path, pattern: str) -> list[bytes]:
    return [path.read_bytes() for path in sorted(folder.glob(pattern))]


def dotted(content: Path, strength: int, place: int) -> bytes:
    """A good part with a small mark on it that the inspector has never seen."""
    image = read_image(content).copy()
    cv2.circle(image, (52 + 6 * place, 30), 5, (255 - strength,) * 3, -1)
    return encoded(image, ".png")


def saved(learnt: Learnt, folder: Path, name: str = "after") -> Inspector:
    path = folder / f"{name}.blemish"
    write_artifact(path, learnt.manifest, learnt.members)
    return Inspector.load(path)


@pytest.fixture(scope="module")
def artifact(fitted: Path) -> Artifact:
    return read_artifact(fitted)


@pytest.fixture(scope="module")
def marked(washers: Path) -> list[bytes]:
    """Good parts with a mark, which the inspector rejects: a supplier has begun to stamp them."""
    return [dotted(path, 235, k) for k, path in enumerate(sorted(washers.glob("train/good/*.png"))[:4])]


def test_the_graph_is_read_as_the_line_runs_it(artifact: Artifact, washers: Path) -> None:
    graph, inspector = BankGraph(artifact.content("model.onnx"), "washer"), Inspector(artifact)
    for content in photographs(washers, "test/*/*.png")[::5]:
        given = inspector.input_of(inspector.open_photograph(content, "one").pixels)
        seen = graph.read(given.values)
        score, anomaly_map = graph.score(seen.distances, seen.offset)
        said = inspector.predict_input(given)
        assert score == pytest.approx(said.score, rel=1e-5)
        np.testing.assert_allclose(anomaly_map, said.anomaly_map, rtol=1e-4, atol=1e-4)
    assert len(graph.bank) == 100 and graph.head is None


def test_a_head_and_vectors_come_and_go_without_a_trace(artifact: Artifact, washers: Path) -> None:
    graph, inspector = BankGraph(artifact.content("model.onnx"), "washer"), Inspector(artifact)
    given = inspector.input_of(
        inspector.open_photograph(photographs(washers, "test/*/*.png")[3], "one").pixels
    )
    seen = graph.read(given.values)
    columns = graph.bank.shape[1]
    head = KnownDefectHead(np.full(columns, 0.01, np.float32), 1.0, 12, 1.0)
    changed = BankGraph(graph.changed(seen.vectors[:3], head), "washer")
    assert len(changed.bank) == 103 and changed.head is not None
    np.testing.assert_allclose(changed.bank[100:], seen.vectors[:3], atol=1e-4)
    assert float(changed.read(given.values).distances.ravel()[:3].max()) < 0.05  # they are in the bank now
    back = BankGraph(changed.changed(np.empty((0, columns), np.float32)), "washer")
    assert back.head is None
    assert back.score(seen.distances, seen.offset)[0] == graph.score(seen.distances, seen.offset)[0]


def test_a_part_found_good_enters_the_bank_and_passes_from_then_on(
    artifact: Artifact, marked: list[bytes], tmp_path: Path
) -> None:
    before = Inspector(artifact)
    scores = [before.inspect(one).score for one in marked]
    assert min(scores) > before.threshold  # all rejected
    said = [correction(one, True, f"{k}.png", confirmed=True) for k, one in enumerate(marked)]
    learnt = learn_corrections(artifact, said)
    after = saved(learnt, tmp_path)
    assert learnt.good == 4 and 0 < learnt.patches <= LARGEST_SHARE * 100
    assert [after.inspect(one).score < score for one, score in zip(marked, scores, strict=True)] == [True] * 4
    # The calibration holds them as if unseen: higher than they score now, and none of the stored scores is gone.
    assert len(after.calibration.scores) == len(before.calibration.scores) + 4
    assert set(before.normal_scores.tolist()) <= set(after.normal_scores.tolist())
    record = after.manifest.corrections
    assert record is not None and len(record.good) == 4 and record.n_patches == learnt.patches
    assert record.parent == hashlib.sha256(artifact.path.read_bytes()).hexdigest()
    promised = after.calibration.promise(after.threshold).expected
    assert after.decision.expected == pytest.approx(promised)
    # The new patches say where they are from, and are shown, as the others do and are.
    good = after.good_patches
    assert len(good.sources) == 100 + learnt.patches
    assert good.record.photographs[-1].name == "3.png"
    photograph, _, _, copy, across, down = good.sources[-1].tolist()
    picture = good.picture(photograph, copy, across, down)
    assert picture is not None and picture[0].std() > 0


def test_what_is_far_from_all_good_parts_asks_a_second_person(
    artifact: Artifact, washers: Path, tmp_path: Path
) -> None:
    good = photographs(washers, "test/good/*.png")[0]
    struck = read_image(sorted(washers.glob("test/good/*.png"))[1]).copy()
    struck[50:80, 20:45] = struck[50:80, 20:45] // 3
    loud = encoded(struck, ".png")
    learnt = learn_corrections(artifact, [correction(loud, True, "loud.png"), correction(good, True)])
    (waiting,) = learnt.set_aside
    assert waiting.name == "loud.png"
    assert waiting.asks_second and waiting.deviations is not None and "second person" in waiting.detail
    both = learn_corrections(artifact, [correction(loud, True, confirmed=True)])
    assert not both.waiting and both.calibrated == 1
    with pytest.raises(UsageError, match="None of 1 corrections could be learnt from"):
        learn_corrections(artifact, [correction(loud, True, "loud.png")])


def test_the_same_again_is_nothing_new_and_passes_only_calibrate(
    artifact: Artifact, washers: Path, tmp_path: Path
) -> None:
    first, *others = photographs(washers, "test/good/*.png")
    learnt = learn_corrections(
        artifact, [correction(first, True)], [correction(one, True) for one in others[:3]]
    )
    after = saved(learnt, tmp_path)
    assert (learnt.calibrated, learnt.good) == (4, 0)
    assert len(after.calibration.scores) == len(Inspector(artifact).calibration.scores) + 4
    with pytest.raises(UsageError, match="nothing new to learn from"):
        learn_corrections(read_artifact(after.path), [correction(first, True)])


def test_defects_are_remembered_over_versions_and_learnt_from_ten_on(
    artifact: Artifact, washers: Path, tmp_path: Path
) -> None:
    bad = [
        one
        for kind in sorted(washers.glob("test/*"))
        if kind.name != "good"
        for one in photographs(kind, "*")
    ]
    few = learn_corrections(artifact, [correction(one, False) for one in bad[:4]])
    assert few.head is None and "10 make the inspector learn them" in few.no_head
    second = saved(few, tmp_path, "second")
    columns = artifact.array(NORMAL_POOLED).shape[1]
    assert read_artifact(second.path).array(KNOWN_DEFECTS).shape == (4, columns)
    # 12 good parts are too few to say what a head leaves as it is; of more there is one.
    more = learn_corrections(read_artifact(second.path), [correction(one, False) for one in bad])
    assert more.defects == len(bad) and more.head is None
    many = _with_more_good(artifact, 60, tmp_path)
    learnt = learn_corrections(many, [correction(one, False) for one in bad])
    after = saved(learnt, tmp_path)
    assert learnt.head is not None and learnt.head.found >= 0.3
    plain = Inspector(many)
    raised = [after.inspect(one).score - plain.inspect(one).score for one in bad]
    assert min(raised) > -1e-3 and max(raised) > 0  # it may only raise a score
    assert not after.manifest.detector.score_is_maximum
    alone = read_artifact(after.path).array(NORMAL_BANK_SCORES)
    assert (after.normal_scores >= alone - 1e-4).all()


def _with_more_good(artifact: Artifact, count: int, folder: Path) -> Artifact:
    """The artifact with as many good scores as a larger set would give: those it has, a little moved."""
    rng = np.random.default_rng(0)
    scores, pooled = artifact.normal_scores(), artifact.array(NORMAL_POOLED)
    places = rng.integers(0, len(scores), count)
    moved = np.sort(scores[places] + rng.normal(0, 0.02 * scores.std(), count)).astype(np.float32)
    drawn = pooled[places] + rng.normal(0, 0.1, (count, pooled.shape[1])).astype(np.float32) * pooled.std(0)
    members = {name: content for name, content in artifact.members.items() if not name.startswith("normal_")}
    members |= {NORMAL_SCORES: array_content(moved), NORMAL_POOLED: array_content(drawn.astype(np.float32))}
    calibration = artifact.manifest.calibration.model_copy(update={"n_scores": count})
    path = folder / "many.blemish"
    write_artifact(path, artifact.manifest.model_copy(update={"calibration": calibration}), members)
    return read_artifact(path)


def test_an_older_inspector_and_one_without_a_bank_say_what_to_do(
    artifact: Artifact, washers: Path, drawn_back: Path
) -> None:
    members = {name: content for name, content in artifact.members.items() if name != NORMAL_POOLED}
    bad = [correction(one, False) for one in photographs(washers, "test/scratch/*.png")]
    old = dataclasses.replace(artifact, members=members)
    assert "fit it anew" in learn_corrections(old, bad).no_head
    with pytest.raises(UsageError, match="fit it anew on the photographs of good parts"):
        learn_corrections(read_artifact(drawn_back), bad)


def test_a_head_learns_what_differs_and_leaves_the_good_alone() -> None:
    rng = np.random.default_rng(1)
    good = rng.normal(size=(200, 12)).astype(np.float32)
    defects = rng.normal(size=(20, 12)).astype(np.float32) + np.eye(12, dtype=np.float32)[0] * 4
    scores = rng.normal(30, 1, 200).astype(np.float32)
    head, raised = learn_head(good, scores, defects)
    assert head is not None and head.found > 0.8
    assert np.mean(raised > scores + 1e-6) == pytest.approx(0.1, abs=0.02)
    assert np.median(head.of(defects)) > 5 * np.median(head.of(good[head.of(good) > 0]))
    unlike_any = rng.normal(size=(20, 12)).astype(np.float32)
    assert learn_head(good, scores, unlike_any)[0] is None  # they look like good parts
    assert learn_head(good, scores, defects[:9])[0] is None


Blemish = Callable[..., Any]


def test_folders_on_the_command_line(
    fitted: Path, marked: list[bytes], blemish: Blemish, tmp_path: Path
) -> None:
    inspector, folder = Path(shutil.copy(fitted, tmp_path / "washer.blemish")), tmp_path / "good"
    folder.mkdir()
    for number, content in enumerate(marked):
        (folder / f"{number}.png").write_bytes(content)
    confirmed = [part for number in range(4) for part in ("--confirm", f"{number}.png")]
    out = tmp_path / "next.blemish"
    outcome = blemish("learn", inspector, "--good", folder, *confirmed, "--out", out, "--json")
    said = outcome.document
    assert outcome.status == 0 and said["out"] == str(out) and said["good"] == 4
    assert said["replay"]["safe"] and said["replay"]["good"]["rejected_before"] == 4
    assert said["replay"]["good"]["rejected_after"] < 4
    assert inspector.read_bytes() == fitted.read_bytes()
    told = blemish("learn", inspector)
    assert told.status == 2 and "--from-history" in told.stderr
