"""An inspector on the shelf is called by its name there, whatever its file and the artifact say."""

from __future__ import annotations

import shutil
from pathlib import Path

from blemish.server.service import Service
from blemish.server.settings import ServerSettings
from blemish.workflows.evaluate import EvaluateRequest, evaluate


def test_an_evaluation_calls_a_kept_inspector_by_its_name(
    fitted: Path, washers: Path, tmp_path: Path
) -> None:
    other = tmp_path / "other.blemish"
    shutil.copy(fitted, other)
    service = Service(ServerSettings(home=tmp_path / "home", page=False))
    version = service.shelf.add(other, "line-3")
    service.stop()
    result = evaluate(EvaluateRequest(inspector=version.path, data=washers))
    assert result.report.parent.name == "line-3-1-evaluation"
    page = result.report.read_text(encoding="utf-8")
    assert "line-3, version 1" in page and version.digest[:12] not in page
