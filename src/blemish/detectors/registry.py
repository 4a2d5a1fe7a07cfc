"""The registry: every detector by name, Blemish's own and strangers', known without importing torch."""

from __future__ import annotations

import importlib
import re
import sys
import warnings
from collections.abc import Callable, Iterable
from functools import cache
from typing import TYPE_CHECKING, Any, TypeVar

from blemish.core.errors import NameTakenWarning, UsageError
from blemish.detectors import classical, combined, density, distilled, memory, reconstruction, supervised
from blemish.detectors.information import DetectorInfo as DetectorInfo
from blemish.detectors.information import import_class

if TYPE_CHECKING:
    from blemish.detectors.base import Detector

DEFAULT_DETECTOR = "patchcore"

ENTRY_POINTS = "blemish.detectors"
"""Group in which an installed package names its detectors, each as "module:Class"."""

# A class begins with a capital, a preset does not: so `knn:resnet50` and `my_module:MyDetector` are told apart.
_CLASS = re.compile(r"([A-Za-z_][\w.]*:[A-Z]\w*)(?::(.*))?", re.DOTALL)
_NAME = re.compile(r"[a-z][a-z0-9-]*")

_FAMILIES = (memory, density, distilled, reconstruction, supervised, classical, combined)
OTHERS = "others"
"""The family of detectors that are not Blemish's own."""

_known = {info.name: info for family in _FAMILIES for info in family.DETECTORS}
_strangers: dict[str, DetectorInfo] = {}

DetectorClass = TypeVar("DetectorClass", bound="type[Detector]")


def register(
    name: str,
    *,
    summary: str,
    learns_from: str = "normal images",
    gives_maps: bool = True,
    trains: bool = False,
    reference: str = "",
    presets: dict[str, dict[str, Any]] | None = None,
    space: dict[str, list[Any]] | None = None,
) -> Callable[[DetectorClass], DetectorClass]:
    """Class decorator that makes a detector of your own known under `name`; see `DetectorInfo` for the rest.

    Where the name is taken, the newcomer has it from then on, and a `NameTakenWarning` says so.

    Raises:
        UsageError: the name is not of small letters, digits and hyphens.
    """
    if not _NAME.fullmatch(name):
        raise UsageError(
            f"{name} cannot name a detector: choose small letters, digits and hyphens, a letter first."
        )

    def add(detector: DetectorClass) -> DetectorClass:
        here = f"{detector.__module__}:{detector.__qualname__}"
        taken = _strangers.get(name) or _known.get(name)
        if taken is not None and _place(taken) != here:
            warnings.warn(
                f"The name {name} was taken by {_place(taken)} and means {here} now: choose another.",
                NameTakenWarning,
                stacklevel=2,
            )
        detector.name, detector.gives_maps = name, gives_maps
        _strangers[name] = DetectorInfo(
            *(name, detector, summary, learns_from, gives_maps, trains, reference),
            presets=dict(presets or {}),
            space=dict(space or {}),
        )
        return detector

    return add


def detector_names() -> list[str]:
    """Names of all detectors, sorted: Blemish's own, those registered, and those of installed packages."""
    return sorted({*_known, *_strangers, *_installed()})


def detector_families() -> dict[str, list[str]]:
    """Names of all detectors by their family, from the default's on; those of strangers are `OTHERS`."""
    families = {
        family.__name__.rpartition(".")[2]: [info.name for info in family.DETECTORS] for family in _FAMILIES
    }
    others = [name for name in detector_names() if name not in _known]
    return families | ({OTHERS: others} if others else {})


def detector_info(name: str) -> DetectorInfo:
    """What is known of a detector, by its name or as "module:Class".

    Raises:
        UsageError: there is none of that name, or a stranger's cannot be imported.
    """
    if name in _strangers or name in _known:
        return _strangers.get(name) or _known[name]
    where = name if _CLASS.fullmatch(name) else _installed().get(name)
    if where is None:
        raise UsageError(f"There is no detector {name}: choose one of {', '.join(detector_names())}.")
    return _info_of(import_class(where), name)


def split_label(label: str) -> tuple[str, str | None]:
    """Name and preset in a label as a user writes it: NAME, NAME:PRESET, module:Class or module:Class:PRESET."""
    found = _CLASS.fullmatch(label)
    name, _, preset = (found[1], ":", found[2]) if found else label.partition(":")
    return name, preset or None


def names_class(label: str) -> bool:
    """Whether a label names a class by its module, which is imported, and so run, to know it."""
    return _CLASS.fullmatch(label) is not None


def create_detector(name: str, preset: str | None = None, **parameters: Any) -> Detector:
    """Make an unfitted detector from its defaults, then a preset, then the parameters given.

    Raises:
        UsageError: no such detector, preset or parameter.
    """
    info = detector_info(name)
    if preset is not None and preset not in info.presets:
        known = ", ".join(info.presets) or "none"
        raise UsageError(f"The detector {name} has no preset {preset}: choose one of {known}.")
    unknown = sorted(set(parameters) - set(info.parameters))
    if unknown:
        raise UsageError(
            f"The detector {name} has no parameter {unknown[0]}: choose among {', '.join(info.parameters)}."
        )
    chosen = {**(info.presets[preset] if preset else {}), **parameters}
    return info.detector_class(**chosen)


def quick_parameters(name: str, preset: str | None = None, **parameters: Any) -> dict[str, Any]:
    """Parameters of a small first run with a preset and others, as the detector itself says.

    Raises:
        UsageError: no such detector, preset or parameter.
    """
    return create_detector(name, preset, **parameters).quick_parameters()


def strangers() -> list[str]:
    """Modules whose import has registered detectors; another process imports them to know these too."""
    modules = {_place(info).partition(":")[0] for info in _strangers.values()}
    return sorted(modules - {"__main__"})  # a spawned process runs the main module again by itself


def import_strangers(modules: Iterable[str]) -> None:
    """Import what `strangers` has named in another process."""
    for module in modules:
        if module not in sys.modules:
            importlib.import_module(module)


def _info_of(detector: type[Detector], name: str) -> DetectorInfo:
    """What is known of a stranger's class: as it was registered, or what the class says of itself."""
    for info in _strangers.values():
        if info.where is detector:
            return info
    detector.name = detector.name or detector.__name__
    summary = (detector.__doc__ or "").strip().partition("\n")[0]
    return DetectorInfo(name, detector, summary, gives_maps=detector.gives_maps)


@cache
def _installed() -> dict[str, str]:
    """Detectors of installed packages: "module:Class" by name."""
    import importlib.metadata  # as slow as all the rest of this module

    found = importlib.metadata.entry_points(group=ENTRY_POINTS)
    return {one.name: one.value for one in found if one.name not in _known}


def _place(info: DetectorInfo) -> str:
    """Module and class of a detector."""
    where = info.where
    return where if isinstance(where, str) else f"{where.__module__}:{where.__qualname__}"
