"""What a running server is told once, at its start."""

from __future__ import annotations

import ipaddress
import os
from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field

from blemish.workflows.request import UNLISTED, Option, Request

MEBIBYTE = 2**20


class ServerSettings(Request):
    """Where a server listens, where it keeps things, and how much it takes."""

    host: str = Field("127.0.0.1", description="Address to listen on; other than loopback needs a key.")
    port: int = Field(8000, ge=0, le=65535, description="Port; 0 for a free one.")
    home: Path | None = Field(None, description="Folder of everything kept; BLEMISH_HOME if absent.")
    database: Annotated[str | None, Option(environment="BLEMISH_DATABASE")] = Field(
        None, description="URL of the history, postgresql://...; SQLite if absent."
    )
    gallery: Annotated[str | None, Option(environment="BLEMISH_GALLERY")] = Field(
        None, description="Folder or URL of the gallery of past defects."
    )
    keep: Literal["all", "rejects", "none"] = Field("rejects", description="Which photographs are kept.")
    keep_days: int | None = Field(None, ge=1, description="For how many days.")
    keep_gigabytes: float | None = Field(None, gt=0, description="How many gigabytes of them.")
    workers: int | None = Field(
        None, ge=1, le=256, description="Photographs judged at once; the cores if absent."
    )
    queue_size: int = Field(32, ge=1, description="Photographs accepted and not yet answered.")
    queue_bytes: Annotated[int, UNLISTED] = Field(
        512 * MEBIBYTE, ge=1, description="Bytes of those photographs, in sum."
    )
    batch: Annotated[int, UNLISTED] = Field(32, ge=1, description="Most inspections in one transaction.")
    max_bytes: int = Field(64 * MEBIBYTE, ge=1, description="Largest photograph, in bytes.")
    max_pixels: int = Field(100_000_000, ge=1, description="Largest width x height.")
    max_images: int = Field(16, ge=1, description="Photographs in one request.")
    max_request_bytes: int = Field(128 * MEBIBYTE, ge=1, description="Largest request, in bytes.")
    max_upload_bytes: Annotated[int, UNLISTED] = Field(
        2048 * MEBIBYTE, ge=1, description="Largest body of an uploaded inspector or training set."
    )
    request_seconds: float = Field(30.0, gt=0, description="Time for a request to arrive, and to wait.")
    stop_seconds: Annotated[float, UNLISTED] = Field(
        30.0, gt=0, description="How long a stop waits for what was accepted."
    )
    rate_per_minute: int = Field(6000, ge=0, description="Requests of one key in a minute; 0: no limit.")
    require_keys: bool = Field(False, description="Ask for a key on loopback too.")
    page: bool = Field(True, description="With the web page at /, or the API alone.")

    @property
    def keys_required(self) -> bool:
        """Whether every request needs a key."""
        return self.require_keys or not is_loopback(self.host)

    @property
    def worker_count(self) -> int:
        """Photographs judged at the same time."""
        if self.workers is not None:
            return self.workers
        cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
        return max(1, cores or 1)


def is_loopback(host: str) -> bool:
    """Whether a host's name or address means this machine alone."""
    if host.lower().rstrip(".") == "localhost":
        return True
    try:
        return ipaddress.ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return False
