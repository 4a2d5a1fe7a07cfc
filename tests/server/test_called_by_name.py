"""An inspector on the shelf is called by its name there, whatever its file and the artifact say."""

from __future__ import annotations

import shutil
from pathlib import Path

from blemish.server.service import Service
from blemish.server.settings import ServerSettings
from blemish.workflows.compare_image import CompareImageRequest, compare_image
from blemish.workflows.decide import DecideRequest, decide
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


def test_so_do_a_decision_and_a_comparison(fitted: Path, good: bytes, tmp_path: Path) -> None:
    service = Service(ServerSettings(home=tmp_path / "home", page=False))
    versions = [service.shelf.add(fitted, name) for name in ("line-3", "line-4")]
    service.stop()
    out = tmp_path / "decision.html"
    decide(DecideRequest(inspector=versions[0].path, report=out))
    (photograph := tmp_path / "part.png").write_bytes(good)
    both = tuple(one.path for one in versions)
    compared = compare_image(CompareImageRequest(image=photograph, inspectors=both, out=tmp_path / "both"))
    for page, names in (
        (out, ("line-3, version 1",)),
        (compared.page, ("line-3, version 1", "line-4, version 1")),
    ):
        text = page.read_text(encoding="utf-8")
        assert all(name in text for name in names) and versions[0].digest[:12] not in text
