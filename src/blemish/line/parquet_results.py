"""The results of a run over many machines as Parquet files, written as they come; a further run goes on with them."""

from __future__ import annotations

import json
import os
import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

from blemish.core.errors import MissingExtraError
from blemish.core.storage import atomic_file, write_error
from blemish.line.journal import State
from blemish.line.results import METADATA

FOLDER = "results"
"""Below the folder of the results, where the files lie."""

_ROWS, _SECONDS = 20_000, 10.0
"""Rows of a file at most, and seconds of results that the end of this process may take."""

_JUDGE = b"blemish"
_NUMBERS = ("score", "threshold", "p_value", "mask_probability")
_COUNTS = ("width", "height", "part_count")
_TEXTS = ("verdict", "type", "reason", "overlay", "error", "kind", *METADATA)


class ParquetResults:
    """Results of photographs, a row each, in files of which each is written whole or not at all.

    `result` holds all that `results.json` of a local run has of a photograph; tables are made of the other columns.

    Args:
        folder: of the results.
        judge: what results depend on besides the photograph, JSON-ready.
        resume: whether to go on with what lies there, if it is of the same judge; else it goes.

    Attributes:
        earlier: whether there was something to go on with; None if it is of another judge.

    Raises:
        MissingExtraError: pyarrow is not installed.
        BlemishError: the folder cannot be written.
    """

    def __init__(self, folder: Path, judge: dict[str, Any], resume: bool) -> None:
        try:
            import pyarrow.parquet
        except ImportError as error:
            raise MissingExtraError("Writing Parquet", "scale") from error
        self._pyarrow: Any = pyarrow
        self._folder = folder / FOLDER
        self._judge = json.dumps(judge, sort_keys=True).encode()
        self._rows: list[dict[str, Any]] = []
        self._began = time.monotonic()
        self.earlier: bool | None = False
        try:
            self._folder.mkdir(parents=True, exist_ok=True)
            files = self._files()
            if resume and files:
                self.earlier = all(self._is_of_judge(file) for file in files) or None
            if not self.earlier:
                for file in files:
                    file.unlink()
        except OSError as error:
            raise write_error(self._folder, error) from error
        self._number = max((int(file.stem.rpartition("-")[2]) for file in self._files()), default=-1) + 1

    def keep(self, is_kept: Callable[[str, State | None, dict[str, Any]], bool]) -> Iterator[dict[str, Any]]:
        """The earlier results that go on to hold; the others are taken out of their files.

        Args:
            is_kept: of a photograph's address, the state it was judged in, and its result.

        Raises:
            BlemishError: a file cannot be written.
        """
        for file in self._files():
            rows = self._pyarrow.parquet.read_table(file).to_pylist()
            for row in rows:
                row["result"] = json.loads(row["result"])
            kept = [row for row in rows if is_kept(json.loads(row["file"]), row["state"], row["result"])]
            if not kept:
                file.unlink()
            elif len(kept) < len(rows):
                self._write(file, kept)
            yield from (row["result"] for row in kept)

    def add(self, address: str, state: State | None, result: dict[str, Any]) -> None:
        """Keep one more result; it is on the disk within seconds.

        Raises:
            BlemishError: a file cannot be written.
        """
        self._rows.append(_row(address, state, result))
        if len(self._rows) >= _ROWS or time.monotonic() - self._began >= _SECONDS:
            self.flush()

    def flush(self) -> None:
        """Write what is not written yet.

        Raises:
            BlemishError: the file cannot be written.
        """
        self._began = time.monotonic()
        if self._rows:
            self._write(self._folder / f"part-{self._number:06d}.parquet", self._rows)
            self._number, self._rows = self._number + 1, []

    def _files(self) -> list[Path]:
        return sorted(self._folder.glob("part-*.parquet"))

    def _is_of_judge(self, file: Path) -> bool:
        try:
            metadata = self._pyarrow.parquet.read_schema(file).metadata or {}
        except (OSError, self._pyarrow.ArrowException):
            return False
        return bool(metadata.get(_JUDGE) == self._judge)

    def _write(self, file: Path, rows: list[dict[str, Any]]) -> None:
        arrow = self._pyarrow
        table = arrow.Table.from_pylist(
            [row | {"result": json.dumps(row["result"], allow_nan=False)} for row in rows],
            _schema(arrow).with_metadata({_JUDGE: self._judge}),
        )
        with atomic_file(file) as stream:
            arrow.parquet.write_table(table, stream, compression="zstd")


def _row(address: str, state: State | None, result: Mapping[str, Any]) -> dict[str, Any]:
    """A row of the table; `file` is JSON, for names are bytes and need not be text."""
    said = {name: result.get(name) for name in (*_NUMBERS, *_COUNTS, *_TEXTS)}
    shown = {name: _text(value) if isinstance(value, str) else value for name, value in said.items()}
    return {
        "path": _text(result["path"]),
        **shown,
        "regions": len(result["regions"]) if "regions" in result else None,
        "file": json.dumps(address),
        "state": state,
        "result": dict(result),
    }


def _text(value: str) -> str:
    """Text that every reader takes, of a name whose bytes are none."""
    return os.fsencode(value).decode("utf-8", "replace")


def _schema(arrow: Any) -> Any:
    columns = {"path": arrow.string()}
    columns |= dict.fromkeys(_NUMBERS, arrow.float64()) | dict.fromkeys(_COUNTS, arrow.int64())
    columns |= dict.fromkeys(_TEXTS, arrow.string())
    columns |= {"regions": arrow.int64(), "file": arrow.string()}
    columns |= {"state": arrow.list_(arrow.int64()), "result": arrow.string()}
    return arrow.schema(list(columns.items()))
