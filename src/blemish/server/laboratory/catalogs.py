"""The catalogs of the laboratory: generated parts, uploaded ones, and folders on the server."""

from __future__ import annotations

import re
import shutil
import tempfile
import threading
from collections import OrderedDict
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

from blemish.core.errors import NotFoundError, UsageError
from blemish.server.job_requests import (
    BenchmarkRequest,
    EvaluateRequest,
    ExploreRequest,
    TrainRequest,
    check_places,
)
from blemish.server.service import Service
from blemish.server.uploads import unpack_images
from blemish.station.records import NAME_PATTERN

if TYPE_CHECKING:
    from blemish.data.catalog import Catalog

SAMPLE, UPLOADED, FOLDER = "sample", "uploaded", "folder"
"""Where a catalog comes from; its key is one of these, a colon, and a name."""

_MOST_OPEN = 8


@dataclass(frozen=True)
class LabelledPhotograph:
    """A photograph of the test split: `name` is its path below the catalog's folder."""

    name: str
    path: Path
    defect_type: str
    mask: Path | None


@dataclass(frozen=True, eq=False)
class Opened:
    """A catalog that was opened, and the folder of its photographs."""

    key: str
    folder: Path
    catalog: Catalog

    @property
    def name(self) -> str:
        """Its category."""
        return self.catalog.category

    @cached_property
    def test(self) -> dict[str, LabelledPhotograph]:
        """The photographs of the test split by their names, one of each kind first."""
        found = []
        for row in self.catalog.test().itertuples():
            path = Path(str(row.path))
            name = path.relative_to(self.catalog.root) if path.is_relative_to(self.catalog.root) else path
            mask = Path(row.mask) if isinstance(row.mask, str) else None
            found.append(LabelledPhotograph(name.as_posix(), path, str(row.defect_type), mask))
        return {one.name: one for one in found}

    @property
    def sentence(self) -> str:
        """How many photographs there are, and of what."""
        good = len(self.catalog.train_normal())
        kinds = self.catalog.counts()["test"]
        tested = ", ".join(f"{kind.replace('_', ' ')} {count}" for kind, count in kinds.items())
        return f"{self.name}: {good} good photographs to learn from; to test with: {tested or 'none'}."


