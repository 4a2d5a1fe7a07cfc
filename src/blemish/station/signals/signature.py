"""The signature of a webhook: who has the secret can tell that a document is ours, unchanged, and of now."""

from __future__ import annotations

import hashlib
import hmac
import re

SIGNATURE_HEADER = "Blemish-Signature"
_FORM = re.compile(r"t=(\d{1,12}),v1=([0-9a-f]{64})")


def sign(secret: str, body: bytes, seconds: int) -> str:
    """Value of the header: `t=SECONDS,v1=HMAC`, HMAC-SHA256 in hexadecimal digits of `SECONDS.BODY`.

    Args:
        secret: shared with the receiver.
        body: of the request, as it is sent.
        seconds: since 1970 in UTC.
    """
    return f"t={seconds},v1={_code(secret, body, seconds)}"


def verify(secret: str, body: bytes, header: str, now: float, tolerance: float = 300.0) -> bool:
    """Whether a header is the signature of a body, made at most `tolerance` seconds from `now`."""
    match = _FORM.fullmatch(header)
    if match is None or abs(now - int(match[1])) > tolerance:
        return False
    return hmac.compare_digest(match[2], _code(secret, body, int(match[1])))


def _code(secret: str, body: bytes, seconds: int) -> str:
    return hmac.new(secret.encode(), f"{seconds}.".encode() + body, hashlib.sha256).hexdigest()
