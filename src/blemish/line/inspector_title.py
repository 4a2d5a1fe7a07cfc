"""How reports and comparisons call an inspector: on a station's shelf by name and version, else by its own name."""

from __future__ import annotations

import re
from pathlib import Path


def kept_version(path: Path) -> tuple[str, int] | None:
    """Name and version of an inspector on a station's shelf, where files are named by number and digest; else None."""
    found = re.fullmatch(r"([0-9]{4,})-[0-9a-f]{12}\.blemish", path.name)
    folder = path.absolute().parent
    return (folder.name, int(found[1])) if found and folder.parent.name == "inspectors" else None


def inspector_title(path: Path, name: str) -> str:
    """`screw, version 3` of an inspector on a station's shelf; of others the name that their artifact has."""
    kept = kept_version(path)
    return f"{kept[0]}, version {kept[1]}" if kept else name
