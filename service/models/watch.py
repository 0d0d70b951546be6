"""Bundles that come into the folder of the models are activated by themselves, for those who want that."""

from __future__ import annotations

import asyncio
from pathlib import Path

import structlog

from service.errors import ModelRefused, NotActivated, UnknownModel
from service.models.folders import Found, Stamp, stamp_of
from service.models.registry import Models
from service.models.reload import Reloads


class Watch:
    """Looks at the folder again and again.

    A bundle that is being copied is left alone: until nothing has changed in its folder between two looks, and every
    file is as long as the manifest says. What then proves unsound is tried again when something changes in its folder.
    What lay there at the start, what is older than the active model and what was rolled back is not activated: nobody
    just brought it.
    """

    def __init__(self, models: Models, reloads: Reloads) -> None:
        """Take what lies there for known."""
        self._models = models
        self._reloads = reloads
        self._seen = self._stamps()
        self._settled = set(self._seen.items())
        self._log: structlog.stdlib.BoundLogger = structlog.get_logger("service.models")

    async def look(self) -> None:
        """Activate what has come since, the newest export first."""
        for one in await asyncio.to_thread(self._arrived):
            if one.manifest is None or not _is_whole(one, self._seen[one.folder]):
                continue
            self._settled.add((one.folder, self._seen[one.folder]))
            if one.version is not None and self._is_news(one):
                await self._activate(one.version, one.folder)

    def _arrived(self) -> list[Found]:
        """Folders that are new or changed, but not since the last look."""
        before, self._seen = self._seen, self._stamps()
        there = set(self._seen.items())
        self._settled &= there
        still = set(before.items()) & there
        return self._reloads.folders.look(folder for folder, _ in still - self._settled)

    def _stamps(self) -> dict[Path, Stamp]:
        return {folder: stamp_of(folder) for folder in self._reloads.folders.folders()}

    def _is_news(self, one: Found) -> bool:
        known = {self._models.now.active, self._models.now.previous}
        return one.version not in known and one.created_at > self._models.active.model.bundle.manifest.created_at

    async def _activate(self, version: str, folder: Path) -> None:
        try:
            await self._reloads.activate(version)
        except (ModelRefused, NotActivated, UnknownModel) as error:
            self._log.warning("new model not activated", folder=folder.name, model_version=version, reason=str(error))


def _is_whole(one: Found, stamp: Stamp) -> bool:
    """Whether every file has its length: cheap, and enough to tell a copy under way from a bundle that is broken."""
    lengths = {name: size for name, size, _ in stamp}
    return one.manifest is not None and all(
        lengths.get(name) == entry.bytes for name, entry in one.manifest.files.items()
    )
