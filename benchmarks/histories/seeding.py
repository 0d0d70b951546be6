"""How fast `service seed` is, how much memory and disk it takes, and whether it is right: the real command, on files of
several lengths, and then a service that is asked for some of the users."""

from __future__ import annotations

import os
import random
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from math import gcd
from pathlib import Path

import httpx
from redis import Redis

from benchmarks.histories.workers import PATIENT, workers

MEGABYTE = 1 << 20
STRIDE = 7_368_787
"""A prime: `k * STRIDE % users` goes through all users, and leaves no two neighbours beside each other."""
EMPTYING_SECONDS = 600
"""A server gives no other answer while it forgets ten million keys."""
ASKED = 1_000
"""Users whose histories are looked at through the service."""


@dataclass(frozen=True)
class Rows:
    """A file of interactions of which each line can be worked out again, so that nothing of it need be remembered."""

    item_ids: list[str]
    users: int
    per_user: int
    is_sorted: bool
    """By user, and of each user the newest first; else in order of time, so that the rows of a user are far apart."""

    def write(self, file: Path) -> None:
        """As a stream."""
        assert gcd(STRIDE, self.users) == 1
        with file.open("w") as out:
            out.write("user_id,item_id,timestamp\n")
            out.writelines(self._lines())

    def _lines(self) -> Iterator[str]:
        if self.is_sorted:
            for user in range(self.users):
                name = name_of(user)
                for moment in reversed(range(self.per_user)):
                    yield f"{name},{self.item(user, moment)},{moment}\n"
            return
        for moment in range(self.per_user):
            for k in range(self.users):
                user = k * STRIDE % self.users
                yield f"{name_of(user)},{self.item(user, moment)},{moment}\n"

    def item(self, user: int, moment: int) -> str:
        """What a user met at a moment."""
        return self.item_ids[(user * 7919 + moment * 104_729 + user * moment) % len(self.item_ids)]

    def history(self, user: int) -> list[str]:
        """What is to be stored of a user, as long as all of it is kept; oldest first."""
        return [self.item(user, moment) for moment in range(self.per_user)]


def name_of(user: int) -> str:
    """Their id, 14 characters as Amazon's."""
    return f"A{user:013d}"


@dataclass(frozen=True)
class Run:
    """One run of the command."""

    users: int
    rows: int
    file_mb: float
    is_sorted: bool
    seconds: float
    users_per_second: float
    cpu_seconds: float
    """What the command itself computed: other work on the machine does not change it much."""
    users_per_cpu_second: float
    resident_mb: float
    """Most memory that the process ever held."""
    redis_mb: float
    """What the server then holds."""
    asked: int
    """Users whose stored history and whose list were asked of a service."""
    wrong: int
    """Of these, whose history was another, or whose list was not made from one."""
    said: str


def run(bundle: Path, url: str, file: Path, rows: Rows) -> Run:
    """Seed an empty server from a file, and look at what is there then.

    Raises:
        RuntimeError: the command failed.
    """
    with Redis.from_url(url, socket_timeout=EMPTYING_SECONDS) as redis:
        redis.flushall()
    command = [sys.executable, "-m", "service", "seed", str(bundle), "--interactions", str(file), "--redis", url]
    started = time.perf_counter()
    with subprocess.Popen(command + ["--sorted"] * rows.is_sorted, stdout=subprocess.PIPE, text=True) as process:  # noqa: S603
        said = (process.stdout.read() if process.stdout else "").strip().splitlines()
        _, status, used = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
    seconds = time.perf_counter() - started
    if process.returncode:
        raise RuntimeError(f"{' '.join(command)} ended with {process.returncode}")
    computed, asked = used.ru_utime + used.ru_stime, min(ASKED, rows.users)
    with Redis.from_url(url) as redis:
        held = redis.info("memory")["used_memory"]
    return Run(
        rows.users, int(said[-1].split(" rows")[0].split()[-1]), round(file.stat().st_size / MEGABYTE, 1),
        rows.is_sorted, round(seconds, 1), round(rows.users / seconds), round(computed, 1),
        round(rows.users / computed), round(used.ru_maxrss / 1024, 1), round(held / MEGABYTE, 1), asked,
        _wrong(bundle, url, rows, asked), said[-1],
    )  # fmt: skip


def _wrong(bundle: Path, url: str, rows: Rows, asked: int) -> int:
    """Asks a service for some users drawn at random."""
    wrong = 0
    with workers(bundle, url, 1, **PATIENT) as (address,), httpx.Client(base_url=address, timeout=30) as client:
        for user in random.Random(0).sample(range(rows.users), asked):
            stored = client.get(f"/users/{name_of(user)}/history").json()["items"]
            answer = client.post("/recommend", json={"user_id": name_of(user), "n": 1}).json()
            is_right = [one["item_id"] for one in stored] == rows.history(user)
            wrong += not (is_right and answer["source"] == "model" and not answer["degraded"])
    return wrong
