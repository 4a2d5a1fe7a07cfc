"""Documents sent by POST, one a request, in their order, signed."""

from __future__ import annotations

import ssl
import time
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

import blemish
from blemish.core.errors import MissingExtraError, UsageError
from blemish.station.signals.secret import read_secret
from blemish.station.signals.settings import WebhookSink
from blemish.station.signals.signal import Signal
from blemish.station.signals.signature import SIGNATURE_HEADER, sign
from blemish.station.signals.sink import SinkError

if TYPE_CHECKING:
    import httpx

# What a receiver says of the document; all other answers are about the receiver, the way to it, or the key.
_REFUSED_FOR_GOOD = frozenset({400, 406, 409, 410, 411, 413, 415, 422})
_WAYS_OUT = {
    401: "check the key of the sink",
    403: "check the key of the sink",
    404: "check the URL",
    405: "check the URL",
    429: "it is asked too often",
}


class Webhook:
    """The sink; see `WebhookSink` for its settings.

    Raises:
        UsageError: a secret that is named is not there.
        MissingExtraError: httpx is not installed.
    """

    def __init__(self, settings: WebhookSink) -> None:
        try:
            import httpx  # noqa: F401
        except ModuleNotFoundError as error:
            raise MissingExtraError("A webhook", "station") from error
        self.name = settings.name
        self._settings = settings
        self._secret = read_secret(settings.secret_env, settings.secret_file, f"secret of {settings.name}")
        self._authorization = read_secret(
            settings.authorization_env, settings.authorization_file, f"authorization of {settings.name}"
        )
        self._verify = _certificates(settings.ca_file)
        parts = urlsplit(settings.url)
        # A path or a query may hold what only the receiver is to know.
        self._shown = f"{parts.scheme}://{parts.hostname}{f':{parts.port}' if parts.port else ''}"
        self._client: httpx.Client | None = None

    def open(self) -> None:
        """Make ready; the connection is made by the first request."""
        import httpx

        self.close()
        headers = {"Content-Type": "application/json", "User-Agent": f"blemish/{blemish.__version__}"}
        if self._authorization is not None:
            headers["Authorization"] = self._authorization
        self._client = httpx.Client(
            headers=headers, timeout=self._settings.seconds, verify=self._verify, follow_redirects=False
        )

    def send(self, signals: Sequence[Signal]) -> None:
        """Send one after another."""
        for arrived, signal in enumerate(signals):
            self._post(signal, arrived)

    def check(self) -> None:
        """Nothing: there is no connection to lose between requests."""

    def close(self) -> None:
        """Close the connection."""
        if self._client is not None:
            self._client.close()
            self._client = None

    def _post(self, signal: Signal, arrived: int) -> None:
        import httpx

        assert self._client is not None
        body = signal.to_bytes()
        headers = {"Idempotency-Key": signal.id}
        if self._secret is not None:
            headers[SIGNATURE_HEADER] = sign(self._secret, body, int(time.time()))
        try:
            # The answer's body is of no interest, and may have no end.
            with self._client.stream("POST", self._settings.url, content=body, headers=headers) as answer:
                status = answer.status_code
        except httpx.TimeoutException as error:
            raise SinkError(
                f"{self._shown} did not answer within {self._settings.seconds:g} seconds: check that it runs.",
                arrived,
            ) from error
        except (httpx.HTTPError, httpx.InvalidURL, ssl.SSLError) as error:
            raise SinkError(f"{self._shown} cannot be reached: {_reason(error)}.", arrived) from error
        if 200 <= status < 300:
            return
        if status in _REFUSED_FOR_GOOD:
            raise SinkError(f"{self._shown} refuses the signal (status {status}).", arrived, for_good=True)
        way_out = _WAYS_OUT.get(status, "see its log" if status >= 500 else "check the URL")
        raise SinkError(f"{self._shown} answers with status {status}: {way_out}.", arrived)


def _certificates(file: Path | None) -> ssl.SSLContext | bool:
    if file is None:
        return True
    try:
        return ssl.create_default_context(cafile=str(file))
    except (OSError, ssl.SSLError) as error:
        raise UsageError(f"The certificates in {file} cannot be read: name a PEM file as ca_file.") from error


def _reason(error: Exception) -> str:
    """What kept a request from its receiver, without the URL."""
    said = str(error).lower()
    for word, sentence in (
        ("refused", "the connection is refused; check that it runs"),
        ("name or service", "its name is not known; check the URL"),
        ("certificate", "its certificate is not trusted; name ca_file"),
        ("disconnected", "it has closed the connection"),
    ):
        if word in said:
            return sentence
    return type(error).__name__
