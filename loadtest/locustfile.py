"""Users of the service: some look, some click. A scenario with every answer checked; no benchmark (docs/loadtest.md).

locust -f loadtest/locustfile.py --headless --users 20 --spawn-rate 10 --run-time 60s --host http://127.0.0.1:8000
"""

from __future__ import annotations

import logging

from locust import events
from locust.contrib.fasthttp import FastResponse
from locust.env import Environment

from loadtest.clicker import Clicker
from loadtest.stages import Stages
from loadtest.visitor import Visitor

__all__ = ["Clicker", "Visitor"]  # what locust looks for in this file


@events.init.add_listener  # type: ignore[untyped-decorator]  # locust leaves its hooks untyped
def _split_latency_by_stage(environment: Environment, **_: object) -> None:
    """Collect the stage headers of all answers and print them above locust's own tables."""
    stages = Stages()

    def note(response: object = None, **_: object) -> None:
        if isinstance(response, FastResponse) and response.headers is not None:
            stages.note(str(response.headers.get("Server-Timing", "")))

    def tell(**_: object) -> None:
        for line in ["", *stages.table()]:
            logging.getLogger("locust.stats_logger").info(line)

    environment.events.request.add_listener(note)  # type: ignore[no-untyped-call]
    environment.events.quitting.add_listener(tell)  # type: ignore[no-untyped-call]
