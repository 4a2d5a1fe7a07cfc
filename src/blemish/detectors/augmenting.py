"""What a detector's parameter `augment` means: whether copies are learnt from, and which."""

from __future__ import annotations

from typing import ClassVar

from blemish.core.errors import UsageError
from blemish.detectors.augmentation import AUTO, NONE, TRANSFORMS, Augmentation, can_be_meant
from blemish.detectors.augmentation_choice import AugmentationChoice


class Augmenting:
    """A detector's parameter `augment`, and what "auto" has come to mean."""

    name: ClassVar[str]
    augments: ClassVar[bool]
    augment: str
    seed: int
    _augmentation_choice: AugmentationChoice | None

    def check_augment(self) -> None:
        """Refuse what `augment` cannot mean here.

        Raises:
            UsageError: it names no transforms, or this detector takes none.
        """
        if not can_be_meant(self.augment):
            raise UsageError(
                f"augment={self.augment} is not possible for {self.name}: choose {NONE}, {AUTO}, or of "
                f"{', '.join(TRANSFORMS)}, with commas between."
            )
        if self.augment != NONE and not self.augments:
            raise UsageError(
                f"augment={self.augment} is not possible for {self.name}, which learns from photographs as they are: "
                f"leave it at {NONE}."
            )

    def augmented_by(self) -> Augmentation | None:
        """What `augment` does to the photographs that are learnt from; None where nothing is done."""
        augment = self._augment()
        return None if augment in (NONE, AUTO) else Augmentation(augment, self.seed)

    def _augment(self) -> str:
        """The value of `augment`, "auto" as what it has come to mean."""
        choice = self._augmentation_choice
        return self.augment if self.augment != AUTO or choice is None else choice.augment
