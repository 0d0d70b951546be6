"""From no volume at all to lists that are right, with the compose file as it is."""

from __future__ import annotations

import time

from benchmarks.containers.engine import EngineError, docker, state_of
from benchmarks.containers.stack import FIRST, Stack, Told, seconds_of


def build(stack: Stack) -> Told:
    """Build both images; what the engine has in its cache is not built again."""
    seconds = {}
    for name in ("service", "trainer"):
        began = time.monotonic()
        stack.compose.do("build", name)
        seconds[name] = round(time.monotonic() - began, 1)
    return Told({"seconds": seconds}, {})


def come_up(stack: Stack) -> Told:
    """`up`, and what the trainer and the service did."""
    began = time.monotonic()
    stack.compose.do("up", "--detach")
    ready = stack.service.until_ready()
    seconds = round(time.monotonic() - began, 1)
    wrong = stack.service.wrong_lists(stack.truth(FIRST))
    trainer = stack.compose.container("trainer")
    seen = {
        "seconds_to_ready": seconds,
        "trainer_seconds": seconds_of(trainer),
        "ready_after_up_seconds": ready,
        "complaints": wrong,
        "steps": [line for line in stack.compose.do("logs", "--no-color", "trainer").splitlines() if "/6 " in line],
    }
    return Told(seen, {
        "the trainer ended well": state_of(trainer).exit_code == 0,
        "every list and history is right": not wrong,
        "the root file system cannot be written to": _refused(stack, "/written"),
        "the models cannot be written to": _refused(stack, "/models/written"),
        "torch cannot be imported": _fails(stack, "python", "-c", "import torch"),
        "the cache has no way out": _cut_off(stack),
    })  # fmt: skip


def come_up_again(stack: Stack) -> Told:
    """`down` without the volumes, and `up`."""
    stack.compose.do("down")
    again = come_up(stack)
    return Told(again.seen, again.claims | {"nothing was trained": again.seen["steps"] == []})


def _refused(stack: Stack, path: str) -> bool:
    return _fails(stack, "python", "-c", f"open({path!r}, 'w')")


def _fails(stack: Stack, *words: str) -> bool:
    try:
        stack.compose.inside("service", *words)
    except EngineError:
        return True
    return False


def _cut_off(stack: Stack) -> bool:
    """Redis is on internal networks alone."""
    networks = "{{range $name, $_ := .NetworkSettings.Networks}}{{$name}} {{end}}"
    names = docker("inspect", "--format", networks, stack.compose.container("redis")).split()
    return set(docker("network", "inspect", "--format", "{{.Internal}}", *names).split()) == {"true"}
