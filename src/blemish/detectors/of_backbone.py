"""What detectors share that read a backbone: where nobody gives them, it decides some of their parameters."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import Any, ClassVar, Self

from blemish.detectors.base import Detector
from blemish.features.backbones import transformer_of
from blemish.features.transformers import Transformer


class OfBackbone(Detector):
    """A detector with a parameter `backbone`, of which a vision transformer decides what is not given.

    So `PatchCore(backbone="vit_small_patch14_dinov2")` has size=448 and taps=(-1,), and shows them as if they had been
    given; with another backbone the defaults hold. A value that is given stays, and is refused where it cannot be.

    Attributes:
        decided: parameters that a vision transformer may decide, those of `usual_parameters`.
        usual_blocks: how many blocks of it are read where no taps are given.
    """

    decided: ClassVar[tuple[str, ...]] = ("size", "taps")
    usual_blocks: ClassVar[int] = 1
    backbone: str
    _given: frozenset[str]

    def __new__(cls, *values: Any, **named: Any) -> Self:
        """Note which parameters are given."""
        made = super().__new__(cls)
        names = [field.name for field in dataclasses.fields(cls) if field.init]
        made._given = frozenset({*names[: len(values)], *named})
        return made

    def __post_init__(self) -> None:
        """Let a vision transformer decide the rest."""
        if self.transformer is not None:
            self._take_usual()

    @property
    def transformer(self) -> Transformer | None:
        """What is known of the backbone where it is a vision transformer."""
        return transformer_of(self.backbone) if isinstance(self.backbone, str) else None

    @property
    def size_unit(self) -> int:
        """Pixels of which a size is a multiple: the patch of a vision transformer."""
        return super().size_unit if self.transformer is None else self.transformer.patch

    def any_shape(self) -> bool:
        """Vision transformers read squares here."""
        return super().any_shape() and self.transformer is None

    def usual_parameters(self, transformer: Transformer) -> dict[str, Any]:
        """What a vision transformer decides where it is not given."""
        return {"size": transformer.usual_size, "taps": transformer.usual_taps(self.usual_blocks)}

    def set_params(self, **parameters: Any) -> Self:
        """Change parameters; another backbone decides anew what was never given. See the base class."""
        super().set_params(**parameters)
        self._given |= parameters.keys()
        if "backbone" in parameters:
            self._take_usual()
        return self

    def check_size(self) -> None:
        """Refuse a size that the backbone cannot read."""
        if self.transformer is None:
            super().check_size()
        else:
            self.transformer.check_size(self.size, self.backbone)

    def quick_parameters(self) -> dict[str, Any]:
        """With the nearest size that the backbone can read; see the base class."""
        quick = super().quick_parameters()
        if self.transformer is not None:
            quick["size"] = self.transformer.possible_size(quick["size"])
        return quick

    def suited_space(self, space: Mapping[str, list[Any]]) -> dict[str, list[Any]]:
        """Sizes that a vision transformer can read, and blocks for its taps; see the base class."""
        suited, transformer = super().suited_space(space), self.transformer
        if transformer is not None and "size" in suited:
            suited["size"] = sorted({transformer.possible_size(size) for size in suited["size"]})
        if transformer is not None and "taps" in suited:
            four = transformer.usual_taps(4)
            suited["taps"] = [four[-1:], four[-2:-1], four]
        return suited

    def _take_usual(self) -> None:
        """Set what was never given to what the backbone, or else the class, decides."""
        known = self.defaults()
        usual = known if self.transformer is None else known | self.usual_parameters(self.transformer)
        for name in self.decided:
            if name in known and name not in self._given:
                setattr(self, name, usual[name])
