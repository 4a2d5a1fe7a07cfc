"""The page shows a part for review as what it is: neither passed nor rejected, and why."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import pytest

from blemish.core.types import ByteArray, Verdict
from blemish.line.artifact import read_artifact, write_artifact
from blemish.line.policy import Policy, decided
from blemish.line.runtime import Inspector
from blemish.station.judgement import Judgement
from blemish.station.shelf import InspectorVersion

shown = pytest.importorskip("blemish.server.laboratory.shown")


def _judgement(path: Path, name: str, image: ByteArray) -> Judgement:
    now = datetime(2026, 1, 2, tzinfo=UTC)
    inspector = Inspector.load(path)
    version = InspectorVersion(name, 1, "0" * 64, path, "patchcore", "washer", now, now, True)
    return Judgement(version, inspector, image, inspector.inspect(image))


def test_a_part_for_review_is_shown_as_one(fitted: Path, rejected: list[ByteArray], tmp_path: Path) -> None:
    artifact, image = read_artifact(fitted), rejected[0]
    score = Inspector.load(fitted).inspect(image).score
    policy = Policy(threshold=score * 2, review_threshold=score / 2)
    path = tmp_path / "careful.blemish"
    write_artifact(path, decided(artifact.manifest, artifact.calibration(), policy), artifact.members)
    careful = _judgement(path, "careful", image)
    assert careful.inspection.verdict is Verdict.REVIEW and careful.inspection.regions
    banner = shown.verdict_banner(careful, [])
    assert 'class="bl-verdict bl-review"' in banner and ">REVIEW<" in banner
    assert f"above {score / 2:.3g}, where review begins" in banner
    assert f"not above the threshold {score * 2:.3g}" in banner
    both = shown.comparison([careful, _judgement(fitted, "strict", image)])
    assert shown.chip(Verdict.REVIEW) in both and shown.chip(Verdict.REJECT) in both
    assert shown.chip(Verdict.PASS) not in both
