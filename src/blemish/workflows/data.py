"""Real data sets that others publish, in the MVTec AD layout."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

from pydantic import Field

from blemish.core.errors import UsageError
from blemish.workflows.request import Argument, Outcome, Request


class GetDataRequest(Request):
    """Get a published data set."""

    name: Annotated[str, Argument("NAME")] = Field(
        description="elpv (solar cells, from pip) or mvtec-ad (from its publisher)."
    )
    out: Path = Field(description="Folder for the categories; each becomes a folder in it.")
    category: str | None = Field(None, description="mvtec-ad: only this category, as screw.")
    mirror: str | None = Field(
        None, description="mvtec-ad: address of a folder with the archives, as on your server."
    )
    accept_licence: bool = Field(
        False, description="I have read the data set's licence (CC BY-NC-SA 4.0) and agree."
    )


@dataclass(frozen=True)
class GetDataResult(Outcome):
    """The data set's name and licence, and the folders of its categories."""

    name: str
    licence: str
    folders: list[Path]

    def counts(self) -> list[dict[str, Any]]:
        """Of each folder the images to learn from and to test with."""
        return [
            {"folder": str(folder), "train": _count(folder / "train"), "test": _count(folder / "test")}
            for folder in self.folders
        ]

    def to_json(self) -> dict[str, Any]:
        """The result as JSON-ready values."""
        return {"name": self.name, "licence": self.licence, "categories": self.counts()}


def get_data(request: GetDataRequest) -> GetDataResult:
    """Lay the data set's categories into the folder.

    Raises:
        UsageError: there is no such data set or category, or its licence is not accepted.
        BlemishError: the data cannot be had.
    """
    from blemish.data import elpv, mvtec_ad

    if request.name == "mvtec-ad":
        folders = mvtec_ad.get_mvtec_ad(request.out, request.category, request.mirror, request.accept_licence)
        return GetDataResult(request.name, mvtec_ad.LICENCE, folders)
    if request.name != "elpv":
        raise UsageError(f"There is no data set {request.name!r}: choose elpv or mvtec-ad.")
    if request.category or request.mirror:
        raise UsageError("elpv comes whole from its pip package: leave out --category and --mirror.")
    return GetDataResult(request.name, elpv.LICENCE, elpv.get_elpv(request.out))


def _count(folder: Path) -> int:
    return sum(1 for path in folder.glob("*/*") if path.is_file())
