"""A share of parts with its interval."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any

from blemish.core.json_values import number_or_none
from blemish.evaluation.intervals import binomial_interval


@dataclass(frozen=True)
class Rate:
    """A share of parts with its 95 % Clopper-Pearson interval; nan where there are no parts."""

    count: int
    n: int

    @property
    def value(self) -> float:
        """The measured rate."""
        return self.count / self.n if self.n else float("nan")

    @cached_property
    def interval(self) -> tuple[float, float]:
        """Where the true rate lies with 95 % confidence."""
        return binomial_interval(self.count, self.n)

    def to_json(self) -> dict[str, Any]:
        """Count, number of parts, rate and interval."""
        return {
            "count": self.count,
            "n": self.n,
            "rate": number_or_none(self.value),
            "interval": [number_or_none(edge) for edge in self.interval],
        }
