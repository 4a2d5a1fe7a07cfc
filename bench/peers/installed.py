"""How large a package is with all that it needs, as it lies installed beside this interpreter.

    python installed.py PACKAGE[EXTRA,...]

Prints one JSON document. It runs in any environment that has `packaging`.
"""

from __future__ import annotations

import json
import sys
from importlib.metadata import Distribution, PackageNotFoundError, distribution
from pathlib import Path
from urllib.parse import urlsplit
from urllib.request import url2pathname

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name


def closure(wanted: str) -> dict[str, Distribution]:
    """All distributions that a requirement brings here, by name; those for other systems or absent are left out."""
    found: dict[str, Distribution] = {}
    seen: set[tuple[str, str]] = set()
    waiting = [Requirement(wanted)]
    while waiting:
        requirement = waiting.pop()
        name = canonicalize_name(requirement.name)
        try:
            found[name] = one = found.get(name) or distribution(name)
        except PackageNotFoundError:
            continue
        for extra in {"", *requirement.extras}:
            if (name, extra) in seen:
                continue
            seen.add((name, extra))
            needs = map(Requirement, one.requires or ())
            waiting += [
                need for need in needs if need.marker is None or need.marker.evaluate({"extra": extra})
            ]
    return found


def size(one: Distribution) -> int:
    """Bytes of its files, as its record has them; of an editable install those of its sources."""
    said = json.loads(one.read_text("direct_url.json") or "{}")
    if said.get("dir_info", {}).get("editable"):
        root = Path(url2pathname(urlsplit(said["url"]).path)) / "src"
        return sum(
            file.stat().st_size for file in root.rglob("*") if file.is_file() and file.suffix != ".pyc"
        )
    return sum(file.size or 0 for file in one.files or ())


def main() -> None:
    """Print the packages' number, bytes and versions."""
    found = [distribution for wanted in sys.argv[1:] for distribution in closure(wanted).items()]
    each = dict(found)
    print(
        json.dumps(
            {
                "packages": len(each),
                "bytes": sum(map(size, each.values())),
                "versions": {name: one.version for name, one in sorted(each.items())},
            }
        )
    )


if __name__ == "__main__":
    main()
