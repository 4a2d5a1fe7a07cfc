"""Scripts, styles and pictures of the page, under addresses that change with their content."""

from __future__ import annotations

import gzip
import hashlib
from functools import cache
from pathlib import Path

from fastapi import APIRouter, Request, Response

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
def compressed() -> dict[str, bytes]:
    """The same, gzipped: there is no secret in them that lengths could tell."""
    return {name: gzip.compress(content, 9, mtime=0) for name, content in files().items()}


@cache
def digest() -> str:
    """What stands in their addresses: of all together, so that a module finds its neighbours by a relative address."""
    whole = hashlib.sha256()
    for name, content in files().items():
        whole.update(name.encode())
        whole.update(content)
    return whole.hexdigest()[:16]


@router.get("/static/{version}/{name}")
def static_file(request: Request, version: str, name: str) -> Response:
    """One file; that of another version is answered too, but not kept."""
    content = files().get(name)
    if content is None:
        raise ProblemError(404, "The page has no such file: load it again.")
    kind = _MEDIA_TYPES[Path(name).suffix]
    headers = {"Cache-Control": _FOR_EVER if version == digest() else "no-store", "Vary": "Accept-Encoding"}
    if "gzip" in request.headers.get("accept-encoding", ""):
        content, headers["Content-Encoding"] = compressed()[name], "gzip"
    return Response(content, media_type=f"{kind}; charset=utf-8", headers=headers)


@router.get("/favicon.ico")
def icon(request: Request) -> Response:
    """The icon, where browsers look for it before a page has named it."""
    return static_file(request, digest(), "icon.svg")
