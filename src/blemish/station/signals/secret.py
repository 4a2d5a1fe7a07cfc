"""Passwords and keys: named in the configuration, kept outside it, never logged."""

from __future__ import annotations

import os
from pathlib import Path

from blemish.core.errors import UsageError

_MOST_BYTES = 64 * 1024


def read_secret(environment: str | None, file: Path | None, what: str) -> str | None:
    """A secret from the environment variable or the file that is named; None where neither is.

    Args:
        environment: name of a variable.
        file: of text; a line's end behind it does not belong to it.
        what: it is called in the error.

    Raises:
        UsageError: the variable is not set, or the file cannot be read; never with the secret.
    """
    if environment is not None:
        secret = os.environ.get(environment, "")
        if not secret:
            raise UsageError(
                f"The {what} is looked for in {environment}, which is not set: set it, and start again."
            )
        return secret
    if file is None:
        return None
    try:
        with Path(file).expanduser().open("rb") as stream:
            secret = stream.read(_MOST_BYTES).decode().rstrip("\r\n")
    except (OSError, UnicodeDecodeError) as error:
        reason = (getattr(error, "strerror", None) or "it is no text").lower()
        raise UsageError(f"The {what} cannot be read from {file} ({reason}): correct the file.") from error
    if not secret:
        raise UsageError(f"The {what} is looked for in {file}, which is empty: write it there.")
    return secret
