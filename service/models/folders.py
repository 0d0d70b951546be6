"""The bundles on disk: one folder that is a bundle, or a folder that holds several of them."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from service.bundle import BundleError, Manifest
from service.bundle.files import MANIFEST, read_manifest
from service.errors import UnknownModel

Stamp = tuple[tuple[str, int, int], ...]
"""Name, size and time of change (nanoseconds) of each file of a folder: as long as it stays, nobody writes there."""
_EARLIEST = datetime.min.replace(tzinfo=UTC)


@dataclass(frozen=True)
class Found:
    """A folder that is a bundle, or would be one if its manifest could be read."""

    folder: Path
    version: str | None
    """Its `model_version`; where the manifest is not sound, what it claims, if it claims any."""
    manifest: Manifest | None
    reason: str | None = None
    """Why the manifest is not sound."""

    @property
    def created_at(self) -> datetime:
        """When it was exported; before everything else where nobody can tell."""
        return _EARLIEST if self.manifest is None else self.manifest.created_at


class ModelFolders:
    """What `REC_BUNDLE` names. Looking at it reads manifests alone, so it is quick, and proves nothing but their seals.

    A folder without a manifest of its own, some folder in which has one, holds several bundles; else it is one.
    """

    def __init__(self, root: Path) -> None:
        self.root = root
        self.several = not (root / MANIFEST).exists() and any(True for _ in _bundles_in(root))

    def found(self) -> list[Found]:
        """Every bundle, the newest export first."""
        return self.look(self.folders())

    def folders(self) -> list[Path]:
        """Where they lie."""
        return list(_bundles_in(self.root)) if self.several else [self.root]

    def look(self, folders: Iterable[Path]) -> list[Found]:
        """What some folders are, the newest export first."""
        return sorted(map(_look, folders), key=lambda one: (one.created_at, one.folder.name), reverse=True)

    def folder_of(self, version: str) -> Path:
        """Where a version lies.

        Raises:
            UnknownModel: nowhere.
        """
        for one in self.found():
            if one.version == version:
                return one.folder
        raise UnknownModel(f"{version}: no bundle of this version lies in the folder of the models")

    def named(self, message: str) -> str:
        """A message without the path of the root, which is nobody's business outside."""
        return message.replace(f"{self.root}/", "")


def stamp_of(folder: Path) -> Stamp:
    """What tells whether anything was written in a folder since; empty when it is gone."""
    try:
        facts = [(path.name, path.stat()) for path in folder.iterdir()]
    except OSError:
        return ()
    return tuple(sorted((name, fact.st_size, fact.st_mtime_ns) for name, fact in facts))


def is_temporary(name: str) -> bool:
    """Whether a folder's name says that it is still being written: `.name` as `export` and rsync have it, `tmp...`,
    `....tmp`, `....part`."""
    return name.startswith((".", "tmp")) or name.endswith((".tmp", ".part"))


def _bundles_in(root: Path) -> Iterator[Path]:
    """Folders with a manifest. It is sealed last, so a folder without one is no bundle yet."""
    if root.is_dir():
        yield from (
            path for path in sorted(root.iterdir()) if not is_temporary(path.name) and (path / MANIFEST).is_file()
        )


def _look(folder: Path) -> Found:
    try:
        manifest = read_manifest(folder)
    except (BundleError, OSError) as error:
        return Found(folder, _claimed_version(folder), None, str(error))
    return Found(folder, manifest.model_version, manifest)


def _claimed_version(folder: Path) -> str | None:
    """What an unsound manifest says that it is, so that who asks for it by that name is told what is wrong with it."""
    try:
        claimed = json.loads((folder / MANIFEST).read_bytes()).get("model_version")
    except (OSError, ValueError, AttributeError):
        return None
    return claimed if isinstance(claimed, str) else None
