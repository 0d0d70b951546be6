"""The container engine: what it says of a container, and a container's end that it did not order."""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass

SECONDS = 3600
"""How long a command may take: the trainer's, which is the longest, is minutes."""
KILL = "import os, signal, sys; os.kill(int(sys.argv[1]), signal.SIGKILL)"


class EngineError(RuntimeError):
    """A command of the engine ended with an error; names the command and what it said."""


@dataclass(frozen=True)
class State:
    """What the engine says of a container."""

    running: bool
    pid: int
    """Of its first process, as the engine's machine counts; 0 when it does not run."""
    exit_code: int
    restarts: int
    """How often its restart policy has started it again."""
    image: str
    started_at: str
    finished_at: str


def command(words: list[str], settings: Mapping[str, str] | None = None) -> str:
    """Run a program and give what it wrote to stdout; `settings` are added to the environment.

    Raises:
        EngineError: it ended with an error.
    """
    done = subprocess.run(  # noqa: S603 - the words are ours
        words, capture_output=True, text=True, timeout=SECONDS, check=False, env=os.environ | (settings or {})
    )
    if done.returncode:
        raise EngineError(f"{' '.join(words)}: {done.returncode}, {done.stderr.strip()[-2000:]}")
    return done.stdout.strip()


def docker(*words: str) -> str:
    """One command of the engine.

    Raises:
        EngineError: it ended with an error.
    """
    return command(["docker", *words])


def state_of(container: str) -> State:
    """What the engine says of a container now."""
    (told,) = json.loads(docker("inspect", container))
    state = told["State"]
    return State(
        state["Running"], state["Pid"], state["ExitCode"], told["RestartCount"], told["Config"]["Image"],
        state["StartedAt"], state["FinishedAt"],
    )  # fmt: skip


def crash(container: str, helper: str) -> None:
    """End a container's first process with SIGKILL from outside, as a lack of memory does.

    `docker kill` is an order, after which no restart policy starts the container again; inside, a first process
    cannot be killed. So a container of the image `helper`, which must have Python, looks in from the engine's machine.
    """
    pid = state_of(container).pid
    docker(
        "run", "--rm", "--pid", "host", "--network", "none", "--user", "0", "--cap-drop", "ALL", "--cap-add", "KILL",
        "--entrypoint", "python", helper, "-c", KILL, str(pid),
    )  # fmt: skip


def versions() -> dict[str, str]:
    """Of the engine and of what speaks to it."""
    client, server = docker("version", "--format", "{{.Client.Version}} {{.Server.Version}}").split()
    return {"engine": server, "docker": client}
