"""The network that an inspector judges with: which of the artifact's graphs, in which precision, on which device."""

from __future__ import annotations

from dataclasses import replace

from blemish.core.errors import UsageError
from blemish.core.execution import AUTO, Execution
from blemish.core.network import CompiledNetwork
from blemish.core.types import FloatArray
from blemish.line.artifact import MODEL, SCORING, Artifact
from blemish.line.manifest import Manifest
from blemish.line.precision_choice import INT8_MODEL, choice_for
from blemish.line.tiled import TiledNetwork


class WholeNetwork:
    """One graph for the whole of what is looked at; as `TiledNetwork`.

    Raises:
        UsageError, RuntimeError: as `CompiledNetwork`.
    """

    def __init__(self, model: bytes, execution: Execution, outputs: tuple[str, ...]) -> None:
        self._network = CompiledNetwork(model, execution, outputs)

    def __call__(self, given: FloatArray) -> list[FloatArray]:
        """The detector's outputs for one input, float32 3 x H x W or a row."""
        return self._network(given[None])

    @property
    def lost(self) -> str | None:
        """What became of a device that failed while it ran."""
        return self._network.lost


def settled(manifest: Manifest, asked: Execution) -> Execution:
    """An execution whose precision is one: of `AUTO` what the inspector keeps for this processor, else f32.

    Raises:
        UsageError: this machine has no such device.
    """
    if asked.precision != AUTO:
        return asked
    chosen = choice_for(manifest.precisions, asked.device)
    return replace(asked, precision="f32" if chosen is None else chosen.precision)


def inspector_network(artifact: Artifact, execution: Execution) -> WholeNetwork | TiledNetwork:
    """The network of an artifact, compiled.

    Raises:
        ArtifactError: a graph is missing, or they do not belong together.
        UsageError: this machine cannot run it so, or the artifact has no graph in this precision.
        RuntimeError: one cannot be run.
    """
    contract, name = artifact.manifest.preprocessing, MODEL
    if execution.precision == "int8":
        name = INT8_MODEL
        if name not in artifact.members:
            raise UsageError(
                f"{artifact.path} holds no 8-bit network: make one with blemish bench --photographs FOLDER --write, or "
                "take --precision f32."
            )
    model = artifact.content(name)
    if contract.tiled:
        return TiledNetwork(model, artifact.content(SCORING), contract, artifact.path, execution)
    return WholeNetwork(model, execution, artifact.manifest.detector.outputs)
