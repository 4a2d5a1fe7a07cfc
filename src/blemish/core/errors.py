"""Errors for people: one sentence that names the file or value and the way out.

The command line prints the sentence alone and ends with `exit_status`; nothing here ever carries a traceback
to a user.
"""

from __future__ import annotations

import math
from pathlib import Path


class BlemishError(Exception):
    """Base of every error that Blemish raises on purpose; its text is one sentence for a person."""

    exit_status = 1


class UsageError(BlemishError):
    """What was asked for cannot be meant: an unknown option value, a folder that does not exist."""

    exit_status = 2


class ImageError(BlemishError):
    """An image file cannot be used.

    Attributes:
        path: the file.
        kind: one word for the cause, from `blemish.core.images.IMAGE_PROBLEM_KINDS`.
        detail: the cause and the way out, without the file's name.
    """

    def __init__(self, path: Path | str, kind: str, detail: str) -> None:
        super().__init__(f"{path}: {detail}")
        self.path = Path(path)
        self.kind = kind
        self.detail = detail

    def __reduce__(self) -> tuple[type[ImageError], tuple[Path, str, str]]:
        # An error passes between processes by the arguments that made it, not by its sentence.
        return type(self), (self.path, self.kind, self.detail)


class CatalogError(BlemishError):
    """A folder of images cannot be used as it is."""


class ArtifactError(BlemishError):
    """A `.blemish` file is damaged, of a newer format, or not one at all."""


class GalleryError(BlemishError):
    """The gallery of defects cannot be opened, read or written: another process has it, the server is silent."""


class NotFittedError(BlemishError):
    """A detector was asked to predict before it was fitted."""


class ContractError(BlemishError):
    """A detector breaks the contract that all of them keep."""


class NameTakenWarning(UserWarning):
    """A detector was registered under a name that another one had."""


class NotFoundError(BlemishError):
    """What was asked for by its name or number does not exist."""


class ConflictError(BlemishError):
    """What was asked for rests on something that somebody else has changed meanwhile."""


class OverloadedError(BlemishError):
    """There is no room for more photographs at the moment.

    Attributes:
        retry_after: whole seconds after which a new try makes sense.
    """

    def __init__(self, sentence: str, retry_after: float) -> None:
        super().__init__(sentence)
        self.retry_after = max(1, math.ceil(retry_after))


class DatabaseError(BlemishError):
    """The database cannot be used; the sentence never shows the password of its URL."""


class DownloadError(BlemishError):
    """A download failed; what arrived so far is kept for resuming."""


class MissingExtraError(BlemishError):
    """A part of Blemish needs packages that are not installed."""

    def __init__(self, what: str, extra: str) -> None:
        super().__init__(f"{what} needs the extra [{extra}]: pip install 'blemish[{extra}]'.")
