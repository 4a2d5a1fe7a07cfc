"""The service where only `[serve]` is installed: everything but the laboratory works."""

from __future__ import annotations

import re
from pathlib import Path

import httpx
import pytest
from server_clients import inspect
from server_process import start_server

LABORATORY = (
    "gradio", "torch", "torchvision", "timm", "pandas", "sklearn", "skimage", "scipy", "plotly", "onnx", "optuna",
)  # fmt: skip


def test_without_the_laboratory_parts_are_judged_and_no_page_offers_what_cannot_run(
    fitted: Path, good: bytes, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    absent = "".join(f"sys.modules[{name!r}] = None\n" for name in LABORATORY)
    (tmp_path / "sitecustomize.py").write_text(f"import sys\n{absent}")
    monkeypatch.setenv("PYTHONPATH", str(tmp_path), prepend=":")
    process, address = start_server(tmp_path / "home", "--inspector", fitted, page=True)
    with process, httpx.Client(base_url=address, trust_env=False, timeout=60) as client:
        try:
            first = client.get("/")
            assert first.status_code == 200 and "washer" in first.text
            (offered,) = re.findall(r"<nav .*?</nav>", first.text, re.DOTALL)
            assert 'href="/"' in offered and "/laboratory" not in offered and "/train" not in offered
            assert client.get("/parts/washer").status_code == 200
            assert inspect(client, ("part.png", good)).status_code == 200
            for path in ("/laboratory", "/laboratory/"):
                answer = client.get(path)
                assert answer.status_code == 404 and "pip install 'blemish[train]'" in answer.text
            for path in ("/train", "/explore", "/benchmark"):
                assert "blemish[train]" in client.get(path).text and "<form" not in client.get(path).text
            refused = client.post("/v1/jobs", json={"kind": "explore", "folder": str(tmp_path)})
            assert refused.status_code >= 400 and "blemish[train]" in refused.json()["detail"]
        finally:
            process.terminate()
            process.wait(30)
