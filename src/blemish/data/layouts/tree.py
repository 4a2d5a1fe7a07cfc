"""A folder as it lies on the disk, listed once, for layouts to be recognised in and read from."""

from __future__ import annotations

import os
from collections.abc import Sequence
from fnmatch import fnmatch
from functools import cached_property
from pathlib import Path

from blemish.core.errors import CatalogError
from blemish.core.image_files import Listing, is_litter, list_folder


class FolderTree:
    """A category's folder: its sub-folders, photographs and other files, without litter.

    Names are compared in lower case, for archives are unpacked on every system.

    Attributes:
        root: the folder, absolute.
        ignored: patterns of paths relative to the root that are left out, as `*.bak` or `old/*`.
    """

    def __init__(self, root: Path, ignored: Sequence[str] = ()) -> None:
        self.root, self.ignored = root, tuple(ignored)
        self._folders: dict[Path, dict[str, Path]] = {}

    @cached_property
    def listing(self) -> Listing:
        """Everything below the root but what is ignored.

        Raises:
            CatalogError: the root itself cannot be listed.
        """
        listing = list_folder(self.root)
        if any(Path(error.path) == self.root for error in listing.unlistable):
            raise CatalogError(str(listing.unlistable[0]))
        return Listing(
            tuple(filter(self.counts, listing.images)),
            tuple(filter(self.counts, listing.others)),
            listing.litter,
            tuple(error for error in listing.unlistable if self.counts(Path(error.path))),
        )

    @cached_property
    def folders(self) -> dict[str, Path]:
        """Folders directly in the root by their lower-case names, sorted."""
        return self.folders_in(self.root)

    def folders_in(self, folder: Path) -> dict[str, Path]:
        """Folders directly in `folder` by their lower-case names, sorted; empty ones too.

        Raises:
            CatalogError: it cannot be listed.
        """
        if folder not in self._folders:
            try:
                found = sorted(entry.name for entry in os.scandir(folder) if entry.is_dir())
            except OSError as error:
                reason = (error.strerror or str(error)).lower()
                raise CatalogError(
                    f"{folder} cannot be listed ({reason}): check the path and its permissions."
                ) from error
            kept = [name for name in found if not is_litter(name) and self.counts(folder / name)]
            self._folders[folder] = {name.lower(): folder / name for name in kept}
        return self._folders[folder]

    def folder(self, *names: str) -> Path | None:
        """The folder at these names below the root, whatever their case; None if there is none."""
        found = self.root
        for name in names:
            within = self.folders_in(found)
            if name.lower() not in within:
                return None
            found = within[name.lower()]
        return found

    def images(self, folder: Path | None = None, recursive: bool = True) -> list[Path]:
        """Photographs under `folder` (the root if None), sorted."""
        return self._within(self.listing.images, folder, recursive)

    def others(self, pattern: str = "*", folder: Path | None = None, recursive: bool = True) -> list[Path]:
        """Files that are no photographs under `folder`, whose name fits a pattern in lower case, sorted."""
        files = self._within(self.listing.others, folder, recursive)
        return [path for path in files if fnmatch(path.name.lower(), pattern)]

    def relative(self, path: Path) -> str:
        """A path as it is written in sentences: relative to the root, with slashes."""
        return path.relative_to(self.root).as_posix() if path.is_relative_to(self.root) else str(path)

    def below(self, folder: Path) -> FolderTree:
        """The tree of a folder in this one."""
        return FolderTree(folder, self.ignored)

    def counts(self, path: Path) -> bool:
        """Whether a path is not ignored."""
        relative = self.relative(path)
        return not any(
            fnmatch(relative, pattern) or fnmatch(path.name, pattern) or fnmatch(relative, f"{pattern}/*")
            for pattern in self.ignored
        )

    def _within(self, paths: Sequence[Path], folder: Path | None, recursive: bool) -> list[Path]:
        if recursive and (folder is None or folder == self.root):
            return list(paths)
        start = os.path.join(folder or self.root, "")  # noqa: PTH118 (the text, with a separator at its end)
        within = [path for path in paths if str(path).startswith(start)]
        return within if recursive else [path for path in within if path.parent == (folder or self.root)]
