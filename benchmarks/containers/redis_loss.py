"""Redis is killed: lists go on without stored histories, and everything is back when Redis is."""

from __future__ import annotations

import http.client
import time
from collections.abc import Callable
from dataclasses import asdict
from itertools import count

from benchmarks.containers.asking import Watch
from benchmarks.containers.engine import crash, docker, state_of
from benchmarks.containers.stack import FIRST, HELPER, Stack, Told
from benchmarks.containers.truth import DEGRADED

GONE_SECONDS = 10
SEED = ("python", "-m", "service", "seed", f"/models/{FIRST}", "--interactions", "/models/interactions.csv.gz")


def crashed(stack: Stack) -> Told:
    """Its process gets SIGKILL: the engine starts it again, empty, and `seed` gives back what the file knows."""
    redis, truth = stack.compose.container("redis"), stack.truth(FIRST)
    with Watch(_any_list(stack, truth.histories)) as watch:
        crash(redis, HELPER)
        watch.until_right()
    empty = [user for user in truth.histories if not stack.service.stored(user)]
    said = stack.compose.inside("service", *SEED)
    wrong = stack.service.wrong_lists(truth)
    felt = watch.felt()
    return Told({"felt": asdict(felt), "seeded": said.splitlines()[-1], "complaints": wrong}, {
        "the engine started it again": state_of(redis).running and state_of(redis).restarts == 1,
        "every list was given, degraded at worst": set(felt.complaints) <= {DEGRADED},
        "histories are gone, as promised": len(empty) == len(truth.histories),
        "after `seed` every list and history is right": not wrong,
    })  # fmt: skip


def gone(stack: Stack) -> Told:
    """It is killed by order, stays away for a while, and is started again."""
    redis, user = stack.compose.container("redis"), "somebody-new"
    users = stack.truth(FIRST).histories
    with Watch(_any_list(stack, users)) as watch:
        docker("kill", redis)
        time.sleep(GONE_SECONDS)
        event = {"events": [{"user_id": user, "item_id": users[min(users)][-1]}]}
        refused = stack.service.send("POST", "/events", event)
        ready = stack.service.send("GET", "/readyz")
        stack.compose.do("start", "redis")
        watch.until_right()
        taken = stack.service.send("POST", "/events", event)
        seen = stack.service.send("POST", "/recommend", {"user_id": user})
    stack.compose.inside("service", *SEED)
    felt = watch.felt()
    return Told({"felt": asdict(felt), "events_meanwhile": refused[1], "ready_meanwhile": ready[1]}, {
        "every list was given, degraded at worst": set(felt.complaints) == {DEGRADED},
        "events were refused, for the time being": (refused[0], refused[1]["error"]) == (503, "history_unavailable"),
        "the service stayed ready": (ready[0], ready[1]["redis"]) == (200, "down"),
        "afterwards events are taken": taken[0] == 200 and taken[1]["accepted"] == 1,
        "and the next list knows them": seen[1]["source"] == "model",
    })  # fmt: skip


def _any_list(stack: Stack, users: dict[str, list[str]]) -> Callable[[], str | None]:
    """Asks for one user after the other; a list that is not degraded is right, whatever history it comes from."""
    turn = count()
    names = list(users)

    def ask() -> str | None:
        user = names[next(turn) % len(names)]
        try:
            status, body = stack.service.send("POST", "/recommend", {"user_id": user})
        except (OSError, http.client.HTTPException) as error:
            return type(error).__name__
        if status != 200:
            return f"{status} {body['error']}"
        return DEGRADED if body["degraded"] else None

    return ask
