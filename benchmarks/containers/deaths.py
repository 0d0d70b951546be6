"""Processes of the service are killed: what callers feel, and after how many seconds everything is back."""

from __future__ import annotations

import time
from dataclasses import asdict

from benchmarks.containers.asking import PATIENCE_SECONDS, Watch
from benchmarks.containers.engine import crash, docker, state_of
from benchmarks.containers.stack import FIRST, HELPER, Stack, Told
from benchmarks.containers.truth import DEGRADED

LEFT_ALONE_SECONDS = 10
LATE = frozenset({DEGRADED})
"""Where the machine is busy, Redis may be; that is not what is looked at here."""


def worker(stack: Stack) -> Told:
    """One of two workers gets SIGKILL."""
    stack.serve({"WORKERS": "2"})
    before = _all_answering(stack)
    with Watch(stack.service.asker(stack.truth(FIRST)), LATE) as watch:
        began = time.monotonic()
        stack.compose.inside("service", "sh", "-c", f"kill -9 {min(before)}")
        while len(now := _answering(stack) - {min(before)}) < 2:
            time.sleep(0.05)
        seconds = round(time.monotonic() - began, 2)
        watch.until_right()
    felt = watch.felt()
    return Told({"two_workers_again_seconds": seconds, "felt": asdict(felt)}, {
        "there were two workers": len(before) == 2,
        "the other one is left, and a new one": len(now & before) == 1,
        "the container was not started again": state_of(stack.compose.container("service")).restarts == 0,
        "every list that was answered is right": _only_cut_off(felt.complaints),
    })  # fmt: skip


def container(stack: Stack) -> Told:
    """The container's first process gets SIGKILL, as when memory is short."""
    stack.serve({"WORKERS": "2"})
    name = stack.compose.container("service")
    with Watch(stack.service.asker(stack.truth(FIRST)), LATE) as watch:
        crash(name, HELPER)
        watch.until_right()
    felt, state = watch.felt(), state_of(name)
    return Told({"felt": asdict(felt), "restarts": state.restarts}, {
        "the engine started it again": state.running and state.restarts == 1,
        "every list that was answered is right": _only_cut_off(felt.complaints),
        "its callers noticed": felt.seconds > 0,
    })  # fmt: skip


def by_order(stack: Stack) -> Told:
    """`docker kill` is an order: the engine leaves the container alone until somebody starts it."""
    stack.serve({"WORKERS": "2"})
    name = stack.compose.container("service")
    docker("kill", "--signal", "KILL", name)
    time.sleep(LEFT_ALONE_SECONDS)
    left, began = state_of(name), time.monotonic()
    stack.compose.do("up", "--detach", "--no-deps", "--no-recreate", "service")
    stack.service.until_ready()
    seconds = round(time.monotonic() - began, 2)
    wrong = stack.service.wrong_lists(stack.truth(FIRST))
    return Told({"exit_code": left.exit_code, "ready_after_up_seconds": seconds, "complaints": wrong}, {
        f"it was left alone for {LEFT_ALONE_SECONDS} s": not left.running,
        "`up` brings it back, with every list": not wrong,
    })  # fmt: skip


def _answering(stack: Stack) -> set[int]:
    """The process ids, as the container counts, of the workers that have a model."""
    workers = stack.service.send("GET", "/models")[1]["workers"]
    assert isinstance(workers, list)
    return {one["pid"] for one in workers}


def _all_answering(stack: Stack) -> set[int]:
    """The same once there are two: the container is ready with the first."""
    began = time.monotonic()
    while len(found := _answering(stack)) < 2 and time.monotonic() - began < PATIENCE_SECONDS:
        time.sleep(0.05)
    return found


def _only_cut_off(complaints: dict[str, int]) -> bool:
    """Callers of a process that dies may get nothing, which is told by the name of an exception; what they get is
    right."""
    return all(complaint.isidentifier() for complaint in complaints)
