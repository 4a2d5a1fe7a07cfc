"""A field of an inspection is named where it comes from, in the record and in a migration: all else follows."""

from __future__ import annotations

import csv
import dataclasses
import io
from dataclasses import dataclass

import httpx
from pydantic import create_model
from server_clients import inspect
from sqlalchemy import Double

from blemish.server.documents import fields_of
from blemish.server.service import Service
from blemish.station.records import InspectionRecord
from blemish.station.schema import Base, columns_of

FIELDS = {one.name for one in dataclasses.fields(InspectionRecord)}


@dataclass(frozen=True, kw_only=True)
class Damp(InspectionRecord):
    """A record as it would be with one field more."""

    humidity: float | None = dataclasses.field(default=None, metadata={"description": "In per cent."})


def test_a_field_of_the_record_is_a_column_and_a_value_of_the_document() -> None:
    column = next(one for one in columns_of(Damp) if one.name == "humidity")
    assert isinstance(column.type, Double) and column.nullable
    schema = create_model("Document", **fields_of(Damp)).model_json_schema()
    assert schema["properties"]["humidity"]["description"] == "In per cent."
    assert "humidity" in schema["required"]


def test_every_field_is_in_the_table_the_document_and_the_spreadsheet(
    client: httpx.Client, defective: list[bytes]
) -> None:
    (found,) = inspect(client, ("part.png", defective[0])).json()["inspections"]
    rows = list(csv.DictReader(io.StringIO(client.get("/v1/inspections.csv").text)))
    row = next(one for one in rows if one["id"] == str(found["id"]))
    assert {column.name for column in Base.metadata.tables["inspections"].columns} == FIELDS
    assert set(found) == FIELDS - {"image_suffix"} | {
        "image", "heatmap", "photograph", "thumbnail", "sentence", "map_scale",
    }  # fmt: skip
    assert set(row) == FIELDS - {"image_suffix", "regions"} | {"n_regions"}
    assert row["n_regions"] == str(len(found["regions"])) and row["score"] == str(found["score"])


def test_what_the_log_holds_is_what_was_answered(server: object, client: httpx.Client, good: bytes) -> None:
    (found,) = inspect(client, ("part.png", good)).json()["inspections"]
    service: Service = server.service  # type: ignore[attr-defined]
    record = service.log.get(found["id"])
    for name in FIELDS - {"image_suffix", "time", "regions", "milliseconds"}:
        assert getattr(record, name) == found[name], name