class Catalogs:
    """What can be chosen, opened when it is; several threads may call it."""

    def __init__(self, service: Service) -> None:
        self._jobs, self._readable = service.jobs, service.readable
        self._folder = service.home.laboratory
        self._named: list[Path] = []
        self._open: OrderedDict[str, Opened] = OrderedDict()
        self._turn = threading.Lock()

    def choices(self) -> list[tuple[str, str]]:
        """Label and key of each: those uploaded, folders that jobs have read, and the generated parts."""
        from blemish.data.sample_line import SAMPLE_CATEGORIES

        uploaded = sorted(path.name for path in (self._folder / UPLOADED).glob("[!.]*"))
        folders = self._known_folders()
        names = [path.name for path in folders]
        told = [
            (one.name if names.count(one.name) == 1 else f"{one.parent.name}/{one.name}", f"{FOLDER}:{one}")
            for one in folders
        ]
        return [
            *((f"{name} (uploaded)", f"{UPLOADED}:{name}") for name in uploaded),
            *told,
            *((f"{name} (generated)", f"{SAMPLE}:{name}") for name in reversed(SAMPLE_CATEGORIES)),
        ]

    def open(self, key: str) -> Opened:
        """The catalog of a key that is among the choices; a generated one is written at its first use.

        Raises:
            NotFoundError: there is none of that key.
            CatalogError: the folder cannot be used.
        """
        with self._turn:
            if key in self._open and self._open[key].folder.is_dir():
                self._open.move_to_end(key)
                return self._open[key]
            opened = self._opened(key)
            self._open[key] = opened
            while len(self._open) > _MOST_OPEN:
                self._open.popitem(last=False)
            return opened

    def add_folder(self, written: str) -> str:
        """The key of a folder on the server.

        Raises:
            UsageError: it is no folder, or not one that may be read.
            CatalogError: it holds no photographs of one part.
        """
        from blemish.data.categories import open_category

        folder = Path(written.strip())
        check_places(ExploreRequest(folder=str(folder)), self._readable)
        if not folder.is_absolute() or not folder.is_dir():
            raise UsageError(f"{folder} is not a folder on the server: give its full path, as /data/part.")
        open_category(folder, None)
        if folder not in self._named:
            self._named.append(folder)
        return f"{FOLDER}:{folder}"

    def add_zip(self, name: str, archive: Path) -> str:
        """The key of photographs uploaded as a zip, which are kept under this name.

        Raises:
            UsageError: the name is not possible, or taken.
            UploadError: the zip is refused; nothing of it is kept.
            CatalogError: it does not hold photographs of one part.
        """
        from blemish.data.categories import open_category

        name = name.strip()
        if not re.fullmatch(NAME_PATTERN, name):
            raise UsageError("Name the part: letters, digits, dots and dashes, a letter or digit first.")
        target = self._folder / UPLOADED / name
        if target.exists():
            raise UsageError(f"There are photographs of {name} already: choose them above, or another name.")
        try:
            unpack_images(archive, target)
            open_category(target, name)
        except BaseException:
            shutil.rmtree(target, ignore_errors=True)
            raise
        return f"{UPLOADED}:{name}"

    def remove(self, key: str) -> None:
        """Remove uploaded photographs; others stay where they are.

        Raises:
            UsageError: they were not uploaded here.
        """
        kind, _, name = key.partition(":")
        if kind != UPLOADED or not re.fullmatch(NAME_PATTERN, name):
            raise UsageError("Only photographs that were uploaded here can be removed here.")
        with self._turn:
            self._open.pop(key, None)
            shutil.rmtree(self._folder / UPLOADED / name, ignore_errors=True)

    def _opened(self, key: str) -> Opened:
        from blemish.data.categories import open_category
        from blemish.data.sample_line import SAMPLE_CATEGORIES

        kind, _, name = key.partition(":")
        if kind == SAMPLE and name in SAMPLE_CATEGORIES:
            folder = self._generated(name)
            return Opened(key, folder, open_category(folder, None))
        if kind == UPLOADED and re.fullmatch(NAME_PATTERN, name):
            folder = self._folder / UPLOADED / name
            if folder.is_dir():
                return Opened(key, folder, open_category(folder, name))
        if kind == FOLDER and (folder := Path(name)) in self._known_folders():
            return Opened(key, folder, open_category(folder, None))
        raise NotFoundError("These photographs are not there any more: choose others.")

    def _generated(self, name: str) -> Path:
        from blemish.workflows.sample import SampleRequest, sample

        folder = self._folder / SAMPLE / name
        if not folder.is_dir():
            folder.parent.mkdir(parents=True, exist_ok=True)
            with tempfile.TemporaryDirectory(dir=folder.parent, prefix=".making-") as made:
                sample(SampleRequest(out=Path(made), categories=(name,)))
                Path(made, name).rename(folder)
        return folder

    def _known_folders(self) -> list[Path]:
        """Folders that an admin has named, here or for a job, newest first; the service's own are left out."""
        asked = [job.request for job in self._jobs.all()]
        named = [
            Path(one.folder)
            for one in asked
            if isinstance(one, TrainRequest | BenchmarkRequest | EvaluateRequest)
            and getattr(one, "category", None) is None
        ]
        home = self._folder.parent
        found = dict.fromkeys([*reversed(self._named), *named])
        return [
            path
            for path in found
            if not path.is_relative_to(home) and self._may_be_read(path) and _is_folder(path)
        ]

    def _may_be_read(self, path: Path) -> bool:
        try:
            check_places(ExploreRequest(folder=str(path)), self._readable)
        except UsageError:
            return False
        return True


def _is_folder(path: Path) -> bool:
    try:
        return path.is_dir()
    except OSError:
        return False
