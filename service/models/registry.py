"""Which models this worker serves, and which of them a request gets."""

from __future__ import annotations

from collections.abc import Iterable

from service.models.active_file import Active
from service.models.served import Served


class Models:
    """The open models of one worker, by version. Only ever touched on the event loop, and changed in one step: no
    request sees half of an exchange."""

    def __init__(self, active: Served, now: Active) -> None:
        self._open = {active.version: active}
        self.exchange(now)

    @property
    def active(self) -> Served:
        """The model that answers now. Ask once per request and lease what you got: `with models.active as served:`."""
        return self._open[self._now.active]

    @property
    def now(self) -> Active:
        """The versions that are active and were before."""
        return self._now

    def versions(self) -> tuple[str, ...]:
        """Those that are open."""
        return tuple(self._open)

    def get(self, version: str) -> Served | None:
        """The open model of a version."""
        return self._open.get(version)

    def keep(self, served: Served) -> None:
        """Hold an open model ready."""
        self._open[served.version] = served

    def exchange(self, now: Active) -> None:
        """Let requests from now on be answered by the active one of `now`, which must be open."""
        self._open[now.active]  # a KeyError here, or none later
        self._now = now

    def drop_all_but(self, versions: Iterable[str]) -> list[Served]:
        """Take out what is not needed; what was taken, for release. The active one always stays."""
        needed = {self._now.active, *versions}
        dropped = [served for version, served in self._open.items() if version not in needed]
        self._open = {version: served for version, served in self._open.items() if version in needed}
        return dropped

    def close(self) -> None:
        """Let go of every model."""
        for served in self._open.values():
            served.close()
