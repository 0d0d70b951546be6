"""The project's compose file, run as a project of its own, so that no other project's volumes are touched."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from benchmarks.containers.engine import command, docker


@dataclass(frozen=True)
class Compose:
    """`docker compose` on some files."""

    program: tuple[str, ...]
    """`docker compose` or `docker-compose`."""
    files: tuple[Path, ...]
    project: str
    settings: Mapping[str, str]
    """Variables of the compose file, beside those of the environment."""

    def do(self, *words: str) -> str:
        """Run one of its commands and give what it wrote to stdout.

        Raises:
            EngineError: it ended with an error.
        """
        files = [word for file in self.files for word in ("--file", str(file))]
        return command([*self.program, "--project-name", self.project, *files, *words], self.settings)

    def having(self, settings: Mapping[str, str]) -> Compose:
        """The same with other variables above its own."""
        return replace(self, settings={**self.settings, **settings})

    def container(self, service: str) -> str:
        """The id of a service's container, running or not."""
        return self.do("ps", "--all", "--quiet", service).split()[0]

    def inside(self, service: str, *words: str) -> str:
        """Run a program in a service's container."""
        return docker("exec", self.container(service), *words)

    def once(self, service: str, *words: str) -> str:
        """Run a program in a new container of a service, which then goes."""
        return self.do("run", "--rm", "-T", "--no-deps", service, *words)

    def version(self) -> str:
        """What the program calls its version."""
        return command([*self.program, "version", "--short"])
