"""Where models are opened and let go: a thread of its own, so that the event loop serves meanwhile."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from service.model_thread import ModelThread
from service.models.opening import open_model
from service.models.served import Served
from service.recommender import Recommender
from service.settings import Settings

StartsThread = Callable[[Recommender], ModelThread]


class Loader:
    """Opens one model at a time: two at once would want the memory of both."""

    def __init__(self, settings: Settings, start_thread: StartsThread) -> None:
        self._settings = settings
        self._start_thread = start_thread
        self._executor = ThreadPoolExecutor(max_workers=1, thread_name_prefix="loader")

    async def open(self, folder: Path) -> Served:
        """Prove, open, test and warm the model of a folder; `open_model` says what is raised."""
        settings = self._settings.model_copy(update={"bundle": folder})
        model = await asyncio.get_running_loop().run_in_executor(self._executor, open_model, settings)
        return Served(model, self._start_thread(model.recommender))

    async def release(self, served: Served) -> None:
        """Wait until the last request is done with it, then let go of its memory, which takes a while if it is much."""
        await served.idle()
        await asyncio.get_running_loop().run_in_executor(self._executor, served.close)

    def close(self) -> None:
        """Wait for what is under way; the rest is dropped."""
        self._executor.shutdown(cancel_futures=True)
