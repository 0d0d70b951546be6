"""`docker stop` under load, behind a balancer that looks at `/readyz`."""

from __future__ import annotations

import time
from dataclasses import asdict

import yaml  # type: ignore[import-untyped]  # uvicorn brings it along, without stubs

from benchmarks.containers.engine import docker, state_of
from benchmarks.containers.load import Users, while_asked
from benchmarks.containers.stack import FIRST, Stack, Told


def stop(stack: Stack) -> Told:
    """Stop it while users ask, and start it again."""
    stack.serve({"WORKERS": "2"})
    name, truth = stack.compose.container("service"), stack.truth(FIRST)
    seconds: list[float] = []

    def order() -> None:
        began = time.monotonic()
        docker("stop", name)
        seconds.append(round(time.monotonic() - began, 2))

    loaded = while_asked(stack.service.port, Users(truth, balanced=True), order)
    state, grace = state_of(name), _grace(stack)
    stack.compose.do("start", "service")
    stack.service.until_ready()
    return Told(
        {"seconds": seconds[0], "grace_seconds": grace, "exit_code": state.exit_code, "load": asdict(loaded)},
        {
            "exit code 0": state.exit_code == 0,
            "within the grace period": seconds[0] < grace,
            "no request failed": not loaded.failed,
        },
    )


def _grace(stack: Stack) -> float:
    """Seconds that the compose file gives it."""
    stated = yaml.safe_load(stack.compose.files[0].read_text())["services"]["service"]["stop_grace_period"]
    return float(stated.removesuffix("s"))
