"""What every workflow is asked with and gives, and how the command line asks."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import Any

from pydantic import BaseModel, ConfigDict


class Request(BaseModel):
    """A use case's arguments: checked, frozen, and JSON in and out.

    A field's description is its help on the command line; `Argument`, `Option` or `UNLISTED` in its annotation says
    more.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")


@dataclass(frozen=True)
class Argument:
    """A field that the command line takes by its place, shown as `metavar`; a tuple takes all that are left."""

    metavar: str


@dataclass(frozen=True)
class Option:
    """How an option is written, where not `--field-name VALUE`.

    Attributes:
        name: of the option.
        metavar: what the help shows for its value.
        environment: variable that gives the value where the option is absent.
        repeated: each value of a tuple has its own option; else commas stand between them.
    """

    name: str | None = None
    metavar: str | None = None
    environment: str | None = None
    repeated: bool = False


UNLISTED = "unlisted"
"""Marks a field that the command line does not offer."""


class Outcome(ABC):
    """The result of a workflow."""

    @property
    def complete(self) -> bool:
        """Whether all is well: no photograph was left out, no cell failed, nothing was rejected."""
        return True

    @property
    def exit_status(self) -> int:
        """That of the verb: 0 if all is well, else 1."""
        return 0 if self.complete else 1

    @abstractmethod
    def to_json(self) -> Any:
        """The result as JSON-ready values."""
