"""Why the server takes no more at the moment."""

from __future__ import annotations

import math

from blemish.core.errors import BlemishError


class Overloaded(BlemishError):  # noqa: N818 (the state that the server is in)
    """The queue is full, or the server is stopping.

    Attributes:
        retry_after: whole seconds after which a new try makes sense.
    """

    def __init__(self, sentence: str, retry_after: float) -> None:
        super().__init__(sentence)
        self.retry_after = max(1, math.ceil(retry_after))
