"""How many bytes a server's things take, and how many its disk has left."""

from __future__ import annotations

import os
import shutil
from dataclasses import dataclass
from pathlib import Path

from blemish.server.service import Service


@dataclass(frozen=True)
class StorageUsed:
    """Bytes of each kind of thing, None for what another server keeps; and of the home's disk."""

    photographs: int
    database: int
    gallery: int | None
    inspectors: int
    jobs: int
    uploads: int
    disk_free: int
    disk_total: int


def storage_used(service: Service) -> StorageUsed:
    """The bytes of a service, counted now but for the photographs, whose sum is kept, with their thumbnails."""
    home, gallery = service.home, str(service.settings.gallery or service.home.gallery)
    disk = shutil.disk_usage(home.path)
    return StorageUsed(
        photographs=service.images.bytes_used + service.images.bytes_buffered + folder_bytes(home.thumbnails),
        database=service.database.bytes_used(),
        gallery=None if gallery.startswith("http") else folder_bytes(Path(gallery)),
        inspectors=folder_bytes(home.inspectors),
        jobs=folder_bytes(home.jobs),
        uploads=folder_bytes(home.uploads),
        disk_free=disk.free,
        disk_total=disk.total,
    )


def folder_bytes(folder: Path) -> int:
    """Bytes of all files in a folder; what goes meanwhile, or may not be read, counts nothing."""
    total = 0
    for place, _, names in os.walk(folder):
        for name in names:
            try:
                total += (Path(place) / name).lstat().st_size
            except OSError:
                continue
    return total
