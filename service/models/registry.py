"""Which models this worker serves, and which of them a request gets."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from service.errors import UnknownModel
from service.models.active_file import Active
from service.models.served import Served
from service.models.variants import ACTIVE, Variants


@dataclass(frozen=True)
class Choice:
    """The model of one answer. Lease it before anything is awaited."""

    served: Served
    variant: str | None
    """The arm of the experiment that the caller is in."""

    def fields(self) -> dict[str, str | None]:
        """As an answer names them."""
        return {"model_version": self.served.version, "variant": self.variant}


class Models:
    """The open models of one worker, by version. Only ever touched on the event loop, and changed in one step: no
    request sees half of an exchange."""

    def __init__(self, opened: Iterable[Served], now: Active, variants: Variants) -> None:
        """Begin with the active model and those that the variants name, which stay open."""
        self._open = {served.version: served for served in opened}
        self.variants = variants
        self.exchange(now)

    @property
    def active(self) -> Served:
        """The model that answers now. Ask once per request and lease what you got: `with models.active as served:`."""
        return self._open[self._now.active]

    def choose(self, user_id: str | None, version: str | None) -> Choice:
        """The model of an answer: of the version asked for, else of the user's variant, else the active one.

        Raises:
            UnknownModel: the version asked for is not open.
        """
        if version is not None:
            served = self._open.get(version)
            if served is None:
                raise UnknownModel(f"model: {version} is not open; open are {', '.join(sorted(self._open))}")
            return Choice(served, None)
        arm = self.variants.of(user_id)
        if arm is None:
            return Choice(self.active, None)
        return Choice(self.active if arm.version == ACTIVE else self._open[arm.version], arm.name)

    def unknown(self, item_ids: Iterable[str]) -> list[str]:
        """Those of the ids that no model knows which answers somebody, each once, in their order."""
        unknown = self.active.model.recommender.unknown(item_ids)
        for version in sorted(self.variants.versions):
            unknown = self._open[version].model.recommender.unknown(unknown)
        return unknown

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
        """Take out what is not needed; what was taken, for release. What answers somebody always stays."""
        needed = {self._now.active, *self.variants.versions, *versions}
        dropped = [served for version, served in self._open.items() if version not in needed]
        self._open = {version: served for version, served in self._open.items() if version in needed}
        return dropped

    def close(self) -> None:
        """Let go of every model."""
        for served in self._open.values():
            served.close()
