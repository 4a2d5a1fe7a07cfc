"""Measure an inspector on this machine, and choose the precision that it is run in here. Needs no torch."""

from __future__ import annotations

import tempfile
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from multiprocessing import get_context
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

from pydantic import Field

from blemish.core.errors import MissingExtraError, UsageError
from blemish.core.execution import AUTO, PRECISIONS, AskedPrecision, Execution
from blemish.core.progress import say, task
from blemish.workflows.fields import DeviceName, InspectorFile
from blemish.workflows.request import Option, Outcome, Request

if TYPE_CHECKING:
    from collections.abc import Sequence

    from blemish.line.artifact import Artifact
    from blemish.line.machine_parity import MachineParity
    from blemish.line.manifest import Manifest
    from blemish.line.precision_choice import PrecisionChoice
    from blemish.line.precision_evidence import Compared
    from blemish.line.runtime import Inspector
    from blemish.line.speed import Speed

_MOST_COMPARED, _FEWEST, _STEADY = 60, 8, 100


class BenchRequest(Request):
    """Measure an inspector on this machine."""

    inspector: InspectorFile
    photographs: Annotated[Path | None, Option(metavar="FOLDER")] = Field(
        None,
        description="Photographs of good parts: what precisions are compared on. Without them a grey picture is timed.",
    )
    device: DeviceName = "cpu"
    precision: AskedPrecision = Field(
        "auto", description="Only this one; auto compares all that the device can, and names the best."
    )
    count: int = Field(_STEADY, ge=10, le=100_000, description="Photographs that are timed.")
    write: bool = Field(False, description="Keep the best precision for this processor in INSPECTOR.")
    out: Path | None = Field(
        None, description="Write the changed inspector here, and leave INSPECTOR as it is."
    )


@dataclass(frozen=True)
class BenchResult(Outcome):
    """What was measured.

    Attributes:
        processor, device, precision: what the times are of.
        speed: times, throughput, memory.
        parity: float32 here, beside another implementation.
        compared: precisions beside float32; None where there were no photographs to compare on.
        not_compared: why a precision, or all of them, were not; a sentence each.
        chosen: what was kept for this processor, and where.
    """

    processor: str
    device: str
    precision: str
    speed: Speed
    parity: MachineParity
    compared: Compared | None
    not_compared: tuple[str, ...]
    chosen: tuple[PrecisionChoice, Path] | None = None

    @property
    def complete(self) -> bool:
        """Whether this machine computes what it should."""
        return self.parity.holds

    def to_json(self) -> dict[str, Any]:
        """The result as JSON-ready values."""
        kept = None
        if self.chosen is not None:
            kept = {**self.chosen[0].model_dump(mode="json"), "file": str(self.chosen[1])}
        return {
            **{name: getattr(self, name) for name in ("processor", "device", "precision")},
            **self.speed.to_json(),
            "parity": {**vars(self.parity), "holds": self.parity.holds},
            "precisions": None if self.compared is None else self.compared.to_json(),
            "not_compared": list(self.not_compared),
            "kept": kept,
        }


def bench(request: BenchRequest) -> BenchResult:
    """Time an inspector's stages here, compare precisions where photographs are given, and keep the best if asked.

    Raises:
        UsageError: the device is not there, cannot compute so, or there are too few photographs to choose on.
        ArtifactError: the inspector cannot be used.
        BlemishError: a file cannot be written.
    """
    from blemish.core.devices import processor_name
    from blemish.line.artifact import read_artifact, write_artifact
    from blemish.line.inspector_network import inspector_network
    from blemish.line.machine_parity import machine_parity
    from blemish.line.speed import measured_speed

    keeps = request.write or request.out is not None
    if keeps and (request.photographs is None or request.precision != AUTO):
        raise UsageError(
            "What is kept is chosen on photographs of good parts among all precisions: add --photographs FOLDER, and "
            "leave --precision out."
        )
    processor = processor_name(request.device)
    artifact = read_artifact(request.inspector)
    parity = machine_parity(artifact, Execution(request.device))
    with tempfile.TemporaryDirectory(prefix="blemish-bench-") as made:
        folder = Path(made)
        good = _photographs(request.photographs, artifact.manifest) if request.photographs else ()
        compared, missing = None, ["Precisions were not compared: add --photographs FOLDER, of good parts."]
        if good:
            compared, missing, artifact = _compared(request, artifact, good, folder)
        best = compared.best.precision if compared and request.precision == AUTO else request.precision
        execution = Execution(request.device, "f32" if best == AUTO else best)
        inspector_network(artifact, execution)  # what cannot be run is said here, not by another process
        copied = folder / "inspector.blemish"
        write_artifact(copied, artifact.manifest, artifact.members)
        timed = good or (_grey_picture(artifact.manifest, folder),)
        # In a process of its own, whose memory and threads are those of an inspector alone.
        with task("Timing"), ProcessPoolExecutor(1, get_context("spawn")) as own:
            speed = own.submit(measured_speed, copied, execution, timed, request.count).result()
    chosen = _kept(request, artifact, compared, processor) if keeps and compared else None
    return BenchResult(
        processor=processor,
        device=request.device,
        precision=execution.precision,
        speed=speed,
        parity=parity,
        compared=compared,
        not_compared=tuple(missing),
        chosen=chosen,
    )


