"""What docs/signals.md shows is what the sinks do."""

from __future__ import annotations

import re
import time
import tomllib
from pathlib import Path
from typing import Any

import pytest
from pydantic import TypeAdapter
from signal_makers import make_signal

from blemish.station.signals.files import place_of
from blemish.station.signals.opening import check_sinks
from blemish.station.signals.register_block import BLOCK_LENGTH
from blemish.station.signals.settings import GateSettings, SinkSettings
from blemish.station.signals.signature import sign
from blemish.station.signals.webhook import _REFUSED_FOR_GOOD

PAGE = (Path(__file__).resolve().parents[2] / "docs" / "signals.md").read_text("utf-8")


def blocks(kind: str) -> list[str]:
    return re.findall(rf"^```{kind}\n(.*?)^```", PAGE, re.DOTALL | re.MULTILINE)


def table_after(heading: str) -> list[list[str]]:
    """Cells of the table in a chapter, without its heads."""
    chapter = PAGE.split(f"\n## {heading}\n")[1].split("\n## ")[0]
    rows = [line.strip("|").split("|") for line in chapter.splitlines() if line.startswith("|")]
    return [[cell.strip() for cell in row] for row in rows[2:]]


def test_the_configuration_shown_can_be_read() -> None:
    sinks, gate = map(tomllib.loads, blocks("toml"))
    kinds: TypeAdapter[Any] = TypeAdapter(list[SinkSettings])
    found = kinds.validate_python(sinks["sink"])
    check_sinks(found)
    assert [sink.kind for sink in found] == [
        "files",
        "json-lines",
        "webhook",
        "mqtt",
        "modbus",
        "modbus-server",
        "opcua",
    ]
    one: TypeAdapter[Any] = TypeAdapter(GateSettings)
    assert one.validate_python(gate["gate"]).safe == "reject"


def test_the_signature_can_be_checked_as_shown() -> None:
    (code,) = blocks("python")
    names: dict[str, Any] = {}
    exec(code, names)
    is_ours, body, now = names["is_ours"], make_signal(1).to_bytes(), int(time.time())
    assert is_ours("secret", body, sign("secret", body, now))
    assert not is_ours("another", body, sign("secret", body, now))
    assert not is_ours("secret", body + b"\n", sign("secret", body, now))
    assert not is_ours("secret", body, sign("secret", body, now - 400))
    for odd in ("", "t=1", "v1=2", "t=x,v1=y", ",", "="):
        assert not is_ours("secret", body, odd)


def test_the_document_has_the_fields_shown() -> None:
    shown = [name for row in table_after("The document") for name in re.findall(r"`([a-z_0-9]+)`", row[0])]
    assert sorted(shown) == sorted(make_signal(1).to_json())


def test_registers_nodes_statuses_and_template_fields_are_those_shown() -> None:
    offsets = [int(place) for row in table_after("Modbus") for place in re.findall(r"\+(\d+)", row[0])]
    assert offsets == list(range(BLOCK_LENGTH))
    statuses = re.search(r"answers (400[\d, or]+)", PAGE)
    assert statuses is not None and {int(one) for one in re.findall(r"\d+", statuses[1])} == _REFUSED_FOR_GOOD
    for field in re.findall(r"`\{(\w+)\}`", PAGE):
        place_of(make_signal(1).record, f"{{{field}}}")


def test_the_tree_shown_is_that_of_the_server() -> None:
    pytest.importorskip("asyncua", reason="asyncua is not installed: pip install -e '.[station]'")
    from blemish.station.signals.opcua import TYPES

    shown: dict[str, str] = {}
    for identifiers, kinds, _ in table_after("OPC UA"):
        names = [name.rpartition(".")[2] for name in re.findall(r"`([\w.]+)`", identifiers)]
        types = kinds.split(", ")
        shown |= zip(names, types * len(names) if len(types) == 1 else types, strict=False)  # type: ignore[arg-type]
    assert {name: kind for name, kind in shown.items() if name not in ("Station", "Alive")} == TYPES
