"""Photographs in an object store that speaks S3: which there are below a prefix, and their bytes."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from blemish.core.errors import ImageError, MissingExtraError, UsageError

_SCHEME = "s3://"


@dataclass(frozen=True)
class StoredObject:
    """An object: its address, `s3://BUCKET/KEY`, its bytes, and when it last changed, in nanoseconds."""

    address: str
    size: int
    changed: int


def is_stored(path: Path) -> bool:
    """Whether a path is an address in an object store: `Path` makes one slash of the two."""
    return str(path).startswith("s3:/")


def address_of(path: Path) -> str:
    """`s3://BUCKET/KEY` again, of an address that became a path."""
    return _SCHEME + str(path).removeprefix("s3:").lstrip("/")


@dataclass(frozen=True)
class ObjectStore:
    """A store; credentials are never part of it: each machine has its own, by environment, file or role.

    Attributes:
        endpoint: its URL; Amazon's when None.
        region: of its buckets; what the machine is set to when None.
    """

    endpoint: str | None = None
    region: str | None = None

    @classmethod
    def of_environment(cls) -> ObjectStore:
        """The store that AWS_ENDPOINT_URL (or AWS_ENDPOINT_URL_S3) and AWS_REGION (or AWS_DEFAULT_REGION) name."""
        endpoint = os.environ.get("AWS_ENDPOINT_URL_S3") or os.environ.get("AWS_ENDPOINT_URL")
        region = os.environ.get("AWS_REGION") or os.environ.get("AWS_DEFAULT_REGION")
        return cls(endpoint or None, region or None)

    @cached_property
    def _files(self) -> Any:
        try:
            from pyarrow.fs import S3FileSystem
        except ImportError as error:
            raise MissingExtraError("Reading s3://", "scale") from error
        return S3FileSystem(endpoint_override=self.endpoint, region=self.region, connect_timeout=10)

    def objects(self, address: str) -> Iterator[StoredObject]:
        """Every object below a prefix, in the order of their addresses; or the one object of this address.

        Raises:
            UsageError: there is nothing, or the store cannot be asked.
        """
        from pyarrow.fs import FileSelector, FileType

        key = address.removeprefix(_SCHEME).rstrip("/")
        try:
            itself = self._files.get_file_info(key)
            found = [itself] if itself.type == FileType.File else []
            if itself.type == FileType.Directory:
                found = self._files.get_file_info(FileSelector(key, recursive=True))
        except OSError as error:
            raise UsageError(
                f"{address} cannot be listed ({_cause(error)}): check address and credentials."
            ) from error
        files = sorted((one for one in found if one.type == FileType.File), key=lambda one: one.path)
        if not files:
            raise UsageError(f"{address} holds no objects: name a bucket or a prefix that does.")
        return (StoredObject(_SCHEME + one.path, one.size, one.mtime_ns or 0) for one in files)

    def read(self, address: str, most: int) -> bytes:
        """The bytes of an object.

        Args:
            address: as `objects` gives it.
            most: bytes that it may have.

        Raises:
            ImageError: it cannot be read, or is larger.
        """
        try:
            with self._files.open_input_file(address.removeprefix(_SCHEME)) as stream:
                if stream.size() > most:
                    detail = f"it has {stream.size()} bytes, and at most {most} are read; make it smaller."
                    raise ImageError(address, "too-large", detail)
                return bytes(stream.read())
        except FileNotFoundError as error:
            raise ImageError(address, "missing", "there is no such object; check the address.") from error
        except OSError as error:
            raise ImageError(
                address, "unreadable", f"it cannot be read ({_cause(error)}); try again."
            ) from error


def _cause(error: OSError) -> str:
    return " ".join(str(error).split())[:200]
