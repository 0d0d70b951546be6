"""The model changes under load, goes back, and is what it was after a restart; a spoilt one is refused."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import asdict, dataclass, field

from benchmarks.containers.engine import docker
from benchmarks.containers.load import Loaded, Users, while_asked
from benchmarks.containers.stack import FIRST, SECOND, Stack, Told
from service.keys import hash_of, new_key

PATIENCE_SECONDS = 60
SPOILT = "spoilt"
SPOIL = f"""
cp -r /models/{FIRST} /models/.{SPOILT}
sed -i 's/"model_version": *"[^"]*"/"model_version": "{SPOILT}"/' /models/.{SPOILT}/manifest.json
mv /models/.{SPOILT} /models/{SPOILT}
"""


@dataclass
class Admin:
    """Calls of who holds the key, and how long they took."""

    stack: Stack
    key: str
    statuses: list[int] = field(default_factory=list)
    seconds: list[float] = field(default_factory=list)
    """Until every worker answered with the version."""

    def post(self, path: str) -> tuple[int, dict[str, object]]:
        """One call."""
        return self.stack.service.send("POST", f"/admin/{path}", key=self.key)

    def until_followed(self, path: str, version: str) -> Callable[[], None]:
        """Call, and wait for all workers."""

        def act() -> None:
            began = time.monotonic()
            self.statuses.append(self.post(path)[0])
            while self._served() != {version}:
                if time.monotonic() - began > PATIENCE_SECONDS:
                    raise TimeoutError(f"not every worker answers with {version}")
                time.sleep(0.02)
            self.seconds.append(round(time.monotonic() - began, 2))

        return act

    def _served(self) -> set[str]:
        workers = self.stack.service.send("GET", "/models")[1]["workers"]
        assert isinstance(workers, list)
        return {one["model_version"] for one in workers}


def change(stack: Stack) -> Told:
    """All of it, with two workers."""
    admin = Admin(stack, new_key())
    settings = {"WORKERS": "2", "REC_ADMIN_KEY_SHA256": hash_of(admin.key)}
    stack.serve(settings)
    loads = _exchanged(admin)
    refused = _spoilt(admin)
    after = _restarted(stack, settings)
    back = _exchanged_back(admin)
    seen = {
        "all_workers_follow_seconds": admin.seconds,
        "requests": sum(one.requests for one in loads),
        "loads": list(map(asdict, loads)),
        "refused": refused,
    }
    return Told(seen, {
        "every call of the admin succeeded": set(admin.statuses) == {200},
        "no request failed, no list was wrong": not any(one.failed for one in loads),
        "a spoilt bundle is refused": refused["error"] == "model_refused",
        "the active model outlives a restart": after == [SECOND, SECOND],
        "the first is back": back == FIRST,
    })  # fmt: skip


def _exchanged(admin: Admin) -> list[Loaded]:
    """The second, back to the first, and forth again."""
    truth = admin.stack.truth(FIRST, SECOND)
    steps = [(f"models/{truth.second}/activate", truth.second), ("rollback", truth.first), ("rollback", truth.second)]
    return [while_asked(admin.stack.service.port, Users(truth), admin.until_followed(*step)) for step in steps]


def _spoilt(admin: Admin) -> dict[str, object]:
    """What is said of a bundle whose manifest was changed by hand."""
    admin.stack.compose.once("trainer", "sh", "-ec", SPOIL)
    try:
        return admin.post(f"models/{SPOILT}/activate")[1]
    finally:
        admin.stack.compose.once("trainer", "rm", "-r", f"/models/{SPOILT}")


def _restarted(stack: Stack, settings: dict[str, str]) -> list[str]:
    """What is active after `docker restart`, and in a new container."""
    docker("restart", stack.compose.container("service"))
    stack.service.until_ready()
    first = stack.active()
    stack.serve(settings)
    return [first, stack.active()]


def _exchanged_back(admin: Admin) -> str:
    """So that what comes next finds the first model active."""
    admin.until_followed("rollback", admin.stack.truth(FIRST).first)()
    return admin.stack.active()
