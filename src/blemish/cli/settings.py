"""`--set NAME=VALUE`: a detector's parameter as one types it."""

from __future__ import annotations

import json
from typing import Any

from blemish.core.errors import UsageError


def parsed_setting(setting: str) -> tuple[str, Any]:
    """A detector's parameter from NAME=VALUE: a JSON value (number, true, list), or else the text itself.

    Raises:
        UsageError: there is no name or no equals sign.
    """
    name, equals, text = setting.partition("=")
    if not (name and equals):
        raise UsageError(f"--set {setting} is not NAME=VALUE: write it as --set coreset_size=2000.")
    try:
        value = json.loads(text)
    except json.JSONDecodeError:
        return name, text
    return name, tuple(value) if isinstance(value, list) else value
