"""Scripts, styles and pictures of the page, under addresses that change with their content."""

from __future__ import annotations

import hashlib
from functools import cache
from pathlib import Path

from fastapi import APIRouter, Response

from blemish.server.problems import ProblemError
from blemish.station.insight.report import STYLE

FOLDER = Path(__file__).with_name("static")

router = APIRouter(include_in_schema=False)

_MEDIA_TYPES = {".css": "text/css", ".js": "text/javascript", ".svg": "image/svg+xml"}
_FOR_EVER = "public, max-age=31536000, immutable"


@cache
def files() -> dict[str, bytes]:
    """All files by name; they are read once."""
    own = [path for path in sorted(FOLDER.iterdir()) if path.suffix in _MEDIA_TYPES]
    return {path.name: path.read_bytes() for path in (*own, STYLE)}


@cache
def digest() -> str:
    """What stands in their addresses: of all together, so that a module finds its neighbours by a relative address."""
    whole = hashlib.sha256()
    for name, content in files().items():
        whole.update(name.encode())
        whole.update(content)
    return whole.hexdigest()[:16]


@router.get("/static/{version}/{name}")
def static_file(version: str, name: str) -> Response:
    """One file; that of another version is answered too, but not kept."""
    content = files().get(name)
    if content is None:
        raise ProblemError(404, "The page has no such file: load it again.")
    kind = _MEDIA_TYPES[Path(name).suffix]
    kept = _FOR_EVER if version == digest() else "no-store"
    return Response(content, media_type=f"{kind}; charset=utf-8", headers={"Cache-Control": kept})


@router.get("/favicon.ico")
def icon() -> Response:
    """The icon, where browsers look for it before a page has named it."""
    return static_file(digest(), "icon.svg")
