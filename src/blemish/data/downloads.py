"""Download of one large file over HTTPS: resumed after a break, checked by SHA-256, never half there."""

from __future__ import annotations

import http.client
import ssl
import time
import urllib.error
import urllib.parse
import urllib.request
from dataclasses import dataclass
from email.message import Message
from http.client import HTTPMessage
from pathlib import Path
from typing import IO, Any

from blemish.core.addresses import is_loopback
from blemish.core.errors import BlemishError, DownloadError, UsageError
from blemish.core.progress import Advance, task
from blemish.core.storage import file_digest

TIMEOUT_SECONDS = 30.0
ATTEMPTS = 5  # in a row without one new byte
PAUSE_SECONDS = 0.2  # before another attempt, doubled with each that brought nothing
BLOCK = 1 << 18


@dataclass(frozen=True)
class RemoteFile:
    """A file to download.

    Attributes:
        url: https, or http on this very machine.
        sha256: what its bytes must hash to, 64 hexadecimal digits; None where the publisher names none.
        size: its length in bytes if known; a longer answer is refused.
    """

    url: str
    sha256: str | None = None
    size: int | None = None

    @property
    def name(self) -> str:
        """The last part of the address."""
        return urllib.parse.unquote(urllib.parse.urlsplit(self.url).path.rsplit("/", 1)[-1])


def download(remote: RemoteFile, target: Path, timeout: float = TIMEOUT_SECONDS) -> str:
    """Fetch `remote` to `target` and return its SHA-256.

    What arrives is kept in `target` + ".part", and the next call goes on from there (HTTP Range, guarded by
    the server's ETag or date); a broken connection is taken up again by itself. `target` appears only when
    the size and the checksum are right. A file that is already there is checked instead of fetched.

    Raises:
        UsageError: the address is neither https nor http on this machine.
        DownloadError: the server cannot be reached, has no such file, or sends other bytes than expected.
    """
    if not _is_safe_address(remote.url):
        raise UsageError(f"{remote.url} is not an https address: give one that starts with https://.")
    if target.is_file() and (remote.sha256 is None or file_digest(target) == remote.sha256):
        return file_digest(target)
    part = target.with_name(f"{target.name}.part")
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        _fetch_all(remote, part, timeout)
        digest = file_digest(part)
        if remote.sha256 is not None and digest != remote.sha256:
            _forget(part)
            raise DownloadError(
                f"{remote.url} sent a file with SHA-256 {digest} instead of {remote.sha256}, so it was "
                "thrown away: try again, or take it from another place with --mirror URL."
            )
        part.replace(target)
        _forget(part)
    except OSError as error:
        reason = (error.strerror or str(error)).lower()
        raise BlemishError(
            f"{target} cannot be written ({reason}): choose another place with --out."
        ) from error
    return digest


def _fetch_all(remote: RemoteFile, part: Path, timeout: float) -> None:
    """Append to `part` until the file is complete, through as many connections as it takes."""
    with task(f"Downloading {remote.name}", total=remote.size, unit="bytes") as advance:
        advance(_length(part))
        idle = 0
        while True:
            before = _length(part)
            try:
                if _fetch_some(remote, part, timeout, advance):
                    return
                reason = "the connection broke"
            except urllib.error.HTTPError as error:
                with error:
                    if error.code < 500 and error.code not in (408, 429):
                        raise _refused(remote, error.code) from error
                reason = f"the server answered {error.code}"
            except (
                urllib.error.URLError,
                http.client.HTTPException,
                TimeoutError,
                ConnectionError,
                ssl.SSLError,
            ) as error:
                cause = error.reason if isinstance(error, urllib.error.URLError) else error
                reason = str(cause) or type(cause).__name__
                if isinstance(cause, ssl.SSLCertVerificationError):
                    idle = ATTEMPTS
            idle = 0 if _length(part) > before else idle + 1
            if idle >= ATTEMPTS or (idle and _length(part) == 0):
                raise _unreachable(remote, part, reason)
            time.sleep(PAUSE_SECONDS * 2**idle if idle else 0)


def _fetch_some(remote: RemoteFile, part: Path, timeout: float, advance: Advance) -> bool:
    """Read one answer into `part`; True when the file is complete."""
    have, stamp = _length(part), _stamp_file(part)
    request = urllib.request.Request(
        remote.url, headers={"User-Agent": "blemish", "Accept-Encoding": "identity"}
    )
    validator = stamp.read_text("utf-8") if have and stamp.is_file() else ""
    if have and validator:
        request.add_header("Range", f"bytes={have}-")
        request.add_header("If-Range", validator)
    try:
        answer = _opener().open(request, timeout=timeout)
    except urllib.error.HTTPError as error:
        if error.code == 416 and have:  # nothing left to send: complete, or another file by now
            with error:
                complete = error.headers.get("Content-Range", "").rpartition("/")[2] == str(have)
            if not complete:
                advance(-have)
                _forget(part)
            return complete
        raise
    with answer:
        resumed = answer.status == 206 and _range_start(answer.headers) == have
        if not resumed:
            advance(-have)
            have = 0
            stamp.write_text(_validator(answer.headers), "utf-8")
        length = answer.headers.get("Content-Length")
        total = have + int(length) if length and length.isdigit() else None
        _refuse_other_size(remote, total)
        with part.open("ab" if resumed else "wb") as sink:
            received = have + _copy(answer, sink, remote, have, advance)
    return received == total if total is not None else remote.size in (None, received)


