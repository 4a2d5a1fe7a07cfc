"""What a running server is told once, at its start."""

from __future__ import annotations

import ipaddress
import os
from pathlib import Path
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

MEBIBYTE = 2**20


class ServerSettings(BaseModel):
    """Where a server listens, where it keeps things, and how much it takes.

    Attributes:
        host, port: address to listen on; port 0 takes a free one.
        home: folder of everything that it keeps; the user's data folder when None.
        database: URL of the history; SQLite in the home when None.
        gallery: folder or URL of the gallery of past defects; in the home when None.
        keep: photographs that are kept: all, rejects (and reviews) or none.
        keep_days, keep_gigabytes: kept no longer and no more than this; without limit when None.
        max_bytes: largest photograph, in bytes.
        max_pixels: largest width x height, read from the header before anything is decoded.
        max_images: photographs in one request.
        max_request_bytes: largest body of a request, in bytes.
        max_upload_bytes: largest body of an uploaded inspector or training set.
        queue_size: photographs accepted and not yet answered; more are refused with 503.
        queue_bytes: bytes of those photographs, in sum.
        workers: photographs judged at the same time, each on one thread; the cores when None.
        batch: most inspections in one transaction.
        request_seconds: a body must have arrived, and a photograph been taken up, within this.
        stop_seconds: how long a stop waits for what was accepted.
        rate_per_minute: requests that one key may make in a minute; 0 for no limit.
        require_keys: whether a key is needed on loopback too.
        page: whether the web page is served at `/`.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    host: str = "127.0.0.1"
    port: int = Field(default=8000, ge=0, le=65535)
    home: Path | None = None
    database: str | None = None
    gallery: str | None = None
    keep: Literal["all", "rejects", "none"] = "rejects"
    keep_days: int | None = Field(default=None, ge=1)
    keep_gigabytes: float | None = Field(default=None, gt=0)
    max_bytes: int = Field(default=64 * MEBIBYTE, ge=1)
    max_pixels: int = Field(default=100_000_000, ge=1)
    max_images: int = Field(default=16, ge=1)
    max_request_bytes: int = Field(default=128 * MEBIBYTE, ge=1)
    max_upload_bytes: int = Field(default=2048 * MEBIBYTE, ge=1)
    queue_size: int = Field(default=32, ge=1)
    queue_bytes: int = Field(default=512 * MEBIBYTE, ge=1)
    workers: int | None = Field(default=None, ge=1, le=256)
    batch: int = Field(default=32, ge=1)
    request_seconds: float = Field(default=30.0, gt=0)
    stop_seconds: float = Field(default=30.0, gt=0)
    rate_per_minute: int = Field(default=6000, ge=0)
    require_keys: bool = False
    page: bool = True

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