def _photographs(folder: Path, manifest: Manifest) -> tuple[Path, ...]:
    """Photographs of a folder, spread over it: twice as many as are compared, as half of them make an 8-bit network.

    Those that the inspector has learnt from score lower than others ever will, and are left out where enough remain.

    Raises:
        UsageError: there are too few.
    """
    from blemish.core.storage import file_digest
    from blemish.line.photographs import find_photographs

    found = [one.path for one in find_photographs([folder], None) if one.error is None]
    if len(found) < _FEWEST:
        raise UsageError(
            f"{folder} holds {len(found)} photographs: precisions are compared on {_FEWEST} or more of good parts."
        )
    unseen = [path for path in found if file_digest(path) not in manifest.training.digests]
    if len(unseen) >= _FEWEST:
        found = unseen
    elif len(unseen) < len(found):
        say("The inspector has learnt from these photographs: others of good parts are the better evidence.")
    step = max(1, len(found) // (2 * _MOST_COMPARED))
    return tuple(found[::step][: 2 * _MOST_COMPARED])


def _compared(
    request: BenchRequest, artifact: Artifact, good: Sequence[Path], folder: Path
) -> tuple[Compared, list[str], Artifact]:
    """Precisions beside float32, why others were not compared, and the artifact with an 8-bit network where one was
    made."""
    from blemish.core.devices import available_precisions
    from blemish.line.artifact import MODEL
    from blemish.line.precision_choice import INT8_MODEL
    from blemish.line.precision_evidence import compare_precisions, network_inputs
    from blemish.line.runtime import Inspector

    able, missing = available_precisions(request.device), []
    wanted = [name for name in PRECISIONS if request.precision in (AUTO, name) or name == "f32"]
    for name in [name for name in wanted if name not in able]:
        missing.append(f"{name} was not compared: this {request.device} cannot compute in it.")
    if "f32" not in able:
        raise UsageError(
            f"The device {request.device} has no float32 to compare with: add --precision {able[0]}, and leave "
            "--photographs out."
        )
    wanted = [name for name in wanted if name in able]
    reference = Inspector(artifact, Execution(request.device))
    if "int8" in wanted and INT8_MODEL not in artifact.members:
        try:
            from blemish.making.quantisation import quantised

            inputs = network_inputs(reference, good[1::2])
            outputs = len(artifact.manifest.detector.outputs)
            if artifact.manifest.preprocessing.tiled:
                raise UsageError("photographs are read in tiles")
            made = quantised(artifact.content(MODEL), inputs, outputs)
            artifact = replace(artifact, members={**artifact.members, INT8_MODEL: made})
        except (MissingExtraError, UsageError) as error:
            wanted.remove("int8")
            missing.append(f"int8 was not compared: {error}".rstrip(".") + ".")
    inspectors = {name: Inspector(artifact, Execution(request.device, name)) for name in wanted}
    compared_on = good[::2]
    return (
        compare_precisions(
            inspectors, compared_on, painted_beside(reference, compared_on, folder / "painted")
        ),
        missing,
        artifact,
    )


def painted_beside(inspector: Inspector, good: Sequence[Path], folder: Path) -> list[Path]:
    """The same photographs with defects painted in, where the laboratory is installed; else none."""
    try:
        from blemish.data.painted_images import Painting, painted_images
    except ImportError:
        say("The laboratory is not installed, so precisions are compared on good parts alone.")
        return []
    painting = Painting(bit_depth=inspector.manifest.preprocessing.bit_depth)
    return [one.path for one in painted_images(good, folder, painting=painting)]


def _kept(
    request: BenchRequest, artifact: Artifact, compared: Compared, processor: str
) -> tuple[PrecisionChoice, Path]:
    """Write the inspector with the best precision for this processor."""
    from blemish.core.devices import library_name
    from blemish.line.artifact import write_artifact
    from blemish.line.precision_choice import INT8_MODEL, PrecisionChoice, with_choice

    best, manifest = compared.best, artifact.manifest
    choice = PrecisionChoice.model_validate(
        {
            "processor": processor,
            "device": request.device,
            "precision": best.precision,
            "n_good": compared.n_good,
            "n_painted": compared.n_painted,
            "rank_correlation": best.rank_correlation,
            "max_relative_error": best.max_relative_error,
            "speed_up": best.speed_up,
            "library": library_name(request.device),
            "made": datetime.now(UTC),
        }
    )
    choices = with_choice(manifest.precisions, choice)
    needed = any(one.precision == "int8" for one in choices)  # by this processor, or by another one
    members = {name: one for name, one in artifact.members.items() if needed or name != INT8_MODEL}
    out = request.out or request.inspector
    write_artifact(out, manifest.model_copy(update={"precisions": choices}), members)
    return choice, out


def _grey_picture(manifest: Manifest, folder: Path) -> Path:
    """A picture of noise, of the size that the inspector looks at, as PNG."""
    import cv2
    import numpy as np

    from blemish.core.storage import write_bytes

    contract = manifest.preprocessing
    noise = np.random.default_rng(0).integers(96, 160, (contract.height, contract.width, 3), np.uint8)
    path = folder / "noise.png"
    write_bytes(path, cv2.imencode(".png", noise)[1].tobytes())
    return path
