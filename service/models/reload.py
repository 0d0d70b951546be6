"""Another model becomes the active one while requests are served: proven first, exchanged in one step, undone in one.

The active file is the truth that all workers follow. Whoever activates writes it after its own proof; the others see it
change, prove for themselves, and exchange. Whatever fails on the way, what served before serves on.
"""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from pathlib import Path
from typing import Any, TypeVar

import structlog

from service.bundle import BundleError
from service.devices import DeviceUnavailable
from service.errors import ModelRefused, NotActivated, ServiceError, UnknownModel
from service.metrics import Metrics
from service.models.active_file import Active, ActiveFile, ActiveFileUnreadable
from service.models.folders import ModelFolders, Stamp, stamp_of
from service.models.loader import Loader
from service.models.refusals import Refusals
from service.models.registry import Models
from service.models.served import Served
from service.settings import Settings

T = TypeVar("T")


class Reloads:
    """Activates, rolls back and follows the active file, for one worker."""

    def __init__(
        self, settings: Settings, models: Models, loader: Loader, metrics: Metrics, refusals: Refusals
    ) -> None:
        self.folders = ModelFolders(settings.bundle)
        self.refusals = refusals
        self._file = ActiveFile.of(settings) if self.folders.several else None
        self._settings = settings
        self._models = models
        self._loader = loader
        self._metrics = metrics
        self._exchanging = asyncio.Lock()
        self._tasks: set[asyncio.Task[Any]] = set()
        self._complaints: dict[str, str] = {}
        self._log: structlog.stdlib.BoundLogger = structlog.get_logger("service.models")

    async def activate(self, version: str) -> Active:
        """Prove a version, write it down, and answer with it from now on. Goes on when the caller hangs up.

        Raises:
            UnknownModel: no such version on disk.
            ModelRefused: it does not prove sound.
            NotActivated: one bundle is served and it is another, another activation came in between, or the active file
                cannot be written.
        """
        return await asyncio.shield(self._start(self._activate(version)))

    async def roll_back(self) -> Active:
        """Activate what was active before; once more, and it is undone. Raises what `activate` raises."""
        await self.follow()
        previous = self._models.now.previous
        if previous is None:
            raise NotActivated("no other version was active before")
        return await self.activate(previous)

    async def follow(self) -> None:
        """Do as the active file says now: whatever another worker, or a person, wrote there. Never raises because of
        what it says."""
        agreed = await self._agreed()
        if agreed == self._models.now:
            return
        try:
            served = await self._opened(agreed.active, again=False)
        except (UnknownModel, ModelRefused) as error:
            self._complain("the active file cannot be followed", str(error))
            return
        async with self._exchanging:
            if agreed == await self._agreed() and not served.retired:
                self._exchange(agreed, served)
            else:  # overtaken; the next look tells
                self._spare(served)

    async def close(self) -> None:
        """Wait for releases, drop the rest."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def _activate(self, version: str) -> Active:
        await self.follow()
        before = await self._agreed()
        served = await self._opened(version, again=True)
        async with self._exchanging:
            try:
                agreed = await self._write_down(served, before)
            except NotActivated:
                self._spare(served)
                raise
            self._exchange(agreed, served)
        return agreed

    async def _write_down(self, served: Served, before: Active) -> Active:
        agreed = await self._agreed()
        if served.retired or agreed.active not in (before.active, served.version):
            raise NotActivated(f"{agreed.active} was activated meanwhile: look, and ask again")
        if agreed.active == served.version:
            return agreed
        if self._file is None:
            raise NotActivated("one bundle is served: for a choice, serve the folder that holds the bundles")
        now = self._models.now
        previous = now.previous if now.active == served.version else now.active
        wanted = Active(active=served.version, previous=previous)
        try:
            await asyncio.to_thread(self._file.write, wanted)
        except OSError as error:
            raise NotActivated(f"{self._file.path.name} cannot be written: {error.strerror}") from error
        return wanted

    async def _agreed(self) -> Active:
        """What the active file says; while it says nothing, or nothing that can be read, what is."""
        if self._file is None:
            return self._models.now
        try:
            said = await asyncio.to_thread(self._file.read)
        except ActiveFileUnreadable as error:
            self._complain("the active file cannot be read", str(error))
            return self._models.now
        return said or self._models.now

    async def _opened(self, version: str, *, again: bool) -> Served:
        """The model of a version, opened if it is not; `again`: also if it was refused as it is now."""
        folder = await asyncio.to_thread(self.folders.folder_of, version)
        if (already := self._models.get(version)) is not None:
            return already
        if not again and (reason := self.refusals.reason(folder)) is not None:
            raise ModelRefused(reason)
        return await self._proven(folder, version)

    async def _proven(self, folder: Path, version: str) -> Served:
        stamp = stamp_of(folder)
        try:
            served = await self._loader.open(folder)
        except (BundleError, DeviceUnavailable, OSError, MemoryError) as error:
            raise self._refused(folder, stamp, str(error) or type(error).__name__) from error
        except Exception as error:  # whatever it is, it is tried once and not every second
            self._log.exception("opening a model failed", folder=folder.name)
            raise self._refused(folder, stamp, f"{type(error).__name__}: {error}") from error
        if served.version != version:
            self._let_go(served)
            raise self._refused(folder, stamp, f"it was {version} and became {served.version} while it was read")
        self.refusals.forget(folder)
        return served

    def _refused(self, folder: Path, stamp: Stamp, reason: str) -> ModelRefused:
        reason = self.folders.named(reason)
        self.refusals.remember(folder, stamp, reason)
        self._metrics.reloads.labels("refused").inc()
        self._log.error("model refused", folder=folder.name, reason=reason, still=self._models.now.active)
        return ModelRefused(reason)

    def _exchange(self, agreed: Active, served: Served) -> None:
        """The step itself: nothing is awaited in it."""
        if self._models.get(served.version) is None:
            self._models.keep(served)
        self._spare(served)
        was = self._models.active.version
        self._models.exchange(agreed)
        self._complaints.clear()
        for dropped in self._models.drop_all_but(self._needed()):
            self._let_go(dropped)
        self._start(self.keep_ready())
        if was != agreed.active:
            self._metrics.reloads.labels("activated").inc()
            active = self._models.active.model
            self._metrics.answers_with(active.version, len(active.bundle.catalog), instead_of=was)
            self._log.info("model activated", model_version=agreed.active, previous=agreed.previous)

    def _needed(self) -> set[str]:
        previous = self._models.now.previous
        return {previous} if previous is not None and self._settings.keep_previous else set()

    async def keep_ready(self) -> None:
        """Open what is needed and is not open: after a restart, the version to go back to."""
        for version in self._needed() - set(self._models.versions()):
            try:
                served = await self._opened(version, again=False)
            except (UnknownModel, ModelRefused) as error:
                self._complain("the previous model cannot be kept ready", str(error))
                continue
            if version in self._needed() and self._models.get(version) is None and not served.retired:
                self._models.keep(served)
            self._spare(served)

    def _spare(self, served: Served) -> None:
        """Let go of a model that was opened beside one that is kept, or that nobody came to need."""
        if self._models.get(served.version) is not served:
            self._let_go(served)

    def _let_go(self, served: Served) -> None:
        if not served.retired:
            served.retired = True
            self._start(self._loader.release(served))

    def _start(self, work: Coroutine[Any, Any, T]) -> asyncio.Task[T]:
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._ended)
        return task

    def _ended(self, task: asyncio.Task[Any]) -> None:
        self._tasks.discard(task)
        error = None if task.cancelled() else task.exception()
        if error is not None and not isinstance(error, ServiceError):
            self._log.error("reload failed", exc_info=error)

    def _complain(self, event: str, reason: str) -> None:
        """Once, not every second."""
        if self._complaints.get(event) != reason:
            self._complaints[event] = reason
            self._log.error(event, reason=reason, still=self._models.now.active)
