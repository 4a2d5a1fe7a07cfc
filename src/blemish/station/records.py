"""What the history holds, as values: inspections, feedback, filters and pages.

A field of an inspection is named here, in a migration, and where it comes from (`core.types.Inspection`, or the queue
of the server). The table, the API's document and the CSV are made from the fields of `InspectionRecord`.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from dataclasses import dataclass, field, fields, replace
from datetime import datetime
from typing import Any, Literal, Self

from blemish.core.errors import UsageError
from blemish.core.types import Region, Verdict
from blemish.line.inspection import Inspection

Truth = Literal["good", "bad"]
"""What a person found a part to be, whatever the verdict was."""

NAME_PATTERN = r"^[A-Za-z0-9][A-Za-z0-9_.-]{0,79}$"
LINE_PATTERN = r"^[^\x00-\x1f\x7f]*$"
"""One line: control characters could repaint a terminal, and PostgreSQL stores no zero byte."""

NOTE_PATTERN = r"^[^\x00-\x08\x0b-\x1f\x7f]*$"
MOST_TYPE_CHARACTERS = 80
MOST_NOTE_CHARACTERS = 2000


def check_name(name: str, what: str) -> str:
    """`name` itself if an inspector or a key may have it; `what` says of which in the error.

    Raises:
        UsageError: it is empty, longer than 80 characters, or holds others than letters, digits and `_.-`.
    """
    if not re.fullmatch(NAME_PATTERN, name):
        raise UsageError(
            f"{what} cannot be named {name[:80]!a}: "
            "use 1 to 80 letters, digits, dots, dashes and underscores, a letter or a digit first."
        )
    return name


def check_line(text: str, what: str) -> str:
    """`text` itself if it is one line of at most 80 characters that say something; `what` is it called in the error.

    Raises:
        UsageError: it is not.
    """
    if not text.strip() or len(text) > MOST_TYPE_CHARACTERS or not re.fullmatch(LINE_PATTERN, text):
        raise UsageError(
            f"{text[:MOST_TYPE_CHARACTERS]!a} is no {what}: write one line of 1 to {MOST_TYPE_CHARACTERS} characters."
        )
    return text


@dataclass(frozen=True, kw_only=True)
class NewInspection:
    """One judged photograph, about to be logged; what a field's `metadata` says, the API's description says too.

    Attributes:
        time: when it was judged; aware.
        inspector, version: who judged it.
        verdict, score, threshold, p_value, regions, width, height, parts, gives_map, type, types,
            mask_probability, review_threshold, reason: as in `Inspection`.
        percentile: share of normal images with a lower score, 0 to 100.
        photograph_statistics: `blemish.line.photograph_statistics.STATISTICS` of the photograph; empty where they were
            not measured.
        image_digest: SHA-256 of the file's bytes, 64 hexadecimal digits.
        image_suffix: such as ".png" if the image is kept, else None.
        file_name: as the sender named it.
        milliseconds: how long each step took, by its name.
        serial_number, batch, shift, camera: of the part and its photograph, as the sender gave them; None where it
            gave none.
        by: name of the key that was used, or "local".
    """

    time: datetime
    inspector: str
    version: int
    verdict: Verdict
    score: float
    threshold: float
    p_value: float
    percentile: float = field(
        metadata={"description": "Where the score lies among those of normal images, 0 to 100."}
    )
    regions: tuple[Region, ...]
    width: int
    height: int
    image_digest: str
    image_suffix: str | None
    file_name: str
    milliseconds: Mapping[str, float] = field(
        default_factory=dict, metadata={"description": "How long each step took."}
    )
    by: str = "local"
    parts: Mapping[str, float] = field(
        default_factory=dict, metadata={"description": "p-values by the detectors of an ensemble."}
    )
    gives_map: bool = field(
        default=True,
        metadata={"description": "False if the detector shows no place; then there is no heatmap."},
    )
    mask_probability: float | None = field(
        default=None,
        metadata={
            "description": "Mean probability of a defect over the pixels; null unless the detector finds a mask."
        },
    )
    review_threshold: float | None = field(
        default=None,
        metadata={
            "description": "Score above which the part was to be reviewed; null in what an earlier Blemish logged."
        },
    )

    type: str | None = field(
        default=None,
        metadata={
            "description": "The likeliest defect type of a part that does not pass, or `none of these`; null where "
            "none is told."
        },
    )
    types: Mapping[str, float] = field(
        default_factory=dict,
        metadata={"description": "Probability of each defect type that the inspector tells apart."},
    )
    photograph_statistics: Mapping[str, float] = field(
        default_factory=dict,
        metadata={"description": "What the photograph is like: brightness, contrast, focus and more."},
    )

    reason: str | None = field(
        default=None,
        metadata={
            "description": "Why the photograph is unlike those learnt from, so that it is not judged unless rejected; "
            "null where it is like them."
        },
    )
    serial_number: str | None = field(
        default=None,
        metadata={"description": "Of the part, as the sender gave it; null where none was given."},
    )
    batch: str | None = field(
        default=None,
        metadata={"description": "Lot, order or coil that the part belongs to; null where none was given."},
    )
    shift: str | None = field(
        default=None, metadata={"description": "That made the part; null where none was given."}
    )
    camera: str | None = field(
        default=None, metadata={"description": "That took the photograph; null where none was given."}
    )

    def __post_init__(self) -> None:
        if self.time.utcoffset() is None:
            raise UsageError(f"The time {self.time} has no time zone: give it in UTC.")
        numbers = (self.score, self.threshold, self.p_value, self.percentile)
        if not all(map(math.isfinite, numbers)):
            raise UsageError(
                f"An inspection with the numbers {numbers} cannot be logged: they must be finite."
            )

    @classmethod
    def of(cls, inspection: Inspection, **more: Any) -> Self:
        """What an inspector says, with `more` that it does not know; fields of one name are the same thing."""
        known = {one.name for one in fields(Inspection)}
        same = {one.name: getattr(inspection, one.name) for one in fields(cls) if one.name in known}
        return cls(**{**same, **more})


@dataclass(frozen=True, kw_only=True)
class InspectionRecord(NewInspection):
    """One inspection as the history holds it.

    Attributes:
        id: its number, from 1, never given twice.
        truth, defect_type, note: the latest feedback; None, None and "" where nobody has said anything.
        repeat_of: number of the first inspection of the very same file under the same inspector that is not void; None
            where this is the first.
        voided, void_reason, void_by: since when it is void, why, and who said so; None where it counts.
    """

    id: int
    truth: Truth | None = None
    defect_type: str | None = None
    note: str = ""
    repeat_of: int | None = field(
        default=None,
        metadata={
            "description": "Number of the first inspection of the very same file under the same inspector; null where "
            "this is the first."
        },
    )
    voided: datetime | None = field(
        default=None, metadata={"description": "Since when it is void, and in no rate; null where it counts."}
    )
    void_reason: str | None = field(default=None, metadata={"description": "Why it is void."})
    void_by: str | None = field(default=None, metadata={"description": "Who said so."})


@dataclass(frozen=True)
class NewFeedback:
    """What a person says of an inspected part.

    Raises:
        UsageError: a good part is given a defect type, `truth` is neither "good" nor "bad", the type is not one short
            line, or the note is too long or holds control characters.
    """

    truth: Truth
    defect_type: str | None = None
    note: str = ""
    by: str = "local"

    def __post_init__(self) -> None:
        if self.truth not in ("good", "bad"):
            raise UsageError(f"A part cannot be {self.truth!a}: say good or bad.")
        if self.truth == "good" and self.defect_type is not None:
            raise UsageError("A good part has no defect type: leave it out, or say that the part is bad.")
        kind = "-" if self.defect_type is None else self.defect_type
        if not 0 < len(kind) <= MOST_TYPE_CHARACTERS or not re.fullmatch(LINE_PATTERN, kind):
            raise UsageError(
                f"{kind[:MOST_TYPE_CHARACTERS]!a} is no defect type: write 1 to {MOST_TYPE_CHARACTERS} characters."
            )
        if len(self.note) > MOST_NOTE_CHARACTERS or not re.fullmatch(NOTE_PATTERN, self.note):
            raise UsageError(
                f"This note cannot be kept: write at most {MOST_NOTE_CHARACTERS:,} characters of plain text."
            )


@dataclass(frozen=True, kw_only=True)
class Feedback(NewFeedback):
    """Feedback as the history holds it: with its number, that of the inspection, and its time in UTC."""

    id: int
    inspection_id: int
    time: datetime

    def __post_init__(self) -> None:
        """Nothing: what was logged is shown as it is."""


@dataclass(frozen=True)
class InspectionFilter:
    """Which inspections are meant; None leaves a question open.

    Attributes:
        since, until: aware times; `since` belongs to the span, `until` does not.
        inspector, version: who judged.
        verdict, defect_type, truth: as in `InspectionRecord`.
        search: part of the file's name, the serial number or the batch, capital letters or not, or the inspection's
            number.
        reviewed: whether a person has said what the part is.
        void: whether it is void.
        repeat: whether the same file was judged before.
        serial_number, batch, shift, camera: exactly as in `InspectionRecord`.
    """

    since: datetime | None = None
    until: datetime | None = None
    inspector: str | None = None
    verdict: Verdict | None = None
    defect_type: str | None = None
    truth: Truth | None = None
    version: int | None = None
    search: str | None = None
    reviewed: bool | None = None
    void: bool | None = None
    repeat: bool | None = None
    serial_number: str | None = None
    batch: str | None = None
    shift: str | None = None
    camera: str | None = None

    @property
    def scope(self) -> InspectionFilter:
        """What rates are of: which parts, who judged and when, never what came out.

        A filter for rejects would make every rate 1.
        """
        repeat = False if self.repeat is False else None
        return replace(
            self,
            verdict=None,
            defect_type=None,
            truth=None,
            search=None,
            reviewed=None,
            void=False,
            repeat=repeat,
        )

    def __post_init__(self) -> None:
        for moment in (self.since, self.until):
            if moment is not None and moment.utcoffset() is None:
                raise UsageError(f"The time {moment} has no time zone: write it like {moment.isoformat()}Z.")


@dataclass(frozen=True)
class Page:
    """Some inspections, newest first; `next_cursor` asks for those that follow, None at the end."""

    records: tuple[InspectionRecord, ...]
    next_cursor: str | None