def _copy(source: Any, sink: IO[bytes], remote: RemoteFile, have: int, advance: Advance) -> int:
    """Copy an answer's body block by block; return the bytes copied, too few if the connection breaks."""
    copied = 0
    while True:
        try:
            block = source.read1(BLOCK)
        except http.client.IncompleteRead:
            return copied
        if not block:
            return copied
        sink.write(block)
        copied += len(block)
        advance(len(block))
        if remote.size is not None and have + copied > remote.size:
            _refuse_other_size(remote, have + copied)


def _refuse_other_size(remote: RemoteFile, total: int | None) -> None:
    if remote.size is not None and total is not None and total != remote.size:
        raise DownloadError(
            f"{remote.url} sends {total:,} bytes where {remote.size:,} were expected, so it is another file: "
            "take it from another place with --mirror URL."
        )


def _is_safe_address(url: str, plain_allowed: bool = True) -> bool:
    """True for https anywhere, and for http on the loopback alone: nobody on the way can change the file."""
    parts = urllib.parse.urlsplit(url)
    if parts.scheme == "https":
        return bool(parts.hostname)
    return plain_allowed and parts.scheme == "http" and is_loopback(parts.hostname or "")


class _SafeRedirects(urllib.request.HTTPRedirectHandler):
    """Follow redirects, but never out of https."""

    def redirect_request(
        self,
        req: urllib.request.Request,
        fp: IO[bytes],
        code: int,
        msg: str,
        headers: HTTPMessage,
        newurl: str,
    ) -> urllib.request.Request | None:
        if not _is_safe_address(newurl, plain_allowed=not req.full_url.startswith("https:")):
            raise DownloadError(
                f"{req.full_url} leads to {newurl}, which is not https, so it was not followed: give the "
                "address of a copy with --mirror URL."
            )
        return super().redirect_request(req, fp, code, msg, headers, newurl)


def _opener() -> urllib.request.OpenerDirector:
    """An opener that speaks HTTP(S) alone: neither file:// nor ftp://, not even after a redirect."""
    opener = urllib.request.OpenerDirector()
    for handler in (
        urllib.request.ProxyHandler(),
        urllib.request.HTTPHandler(),
        urllib.request.HTTPSHandler(context=ssl.create_default_context()),
        urllib.request.HTTPDefaultErrorHandler(),
        urllib.request.HTTPErrorProcessor(),
        _SafeRedirects(),
    ):
        opener.add_handler(handler)
    return opener


def _validator(headers: Message) -> str:
    """What names this very version of the file to the server: a strong ETag, else its date, else nothing."""
    etag = headers.get("ETag", "")
    return etag if etag and not etag.startswith("W/") else headers.get("Last-Modified", "")


def _range_start(headers: Message) -> int | None:
    start = headers.get("Content-Range", "").removeprefix("bytes ").partition("-")[0]
    return int(start) if start.isdigit() else None


def _stamp_file(part: Path) -> Path:
    return part.with_name(f"{part.name}.etag")


def _length(part: Path) -> int:
    return part.stat().st_size if part.is_file() else 0


def _forget(part: Path) -> None:
    part.unlink(missing_ok=True)
    _stamp_file(part).unlink(missing_ok=True)


def _refused(remote: RemoteFile, code: int) -> DownloadError:
    if code in (404, 410):
        return DownloadError(
            f"{remote.url} is not there (HTTP {code}): its publisher may have moved it; look for a newer "
            "Blemish or give the address of a copy with --mirror URL."
        )
    if 300 <= code < 400:
        return DownloadError(
            f"{remote.url} sends on to an address that is not followed (HTTP {code}): give the address of a "
            "copy with --mirror URL."
        )
    return DownloadError(
        f"{remote.url} was refused (HTTP {code}): give the address of a copy with --mirror URL."
    )


def _unreachable(remote: RemoteFile, part: Path, reason: str) -> DownloadError:
    host = urllib.parse.urlsplit(remote.url).hostname
    kept = f", and the {_length(part):,} bytes that arrived are kept for next time" if _length(part) else ""
    return DownloadError(
        f"{remote.name} could not be downloaded from {host} ({reason}){kept}: run again where there is a "
        "network, give a server of your own with --mirror URL, copy the folder from another machine, or use "
        "`blemish sample`."
    )
