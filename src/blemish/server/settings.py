"""What a running server is told once, at its start."""

from __future__ import annotations

import ipaddress
import re
from pathlib import Path
from typing import Annotated, Literal
from urllib.parse import urlsplit

from pydantic import Field, ValidationInfo, field_validator

from blemish.core.addresses import is_loopback
from blemish.core.cores import available_cores
from blemish.core.execution import AUTO, Execution
from blemish.station.alarm_rate import PARTS_PER_FALSE_ALARM
from blemish.station.buffer_size import BUFFER_MEGABYTES
from blemish.workflows.fields import DeviceName, PrecisionName
from blemish.workflows.request import UNLISTED, Option, Request

MEBIBYTE = 2**20

_PREFIX = re.compile(r"(/[A-Za-z0-9._~-]+)+")
_OWN = frozenset({
    "v1", "docs", "openapi.json", "healthz", "readyz", "metrics", "static", "laboratory", "parts", "stations", "train",
    "explore", "benchmark", "settings", "sign-in", "sign-out",
})  # fmt: skip
"""Addresses of the server's own, which no prefix may begin with."""


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
    keep: Literal["all", "rejects", "none"] | None = Field(
        None, description="Which photographs are kept: rejects, unless the page has chosen otherwise."
    )
    keep_days: int | None = Field(None, ge=1, description="For how many days.")
    keep_gigabytes: float | None = Field(None, gt=0, description="How many gigabytes of them.")
    buffer_megabytes: float = Field(
        BUFFER_MEGABYTES,
        ge=0,
        description="Of the latest passes, held so that a missed defect can be kept; 0: none.",
    )
    workers: int | None = Field(
        None, ge=1, le=256, description="Photographs judged at once; the cores if absent."
    )
    device: DeviceName = "cpu"
    precision: PrecisionName = None
    queue_size: int = Field(32, ge=1, description="Photographs accepted and not yet answered.")
    queue_bytes: Annotated[int, UNLISTED] = Field(
        512 * MEBIBYTE, ge=1, description="Bytes of those photographs, in sum."
    )
    batch: Annotated[int, UNLISTED] = Field(32, ge=1, description="Most inspections in one transaction.")
    parts_per_false_alarm: float = Field(
        PARTS_PER_FALSE_ALARM, ge=1000, description="Drift is told by mistake once in so many parts at most."
    )
    parts_alike: int = Field(
        1, ge=1, le=1000, description="Consecutive parts of one batch, which drift is not told within."
    )
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
    photographs_below: Annotated[tuple[Path, ...], Option(repeated=True, metavar="FOLDER")] = Field(
        (), description="Folder below which jobs may read on this machine; repeatable; anywhere if absent."
    )
    page: bool = Field(True, description="With the web page at /, or the API alone.")
    laboratory: bool = Field(
        True, description="With the laboratory at /laboratory, where its packages are installed."
    )
    public_url: str | None = Field(
        None,
        description="Address that people open, behind a proxy: https://plant.example/blemish; needs a key.",
    )
    root_path: str = Field("", description="Prefix under which a proxy serves this, such as /blemish.")
    trusted_proxy: Annotated[tuple[str, ...], Option(repeated=True, metavar="ADDRESS|NETWORK")] = Field(
        (), description="Proxy whose X-Forwarded-For, -Host and -Proto are believed; repeatable; needs a key."
    )

    allow_origin: Annotated[tuple[str, ...], Option(repeated=True, metavar="ORIGIN")] = Field(
        (), description="Site whose pages may use the API, such as https://mes.plant.example; repeatable."
    )
    tls: bool = Field(False, description="Serve https with a certificate made for this machine, in the home.")
    certificate: Path | None = Field(None, description="Serve https with this certificate, a PEM file.")
    private_key: Path | None = Field(
        None, description="Its private key, a PEM file; in the same file if absent."
    )

    @field_validator("root_path")
    @classmethod
    def _a_prefix(cls, value: str, info: ValidationInfo) -> str:
        prefix, public = _plain_prefix(value), info.data.get("public_url")
        if prefix and public and urlsplit(public).path != prefix:
            raise ValueError(f"--public-url {public} has another one: leave --root-path out")
        return prefix

    @field_validator("public_url")
    @classmethod
    def _whole_address(cls, value: str | None) -> str | None:
        if value is None:
            return None
        try:
            parts = urlsplit(value)
            plain = parts.scheme in ("http", "https") and parts.hostname and (parts.port or 1)
        except ValueError:
            plain = False
        if not plain or parts.query or parts.fragment or "@" in parts.netloc or not parts.netloc.isascii():
            raise ValueError("it is an address like https://plant.example or https://plant.example/blemish")
        _plain_prefix(parts.path)
        return value.rstrip("/")

    @field_validator("trusted_proxy")
    @classmethod
    def _addresses(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        for one in value:
            try:
                ipaddress.ip_network(one, strict=False)
            except ValueError as error:
                raise ValueError(
                    f"{one[:60]} is no address or network like 10.0.0.7 or 10.0.0.0/24"
                ) from error
        return value

    @field_validator("allow_origin")
    @classmethod
    def _exact_origins(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        return tuple(map(_origin, value))

    @field_validator("certificate")
    @classmethod
    def _one_certificate(cls, value: Path | None, info: ValidationInfo) -> Path | None:
        if value and info.data.get("tls"):
            raise ValueError("--tls makes a certificate of its own: leave one of them out")
        return value

    @field_validator("private_key")
    @classmethod
    def _with_its_certificate(cls, value: Path | None, info: ValidationInfo) -> Path | None:
        if value and not info.data.get("certificate"):
            raise ValueError("it belongs to a certificate: add --certificate")
        return value

    @property
    def prefix(self) -> str:
        """The path under which a proxy serves this; empty at the root."""
        return self.root_path or urlsplit(self.public_url or "").path

    @property
    def public_origin(self) -> tuple[str, str]:
        """Scheme and host, with the port where it is not the scheme's own, of `public_url`, which is given."""
        parts = urlsplit(self.public_url or "")
        port = {"http": ":80", "https": ":443"}[parts.scheme]
        return parts.scheme, parts.netloc.lower().removesuffix(port)

    @property
    def trusted_networks(self) -> tuple[ipaddress.IPv4Network | ipaddress.IPv6Network, ...]:
        """Where proxies that are believed have their addresses."""
        return tuple(ipaddress.ip_network(one, strict=False) for one in self.trusted_proxy)

    @property
    def keys_required(self) -> bool:
        """Whether every request needs a key: whoever comes through a proxy is not at this machine."""
        behind = self.public_url is not None or bool(self.trusted_proxy)
        return self.require_keys or behind or not is_loopback(self.host)

    @property
    def execution(self) -> Execution:
        """Device and precision of what judges."""
        return Execution(self.device, self.precision or AUTO)

    @property
    def worker_count(self) -> int:
        """Photographs judged at the same time."""
        return available_cores() if self.workers is None else self.workers


def _plain_prefix(path: str) -> str:
    """A prefix without the slash at its end; empty at the root."""
    prefix = path.rstrip("/")
    if prefix and not _PREFIX.fullmatch(prefix):
        raise ValueError("a prefix is a path like /blemish")
    if prefix and prefix.split("/")[1] in _OWN:
        raise ValueError(f"{prefix} is an address of the server's own: choose another prefix")
    return prefix


def _origin(value: str) -> str:
    """An origin as browsers write it: scheme, host, and the port where it is not the scheme's own."""
    try:
        parts = urlsplit(value)
        named = (
            parts.scheme in ("http", "https")
            and parts.hostname
            and "*" not in parts.netloc
            and (parts.port or 1)
        )
    except ValueError:
        named = False
    if not named or parts.path not in ("", "/") or parts.query or parts.fragment or "@" in parts.netloc:
        raise ValueError(
            f"{value[:60]} is no origin like https://mes.plant.example: name each site by itself"
        )
    port = {"http": ":80", "https": ":443"}[parts.scheme]
    return f"{parts.scheme}://{parts.netloc.lower().removesuffix(port)}"
