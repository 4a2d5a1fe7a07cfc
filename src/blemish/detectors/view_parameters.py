"""The parameters of every detector that say how photographs are looked at."""

from __future__ import annotations

import dataclasses
from abc import abstractmethod
from collections.abc import Sequence
from pathlib import Path
from typing import ClassVar, Self

from blemish.data.cut_parts import CutParts
from blemish.view_planning.plan import PlannedView, ViewOptions, plan_view
from blemish.view_planning.scale import USUAL_STRIDE, Reading


@dataclasses.dataclass
class ViewParameters:
    """How photographs are looked at; each is left out of keys where it is at its default.

    Attributes:
        size: side in pixels of the square that has the area of the network's input; it has the photographs' shape
            where the network reads any (`reads_any_shape`), and is that square otherwise.
        bit_depth: bits that 16-bit photographs really use.
        smallest_defect: side of the smallest defect that must be seen, as "12px" of the photograph or "0.4mm", from
            which size and tiles are planned; "" plans them from `size` alone.
        scale: of the photographs, as "0.05mm/px", where millimetres are named.
        budget: most time that looking at a photograph may take on this machine, as "60ms"; "" for no cap.
        include: what counts of the photograph, as "box:X,Y,WIDTH,HEIGHT" or "polygon:X,Y,X,Y,X,Y" in its pixels; all
            where nothing is named.
        ignore: what does not count of it, written likewise.
        mask: file of a black-and-white image, of which the white counts; "" for none.
        foreground: whether only the part counts, found in each photograph before a plain background.
        align: how parts are brought to their place: "none", "shift", "turn" (and shift), or "auto", which measures.
        parts: how many like parts a photograph shows: "one", "auto", or a grid as "grid:2x3" (rows, columns).
    """

    size: int = 352
    bit_depth: int = 16
    smallest_defect: str = ""
    scale: str = ""
    budget: str = ""
    include: tuple[str, ...] = ()
    ignore: tuple[str, ...] = ()
    mask: str = ""
    foreground: bool = False
    align: str = "none"
    parts: str = "one"

    view_names: ClassVar[tuple[str, ...]] = tuple(field.name for field in dataclasses.fields(ViewOptions))
    reads_any_shape: ClassVar[bool] = False
    reads_tiles: ClassVar[bool] = False
    _planned: PlannedView | None = dataclasses.field(default=None, init=False, repr=False, compare=False)
    _cuts: CutParts | None = dataclasses.field(default=None, init=False, repr=False, compare=False)
    _told_view: bool = dataclasses.field(default=False, init=False, repr=False, compare=False)

    def view_options(self) -> ViewOptions:
        """What is asked of the view."""
        return ViewOptions(**{name: getattr(self, name) for name in self.view_names})

    def plan_view(self, paths: Sequence[Path]) -> PlannedView:
        """How photographs like these good ones would be looked at, with these parameters.

        Raises:
            UsageError: the view is not possible here.
        """
        return plan_view(
            paths, self.reading(), self.view_options(), lambda planned: self.measured_seconds(paths, planned)
        )

    def reading(self) -> Reading:
        """How the input is read, with these parameters."""
        name = getattr(self, "name", type(self).__name__)
        return Reading(
            name, self.size, self.any_shape(), self.reads_tiles, self.finest_stride(), self.bit_depth
        )

    def finest_stride(self) -> int:
        """Stride of the finest feature map, in pixels of the input."""
        return USUAL_STRIDE

    @abstractmethod
    def measured_seconds(self, paths: Sequence[Path], planned: PlannedView) -> float:
        """Seconds that a photograph takes on this machine, from its file to its score, looked at as planned."""

    def any_shape(self) -> bool:
        """Whether the network reads pictures of any shape, with these parameters."""
        return self.reads_any_shape

    def look_as(self, planned: PlannedView) -> Self:
        """Look at photographs in the way planned, whatever others `fit` is given; of a clone, or before one reading."""
        self.look_by(planned)
        self._told_view = True
        return self

    def look_by(self, planned: PlannedView) -> None:
        """Look at photographs in the way planned until something else is."""
        self._planned = planned
        if planned.view is None or planned.view.parts is None:
            self._cuts = None
        elif self._cuts is None or (self._cuts.view, self._cuts.bit_depth) != (planned.view, self.bit_depth):
            self._cuts = CutParts(planned.view, self.bit_depth)

    @property
    def cuts(self) -> CutParts | None:
        """What cuts photographs into parts, which alone are learnt from and scored; None where they are whole."""
        return self._cuts

    @property
    def input_sides(self) -> tuple[int, int]:
        """Height and width in pixels of the network's input."""
        planned = self.planned_view()
        return planned.height, planned.width

    def planned_view(self) -> PlannedView:
        """How what is learnt from and scored is looked at, photographs or parts that were cut out of them: squares
        before `fit`, or `look_as`, says more."""
        return self.photograph_view().of_part

    def photograph_view(self) -> PlannedView:
        """How photographs are looked at, and cut where they show several parts; see `planned_view`."""
        return self._planned or PlannedView(self.size, self.size)
