"""The containers under trial, and what is told of them."""

from __future__ import annotations

import time
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from benchmarks.containers.asking import Service
from benchmarks.containers.compose import Compose
from benchmarks.containers.engine import docker, state_of
from benchmarks.containers.truth import Truth, truth_of

USERS = 100
"""Users whose lists and histories are compared."""
FIRST, SECOND = "bundle", "another"
"""Folders of the volume."""
HELPER = "prm-kd-service"
"""An image that has Python."""


@dataclass(frozen=True)
class Told:
    """What was seen, and what was to be so."""

    seen: dict[str, object]
    claims: dict[str, bool]

    @property
    def wrong(self) -> list[str]:
        """The claims that do not hold."""
        return [claim for claim, holds in self.claims.items() if not holds]


@dataclass(frozen=True)
class Stack:
    """One project of containers."""

    compose: Compose
    service: Service
    prometheus_port: int
    folder: Path
    """A place of our own for what is copied out of the volume."""

    def serve(self, settings: dict[str, str]) -> float:
        """Make the container anew with other variables; the old one ends in order. Seconds until the new one
        is ready."""
        began = time.monotonic()
        self.compose.having(settings).do("up", "--detach", "--no-deps", "--force-recreate", "service")
        self.service.until_ready()
        return round(time.monotonic() - began, 1)

    def truth(self, *bundles: str) -> Truth:
        """What is right by some bundles of the volume."""
        container = self.compose.container("service")
        for name in (*bundles, "interactions.csv.gz"):
            if not (self.folder / name).exists():
                docker("cp", f"{container}:/models/{name}", str(self.folder / name))
        return truth_of([self.folder / name for name in bundles], self.folder / "interactions.csv.gz", USERS)

    def states(self) -> dict[str, str]:
        """What each folder of the volume is to the service."""
        models = self.service.send("GET", "/models")[1]["models"]
        assert isinstance(models, list)
        return {one["folder"]: one["state"] for one in models}

    def active(self) -> str:
        """The folder of the active model."""
        return next(folder for folder, state in self.states().items() if state == "active")


def seconds_of(container: str) -> float:
    """How long a container that has ended ran."""
    state = state_of(container)
    began, ended = map(_moment, (state.started_at, state.finished_at))
    return (ended - began).total_seconds()


def _moment(told: str) -> datetime:
    """The engine tells nanoseconds, which no datetime holds."""
    return datetime.fromisoformat(told.split(".")[0].rstrip("Z") + "+00:00")
