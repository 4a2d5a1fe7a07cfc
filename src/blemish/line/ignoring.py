"""An inspector that ignores more than it was fitted with."""

from __future__ import annotations

from pathlib import Path

from blemish.core.errors import UsageError
from blemish.line.manifest import Manifest
from blemish.view.less import with_less
from blemish.view.view import View


def ignoring(
    manifest: Manifest, ignore: tuple[str, ...], include: tuple[str, ...], mask: Path | None
) -> Manifest:
    """The manifest of an inspector for which less of photographs counts; see `Inspector.with_ignored`.

    Raises:
        UsageError: as there.
    """
    contract = manifest.preprocessing
    view, reach = require_ignoring(manifest)
    less = with_less(view, ignore, include, mask, reach, contract.height, contract.width)
    return manifest.model_copy(update={"preprocessing": contract.model_copy(update={"view": less})})


def require_ignoring(manifest: Manifest) -> tuple[View, int]:
    """What an inspector looks at, and how far it sees the edge of what is ignored, in pixels of the network's input.

    Raises:
        UsageError: it cannot ignore more than it was fitted with.
    """
    contract, detector = manifest.preprocessing, manifest.detector
    anew = "fit it anew with these regions"
    if contract.view is None or manifest.features is not None:
        raise UsageError(
            f"{manifest.name} does not know where on photographs it looks, as it was made by an earlier Blemish or "
            f"goes by features of whole photographs: {anew}."
        )
    if contract.tiled:
        raise UsageError(
            f"{manifest.name} reads photographs in tiles, where it was not measured how far an edge of "
            f"what is ignored is seen: {anew}."
        )
    if contract.view.parts is not None:
        raise UsageError(
            f"{manifest.name} cuts photographs into parts, which do not lie where areas are named: {manifest.name} "
            "can ignore none."
        )
    if not detector.score_is_maximum:
        raise UsageError(
            f"The score of {manifest.name} ({detector.name}) is not the highest value of its anomaly map, so it cannot "
            f"be taken of a part of it: {anew}."
        )
    if detector.reach is None:
        raise UsageError(
            f"{manifest.name} ({detector.name}) sees the edge of an area that is ignored after the fit from "
            f"everywhere: {anew}."
        )
    return contract.view, detector.reach
