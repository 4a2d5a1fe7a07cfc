"""Detectors as a user chooses them: one set of options, whichever verb, job or notebook makes one."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from blemish.core.errors import UsageError
from blemish.detectors.registry import create_detector, detector_info, quick_parameters, split_label

if TYPE_CHECKING:
    from blemish.detectors.base import Detector

THE_BACKBONE = ""
"""Stands for the name of a backbone where a file of weights is given alone: for whichever is read."""

RANDOM = "random"
NETWORKS = ("backbone", "encoder")
"""Parameters that name the network whose weights the parameter `weights` takes from a file."""


@dataclass(frozen=True)
class ChosenDetector:
    """A detector as it was chosen; in a comparison a column of its charts and a row of its tables.

    Attributes:
        label: as the user wrote it, `NAME` or `NAME:PRESET`.
        name: the detector.
        preset: named set of its parameters, or None.
        parameters: what is set besides.
        weights: files of weights by backbone, of which a detector takes those of the networks that it reads.
    """

    label: str
    name: str
    preset: str | None = None
    parameters: Mapping[str, Any] = field(default_factory=dict)
    weights: Mapping[str, Path] = field(default_factory=dict)

    def make(self, **parameters: Any) -> Detector:
        """A new unfitted detector, with these parameters besides.

        Raises:
            UsageError: no such detector, preset or parameter, or a value of another kind than the parameter's.
        """
        from blemish.detectors.parameter_types import check_types

        made = create_detector(self.name, self.preset, **self.settings(**parameters))
        check_types(made)
        return made

    def settings(self, **parameters: Any) -> dict[str, Any]:
        """What is set besides the preset, with the file of weights where there is one for these parameters.

        Raises:
            UsageError: as `make`.
        """
        given = {**self.parameters, **parameters}
        if not self.weights or "weights" in given:
            return given
        made = create_detector(self.name, self.preset, **given)
        files = {
            name: file for name in networks_of(made) if (file := file_of(self.weights, name)) is not None
        }
        if not files:
            return given
        written = tuple(f"{name}={file}" for name, file in files.items())
        return given | {"weights": written if made.member_names else str(*files.values())}


def choose_detectors(
    labels: Sequence[str],
    settings: Mapping[str, Any],
    *,
    common: Mapping[str, Any] | None = None,
    preset: str | None = None,
    usual_preset: str | None = None,
    quick: bool = False,
    weights: Mapping[str, Path] | None = None,
    networks: Collection[str] = (),
    elsewhere: Mapping[str, str] | None = None,
) -> tuple[ChosenDetector, ...]:
    """The detectors that labels such as `patchcore` or `patchcore:wide` mean with one set of options.

    Args:
        labels: in the order in which they are shown.
        settings: values by parameter, for all detectors that have it; or by LABEL.PARAMETER for that one, which goes
            before what is set of all.
        common: what all have in common, where no setting says otherwise.
        preset: of the detector, where its label names none.
        usual_preset: the same for those detectors that have one of this name.
        quick: small runs: what each detector says itself, unless a setting says otherwise.
        weights: files by backbone, or one for `THE_BACKBONE`.
        networks: backbones that may be read besides, as those that a search tries.
        elsewhere: parameters that cannot be set here, with the way out.

    Raises:
        UsageError: a detector, preset or parameter does not exist, or has a value of another kind; an option is for no
            detector here; a file of weights is missing.
    """
    for written in settings:
        name = written.rpartition(".")[2]
        if elsewhere and name in elsewhere:
            raise UsageError(f"--set {written} is not possible here: {elsewhere[name]}.")
    presets = [_preset_of(label, preset, usual_preset) for label in labels]
    given = _by_label(labels, settings)
    chosen = []
    for label, which in zip(labels, presets, strict=True):
        name = split_label(label)[0]
        network = {one: given[label][one] for one in ("backbone",) if one in given[label]}
        small = quick_parameters(name, which, **network) if quick else {}
        parameters = {**(common or {}), **small, **given[label]}
        chosen.append(ChosenDetector(label, name, which, parameters, dict(weights or {})))
    made = [one.make() for one in chosen]  # says now what cannot be meant
    free = [one for one, of in zip(made, chosen, strict=True) if "weights" not in of.parameters]
    check_weights(weights or {}, {name for one in free for name in networks_of(one)}.union(networks))
    return tuple(chosen)


def with_settings(options: Mapping[str, Any], settings: Mapping[str, Any]) -> dict[str, Any]:
    """What is set of a parameter in one of two ways: by an option of its own, as `--backbone`, or by `--set`.

    Args:
        options: values by parameter; None where the option is not given.
        settings: as of `choose_detectors`.

    Raises:
        UsageError: both name a parameter, with different values.
    """
    given = {name: value for name, value in options.items() if value is not None}
    for name, value in given.items():
        if settings.get(name, value) != value:
            raise UsageError(
                f"{name}={value} is asked for by an option of its own, and {name}={settings[name]} by --set: leave one "
                "of them out."
            )
    return given | dict(settings)


def check_weights(weights: Mapping[str, Path], networks: Collection[str]) -> None:
    """Refuse files of weights that would not be read.

    Args:
        weights: files by backbone.
        networks: backbones that are read.

    Raises:
        UsageError: a file is missing, is of a network that is not read, or could be of several.
    """
    known = ", ".join(sorted(networks))
    for name, file in weights.items():
        written = f"--weights {name}={file}" if name else f"--weights {file}"
        if not networks:
            raise UsageError(
                f"{written} is of no use: no network is read here whose weights come from a file."
            )
        if name and name not in networks:
            raise UsageError(f"{written} is of no use: the networks that are read here are {known}.")
        if not name and len(networks) > 1:
            raise UsageError(
                f"{written} does not say of which network it is: write --weights NAME={file}, where NAME is one of "
                f"{known}."
            )
        if str(file) != RANDOM and not file.is_file():
            raise UsageError(f"The weights file {file} does not exist: correct --weights.")


def file_of(weights: Mapping[str, Path], network: str) -> Path | None:
    """The file with a network's weights; None for the usual ones."""
    return weights.get(network, weights.get(THE_BACKBONE))


