"""What one method of a detector has found and another uses again, kept together with what it depends on."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from typing import Generic, TypeVar

Value = TypeVar("Value")


@dataclasses.dataclass
class Memo(Generic[Value]):
    """One value, known only to who asks with the key that it was kept under.

    Attributes:
        key: all that the value depends on, such as parameters and paths; compared by ==.
        value: what was kept last; None before.
    """

    key: object = None
    value: Value | None = None

    def keep(self, key: object, value: Value) -> Value:
        """Keep a value instead of the one before, and return it."""
        self.key, self.value = key, value
        return value

    def recall(self, key: object, make: Callable[[], Value]) -> Value:
        """The value kept under `key`; where there is none it is made and kept."""
        if self.value is None or self.key != key:
            return self.keep(key, make())
        return self.value

    def forget(self) -> None:
        """Keep nothing."""
        self.key = self.value = None
