"""What exploring finds: problems with their kind, the file, and the value against the normal range."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from blemish.data.entries import PROBLEM_KINDS, Problem

RENAMED: dict[str, str] = {"mask-size": "mask-mismatch"}
"""Kinds of the catalog check that are reported under another name here."""

FINDING_KINDS: tuple[str, ...] = (
    *(kind for kind in PROBLEM_KINDS if kind not in RENAMED),
    "mask-mismatch",  # the mask is of another image: another size, the same twice, or two exchanged
    "near-duplicate",  # the same photograph again, scaled, compressed or brightened, in one split
    "near-duplicate-across-splits",  # one of them in train, the other in test
    "odd-size",  # another width or height than nearly all others
    "odd-channels",  # grey among colour, or colour among grey
    "odd-bit-depth",  # 16 bits among 8, or 8 among 16
    "dark",
    "bright",
    "blurred",
    "low-contrast",
    "noisy",
    "clipped",
    "colour-cast",
)
"""Every kind of problem that `blemish explore` reports; docs/explore.md explains each."""


@dataclass(frozen=True)
class Finding:
    """Something to look at before trusting a model.

    Attributes:
        kind: one of `FINDING_KINDS`.
        path: the file or folder.
        detail: the cause and the way out, one sentence without the path.
        fatal: whether the catalog cannot be used because of it.
        category: name of the category, "" until it is known.
        value: what was measured, if something was.
        normal_range: lowest and highest value that are normal in this category.
        other: the other file, where two belong together (duplicates, exchanged masks).
    """

    kind: str
    path: str
    detail: str
    fatal: bool = False
    category: str = ""
    value: float | None = None
    normal_range: tuple[float, ...] | None = None
    other: str | None = None

    def to_json(self) -> dict[str, Any]:
        """The finding as JSON-ready values; what is unknown is left out."""
        document: dict[str, Any] = {
            "kind": self.kind,
            "path": self.path,
            "detail": self.detail,
            "fatal": self.fatal,
            "category": self.category,
        }
        if self.value is not None:
            document["value"] = self.value
        if self.normal_range is not None:
            document["normal_range"] = list(self.normal_range)
        if self.other is not None:
            document["other"] = self.other
        return document


def problem_of(finding: Finding) -> Problem | None:
    """A finding as a problem of the catalog check; None if that does not look for such."""
    names = {renamed: kind for kind, renamed in RENAMED.items()}
    kind = names.get(finding.kind, finding.kind)
    if kind not in PROBLEM_KINDS:
        return None
    return Problem(kind, finding.path, finding.detail, finding.fatal, finding.other)


def finding_of(problem: Problem) -> Finding:
    """A problem of the catalog check as a finding."""
    kind = RENAMED.get(problem.kind, problem.kind)
    return Finding(kind, problem.path, problem.detail, problem.fatal, other=problem.other)