def networks_of(detector: Detector) -> tuple[str, ...]:
    """Names of the networks whose weights a detector takes from files, its members' among them.

    Raises:
        UsageError: a member does not exist.
    """
    given = detector.get_params()
    if "weights" not in given:
        return ()
    if detector.member_names:
        members = (create_detector(*split_label(label)) for label in detector.member_names)
        return tuple(dict.fromkeys(name for member in members for name in networks_of(member)))
    return tuple(str(given[name]) for name in NETWORKS if name in given)


def _preset_of(label: str, preset: str | None, usual: str | None) -> str | None:
    """The preset that is meant with a label.

    Raises:
        UsageError: there is no such detector, or two presets are named.
    """
    name, own = split_label(label)
    if own and preset:
        raise UsageError(f"{label} names a preset and --preset {preset} another: leave one of them out.")
    return own or preset or (usual if usual in detector_info(name).presets else None)


def _by_label(labels: Sequence[str], settings: Mapping[str, Any]) -> dict[str, dict[str, Any]]:
    """What is set of each detector.

    Raises:
        UsageError: a setting is for none of them.
    """
    found: dict[str, dict[str, Any]] = {label: {} for label in labels}
    having = {label: detector_info(split_label(label)[0]).parameters for label in labels}
    for written, value in sorted(settings.items(), key=lambda one: "." in one[0]):
        label, dot, name = written.rpartition(".")
        if dot and label not in found:
            raise UsageError(
                f"--set {written} is for no detector here: write one of {_listed(labels)} before the dot."
            )
        wanted = [label] if dot else [one for one in labels if len(labels) == 1 or name in having[one]]
        if not wanted:
            raise UsageError(
                f"None of {_listed(labels)} has a parameter {name}: `blemish detectors` lists them."
            )
        for one in wanted:  # of a single one, `create_detector` says what there is
            found[one][name] = value
    return found


def _listed(names: Iterable[str]) -> str:
    return ", ".join(names)
