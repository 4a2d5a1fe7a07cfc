"""Photographs judged without a record: those of the history once more, and those that others only look at."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import replace

from blemish.core.execution import AS_KEPT, Execution
from blemish.core.images import DecodeLimits, decode_image, whole_pixels
from blemish.core.types import ByteArray
from blemish.line.explanation import Explanation
from blemish.line.inspection import Inspection
from blemish.line.runtime import Inspector
from blemish.station.compiled import CompiledInspectors
from blemish.station.image_store import ImageStore
from blemish.station.judgement import Judgement
from blemish.station.photograph import Photograph
from blemish.station.records import InspectionRecord
from blemish.station.shelf import InspectorShelf, InspectorVersion


class Reinspection:
    """Judges beside the line, with networks of its own; several threads may call it.

    Args:
        shelf: of the inspectors.
        images: the kept photographs.
        limits: of photographs that are decoded.
        execution: device and precision of the line, so that scores are those of the line.
    """

    def __init__(
        self,
        shelf: InspectorShelf,
        images: ImageStore,
        limits: DecodeLimits,
        execution: Execution = AS_KEPT,
    ) -> None:
        self._shelf, self._images, self._limits = shelf, images, limits
        self._shared = CompiledInspectors(replace(execution, threads=None))
        self._of_gallery = CompiledInspectors(
            replace(execution, threads=1)
        )  # its thread's own, beside the line
        self._turn = threading.Semaphore(1)  # heatmaps on demand leave the other cores to the line

    def kept(self, record: InspectionRecord) -> Photograph:
        """The photograph of a record.

        Raises:
            NotFoundError: it is neither kept nor held for a while.
        """
        return Photograph(self._images.read(record.image_digest, record.image_suffix), record.file_name)

    def decoded(self, photograph: Photograph, bit_depth: int = 16) -> ByteArray:
        """A photograph as uint8 RGB, within the limits.

        Raises:
            ImageError: it cannot be used.
        """
        return decode_image(photograph.content, photograph.file_name, self._limits, bit_depth)

    def of_record(self, record: InspectionRecord) -> Judgement:
        """The photograph of a record, by the version that the record names.

        Raises:
            NotFoundError: the photograph is not kept, or the version is gone.
            ArtifactError: the version's file is not the one that was added.
        """
        return self.of_photograph(self._version(record), self.kept(record))

    def of_photograph(self, version: InspectorVersion, photograph: Photograph) -> Judgement:
        """A photograph by a version.

        Raises:
            ImageError: it cannot be used.
            ArtifactError: the version's file is not the one that was added.
        """
        with self._turn:
            return self._judged(self._shared, version, photograph)

    def by_version(self, record: InspectionRecord, version: int) -> Judgement:
        """The photograph of a record, by another version of its inspector; one at a time.

        Raises:
            NotFoundError: the photograph is not kept, or there is no such version.
            ArtifactError: the version's file is not the one that was added.
        """
        return self.of_photograph(self._shelf.get(record.inspector, version), self.kept(record))

    def under(
        self, record: InspectionRecord, version: InspectorVersion, decided: Callable[[Inspector], Inspector]
    ) -> Inspection:
        """The photograph of a record, by a version under another decision, which `decided` gives it; one at a time.

        Raises:
            NotFoundError: the photograph is not kept.
            ArtifactError: the version's file is not the one that was added.
            UsageError: the decision is not possible.
        """
        photograph = self.kept(record)
        with self._turn:
            inspector = decided(self._shared.get(version))
            opened = inspector.open_photograph(photograph.content, photograph.file_name, self._limits)
            return inspector.inspect_photograph(opened)

    def explained(self, record: InspectionRecord) -> Explanation:
        """As `of_record`, and why; one at a time.

        Raises:
            NotFoundError: the photograph is not kept, or the version is gone.
            ArtifactError: the version's file is not the one that was added, or cannot explain.
        """
        version, photograph = self._version(record), self.kept(record)
        with self._turn:
            judgement = self._judged(self._shared, version, photograph)
            return judgement.inspector.explain(judgement.inspection)

    def for_gallery(self, record: InspectionRecord) -> Judgement:
        """As `of_record`, on one core and with networks that are the gallery's alone."""
        return self._judged(self._of_gallery, self._version(record), self.kept(record))

    def _version(self, record: InspectionRecord) -> InspectorVersion:
        return self._shelf.get(record.inspector, record.version)

    def _judged(
        self, networks: CompiledInspectors, version: InspectorVersion, photograph: Photograph
    ) -> Judgement:
        inspector = networks.get(version)
        content, name = photograph.content, photograph.file_name
        opened = inspector.open_photograph(content, name, self._limits)
        bit_depth = inspector.manifest.preprocessing.bit_depth
        image = whole_pixels(opened, content, name, self._limits, bit_depth)
        return Judgement(version, inspector, image, inspector.inspect_photograph(opened))
